#include "laminar/apps/partition_stream.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"
#include "laminar/partition/streaming.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using partition::PartitionMetrics;
using partition::PartMetrics;
using partition::StreamingScore;

struct Strategy {
  std::string_view name;
  StreamingScore score;
  int passes;
};
// As the registry's strategies of these names.
constexpr Strategy kStrategies[] = {{"fennel", StreamingScore::kFennel, 1},
                                    {"ldg", StreamingScore::kLdg, 1},
                                    {"restreaming_fennel", StreamingScore::kFennel, 10},
                                    {"restreaming_ldg", StreamingScore::kLdg, 10}};

/// The largest over its share.
template <class Value>
double balance_of(const PartitionMetrics& m, const std::vector<double>& capacity, Value&& value) {
  double total = 0;
  for (const PartMetrics& p : m.parts) total += value(p);
  const double capacities =
      capacity.empty() ? static_cast<double>(m.parts.size()) : std::accumulate(capacity.begin(), capacity.end(), 0.0);
  double worst = 0;
  for (std::size_t p = 0; p < m.parts.size() && total > 0; ++p) {
    worst = std::max(worst, value(m.parts[p]) / (total * (capacity.empty() ? 1.0 : capacity[p]) / capacities));
  }
  return total > 0 ? worst : 1;
}

/// Which (vertex, part) pairs were met.
class Pairs {
 public:
  Pairs(Index vertices, Index parts) : parts_(parts), met_(static_cast<std::size_t>(vertices * parts)) {}
  /// True the first time.
  bool meet(Index v, Index p) {
    const auto at = static_cast<std::size_t>(v * parts_ + p);
    const bool first = !met_[at];
    met_[at] = true;
    return first;
  }

 private:
  Index parts_;
  std::vector<bool> met_;
};

void summarise(PartitionMetrics& m, const partition::MeasureOptions& options) {
  const Index both = m.directed ? 1 : 0;
  Index copies = 0;
  for (std::size_t p = 0; p < m.parts.size(); ++p) {
    PartMetrics& part = m.parts[p];
    part.memory_bytes = partition::volume_bytes(part.vertices + part.halo, options.width, options.value_bytes) +
                        8.0 * static_cast<double>(part.in_edges);
    for (std::size_t q = 0; q < m.parts.size(); ++q) {
      const bool linked = m.traffic_in[p * m.parts.size() + q] + m.traffic_in[q * m.parts.size() + p] > 0;
      part.neighbour_parts += linked ? 1 : 0;
    }
    m.h_in += part.receive_in;
    m.h_out += part.receive_out;
    copies += part.vertices + part.halo;
    m.max_receive_volume = std::max(m.max_receive_volume, part.receive_in + both * part.receive_out);
    m.max_send_volume = std::max(m.max_send_volume, part.send_in + both * part.send_out);
    m.max_neighbour_parts = std::max(m.max_neighbour_parts, part.neighbour_parts);
  }
  m.total_volume = m.h_in + both * m.h_out;
  m.replication_factor = static_cast<double>(copies) / static_cast<double>(std::max<Index>(m.num_vertices, 1));
  const auto balance = [&](auto PartMetrics::*field) {
    return balance_of(m, options.capacity, [=](const PartMetrics& p) { return static_cast<double>(p.*field); });
  };
  m.vertex_balance = balance(&PartMetrics::vertices);
  m.edge_balance = balance(&PartMetrics::in_edges);
  m.train_balance = balance(&PartMetrics::train);
  m.memory_balance = balance(&PartMetrics::memory_bytes);
}

}  // namespace

std::vector<std::string_view> streaming_strategies() {
  std::vector<std::string_view> names;
  for (const Strategy& s : kStrategies) names.push_back(s.name);
  return names;
}

partition::Partition partition_stream(std::string_view strategy, core::EdgeStream& stream,
                                      const partition::PartitionOptions& o) {
  const auto* const found = std::find_if(std::begin(kStrategies), std::end(kStrategies),
                                         [&](const Strategy& s) { return s.name == strategy; });
  if (found == std::end(kStrategies)) {
    throw UsageError(fmt::format("--stream: strategy '{}' needs the whole graph; these don't: {}", strategy,
                                 fmt::join(streaming_strategies(), ", ")));
  }
  if (o.edge_imbalance || o.train_imbalance || !o.start.empty()) {
    throw UsageError("--stream heeds neither --edge-imbalance, --train-imbalance, --refine nor --start");
  }
  // Checks what can be checked without edges.
  const core::Graph edgeless = core::Graph::from_edges(stream.num_vertices(), {}, {}, {}, true);
  partition::validate(o, edgeless);
  return partition::stream_partition(stream, {.parts = o.parts,
                                              .seed = o.seed,
                                              .imbalance = o.imbalance,
                                              .capacity = o.capacity,
                                              .vertex_weights = o.vertex_weights,
                                              .score = found->score,
                                              .passes = found->passes});
}

PartitionMetrics measure_stream(core::EdgeStream& stream, bool directed, const partition::Partition& partition,
                                const partition::MeasureOptions& options) {
  const Index n = stream.num_vertices();
  const Index k = partition.num_parts;
  partition::validate(partition, n);
  if (k > PartitionMetrics::kMostTrafficParts) {
    throw UsageError(
        fmt::format("{} parts, but at most {} are measured row by row", k, PartitionMetrics::kMostTrafficParts));
  }
  PartitionMetrics m;
  m.num_parts = k;
  m.num_vertices = n;
  m.directed = directed;
  m.parts.resize(static_cast<std::size_t>(k));
  m.traffic_in.resize(static_cast<std::size_t>(k * k));
  m.traffic_out.resize(m.traffic_in.size());
  for (const core::VertexId v : options.train) ++m.parts[partition.part_of[v]].train;
  // Vertex u is read by part p; the halo of part p holds u.
  Pairs read(n, k);
  Pairs held(n, k);
  std::vector<Index> fed_by(static_cast<std::size_t>(k), -1);
  core::EdgeStream::Row row;
  for (stream.rewind(); stream.next(row);) {
    const Index v = row.vertex;
    const std::int32_t own = partition.part_of[v];
    ++m.parts[own].vertices;
    m.parts[own].in_edges += static_cast<core::EdgeId>(row.neighbours.size());
    for (const core::VertexId u : row.neighbours) {
      const std::int32_t p = partition.part_of[u];
      if (p == own) continue;
      ++m.edge_cut;
      if (read.meet(u, own)) {
        ++m.parts[own].receive_in;
        ++m.parts[p].send_in;
        ++m.traffic_in[p * k + own];
        m.parts[own].halo += held.meet(u, own) ? 1 : 0;
      }
      if (fed_by[p] != v) {
        fed_by[p] = v;
        ++m.parts[p].receive_out;
        ++m.parts[own].send_out;
        ++m.traffic_out[own * k + p];
        m.parts[p].halo += held.meet(v, p) ? 1 : 0;
      }
    }
  }
  if (!directed) m.edge_cut /= 2;
  summarise(m, options);
  return m;
}

}  // namespace laminar::apps
