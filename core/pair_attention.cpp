/// GATv2's attention. The forward scores a row's in-edges, one pass over their source rows, and gathers with the
/// softmax, another; it keeps alpha, a number an edge and head (before dropout). In the backward, with g_ij = <dy_i,
/// z_j>, k_ij the scaled dropout mask, c_i = sum_j alpha_ij k_ij g_ij = <dy_i, y_i> and f' the slope of the leaky ReLU,
///
///     de_ij = alpha_ij (k_ij g_ij - c_i)
///     dt_i  = sum_j de_ij a f'(z_j + t_i)                     a gather over in-edges, with da beside it
///     dz_j  = sum_i alpha_ij k_ij dy_i + de_ij a f'(z_j + t_i)  a gather over out-edges
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/edge_masks.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/multiversion.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::core {
namespace {

/// out[e] = sum over c of a_c leaky_relu(z_jc + t_c), j = indices[e]; sixteen running sums, then their tree.
template <class T>
LAMINAR_INLINE void pair_scores_any(T* out, const T* a, const T* t, const T* z, Index d, Index stride,
                                    const std::int32_t* indices, Index count, T slope) {
  constexpr Index kLanes = 16;
  for (Index e = 0; e < count; ++e) {
    const T* row = z + indices[e] * stride;
    T lanes[kLanes] = {};
    const auto term = [&](Index c) {
      const T v = row[c] + t[c];
      return a[c] * (v > 0 ? v : slope * v);
    };
    Index c = 0;
    for (; c + kLanes <= d; c += kLanes) {
      for (Index i = 0; i < kLanes; ++i) lanes[i] += term(c + i);
    }
    for (Index i = 0; c + i < d; ++i) lanes[i] += term(c + i);
    for (Index half = kLanes / 2; half > 0; half /= 2) {
      for (Index i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    out[e] = lanes[0];
  }
}

/// dt_c += g a_c f'(v_c), da_c += g leaky_relu(v_c), v = z + t.
template <class T>
LAMINAR_INLINE void add_target_any(T* dt, T* da, const T* a, const T* t, const T* z, Index d, T g, T slope) {
  for (Index c = 0; c < d; ++c) {
    const T v = z[c] + t[c];
    dt[c] += g * a[c] * (v > 0 ? T(1) : slope);
    da[c] += g * (v > 0 ? v : slope * v);
  }
}

/// dz_c += weight dy_c + g a_c f'(v_c).
template <class T>
LAMINAR_INLINE void add_source_any(T* dz, const T* dy, const T* a, const T* t, const T* z, Index d, T weight, T g,
                                   T slope) {
  for (Index c = 0; c < d; ++c) {
    const T v = z[c] + t[c];
    dz[c] += weight * dy[c] + g * a[c] * (v > 0 ? T(1) : slope);
  }
}

LAMINAR_MULTIVERSION
void pair_scores(float* out, const float* a, const float* t, const float* z, Index d, Index stride,
                 const std::int32_t* indices, Index count, float slope) {
  pair_scores_any(out, a, t, z, d, stride, indices, count, slope);
}
LAMINAR_MULTIVERSION
void pair_scores(double* out, const double* a, const double* t, const double* z, Index d, Index stride,
                 const std::int32_t* indices, Index count, double slope) {
  pair_scores_any(out, a, t, z, d, stride, indices, count, slope);
}
LAMINAR_MULTIVERSION
void add_target(float* dt, float* da, const float* a, const float* t, const float* z, Index d, float g, float slope) {
  add_target_any(dt, da, a, t, z, d, g, slope);
}
LAMINAR_MULTIVERSION
void add_target(double* dt, double* da, const double* a, const double* t, const double* z, Index d, double g,
                double slope) {
  add_target_any(dt, da, a, t, z, d, g, slope);
}
LAMINAR_MULTIVERSION
void add_source(float* dz, const float* dy, const float* a, const float* t, const float* z, Index d, float weight,
                float g, float slope) {
  add_source_any(dz, dy, a, t, z, d, weight, g, slope);
}
LAMINAR_MULTIVERSION
void add_source(double* dz, const double* dy, const double* a, const double* t, const double* z, Index d, double weight,
                double g, double slope) {
  add_source_any(dz, dy, a, t, z, d, weight, g, slope);
}

class PairAttentionNode final : public AggregationNode {
 public:
  struct Inputs {
    Var z;
    Var t;
    Var vector;
  };

  PairAttentionNode(Tape& tape, const Block& block, Inputs in, std::shared_ptr<const Adjacency> a, Tensor vector,
                    double slope, const AttentionOptions& options)
      : in_(in),
        a_(std::move(a)),
        block_(block),
        source_ids_(block_.source_ids()),
        own_ids_(block_.own_ids()),
        pool_(tape.context().pool),
        heads_(options.heads),
        slope_(slope),
        rate_(tape.context().training ? options.dropout : 0),
        key_(tape.next_random_key()),
        z_(tape.value(in.z)),
        t_(tape.value(in.t)),
        vector_(std::move(vector)),
        alpha_(tape.allocate(a_->num_entries(), heads_)) {}

  void forward_rows(const Tensor& sources, Tensor& y, Index begin, Index end) override {
    dispatch(y.dtype(), [&]<class T>(T) { forward_any<T>(sources, y, begin, end); });
    if (!y_) y_ = y;
  }

  void backward(Tape& tape, const Tensor& dy) override {
    dispatch(dy.dtype(), [&]<class T>(T) { target_gradients<T>(tape, dy); });
    if (!tape.needs_gradient(in_.z)) return;
    SourceGradients out{tape.sink(in_.z), {}};
    backward_rows(dy, 0, a_->num_sources, out);
  }

  void backward_rows(const Tensor& dy, Index begin, Index end, SourceGradients& out) const override {
    dispatch(dy.dtype(), [&]<class T>(T) { backward_any<T>(dy, begin, end, out.rows); });
  }

 private:
  /// A row's numbers stand head by head, so that those of a head are side by side.
  template <class T>
  T* row_alpha(const Tensor& alpha, Index i, Index head) const {
    const Index count = a_->offsets[i + 1] - a_->offsets[i];
    return const_cast<T*>(alpha.data<T>()) + a_->offsets[i] * heads_ + head * count;
  }

  template <class T>
  void forward_any(const Tensor& sources, Tensor& y, Index begin, Index end) {
    const Index d = y.cols();
    const Index width = d / heads_;
    const T* z = sources.data<T>();
    const T* t = t_.data<T>();
    const T* a = vector_.data<T>();
    T* out = y.data<T>();
    parallel_for_rows(a_->offsets, begin, end, [&](Index row_begin, Index row_end) {
      std::vector<T> weights;
      std::vector<T> masks;
      for (Index i = row_begin; i < row_end; ++i) {
        const EdgeId first = a_->offsets[i];
        const Index count = a_->offsets[i + 1] - first;
        const std::int32_t* in = a_->sources.data() + first;
        weights.resize(static_cast<std::size_t>(count));
        if (rate_.active()) fill_row_masks(i, masks);
        for (Index h = 0; h < heads_; ++h) {
          const Index at = h * width;
          T* alpha = row_alpha<T>(alpha_, i, h);
          pair_scores(alpha, a + at, t + i * d + at, z + at, width, d, in, count, static_cast<T>(slope_));
          T largest = -std::numeric_limits<T>::infinity();
          for (Index e = 0; e < count; ++e) largest = std::max(largest, alpha[e]);
          double total = 0;
          for (Index e = 0; e < count; ++e) {
            alpha[e] = std::exp(alpha[e] - largest);
            total += alpha[e];
          }
          const T inverse = count > 0 ? static_cast<T>(1 / total) : T(0);
          for (Index e = 0; e < count; ++e) {
            alpha[e] *= inverse;
            weights[e] = rate_.active() ? alpha[e] * masks[h * count + e] : alpha[e];
          }
          gather_row(out + i * d + at, z + at, width, d, in, weights.data(), count, false);
        }
      }
    });
  }

  /// masks[h * count + e] for the in-edges of row i; parallel edges stand side by side and are told apart by number.
  template <class T>
  void fill_row_masks(Index i, std::vector<T>& masks) const {
    const std::int32_t* in = a_->sources.data() + a_->offsets[i];
    const Index count = a_->offsets[i + 1] - a_->offsets[i];
    masks.resize(static_cast<std::size_t>(count * heads_));
    std::uint32_t multiplicity = 0;
    for (Index e = 0; e < count; ++e) {
      multiplicity = e > 0 && in[e] == in[e - 1] ? multiplicity + 1 : 0;
      edge_masks(key_, rate_, source_ids_[in[e]], own_ids_[i], multiplicity, heads_, masks.data() + e, count);
    }
  }

  /// c_i, a row and head.
  template <class T>
  Tensor row_means(const Tensor& dy) const {
    const Index d = dy.cols();
    const Index width = d / heads_;
    Tensor means(a_->num_rows, heads_, dy.dtype(), pool_.get(), MemoryPurpose::kWorkspace);
    T* out = means.data<T>();
    static constexpr std::int32_t kSelf = 0;
    parallel_for(a_->num_rows, row_grain(d), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        for (Index h = 0; h < heads_; ++h) {
          const Index at = i * d + h * width;
          gather_dots(out + i * heads_ + h, dy.data<T>() + at, y_.data<T>() + at, width, d, &kSelf, 1);
        }
      }
    });
    return means;
  }

  template <class T>
  void target_gradients(Tape& tape, const Tensor& dy) const {
    const Index n = a_->num_rows;
    const Index d = dy.cols();
    const Index width = d / heads_;
    const bool wants_target = tape.needs_gradient(in_.t);
    GradientSink dt = wants_target ? tape.sink(in_.t) : GradientSink{};
    const Tensor all_means = row_means<T>(dy);
    // Panels are fixed by the number of rows, so that the vector's gradient has the same bits on any number of threads.
    const Index grain = std::max<Index>(row_grain(d), (n + 63) / 64);
    const Index panels = (n + grain - 1) / grain;
    Tensor partial = tape.allocate(panels, d, MemoryPurpose::kWorkspace);
    const T* z = z_.data<T>();
    const T* t = t_.data<T>();
    const T* a = vector_.data<T>();
    const T* g = dy.data<T>();
    const T* means = all_means.data<T>();
    T* sums = partial.data<T>();
    const T slope = static_cast<T>(slope_);
    parallel_for(n, grain, [&](Index begin, Index end) {
      T* da = sums + begin / grain * d;
      std::fill_n(da, d, T(0));
      std::vector<T> row(static_cast<std::size_t>(d));
      std::vector<T> dots;
      std::vector<T> masks;
      for (Index i = begin; i < end; ++i) {
        const EdgeId first = a_->offsets[i];
        const Index count = a_->offsets[i + 1] - first;
        const std::int32_t* in = a_->sources.data() + first;
        dots.resize(static_cast<std::size_t>(count));
        std::fill(row.begin(), row.end(), T(0));
        if (rate_.active()) fill_row_masks(i, masks);
        for (Index h = 0; h < heads_; ++h) {
          const Index at = h * width;
          const T* alpha = row_alpha<T>(alpha_, i, h);
          gather_dots(dots.data(), g + i * d + at, z + at, width, d, in, count);
          for (Index e = 0; e < count; ++e) {
            const T mask = rate_.active() ? masks[h * count + e] : T(1);
            const T de = alpha[e] * (mask * dots[e] - means[i * heads_ + h]);
            add_target(row.data() + at, da + at, a + at, t + i * d + at, z + in[e] * d + at, width, de, slope);
          }
        }
        if (!wants_target) continue;
        T* out = dt.tensor.data<T>() + i * d;
        for (Index c = 0; c < d; ++c) out[c] = dt.accumulate ? out[c] + row[c] : row[c];
      }
    });
    T* vector_gradient = tape.sink(in_.vector).tensor.data<T>();
    for (Index p = 0; p < panels; ++p) {
      for (Index c = 0; c < d; ++c) vector_gradient[c] += sums[p * d + c];
    }
  }

  template <class T>
  void backward_any(const Tensor& dy, Index begin, Index end, GradientSink& sink) const {
    const Index d = dy.cols();
    const Index width = d / heads_;
    const Tensor all_means = row_means<T>(dy);
    const T* z = z_.data<T>();
    const T* t = t_.data<T>();
    const T* a = vector_.data<T>();
    const T* g = dy.data<T>();
    const T* means = all_means.data<T>();
    T* dz = sink.tensor.data<T>();
    const T slope = static_cast<T>(slope_);
    const auto& transposed = a_->transposed;
    parallel_for_rows(transposed.offsets, begin, end, [&](Index source_begin, Index source_end) {
      std::vector<T> dots;
      std::vector<T> masks(static_cast<std::size_t>(heads_), T(1));
      for (Index j = source_begin; j < source_end; ++j) {
        const EdgeId first = transposed.offsets[j];
        const Index count = transposed.offsets[j + 1] - first;
        const std::int32_t* targets = transposed.rows.data() + first;
        T* out = dz + j * d;
        if (!sink.accumulate) std::fill_n(out, d, T(0));
        std::uint32_t multiplicity = 0;
        dots.resize(static_cast<std::size_t>(count * heads_));
        for (Index h = 0; h < heads_; ++h) {
          gather_dots(dots.data() + h * count, z + j * d + h * width, g + h * width, width, d, targets, count);
        }
        for (Index e = 0; e < count; ++e) {
          const Index i = targets[e];
          multiplicity = e > 0 && targets[e] == targets[e - 1] ? multiplicity + 1 : 0;
          if (rate_.active()) {
            edge_masks(key_, rate_, source_ids_[j], own_ids_[i], multiplicity, heads_, masks.data(), 1);
          }
          for (Index h = 0; h < heads_; ++h) {
            const Index at = h * width;
            const T alpha = row_alpha<T>(alpha_, i, h)[transposed.positions[first + e] - a_->offsets[i]];
            const T de = alpha * (masks[h] * dots[h * count + e] - means[i * heads_ + h]);
            add_source(out + at, g + i * d + at, a + at, t + i * d + at, z + j * d + at, width, alpha * masks[h], de,
                       slope);
          }
        }
      }
    });
  }

  Inputs in_;
  std::shared_ptr<const Adjacency> a_;
  // Keeps the ids alive.
  Block block_;
  std::span<const VertexId> source_ids_, own_ids_;
  std::shared_ptr<MemoryPool> pool_;
  Index heads_;
  double slope_;
  DropoutRate rate_;
  RandomKey key_;
  Tensor z_, t_, vector_;
  Tensor alpha_, y_;
};

}  // namespace

Var softmax_sum(Tape& tape, const Block& block, const PairScore& score, const Message& message,
                const AttentionOptions& options) {
  const Message& source = score.pair.source;
  if (message.matrix != src(message.of).matrix || source.matrix != src(source.of).matrix) {
    throw Error("[attention] the message carries edge weights; it takes none");
  }
  if (message.of.rows.id != source.of.rows.id) {
    throw Error("[attention] the rows that are summed must be the source rows that are scored");
  }
  auto adjacency = block.adjacency({Normalization::kNone, options.self_loops, false}, tape.context().dtype);
  const Tensor z = tape.value(message.of.rows);
  const Tensor t = tape.value(score.pair.target.rows);
  Parameter& vector = *score.vector;
  const Index d = z.cols();
  if (options.heads < 1 || d % options.heads != 0 || vector.value.rows() != 1 || vector.value.cols() != d ||
      t.cols() != d || z.rows() != adjacency->num_sources || t.rows() != adjacency->num_rows) {
    throw Error(
        fmt::format("[attention] source rows [{}, {}], target rows [{}, {}], vector '{}' [{}, {}] and {} heads do not "
                    "fit a block of {} rows, {} sources",
                    z.rows(), d, t.rows(), t.cols(), vector.name, vector.value.rows(), vector.value.cols(),
                    options.heads, adjacency->num_rows, adjacency->num_sources));
  }
  const PairAttentionNode::Inputs in{message.of.rows, score.pair.target.rows, tape.parameter(vector)};
  Tensor y = tape.allocate(adjacency->num_rows, d);
  auto node = std::make_unique<PairAttentionNode>(tape, block, in, adjacency, vector.value, score.pair.slope, options);
  node->forward_rows(z, y, 0, adjacency->num_rows);
  return tape.record_aggregation(std::move(y), std::move(node), {in.z, in.t, in.vector});
}

}  // namespace laminar::core
