/// GAT attention without a buffer of edges x width. The forward passes once over a row's in-edges and keeps, a row and
/// head, the largest logit m_i and the normaliser 1/sum_i. In the backward, with g_ij = <dy_i, z_j>, f' the leaky
/// ReLU's slope at the logit and k_ij the (scaled) dropout mask,
///
///     c_i  = sum_j alpha_ij k_ij g_ij = <dy_i, y_i>
///
/// is row-local, and the gather over a source's out-edges that gives dz_j makes alpha anew and also, edge by edge and
/// head, f'_ij alpha_ij (k_ij g_ij - c_i): its sum over a source's out-edges is ds_j, and over a target's in-edges
/// dt_i, for which it stands in a buffer of edges x heads meanwhile.
#include <algorithm>
#include <array>
#include <memory>
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

/// A learnt vector that scores are dot products with.
struct ScoreVector {
  Var var;
  Tensor value;
};

/// Scores of the same rows that another node's backward deals with, so that both take one pass over the rows.
struct OtherScores {
  ScoreVector vector;
  /// Of the scores; empty before it is known.
  Tensor gradient;
};

/// scores[i, h] = <z_i, a>_h. In the backward the OtherScores', if any, come along.
class ScoreNode final : public Node {
 public:
  ScoreNode(Var z, Tensor rows, Index heads, ScoreVector vector, std::shared_ptr<OtherScores> other)
      : z_(z), rows_(std::move(rows)), heads_(heads), vector_(std::move(vector)), other_(std::move(other)) {}

  void backward(Tape& tape, const Tensor& ds) override {
    const WorkScope scope(pass_work(WorkKind::kAttention, "scores, backward", rows_, tape.needs_gradient(z_) ? 3 : 1));
    dispatch_kept(rows_.dtype(), [&]<class T>(T) {
      other_ != nullptr && other_->gradient ? run<T, true>(tape, ds) : run<T, false>(tape, ds);
    });
  }

 private:
  template <class T, bool kBoth>
  void run(Tape& tape, const Tensor& ds) {
    const Index n = rows_.rows();
    const Index d = rows_.cols();
    const Index width = d / heads_;
    using C = Computed<T>;
    GradientSink dz = tape.needs_gradient(z_) ? tape.sink(z_, rows_.dtype()) : GradientSink{};
    const Index heads = heads_;
    const T* z = rows_.data<T>();
    const C* a = vector_.value.data<C>();
    const C* g = ds.data<C>();
    const C* b = kBoth ? other_->vector.value.data<C>() : nullptr;
    const C* of_other = kBoth ? std::as_const(other_->gradient).data<C>() : nullptr;
    T* out = dz.tensor ? dz.tensor.data<T>() : nullptr;
    const bool adds = dz.accumulate;
    const auto body = [=](Index begin, Index end, C* sum) LAMINAR_INLINE_LAMBDA {
      with_head_width(width, [=]<Index kWidth>() LAMINAR_INLINE_LAMBDA {
        const Index piece = kWidth > 0 ? kWidth : width;
        for (Index i = begin; i < end; ++i) {
          for (Index c = 0; c < d; c += piece) {
            const C ga = g[i * heads + c / width];
            const C gb = kBoth ? of_other[i * heads + c / width] : C(0);
            LAMINAR_LANES
            for (Index k = c; k < c + piece; ++k) sum[k] += ga * C(z[i * d + k]);
            if constexpr (kBoth) {
              LAMINAR_LANES
              for (Index k = c; k < c + piece; ++k) sum[d + k] += gb * C(z[i * d + k]);
            }
            if (out == nullptr) continue;
            LAMINAR_LANES
            for (Index k = c; k < c + piece; ++k) {
              C v = adds ? C(out[i * d + k]) : C(0);
              if constexpr (kBoth) v += gb * b[k];
              out[i * d + k] = static_cast<T>(v + ga * a[k]);
            }
          }
        }
      });
    };
    C* const da = tape.sink(vector_.var).tensor.template data<C>();
    C* const db = kBoth ? tape.sink(other_->vector.var).tensor.template data<C>() : nullptr;
    sum_panels<C>(tape.context().pool.get(), n, d, kBoth ? 2 * d : d, body, [=](const C* sum) {
      for (Index k = 0; k < d; ++k) da[k] += sum[k];
      for (Index k = 0; kBoth && k < d; ++k) db[k] += sum[d + k];
    });
  }

  Var z_;
  Tensor rows_;
  Index heads_;
  ScoreVector vector_;
  std::shared_ptr<OtherScores> other_;
};

/// Of scores that another node deals with.
class OtherScoreNode final : public Node {
 public:
  explicit OtherScoreNode(std::shared_ptr<OtherScores> scores) : scores_(std::move(scores)) {}
  void backward(Tape&, const Tensor& ds) override { scores_->gradient = ds; }

 private:
  std::shared_ptr<OtherScores> scores_;
};

