/// GAT attention without a buffer of edges x width. The forward passes once over a row's in-edges and keeps, a row and
/// head, the largest logit m_i, the normaliser 1/sum_i and p_i = sum of alpha over the edges with a positive logit;
/// also y+_i, the part of y_i that came over those edges. In the backward, with g_ij = <dy_i, z_j> and k_ij the
/// (scaled) dropout mask,
///
///     c_i  = sum_j alpha_ij k_ij g_ij = <dy_i, y_i>
///     dt_i = sum_j f'_ij alpha_ij (k_ij g_ij - c_i) = (<dy_i, y+_i> - c_i p_i) + slope ((c_i - <dy_i, y+_i>) - c_i (1
///     - p_i))
///
/// is row-local (f' is 1 or the slope, by the sign of the logit), so that the only pass over edges is the gather over a
/// source's out-edges that gives dz_j and ds_j, with alpha computed anew from the row's three numbers.
#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/attention_kernels.hpp"
#include "laminar/core/dot.hpp"
#include "laminar/core/edge_masks.hpp"
#include "laminar/core/edge_work.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/heads.hpp"
#include "laminar/core/panel_sums.hpp"

namespace laminar::core {
namespace {

/// scores[i, h] = <z_i, a>_h.
class ScoreNode final : public Node {
 public:
  ScoreNode(Var z, Var vector, Tensor rows, Tensor vector_value, Index heads)
      : z_(z), vector_(vector), rows_(std::move(rows)), vector_value_(std::move(vector_value)), heads_(heads) {}

  void backward(Tape& tape, const Tensor& ds) override {
    const WorkScope scope(pass_work(WorkKind::kAttention, "scores, backward", rows_, tape.needs_gradient(z_) ? 3 : 1));
    dispatch_kept(rows_.dtype(), [&]<class T>(T) { run<T>(tape, ds); });
  }

 private:
  template <class T>
  void run(Tape& tape, const Tensor& ds) {
    const Index n = rows_.rows();
    const Index d = rows_.cols();
    const Index width = d / heads_;
    using C = Computed<T>;
    GradientSink dz = tape.needs_gradient(z_) ? tape.sink(z_, rows_.dtype()) : GradientSink{};
    const Index heads = heads_;
    const T* z = rows_.data<T>();
    const C* a = vector_value_.data<C>();
    const C* g = ds.data<C>();
    T* out = dz.tensor ? dz.tensor.data<T>() : nullptr;
    const bool adds = dz.accumulate;
    add_panels(tape.context().pool.get(), n, d, d, tape.sink(vector_).tensor.data<C>(),
               [=](Index begin, Index end, C* sum) LAMINAR_INLINE_LAMBDA {
                 with_head_width(width, [=]<Index kWidth>() LAMINAR_INLINE_LAMBDA {
                   const Index piece = kWidth > 0 ? kWidth : width;
                   for (Index i = begin; i < end; ++i) {
                     for (Index c = 0; c < d; c += piece) {
                       const C gh = g[i * heads + c / width];
                       LAMINAR_LANES
                       for (Index k = c; k < c + piece; ++k) sum[k] += gh * C(z[i * d + k]);
                       if (out == nullptr) continue;
                       LAMINAR_LANES
                       for (Index k = c; k < c + piece; ++k) {
                         out[i * d + k] = static_cast<T>((adds ? C(out[i * d + k]) : C(0)) + gh * a[k]);
                       }
                     }
                   }
                 });
               });
  }

  Var z_, vector_;
  Tensor rows_, vector_value_;
  Index heads_;
};

Var record_scores(Tape& tape, const ScoreTerm& term, Index heads) {
  const Tensor rows = tape.kept(term.rows);
  Parameter& vector = *term.vector;
  const Index d = rows.cols();
  if (heads < 1 || d % heads != 0 || vector.value.rows() != 1 || vector.value.cols() != d) {
    throw Error(fmt::format("[attention] rows of width {}, vector '{}' [{}, {}] and {} heads do not fit", d,
                            vector.name, vector.value.rows(), vector.value.cols(), heads));
  }
  const WorkScope scope(pass_work(WorkKind::kAttention, "scores", rows, 1));
  Tensor scores = head_dots(rows, vector.value, heads, tape.context().pool.get(), MemoryPurpose::kActivations);
  const Var v = tape.parameter(vector);
  return tape.record(std::move(scores), std::make_unique<ScoreNode>(term.rows, v, rows, vector.value, heads),
                     {term.rows, v});
}

class AttentionNode final : public AggregationNode {
 public:
  struct Inputs {
    Var z;
    Var source_scores;
    Var target_scores;
  };

