#include "laminar/partition/multilevel_coarsen.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "laminar/core/parallel.hpp"

namespace laminar::partition::multilevel {
namespace {

/// Ratings of the clusters near one vertex. One a thread: no piece of a loop waits while it uses it.
struct Ratings {
  std::vector<double> value;
  std::vector<std::int32_t> touched;
  /// (pins, net) of the nets of a vertex.
  std::vector<std::pair<Index, std::int32_t>> nets;
  void add(std::int32_t c, double r) {
    if (value[c] == 0) touched.push_back(c);
    value[c] += r;
  }
  static Ratings& of_thread(Index n) {
    thread_local Ratings ratings;
    if (static_cast<Index>(ratings.value.size()) < n) ratings.value.resize(static_cast<std::size_t>(n), 0);
    return ratings;
  }
};

class Clusterer {
 public:
  Clusterer(const Hypergraph& h, const WeightedGraph* cut, const ClusterLimits& limits, RandomSequence& random)
      : h_(h), cut_(cut), limits_(limits), order_(random.permutation(h.num_vertices)), salt_(random.next()) {
    const auto n = static_cast<std::size_t>(h.num_vertices);
    cluster_.resize(n);
    std::iota(cluster_.begin(), cluster_.end(), 0);
    members_.assign(n, 1);
    weight_ = h.weight;
    favourite_.assign(n, -1);
    clusters_ = h.num_vertices;
  }

  Clustering run() {
    const Index n = h_.num_vertices;
    const Index batch = std::max<Index>(256, n / 32);
    for (Index begin = 0; begin < n && clusters_ > limits_.at_least; begin += batch) {
      const Index end = std::min(n, begin + batch);
      core::parallel_for(end - begin, 64, [&](Index b, Index e) {
        Ratings& ratings = Ratings::of_thread(n);
        for (Index i = begin + b; i < begin + e; ++i) {
          const VertexId v = order_[i];
          if (members_[cluster_[v]] == 1) favourite_[v] = choose(v, ratings);
        }
      });
      for (Index i = begin; i < end && clusters_ > limits_.at_least; ++i) {
        const VertexId v = order_[i];
        // v may have become another's favourite meanwhile.
        if (cluster_[v] == v && members_[v] == 1 && favourite_[v] >= 0) try_join(v, cluster_[favourite_[v]]);
      }
    }
    pair_the_lonely();
    return number();
  }

 private:
  bool may_join(VertexId v, std::int32_t c) const {
    for (int d = 0; d < h_.dims; ++d) {
      if (weight_[c * h_.dims + d] + h_.weight[v * h_.dims + d] > limits_.weight[d]) return false;
    }
    return limits_.block.empty() || limits_.block[v] == limits_.block[c];
  }

  void join(VertexId v, std::int32_t c) {
    cluster_[v] = c;
    --members_[v];
    ++members_[c];
    for (int d = 0; d < h_.dims; ++d) weight_[c * h_.dims + d] += h_.weight[v * h_.dims + d];
    --clusters_;
  }

  void try_join(VertexId v, std::int32_t c) {
    if (c != v && may_join(v, c)) join(v, c);
  }

  /// The cluster v shares most with among those with room, or -1; the fullest of the others is remembered for pairing
  /// by favourite_ staying at a cluster without room.
  std::int32_t choose(VertexId v, Ratings& ratings) const {
    if (cut_ != nullptr) {
      for (EdgeId j = cut_->offsets[v]; j < cut_->offsets[v + 1]; ++j) {
        ratings.add(cluster_[cut_->targets[j]], cut_->weights[j]);
      }
    } else {
      // Small nets tell most, and come first.
      auto& nets = ratings.nets;
      nets.clear();
      for (const std::int32_t e : h_.nets_of(v)) nets.emplace_back(h_.net_offsets[e + 1] - h_.net_offsets[e], e);
      Index looked_at = 0;
      for (const auto& [size, e] : nets) looked_at += size;
      if (looked_at > limits_.rated_pins) std::sort(nets.begin(), nets.end());
      looked_at = 0;
      for (const auto& [size, e] : nets) {
        if (looked_at > 0 && looked_at + size > limits_.rated_pins) break;
        looked_at += size;
        const double r = h_.net_weight[e] / static_cast<double>(size - 1);
        for (const VertexId u : h_.pins_of(e)) ratings.add(cluster_[u], r);
      }
    }
    std::int32_t best = -1;
    double best_rating = 0;
    std::int32_t full = -1;
    double full_rating = 0;
    for (const std::int32_t c : ratings.touched) {
      const double r = ratings.value[c];
      ratings.value[c] = 0;
      if (c == v) continue;
      if (!may_join(v, c)) {
        if (r > full_rating && (limits_.block.empty() || limits_.block[v] == limits_.block[c])) {
          full_rating = r;
          full = c;
        }
        continue;
      }
      const double rating = r / weight_[static_cast<Index>(c) * h_.dims];
      if (rating > best_rating || (rating == best_rating && tie(v, c) < tie(v, best))) {
        best_rating = rating;
        best = c;
      }
    }
    ratings.touched.clear();
    return best >= 0 ? best : full;
  }

  std::uint32_t tie(VertexId v, std::int32_t c) const {
    std::uint32_t x =
        (static_cast<std::uint32_t>(v) * 0x9e3779b1U) ^ (static_cast<std::uint32_t>(c) * 0x85ebca6bU) ^ salt_;
    x ^= x >> 15;
    x *= 0x2c1b3c6dU;
    return x ^ (x >> 12);
  }

  /// Vertices still alone: those with the same full favourite go together, those without a favourite too.
  void pair_the_lonely() {
    const Index n = h_.num_vertices;
    std::vector<std::int32_t> open(static_cast<std::size_t>(n) + 1, -1);
    for (const VertexId v : order_) {
      if (clusters_ <= limits_.at_least) return;
      if (cluster_[v] != v || members_[v] != 1) continue;
      const std::int32_t f = favourite_[v] >= 0 ? cluster_[favourite_[v]] : static_cast<std::int32_t>(n);
      if (f == v) continue;
      if (f < n && may_join(v, f)) {
        join(v, f);
      } else if (open[f] >= 0 && cluster_[open[f]] == open[f] && may_join(v, open[f])) {
        join(v, open[f]);
      } else {
        open[f] = v;
      }
    }
  }

  Clustering number() const {
    Clustering result;
    result.cluster.assign(cluster_.size(), -1);
    std::vector<std::int32_t> id(cluster_.size(), -1);
    for (std::size_t v = 0; v < cluster_.size(); ++v) {
      std::int32_t& i = id[cluster_[v]];
      if (i < 0) i = static_cast<std::int32_t>(result.count++);
      result.cluster[v] = i;
    }
    return result;
  }

  const Hypergraph& h_;
  const WeightedGraph* cut_;
  const ClusterLimits& limits_;
  std::vector<std::int32_t> order_;
  std::uint32_t salt_;
  /// A cluster is named after one of its vertices; that vertex never leaves it.
  std::vector<std::int32_t> cluster_;
  std::vector<std::int32_t> members_;
  std::vector<double> weight_;
  std::vector<std::int32_t> favourite_;
  Index clusters_ = 0;
};

}  // namespace

Clustering cluster_vertices(const Hypergraph& h, const WeightedGraph* cut, const ClusterLimits& limits,
                            RandomSequence& random) {
  return Clusterer(h, cut, limits, random).run();
}

}  // namespace laminar::partition::multilevel
