#include "laminar/partition/multilevel_state.hpp"

#include <algorithm>
#include <utility>

#include "laminar/core/parallel.hpp"

namespace laminar::partition::multilevel {
namespace {
constexpr Index kGrain = 1024;
}

Volumes count_volumes(const Hypergraph& h, Index parts, std::span<const std::int32_t> part) {
  Volumes result{0, std::vector<std::int64_t>(static_cast<std::size_t>(parts), 0)};
  std::vector<Index> last_net(static_cast<std::size_t>(parts), -1);
  for (Index e = 0; e < h.num_nets(); ++e) {
    result.total -= h.net_weight[e];
    for (const VertexId v : h.pins_of(e)) {
      const std::int32_t p = part[v];
      if (last_net[p] == e) continue;
      last_net[p] = e;
      result.total += h.net_weight[e];
      result.received[p] += h.net_weight[e];
    }
  }
  for (Index v = 0; v < h.num_vertices; ++v) result.received[part[v]] += h.own_rows[v];
  return result;
}

std::vector<double> count_loads(const Hypergraph& h, Index parts, std::span<const std::int32_t> part) {
  std::vector<double> load(static_cast<std::size_t>(parts * h.dims), 0);
  for (Index v = 0; v < h.num_vertices; ++v) {
    for (int d = 0; d < h.dims; ++d) load[part[v] * h.dims + d] += h.weight_of(v)[d];
  }
  return load;
}

double excess_of(const Balance& balance, std::span<const double> load) {
  double sum = 0;
  for (std::size_t i = 0; i < load.size(); ++i) {
    if (load[i] > balance.limit[i]) sum += (load[i] - balance.limit[i]) / balance.share[i];
  }
  return sum;
}

State::State(const Hypergraph& h, const Balance& balance, std::vector<std::int32_t> part)
    : h_(&h), balance_(&balance), k_(balance.parts), dims_(h.dims), part_(std::move(part)) {
  const auto n = static_cast<std::size_t>(h.num_vertices);
  const auto k = static_cast<std::size_t>(k_);
  cells_.resize(static_cast<std::size_t>(h.num_nets()) * k);
  benefit_.assign(n, 0);
  penalty_.assign(n * k, 0);
  net_weight_of_.assign(n, 0);
  load_.assign(k * static_cast<std::size_t>(dims_), 0);
  members_.assign(k, 0);
  received_.assign(k, 0);
  core::parallel_for(h.num_nets(), kGrain, [&](Index b, Index e) {
    for (Index i = b; i < e; ++i) {
      Cell* cells = cells_.data() + i * k_;
      for (const VertexId v : h.pins_of(i)) {
        Cell& cell = cells[part_[v]];
        ++cell.count;
        cell.pins_xor ^= v;
      }
    }
  });
  core::parallel_for(h.num_vertices, kGrain, [&](Index b, Index e) {
    for (Index v = b; v < e; ++v) {
      std::int32_t* penalty = penalty_.data() + v * k_;
      const std::int32_t own = part_[v];
      std::int32_t benefit = 0;
      std::int32_t all = 0;
      for (const std::int32_t net : h.nets_of(v)) {
        const std::int32_t w = h.net_weight[net];
        const Cell* cells = cells_.data() + static_cast<Index>(net) * k_;
        all += w;
        if (cells[own].count == 1) benefit += w;
        for (Index t = 0; t < k_; ++t) penalty[t] += cells[t].count == 0 ? w : 0;
      }
      benefit_[v] = benefit;
      net_weight_of_[v] = all;
    }
  });
  for (Index i = 0; i < h.num_nets(); ++i) {
    const Cell* cells = cells_.data() + i * k_;
    const std::int32_t w = h.net_weight[i];
    total_ -= w;
    for (Index t = 0; t < k_; ++t) {
      if (cells[t].count > 0) {
        total_ += w;
        received_[t] += w;
      }
    }
  }
  for (Index v = 0; v < h.num_vertices; ++v) {
    const std::int32_t p = part_[v];
    received_[p] += h.own_rows[v];
    ++members_[p];
    for (int d = 0; d < dims_; ++d) load_[p * dims_ + d] += h.weight[v * dims_ + d];
  }
}

std::int64_t State::largest_received() const { return *std::max_element(received_.begin(), received_.end()); }

double State::excess_change(Index v, std::int32_t t) const {
  const double* w = h_->weight_of(v);
  double change = 0;
  const auto over = [&](Index i, double load) {
    return load > balance_->limit[i] ? (load - balance_->limit[i]) / balance_->share[i] : 0.0;
  };
  for (int d = 0; d < dims_; ++d) {
    const Index i = part_[v] * dims_ + d;
    const Index j = t * dims_ + d;
    change += over(i, load_[i] - w[d]) - over(i, load_[i]) + over(j, load_[j] + w[d]) - over(j, load_[j]);
  }
  return change;
}

double State::value(const Goal& goal) const {
  double result = static_cast<double>(total_);
  if (goal.power > 1) {
    result *= goal.price / goal.scale;
    for (const std::int64_t r : received_) result += raise(static_cast<double>(r) / goal.scale, goal.power);
  }
  return goal.bound > 0 ? result + bound_cost(goal, 0) : result;
}

}  // namespace laminar::partition::multilevel