  AttentionNode(Tape& tape, const Block& block, Inputs in, std::shared_ptr<const Adjacency> a, double slope,
                const AttentionOptions& options, RandomKey key)
      : in_(in),
        a_(std::move(a)),
        block_(block),
        pool_(tape.context().pool),
        heads_(options.heads),
        slope_(slope),
        masks_(key, DropoutRate(tape.context().training ? options.dropout : 0), block_.source_ids(), block_.own_ids(),
               options.heads),
        keep_(tape.needs_gradient(in.z) || tape.needs_gradient(in.source_scores)),
        z_(tape.kept(in.z)),
        source_scores_(tape.value(in.source_scores)),
        target_scores_(tape.value(in.target_scores)) {
    if (keep_) {
      kept_ = tape.allocate(a_->num_rows, heads_ * kAttentionKept);
      positive_part_ = tape.allocate_as(z_.dtype(), a_->num_rows, z_.cols());
    }
  }

  void forward_rows(const Tensor& sources, Tensor& y, Index begin, Index end) override {
    const WorkScope scope(in_edge_work(WorkKind::kAttention, "attention", *a_, begin, end, y, y.cols()));
    dispatch_kept(y.dtype(), [&]<class T>(T) { forward_any<T>(sources, y, begin, end); });
    if (keep_) y_ = y;
  }

  void backward(Tape& tape, const Tensor& dy) override {
    GradientSink target = tape.sink(in_.target_scores);
    const Tensor numbers = target_numbers(dy, &target);
    SourceGradients out;
    if (tape.needs_gradient(in_.z)) out.rows = tape.sink(in_.z, dy.dtype());
    out.scores = tape.sink(in_.source_scores);
    source_gradients(dy, numbers, 0, a_->num_sources, out);
  }

  void backward_rows(const Tensor& dy, Index begin, Index end, SourceGradients& out) const override {
    source_gradients(dy, target_numbers(dy, nullptr), begin, end, out);
  }

 private:
  void source_gradients(const Tensor& dy, const Tensor& numbers, Index begin, Index end, SourceGradients& out) const {
    const WorkScope scope(
        out_edge_work(WorkKind::kAttention, "attention, backward", *a_, begin, end, dy, dy.cols(), 4));
    dispatch_kept(dy.dtype(), [&]<class T>(T) { backward_any<T>(dy, numbers, begin, end, out); });
  }

  template <class T>
  void forward_any(const Tensor& sources, Tensor& y, Index begin, Index end) {
    using C = Computed<T>;
    AttentionForward<T> what{.edges = edges<T>(a_->offsets, a_->sources, y.cols()),
                             .z = sources.data<T>(),
                             .target_scores = target_scores_.data<C>(),
                             .y = y.data<T>()};
    if (keep_) {
      what.kept = kept_.data<C>();
      what.positive = positive_part_.data<T>();
    }
    parallel_for_rows(a_->offsets, begin, end, [&what](Index from, Index to) { attention_forward(what, from, to); });
  }

  /// What sources need of targets (kAttentionTarget) [rows, 4 * heads]; and, if `dt` is given, the gradient of the
  /// targets' scores.
  Tensor target_numbers(const Tensor& dy, GradientSink* dt) const {
    const WorkScope scope(pass_work(WorkKind::kAttention, "attention, targets", dy, dt != nullptr ? 3 : 2));
    Tensor numbers(dy.rows(), heads_ * kAttentionTarget, computed(dy.dtype()), pool_.get());
    dispatch_kept(dy.dtype(), [&]<class T>(T) { target_numbers_any<T>(dy, numbers, dt); });
    return numbers;
  }

  template <class T>
  void target_numbers_any(const Tensor& dy, Tensor& numbers, GradientSink* sink) const {
    using C = Computed<T>;
    const T* g = dy.data<T>();
    const T* y = y_.data<T>();
    const T* positive = positive_part_.data<T>();
    const C* scores = target_scores_.data<C>();
    const C* kept = kept_.data<C>();
    C* out = numbers.data<C>();
    C* dt = sink != nullptr ? sink->tensor.data<C>() : nullptr;
    const bool adds = sink != nullptr && sink->accumulate;
    const Index heads = heads_;
    const Index d = dy.cols();
    const Index width = d / heads;
    const C slope = static_cast<C>(slope_);
    parallel_for_vectorised(dy.rows(), row_grain(d), [=](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
      const auto rows = [=]<Index kWidth>(Index count) LAMINAR_INLINE_LAMBDA {
        for (Index i = begin; i < end; ++i) {
          C* numbers_of = out + i * count * kAttentionTarget;
          const C* kept_of = kept + i * count * kAttentionKept;
          C* c = numbers_of + 3 * count;
          dots_of_heads<kWidth>(c, g + i * d, y + i * d, count, width);
          if (dt != nullptr) {
            // <dy_i, y_i+>, where the scores come after it.
            C* c_positive = numbers_of;
            dots_of_heads<kWidth>(c_positive, g + i * d, positive + i * d, count, width);
            LAMINAR_LANES
            for (Index h = 0; h < count; ++h) {
              const C p = kept_of[2 * count + h];
              const C one = kept_of[count + h] > 0 ? C(1) : C(0);
              const C v = (c_positive[h] - c[h] * p) + slope * ((c[h] - c_positive[h]) - c[h] * (one - p));
              dt[i * count + h] = adds ? dt[i * count + h] + v : v;
            }
          }
          LAMINAR_LANES
          for (Index h = 0; h < count; ++h) numbers_of[h] = scores[i * count + h];
          LAMINAR_LANES
          for (Index k = 0; k < 2 * count; ++k) numbers_of[count + k] = kept_of[k];
        }
      };
      with_head_width(width, [=]<Index kWidth>() LAMINAR_INLINE_LAMBDA {
        // A constant makes the loops over heads instructions without branches.
        heads == 8 ? rows.template operator()<kWidth>(8) : rows.template operator()<kWidth>(heads);
      });
    });
  }

