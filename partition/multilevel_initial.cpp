#include "laminar/partition/multilevel_initial.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "laminar/core/parallel.hpp"
#include "laminar/partition/multilevel_heap.hpp"

namespace laminar::partition::multilevel {

std::vector<std::int32_t> grow(const Hypergraph& h, const Balance& balance, RandomSequence& random) {
  const Index n = h.num_vertices;
  const Index k = balance.parts;
  std::vector<std::int32_t> part(static_cast<std::size_t>(n), -1);
  std::vector<double> tie(static_cast<std::size_t>(n * k), 0);
  std::vector<char> touches(static_cast<std::size_t>(h.num_nets() * k), 0);
  std::vector<double> load(static_cast<std::size_t>(k * h.dims), 0);
  const std::vector<std::int32_t> order = random.permutation(n);
  Index free = n;
  const auto fill = [&](Index p) {
    double fullest = 0;
    for (int d = 0; d < h.dims; ++d) fullest = std::max(fullest, load[p * h.dims + d] / balance.share[p * h.dims + d]);
    return fullest;
  };
  const auto put = [&](VertexId v, Index p) {
    part[v] = static_cast<std::int32_t>(p);
    --free;
    for (int d = 0; d < h.dims; ++d) load[p * h.dims + d] += h.weight_of(v)[d];
    for (const std::int32_t e : h.nets_of(v)) {
      char& t = touches[e * k + p];
      if (t != 0) continue;
      t = 1;
      const auto pins = h.pins_of(e);
      const double r = h.net_weight[e] / static_cast<double>(pins.size() - 1);
      for (const VertexId u : pins) tie[u * k + p] += r;
    }
  };
  for (Index p = 0; p < k; ++p) put(order[p], p);
  while (free > 0) {
    Index p = 0;
    for (Index q = 1; q < k; ++q) {
      if (fill(q) < fill(p)) p = q;
    }
    VertexId best = -1;
    double best_tie = -1;
    for (const VertexId v : order) {
      if (part[v] >= 0) continue;
      // Vertices that are tied to few others belong to this part most.
      const double t = tie[v * k + p] / std::max(1.0, h.weight_of(v)[0]);
      if (t > best_tie) {
        best_tie = t;
        best = v;
      }
    }
    put(best, p);
  }
  return part;
}

std::vector<std::int32_t> grow_one(const Hypergraph& h, const Balance& balance, RandomSequence& random) {
  const Index n = h.num_vertices;
  State state(h, balance, std::vector<std::int32_t>(static_cast<std::size_t>(n), 1));
  IndexedHeap heap(n);
  const std::vector<std::int32_t> order = random.permutation(n);
  std::size_t next = 0;
  // The share of what there is, which a part of an impossible balance may not reach or may exceed.
  const auto full = [&] {
    for (int d = 0; d < h.dims; ++d) {
      if (state.load(0, d) >= balance.share[d]) return true;
    }
    return false;
  };
  const auto gain = [&](Index v) { return static_cast<double>(state.benefit(v) - state.penalty(v, 0)); };
  while (state.members(1) > 1 && !full()) {
    VertexId v = -1;
    while (!heap.empty() && v < 0) {
      const VertexId top = heap.top();
      if (gain(top) < heap.top_key()) {
        heap.lower_top(gain(top));
        if (heap.top() != top) continue;
      }
      v = top;
      heap.pop();
    }
    for (; v < 0 && next < order.size(); ++next) {
      if (state.part_of(order[next]) == 1) v = order[next];
    }
    if (v < 0) break;
    if (state.load(0, 0) > 0 && !state.fits(v, 0)) continue;
    const auto near = [&](VertexId u) {
      if (state.part_of(u) == 0) return;
      if (!heap.holds(u)) {
        heap.push(u, gain(u));
      } else if (gain(u) > heap.key(u)) {
        heap.raise_key(u, gain(u));
      }
    };
    state.move(
        v, 0, [&](VertexId u, std::int32_t) { near(u); }, near);
  }
  return state.take_parts();
}

std::vector<std::int32_t> initial_partition(const Hypergraph& h, const Balance& balance, const SearchOptions& options,
                                            int tries, std::uint64_t seed, Deadline& deadline) {
  struct Try {
    double excess = std::numeric_limits<double>::infinity();
    double value = 0;
    std::vector<std::int32_t> part;
  };
  std::vector<Try> results(static_cast<std::size_t>(tries));
  core::parallel_for(tries, 1, [&](Index b, Index e) {
    for (Index i = b; i < e; ++i) {
      if (i > 0 && deadline.passed()) continue;
      RandomSequence random(seed, static_cast<std::uint64_t>(i), 1);
      State state(h, balance,
                  balance.parts == 2 && i % 2 == 1 ? grow_one(h, balance, random) : grow(h, balance, random));
      rebalance(state, options.goal, random);
      local_searches(state, options, random, deadline);
      results[i] = {state.excess(), state.value(options.goal), state.take_parts()};
    }
  });
  const auto best = std::min_element(results.begin(), results.end(), [](const Try& x, const Try& y) {
    return x.excess != y.excess ? x.excess < y.excess : x.value < y.value;
  });
  return std::move(best->part);
}

}  // namespace laminar::partition::multilevel