void check_score(const Tape& tape, const ScoreTerm& term, Index heads) {
  const Index d = tape.cols(term.rows);
  const Parameter& vector = *term.vector;
  if (heads < 1 || d % heads != 0 || vector.value.rows() != 1 || vector.value.cols() != d) {
    throw Error(fmt::format("[attention] rows of width {}, vector '{}' [{}, {}] and {} heads do not fit", d,
                            vector.name, vector.value.rows(), vector.value.cols(), heads));
  }
}

/// The scores of an edge's ends: of the source, then of the target.
std::array<Var, 2> record_scores(Tape& tape, const Score& score, Index heads) {
  const std::array<const ScoreTerm*, 2> terms = {&score.source, &score.target};
  std::array<ScoreVector, 2> vectors;
  for (std::size_t i = 0; i < 2; ++i) {
    check_score(tape, *terms[i], heads);
    vectors[i] = {tape.parameter(*terms[i]->vector), terms[i]->vector->value};
  }
  const bool together = score.source.rows.id == score.target.rows.id && vectors[0].var.id != vectors[1].var.id;
  std::array<Tensor, 2> scores;
  if (together) {
    const Tensor& rows = tape.kept(score.source.rows);
    const WorkScope scope(pass_work(WorkKind::kAttention, "scores", rows, 1));
    scores = head_dots_of_two(rows, {&vectors[0].value, &vectors[1].value}, heads, tape.context().pool.get());
  }
  for (std::size_t i = 0; !together && i < 2; ++i) {
    const Tensor& rows = tape.kept(terms[i]->rows);
    const WorkScope scope(pass_work(WorkKind::kAttention, "scores", rows, 1));
    scores[i] = head_dots(rows, vectors[i].value, heads, tape.context().pool.get(), MemoryPurpose::kActivations);
  }
  // Nodes run from the last one on, so it is the source's that finds the target's gradient there.
  const auto other = together ? std::make_shared<OtherScores>(OtherScores{vectors[1], {}}) : nullptr;
  const auto record = [&](std::size_t i, std::unique_ptr<Node> node) {
    return tape.record(std::move(scores[i]), std::move(node), {terms[i]->rows, vectors[i].var});
  };
  const auto node = [&](std::size_t i, std::shared_ptr<OtherScores> with) {
    const Var z = terms[i]->rows;
    return std::make_unique<ScoreNode>(z, tape.kept(z), heads, vectors[i], std::move(with));
  };
  const Var of_source = record(0, node(0, other));
  if (!together) return {of_source, record(1, node(1, nullptr))};
  return {of_source, record(1, std::make_unique<OtherScoreNode>(other))};
}

class AttentionNode final : public AggregationNode {
 public:
  struct Inputs {
    Var z;
    Var source_scores;
    Var target_scores;
  };

