#include "laminar/partition/multilevel_hypergraph.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "laminar/core/parallel.hpp"

namespace laminar::partition::multilevel {
namespace {

constexpr Index kGrain = 2048;

/// Nets with room for all their pins; the first `size[e]` of each are valid, ascending and unique.
struct RawNets {
  std::vector<EdgeId> offsets;
  std::vector<VertexId> pins;
  std::vector<std::int32_t> size;
  std::vector<std::int32_t> weight;
};

std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9U;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

/// Sorts a net's pins and drops duplicates; returns how many stay.
std::int32_t unique_pins(VertexId* first, VertexId* last) {
  std::sort(first, last);
  return static_cast<std::int32_t>(std::unique(first, last) - first);
}

void transpose(Hypergraph& h) {
  h.vertex_offsets.assign(static_cast<std::size_t>(h.num_vertices) + 1, 0);
  for (const VertexId v : h.pins) ++h.vertex_offsets[v + 1];
  std::partial_sum(h.vertex_offsets.begin(), h.vertex_offsets.end(), h.vertex_offsets.begin());
  h.nets.resize(h.pins.size());
  std::vector<EdgeId> next(h.vertex_offsets.begin(), h.vertex_offsets.end() - 1);
  for (Index e = 0; e < h.num_nets(); ++e) {
    for (const VertexId v : h.pins_of(e)) h.nets[next[v]++] = static_cast<std::int32_t>(e);
  }
}

/// Merges equal nets, folds one-pin nets into h.own_rows, and fills the nets of `h`.
void finish(Hypergraph& h, const RawNets& raw) {
  const Index nets = static_cast<Index>(raw.size.size());
  const auto pins_of = [&](Index e) { return raw.pins.data() + raw.offsets[e]; };
  struct Entry {
    std::uint64_t hash;
    std::int32_t net;
  };
  std::vector<Entry> entries(static_cast<std::size_t>(nets));
  core::parallel_for(nets, kGrain, [&](Index b, Index e) {
    for (Index i = b; i < e; ++i) {
      std::uint64_t hash = static_cast<std::uint64_t>(raw.size[i]);
      const VertexId* p = pins_of(i);
      for (std::int32_t j = 0; j < raw.size[i]; ++j)
        hash = mix(hash + 0x9e3779b97f4a7c15U + static_cast<std::uint64_t>(p[j]));
      entries[i] = {hash, static_cast<std::int32_t>(i)};
    }
  });
  for (Index i = 0; i < nets; ++i) {
    if (raw.size[i] == 1) h.own_rows[*pins_of(i)] += raw.weight[i];
  }
  std::erase_if(entries, [&](const Entry& e) { return raw.size[e.net] < 2; });
  // Equal nets have equal hashes; the number of the net makes the order, and with it the representative, unique.
  // A power-of-two bucket each of the hash's top bits: sorted on their own, in parallel.
  constexpr int kBuckets = 256;
  std::vector<Index> first(kBuckets + 1, 0);
  for (const Entry& e : entries) ++first[(e.hash >> 56) + 1];
  std::partial_sum(first.begin(), first.end(), first.begin());
  std::vector<Entry> sorted(entries.size());
  {
    std::vector<Index> next(first.begin(), first.end() - 1);
    for (const Entry& e : entries) sorted[next[e.hash >> 56]++] = e;
  }
  entries = {};
  std::vector<std::int32_t> representative(static_cast<std::size_t>(nets), -1);
  core::parallel_for(kBuckets, 1, [&](Index b, Index e) {
    for (Index bucket = b; bucket < e; ++bucket) {
      const auto begin = sorted.begin() + first[bucket];
      const auto end = sorted.begin() + first[bucket + 1];
      std::sort(begin, end,
                [](const Entry& x, const Entry& y) { return x.hash != y.hash ? x.hash < y.hash : x.net < y.net; });
      for (auto i = begin; i != end; ++i) {
        if (representative[i->net] >= 0) continue;
        representative[i->net] = i->net;
        for (auto j = i + 1; j != end && j->hash == i->hash; ++j) {
          if (representative[j->net] < 0 && raw.size[i->net] == raw.size[j->net] &&
              std::equal(pins_of(i->net), pins_of(i->net) + raw.size[i->net], pins_of(j->net))) {
            representative[j->net] = i->net;
          }
        }
      }
    }
  });
  sorted = {};
  std::vector<std::int32_t> number(static_cast<std::size_t>(nets), -1);
  h.net_offsets.assign(1, 0);
  h.net_weight.clear();
  for (Index i = 0; i < nets; ++i) {
    if (representative[i] < 0) continue;
    if (representative[i] == i) {
      number[i] = static_cast<std::int32_t>(h.net_weight.size());
      h.net_weight.push_back(0);
      h.net_offsets.push_back(h.net_offsets.back() + raw.size[i]);
    }
    h.net_weight[number[representative[i]]] += raw.weight[i];
  }
  h.pins.resize(static_cast<std::size_t>(h.net_offsets.back()));
  core::parallel_for(nets, kGrain, [&](Index b, Index e) {
    for (Index i = b; i < e; ++i) {
      if (number[i] >= 0) std::copy_n(pins_of(i), raw.size[i], h.pins.data() + h.net_offsets[number[i]]);
    }
  });
  transpose(h);
}

}  // namespace

Hypergraph volume_hypergraph(const core::Graph& graph, int dims, std::vector<double> weights) {
  const Index n = graph.num_vertices();
  const Index sides = graph.directed() ? 2 : 1;
  Hypergraph h;
  h.num_vertices = n;
  h.dims = dims;
  h.weight = std::move(weights);
  h.own_rows.assign(static_cast<std::size_t>(n), static_cast<std::int32_t>(-sides));
  RawNets raw;
  raw.offsets.assign(static_cast<std::size_t>(n * sides) + 1, 0);
  raw.size.assign(static_cast<std::size_t>(n * sides), 0);
  raw.weight.assign(static_cast<std::size_t>(n * sides), 1);
  for (Index i = 0; i < n * sides; ++i) {
    const auto v = static_cast<VertexId>(i % n);
    raw.offsets[i + 1] = raw.offsets[i] + 1 + (i < n ? graph.out_degree(v) : graph.in_degree(v));
  }
  raw.pins.resize(static_cast<std::size_t>(raw.offsets.back()));
  core::parallel_for(n * sides, kGrain, [&](Index b, Index e) {
    for (Index i = b; i < e; ++i) {
      const Index v = i % n;
      const auto offsets = i < n ? graph.out_offsets() : graph.in_offsets();
      const auto others = i < n ? graph.out_targets() : graph.in_sources();
      VertexId* out = raw.pins.data() + raw.offsets[i];
      std::copy(others.begin() + offsets[v], others.begin() + offsets[v + 1], out);
      VertexId* end = raw.pins.data() + raw.offsets[i + 1];
      end[-1] = static_cast<VertexId>(v);
      raw.size[i] = unique_pins(out, end);
    }
  });
  finish(h, raw);
  return h;
}

Hypergraph contract(const Hypergraph& h, std::span<const std::int32_t> cluster, Index clusters) {
  Hypergraph c;
  c.num_vertices = clusters;
  c.dims = h.dims;
  c.weight.assign(static_cast<std::size_t>(clusters * h.dims), 0);
  c.own_rows.assign(static_cast<std::size_t>(clusters), 0);
  for (Index v = 0; v < h.num_vertices; ++v) {
    for (int d = 0; d < h.dims; ++d) c.weight[cluster[v] * h.dims + d] += h.weight[v * h.dims + d];
    c.own_rows[cluster[v]] += h.own_rows[v];
  }
  RawNets raw;
  raw.offsets = h.net_offsets;
  raw.weight = h.net_weight;
  raw.size.resize(h.net_weight.size());
  raw.pins.resize(h.pins.size());
  core::parallel_for(h.num_nets(), kGrain, [&](Index b, Index e) {
    // When a cluster was seen last: drops duplicates before sorting. Nothing below waits, so that no other task runs on
    // this thread meanwhile and the array can be the thread's.
    thread_local std::vector<std::uint64_t> seen;
    thread_local std::uint64_t now = 0;
    if (static_cast<Index>(seen.size()) < clusters) seen.resize(static_cast<std::size_t>(clusters), 0);
    for (Index i = b; i < e; ++i) {
      ++now;
      VertexId* out = raw.pins.data() + raw.offsets[i];
      VertexId* end = out;
      for (const VertexId v : h.pins_of(i)) {
        const std::int32_t p = cluster[v];
        if (seen[p] == now) continue;
        seen[p] = now;
        *end++ = p;
      }
      std::sort(out, end);
      raw.size[i] = static_cast<std::int32_t>(end - out);
    }
  });
  finish(c, raw);
  return c;
}

Hypergraph extract(const Hypergraph& h, std::span<const char> keep) {
  Hypergraph sub;
  sub.dims = h.dims;
  std::vector<VertexId> number(keep.size(), -1);
  for (Index v = 0; v < h.num_vertices; ++v) {
    if (keep[v] == 0) continue;
    number[v] = static_cast<VertexId>(sub.num_vertices++);
    sub.weight.insert(sub.weight.end(), h.weight_of(v), h.weight_of(v) + h.dims);
    sub.own_rows.push_back(h.own_rows[v]);
  }
  RawNets raw;
  raw.offsets.push_back(0);
  for (Index e = 0; e < h.num_nets(); ++e) {
    for (const VertexId v : h.pins_of(e)) {
      if (keep[v] != 0) raw.pins.push_back(number[v]);
    }
    const auto end = static_cast<EdgeId>(raw.pins.size());
    if (end - raw.offsets.back() < 2) {
      raw.pins.resize(static_cast<std::size_t>(raw.offsets.back()));
      continue;
    }
    raw.size.push_back(static_cast<std::int32_t>(end - raw.offsets.back()));
    raw.weight.push_back(h.net_weight[e]);
    raw.offsets.push_back(end);
  }
  finish(sub, raw);
  return sub;
}

WeightedGraph cut_graph(const core::Graph& graph) {
  const Index n = graph.num_vertices();
  WeightedGraph g;
  g.offsets.assign(static_cast<std::size_t>(n) + 1, 0);
  // An undirected graph holds both directions already.
  const bool both = graph.directed();
  std::vector<VertexId> row;
  for (Index v = 0; v < n; ++v) {
    const auto add = [&](std::span<const EdgeId> offsets, std::span<const VertexId> others) {
      row.insert(row.end(), others.begin() + offsets[v], others.begin() + offsets[v + 1]);
    };
    row.clear();
    add(graph.in_offsets(), graph.in_sources());
    if (both) {
      add(graph.out_offsets(), graph.out_targets());
      std::sort(row.begin(), row.end());
    }
    for (const VertexId u : row) {
      if (u == v) continue;
      if (static_cast<EdgeId>(g.targets.size()) > g.offsets[v] && g.targets.back() == u) {
        ++g.weights.back();
      } else {
        g.targets.push_back(u);
        g.weights.push_back(both ? 1 : 2);
      }
    }
    g.offsets[v + 1] = static_cast<EdgeId>(g.targets.size());
  }
  return g;
}

WeightedGraph contract(const WeightedGraph& g, std::span<const std::int32_t> cluster, Index clusters) {
  const Index n = static_cast<Index>(g.offsets.size()) - 1;
  // Members of each cluster, in order.
  std::vector<Index> first(static_cast<std::size_t>(clusters) + 1, 0);
  for (Index v = 0; v < n; ++v) ++first[cluster[v] + 1];
  std::partial_sum(first.begin(), first.end(), first.begin());
  std::vector<VertexId> members(static_cast<std::size_t>(n));
  {
    std::vector<Index> next(first.begin(), first.end() - 1);
    for (Index v = 0; v < n; ++v) members[next[cluster[v]]++] = static_cast<VertexId>(v);
  }
  WeightedGraph c;
  c.offsets.assign(static_cast<std::size_t>(clusters) + 1, 0);
  std::vector<EdgeId> slot(static_cast<std::size_t>(clusters), -1);
  for (Index i = 0; i < clusters; ++i) {
    const auto begin = static_cast<EdgeId>(c.targets.size());
    for (Index m = first[i]; m < first[i + 1]; ++m) {
      const VertexId v = members[m];
      for (EdgeId j = g.offsets[v]; j < g.offsets[v + 1]; ++j) {
        const std::int32_t u = cluster[g.targets[j]];
        if (u == i) continue;
        if (slot[u] < begin) {
          slot[u] = static_cast<EdgeId>(c.targets.size());
          c.targets.push_back(u);
          c.weights.push_back(0);
        }
        c.weights[slot[u]] += g.weights[j];
      }
    }
    c.offsets[i + 1] = static_cast<EdgeId>(c.targets.size());
  }
  return c;
}

}  // namespace laminar::partition::multilevel
