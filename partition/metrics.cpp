#include "laminar/partition/metrics.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::partition {
namespace {

void check(const core::Graph& graph, const Partition& partition, const MeasureOptions& o) {
  const Index n = graph.num_vertices();
  validate(partition, n);
  for (const VertexId v : o.train) {
    if (v < 0 || v >= n) throw UsageError(fmt::format("training vertex {} of a graph with {} vertices", v, n));
  }
  if (!o.capacity.empty() && static_cast<Index>(o.capacity.size()) != partition.num_parts) {
    throw UsageError(fmt::format("{} capacities for {} parts", o.capacity.size(), partition.num_parts));
  }
  if (!o.vertex_weights.empty() && static_cast<Index>(o.vertex_weights.size()) != n) {
    throw UsageError(fmt::format("{} vertex weights for {} vertices", o.vertex_weights.size(), n));
  }
}

/// Whole numbers only, so their sums don't depend on who adds them when.
struct Counters {
  explicit Counters(Index parts)
      : receive_in(static_cast<std::size_t>(parts), 0),
        receive_out(receive_in),
        send_in(receive_in),
        send_out(receive_in),
        halo(receive_in),
        in_edges(receive_in),
        traffic_in(parts <= PartitionMetrics::kMostTrafficParts ? static_cast<std::size_t>(parts * parts) : 0, 0),
        traffic_out(traffic_in) {}

  void add(const Counters& other) {
    const auto plus = [](std::vector<Index>& to, const std::vector<Index>& from) {
      std::transform(to.begin(), to.end(), from.begin(), to.begin(), std::plus<>());
    };
    plus(receive_in, other.receive_in);
    plus(receive_out, other.receive_out);
    plus(send_in, other.send_in);
    plus(send_out, other.send_out);
    plus(halo, other.halo);
    plus(in_edges, other.in_edges);
    plus(traffic_in, other.traffic_in);
    plus(traffic_out, other.traffic_out);
    cut += other.cut;
  }

  std::vector<Index> receive_in;
  std::vector<Index> receive_out;
  std::vector<Index> send_in;
  std::vector<Index> send_out;
  std::vector<Index> halo;
  std::vector<Index> in_edges;
  std::vector<Index> traffic_in;
  std::vector<Index> traffic_out;
  EdgeId cut = 0;
};

/// Counts for vertices [begin, end): each vertex asks which other parts read it (its out-edges) and which feed it (its
/// in-edges). `seen` says how the current vertex met a part: as reader (bit 1), as feeder (bit 2).
void count(const core::Graph& graph, const Partition& partition, Index begin, Index end, Counters& c) {
  const Index parts = partition.num_parts;
  const auto& part_of = partition.part_of;
  std::vector<std::uint8_t> seen(static_cast<std::size_t>(parts), 0);
  std::vector<std::int32_t> touched;
  const auto meet = [&](std::int32_t p, std::uint8_t bit) {
    if (seen[p] == 0) touched.push_back(p);
    seen[p] |= bit;
  };
  for (Index v = begin; v < end; ++v) {
    const std::int32_t own = part_of[v];
    for (EdgeId e = graph.out_offsets()[v]; e < graph.out_offsets()[v + 1]; ++e) {
      const std::int32_t p = part_of[graph.out_targets()[e]];
      if (p == own) continue;
      meet(p, 1);
      ++c.cut;
    }
    for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
      const std::int32_t p = part_of[graph.in_sources()[e]];
      if (p != own) meet(p, 2);
    }
    c.in_edges[own] += graph.in_degree(static_cast<VertexId>(v));
    for (const std::int32_t p : touched) {
      const Index read = seen[p] & 1;
      const Index fed = seen[p] >> 1;
      c.receive_in[p] += read;
      c.send_in[own] += read;
      c.receive_out[p] += fed;
      c.send_out[own] += fed;
      ++c.halo[p];
      if (!c.traffic_in.empty()) {
        c.traffic_in[own * parts + p] += read;
        c.traffic_out[own * parts + p] += fed;
      }
      seen[p] = 0;
    }
    touched.clear();
  }
}

Counters count_all(const core::Graph& graph, const Partition& partition) {
  const Index n = graph.num_vertices();
  const Index parts = partition.num_parts;
  Counters total(parts);
  // As many slabs as keep their counters together within 64 MiB.
  constexpr Index kMostCounters = Index{1} << 23;
  const Index size = static_cast<Index>(2 * total.traffic_in.size()) + 6 * parts;
  const Index slabs = std::clamp<Index>(kMostCounters / size, 1, 64);
  std::vector<Counters> counters(static_cast<std::size_t>(slabs), Counters(0));
  core::parallel_for(slabs, 1, [&](Index first, Index last) {
    for (Index s = first; s < last; ++s) {
      counters[s] = Counters(parts);
      count(graph, partition, n * s / slabs, n * (s + 1) / slabs, counters[s]);
    }
  });
  for (const Counters& c : counters) total.add(c);
  return total;
}