  AttentionNode(Tape& tape, Block block, Inputs in, std::shared_ptr<const Adjacency> a, double slope,
                const AttentionOptions& options, RandomKey key)
      : in_(in),
        a_(std::move(a)),
        block_(std::move(block)),
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
      if (z_.dtype() == DType::kBfloat16) rest_ = tape.allocate_as(z_.dtype(), a_->num_rows, z_.cols());
    }
  }

  void forward_rows(const Tensor& sources, Tensor& y, Index begin, Index end) override {
    const WorkScope scope(
        in_edge_work(WorkKind::kAttention, "attention", *a_, begin, end, y, y.cols() + in_rows_of(y, heads_)));
    dispatch_kept(y.dtype(), [&]<class T>(T) { forward_any<T>(sources, y, begin, end); });
    if (keep_) y_ = y;
  }

  void backward(Tape& tape, const Tensor& dy) override {
    SourceGradients out;
    if (tape.needs_gradient(in_.z)) out.rows = tape.sink(in_.z, dy.dtype());
    out.scores = tape.sink(in_.source_scores);
    Tensor of_edges(a_->num_entries(), heads_, computed(dy.dtype()), pool_.get());
    source_gradients(dy, 0, a_->num_sources, out, &of_edges);
    add_to_targets(of_edges, tape.sink(in_.target_scores));
  }

  void backward_rows(const Tensor& dy, Index begin, Index end, SourceGradients& out) const override {
    source_gradients(dy, begin, end, out, nullptr);
  }

 private:
  /// Also what the scores of each edge get, in the transpose's order, unless `of_edges` is null.
  void source_gradients(const Tensor& dy, Index begin, Index end, SourceGradients& out, Tensor* of_edges) const {
    const Tensor numbers = target_numbers(dy);
    const WorkScope scope(out_edge_work(WorkKind::kAttention, "attention, backward", *a_, begin, end, dy,
                                        dy.cols() + in_rows_of(dy, heads_ * kAttentionTarget), 4));
    dispatch_kept(dy.dtype(), [&]<class T>(T) { backward_any<T>(dy, numbers, begin, end, out, of_edges); });
  }

  template <class T>
  void forward_any(const Tensor& sources, Tensor& y, Index begin, Index end) {
    using C = Computed<T>;
    AttentionForward<T> what{.edges = edges<T>(a_->offsets, a_->sources, y.cols()),
                             .z = sources.data<T>(),
                             .target_scores = target_scores_.data<C>(),
                             .y = y.data<T>()};
    if (keep_) what.kept = kept_.data<C>();
    if (rest_) what.rest = rest_.data<T>();
    parallel_for_rows(a_->offsets, begin, end, [&what](Index from, Index to) { attention_forward(what, from, to); });
  }

  /// How many columns of `rows` take the room of `numbers`, which an edge reads beside one of these rows.
  static Index in_rows_of(const Tensor& rows, Index numbers) {
    return numbers * static_cast<Index>(size_of(computed(rows.dtype())) / size_of(rows.dtype()));
  }

  /// What sources need of targets (kAttentionTarget) [rows, 4 * heads].
  Tensor target_numbers(const Tensor& dy) const {
    const WorkScope scope(pass_work(WorkKind::kAttention, "attention, targets", dy, rest_ ? 3 : 2));
    Tensor numbers(dy.rows(), heads_ * kAttentionTarget, computed(dy.dtype()), pool_.get());
    dispatch_kept(dy.dtype(), [&]<class T>(T) { target_numbers_any<T>(dy, numbers); });
    return numbers;
  }

  template <class T>
  void target_numbers_any(const Tensor& dy, Tensor& numbers) const {
    using C = Computed<T>;
    const T* g = dy.data<T>();
    const T* y = y_.data<T>();
    const T* rest = rest_ ? rest_.data<T>() : nullptr;
    const C* scores = target_scores_.data<C>();
    const C* kept = kept_.data<C>();
    C* out = numbers.data<C>();
    const Index heads = heads_;
    const Index d = dy.cols();
    const Index width = d / heads;
    parallel_for_vectorised(dy.rows(), row_grain(d), [=](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
      const auto rows = [=]<Index kWidth>(Index count) LAMINAR_INLINE_LAMBDA {
        for (Index i = begin; i < end; ++i) {
          C* numbers_of = out + i * count * kAttentionTarget;
          const C* kept_of = kept + i * count * kAttentionKept;
          C* c = numbers_of + 3 * count;
          dots_of_heads<kWidth>(c, g + i * d, y + i * d, count, width);
          if (rest != nullptr) {
            // In the place of the scores, which come next.
            dots_of_heads<kWidth>(numbers_of, g + i * d, rest + i * d, count, width);
            LAMINAR_LANES
            for (Index h = 0; h < count; ++h) c[h] += numbers_of[h];
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
  void backward_any(const Tensor& dy, const Tensor& numbers, Index begin, Index end, SourceGradients& sinks,
                    Tensor* of_edges) const {
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
    if (of_edges != nullptr) what.of_edges = of_edges->data<C>();
    parallel_for_rows(transposed.offsets, begin, end,
                      [&what](Index from, Index to) { attention_backward(what, from, to); });
  }

  /// dt_i (+)= the sum over the row's in-edges, which stand in the transpose's order.
  void add_to_targets(const Tensor& of_edges, GradientSink sink) const {
    const EdgeId* const places = a_->places_in_transpose().data();
    const WorkScope scope(pass_work(WorkKind::kAttention, "attention, edges to targets", of_edges, 1));
    dispatch(of_edges.dtype(), [&]<class T>(T) {
      const T* const g = of_edges.data<T>();
      T* const dt = sink.tensor.data<T>();
      const EdgeId* const offsets = a_->offsets.data();
      const Index heads = heads_;
      const bool adds = sink.accumulate;
      const auto rows = [=]<Index kHeads>(Index begin, Index end) LAMINAR_INLINE_LAMBDA {
        constexpr EdgeId kAhead = 16;
        const EdgeId last = offsets[end];
        for (Index i = begin; i < end; ++i) {
          for (Index first = 0; first < heads; first += kHeads) {
            double total[kHeads] = {};
            for (EdgeId e = offsets[i]; e < offsets[i + 1]; ++e) {
              if (e + kAhead < last) __builtin_prefetch(g + places[e + kAhead] * heads);
              const T* const of_edge = g + places[e] * heads + first;
              LAMINAR_LANES
              for (Index h = 0; h < kHeads; ++h) total[h] += static_cast<double>(of_edge[h]);
            }
            T* const to = dt + i * heads + first;
            for (Index h = 0; h < kHeads; ++h) to[h] = (adds ? to[h] : T(0)) + static_cast<T>(total[h]);
          }
        }
      };
      parallel_for_rows(a_->offsets, 0, a_->num_rows, [=](Index from, Index to) {
        const auto body = [=](Index begin, Index end) LAMINAR_INLINE_LAMBDA {
          if (heads % 8 == 0) return rows.template operator()<8>(begin, end);
          if (heads % 4 == 0) return rows.template operator()<4>(begin, end);
          rows.template operator()<1>(begin, end);
        };
        run_vectorised(body, from, to);
      });
    });
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
  // Sums over edges are taken against <dy_i, y_i>, so y must be more exact than bfloat16: rest_ is what that leaves.
  Tensor y_, rest_, kept_;
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
  const auto [source_scores, target_scores] = record_scores(tape, score, options.heads);
  const AttentionNode::Inputs in{message.of.rows, source_scores, target_scores};
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