  template <class T>
  void backward_any(const Tensor& dy, const Tensor& numbers, Index begin, Index end, SourceGradients& sinks) const {
    using C = Computed<T>;
    const auto& transposed = a_->transposed;
    AttentionBackward<T> what{.edges = edges<T>(transposed.offsets, transposed.rows, dy.cols()),
                              .z = z_.data<T>(),
                              .numbers = numbers.data<C>(),
                              .dy = dy.data<T>(),
                              .adds_dz = sinks.rows.accumulate,
                              .adds_ds = sinks.scores.accumulate};
    if (sinks.rows.tensor) what.dz = sinks.rows.tensor.data<T>();
    if (sinks.scores.tensor) what.ds = sinks.scores.tensor.data<C>();
    parallel_for_rows(transposed.offsets, begin, end,
                      [&what](Index from, Index to) { attention_backward(what, from, to); });
  }

  template <class T>
  AttentionEdges<T> edges(std::span<const EdgeId> offsets, std::span<const std::int32_t> indices, Index d) const {
    return {.offsets = offsets,
            .indices = indices,
            .heads = heads_,
            .width = d / heads_,
            .slope = static_cast<Computed<T>>(slope_),
            .source_scores = source_scores_.data<Computed<T>>(),
            .masks = masks_.active() ? &masks_ : nullptr};
  }

  Inputs in_;
  std::shared_ptr<const Adjacency> a_;
  // Keeps the ids alive.
  Block block_;
  std::shared_ptr<MemoryPool> pool_;
  Index heads_;
  double slope_;
  EdgeMasks masks_;
  bool keep_;
  Tensor z_, source_scores_, target_scores_;
  Tensor y_, kept_, positive_part_;
};

}  // namespace

Score operator+(const ScoreTerm& a, const ScoreTerm& b) {
  if (a.of_source == b.of_source) {
    throw Error("[attention] a score is one dot product with src(...) plus one with dst(...)");
  }
  return a.of_source ? Score{a, b} : Score{b, a};
}

Var softmax_sum(Tape& tape, const Block& block, const Score& score, const Message& message,
                const AttentionOptions& options) {
  if (message.matrix != src(message.of).matrix)
    throw Error("[attention] the message carries edge weights; it takes none");
  auto adjacency = block.adjacency({Normalization::kNone, options.self_loops, false}, tape.context().dtype);
  const Tensor rows = tape.kept(message.of.rows);
  if (rows.rows() != adjacency->num_sources) {
    throw Error(
        fmt::format("[attention] {} source rows for a block with {} sources", rows.rows(), adjacency->num_sources));
  }
  const AttentionNode::Inputs in{message.of.rows, record_scores(tape, score.source, options.heads),
                                 record_scores(tape, score.target, options.heads)};
  if (rows.cols() % options.heads != 0 || tape.rows(in.source_scores) != adjacency->num_sources ||
      tape.rows(in.target_scores) != adjacency->num_rows) {
    throw Error(
        fmt::format("[attention] rows of width {}, {} heads, {} source and {} target scores do not fit a block of {} "
                    "rows, {} sources",
                    rows.cols(), options.heads, tape.rows(in.source_scores), tape.rows(in.target_scores),
                    adjacency->num_rows, adjacency->num_sources));
  }
  const RandomKey key = tape.next_random_key();
  Tensor y = tape.allocate_as(rows.dtype(), adjacency->num_rows, rows.cols());
  auto node = std::make_unique<AttentionNode>(tape, block, in, adjacency, score.slope, options, key);
  node->forward_rows(rows, y, 0, adjacency->num_rows);
  return tape.record_aggregation(std::move(y), std::move(node), {in.z, in.source_scores, in.target_scores});
}

}  // namespace laminar::core