/// Connected components inside each part, by a search over its own vertices.
std::vector<Index> count_components(const core::Graph& graph, const Partition& partition) {
  std::vector<std::vector<VertexId>> members(static_cast<std::size_t>(partition.num_parts));
  for (std::size_t v = 0; v < partition.part_of.size(); ++v) {
    members[partition.part_of[v]].push_back(static_cast<VertexId>(v));
  }
  std::vector<Index> components(members.size(), 0);
  std::vector<std::uint8_t> seen(partition.part_of.size(), 0);  // not vector<bool>: neighbours are written at once
  core::parallel_for(partition.num_parts, 1, [&](Index begin, Index end) {
    std::vector<VertexId> stack;
    for (Index p = begin; p < end; ++p) {
      const auto visit = [&](VertexId u) {
        if (partition.part_of[u] != p || seen[u] != 0) return;
        seen[u] = 1;
        stack.push_back(u);
      };
      for (const VertexId root : members[p]) {
        if (seen[root] != 0) continue;
        ++components[p];
        visit(root);
        while (!stack.empty()) {
          const VertexId v = stack.back();
          stack.pop_back();
          for (EdgeId e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) visit(graph.in_sources()[e]);
          for (EdgeId e = graph.out_offsets()[v]; e < graph.out_offsets()[v + 1]; ++e) visit(graph.out_targets()[e]);
        }
      }
    }
  });
  return components;
}

double balance(const std::vector<double>& held, const std::vector<double>& capacity) {
  const double total = std::accumulate(held.begin(), held.end(), 0.0);
  if (!(total > 0)) return 1;
  const double capacities =
      capacity.empty() ? static_cast<double>(held.size()) : std::accumulate(capacity.begin(), capacity.end(), 0.0);
  double worst = 0;
  for (std::size_t p = 0; p < held.size(); ++p) {
    worst = std::max(worst, held[p] / (total * (capacity.empty() ? 1.0 : capacity[p]) / capacities));
  }
  return worst;
}

template <class Value>
std::vector<double> column(const std::vector<PartMetrics>& parts, Value PartMetrics::*field) {
  std::vector<double> result;
  result.reserve(parts.size());
  for (const PartMetrics& p : parts) result.push_back(static_cast<double>(p.*field));
  return result;
}

}  // namespace

PartitionMetrics measure(const core::Graph& graph, const Partition& partition, const MeasureOptions& options) {
  check(graph, partition, options);
  const Index k = partition.num_parts;
  Counters c = count_all(graph, partition);
  const std::vector<Index> components = count_components(graph, partition);
  const std::vector<Index> sizes = part_sizes(partition);

  PartitionMetrics m;
  m.num_parts = k;
  m.num_vertices = graph.num_vertices();
  m.directed = graph.directed();
  m.edge_cut = graph.directed() ? c.cut : c.cut / 2;
  m.parts.resize(static_cast<std::size_t>(k));
  for (const VertexId v : options.train) ++m.parts[partition.part_of[v]].train;
  std::vector<double> weights(static_cast<std::size_t>(k), 0.0);
  for (std::size_t v = 0; v < options.vertex_weights.size(); ++v) {
    weights[partition.part_of[v]] += options.vertex_weights[v];
  }

  Index copies = 0;
  for (Index p = 0; p < k; ++p) {
    PartMetrics& part = m.parts[p];
    part.vertices = sizes[p];
    part.in_edges = c.in_edges[p];
    part.receive_in = c.receive_in[p];
    part.receive_out = c.receive_out[p];
    part.send_in = c.send_in[p];
    part.send_out = c.send_out[p];
    part.halo = c.halo[p];
    part.components = components[p];
    part.memory_bytes = volume_bytes(part.vertices + part.halo, options.width, options.value_bytes) +
                        8.0 * static_cast<double>(part.in_edges);
    for (Index q = 0; q < k && !c.traffic_in.empty(); ++q) {
      const bool linked = c.traffic_in[p * k + q] + c.traffic_in[q * k + p] > 0;  // out-traffic joins the same pairs
      part.neighbour_parts += linked ? 1 : 0;
    }
    m.h_in += part.receive_in;
    m.h_out += part.receive_out;
    copies += part.vertices + part.halo;
    const Index both = m.directed ? 1 : 0;
    m.max_receive_volume = std::max(m.max_receive_volume, part.receive_in + both * part.receive_out);
    m.max_send_volume = std::max(m.max_send_volume, part.send_in + both * part.send_out);
    m.max_neighbour_parts = std::max(m.max_neighbour_parts, part.neighbour_parts);
    m.max_components = std::max(m.max_components, part.components);
  }
  m.total_volume = m.directed ? m.h_in + m.h_out : m.h_in;
  if (m.num_vertices > 0) m.replication_factor = static_cast<double>(copies) / static_cast<double>(m.num_vertices);
  m.vertex_balance =
      balance(options.vertex_weights.empty() ? column(m.parts, &PartMetrics::vertices) : weights, options.capacity);
  m.edge_balance = balance(column(m.parts, &PartMetrics::in_edges), options.capacity);
  m.train_balance = balance(column(m.parts, &PartMetrics::train), options.capacity);
  m.memory_balance = balance(column(m.parts, &PartMetrics::memory_bytes), options.capacity);
  m.traffic_in = std::move(c.traffic_in);
  m.traffic_out = std::move(c.traffic_out);
  return m;
}

}  // namespace laminar::partition
