#pragma once

#include <span>

#include "laminar/core/block.hpp"
#include "laminar/core/tape.hpp"

/// The aggregation ops: the one step of a layer that reads other vertices. A layer states *what* to aggregate as an
/// expression of its source rows, so that linearity is seen and no buffer of edges x width is needed:
///
///     auto x = block.sources(tape, in.x, vertex_dropout(p));
///     Var m = mean(tape, block, src(x));                                   // linear
///     Var m = sum(tape, block, src(x) * symmetric_norm());                 // linear, weighted
///     Var m = max(tape, block, src(x));
///     Var m = moments(tape, block, src(z) + dst(t));
///     Var m = softmax_sum(tape, block, leaky_relu(dot(src(z), a) + dot(dst(z), b), .2), src(z), {.heads = 8});
///     Var m = softmax_sum(tape, block, dot(leaky_relu(src(z) + dst(t), .2), a), src(z), {.heads = 8});
///     Var m = sum(tape, block, sigmoid(src(k) + dst(t)) * src(x));
namespace laminar::core {

/// How the consumers of a chunk's rows count in a pull: chunk c holds rows [offsets[c], offsets[c + 1]) of Z and its
/// rows are taken `coefficients[c]` times. One chunk with coefficient 1 is the exact gradient.
struct PullWeights {
  std::span<const Index> offsets;
  std::span<const double> coefficients;
};

/// Where an aggregation's backward puts the gradient of its source rows [num_sources, d] and, for attention, of the
/// sources' scores [num_sources, heads]; for gates of columns, of what the sources put into them [num_sources, d]. A
/// sink without a tensor is not wanted.
struct SourceGradients {
  GradientSink rows;
  GradientSink scores;
};

/// An aggregation as recorded on a tape: the contract that every kernel fulfils. Rows are independent: any cut of the
/// ranges gives the same bits.
class AggregationNode : public Node {
 public:
  /// Computes rows [begin, end) of `y` [num_rows, d] from the source rows [num_sources, d].
  virtual void forward_rows(const Tensor& sources, Tensor& y, Index begin, Index end) = 0;
  /// Gives source rows [begin, end) of the gradients, by a gather over the block's out-edges.
  virtual void backward_rows(const Tensor& output_gradient, Index begin, Index end, SourceGradients& out) const = 0;
  /// The matrix A if y = A x, with entries that do not depend on x; null otherwise.
  virtual const AdjacencySpec* linear_matrix() const { return nullptr; }
};

/// The backward of y = A x, with the consumers of a row counted by chunk: g_j = sum_i coefficient(chunk of i) a_ij z_i
/// for source rows j in [begin, end), from `z` [num_rows, d] into `out` [end - begin, d]. Throws Error if the shapes
/// don't fit.
void pull(const Adjacency& a, Index begin, Index end, const Tensor& z, const PullWeights& weights, Tensor& out);

/// A message along an edge: the source's row, times the edge's entry in a matrix, `src(x) * symmetric_norm()`, which
/// may have a factor, `src(x) * (.9 * symmetric_norm())`.
struct Message {
  Sources of;
  AdjacencySpec matrix{.normalization = Normalization::kNone, .self_loops = false, .weights = false};
  /// An own row that the message has already (plus_own()) stays.
  friend Message operator*(Message m, const AdjacencySpec& matrix) {
    const double own = m.matrix.own + matrix.own;
    m.matrix = matrix;
    m.matrix.own = own;
    return m;
  }
};

/// The source's row itself.
inline Message src(const Sources& x) { return {x}; }
/// The edge's weight, 1 in an unweighted graph.
inline AdjacencySpec edge_weight() { return {}; }
/// GCN's normalisation; see Normalization::kSymmetric.
inline AdjacencySpec symmetric_norm(bool self_loops = true) { return {Normalization::kSymmetric, self_loops, true}; }

/// The message of every in-edge, and beside them the vertex's own row `weight` times: src(x) * A becomes that of
/// A + weight I, which is one sum where adding the row afterwards would be a pass of its own, forward and backward.
inline Message plus_own(Message message, double weight = 1) {
  message.matrix.own += weight;
  return message;
}

/// A weighted mean; see Normalization::kRandomWalk.
inline AdjacencySpec random_walk_norm(bool self_loops = false) {
  return {Normalization::kRandomWalk, self_loops, true};
}

/// y_i = sum over in-edges of the message. Linear. Sources [num_sources, d] -> y [num_rows, d]; rows without in-edges
/// are 0. The sum of sparse rows is not computed before it is asked for, as its product with a weight, A (X W) in place
/// of (A X) W, never needs it: see DeferredValue.
Var sum(Tape& tape, const Block& block, const Message& message);
/// y_i = the mean of the source rows over in-edges (unweighted); 0 without any. Linear. Throws Error if the message
/// carries a matrix already.
Var mean(Tape& tape, const Block& block, const Message& message);
/// y_ic = the largest source value over in-edges, column by column; 0 without any. The gradient goes to the first edge
/// that reached it. Throws Error if the message carries a matrix.
Var max(Tape& tape, const Block& block, const Message& message);
/// The smallest, likewise.
Var min(Tape& tape, const Block& block, const Message& message);

/// Half of an attention score: the dot product, head by head, of a row with a learnt vector.
struct ScoreTerm {
  Var rows;
  bool of_source = false;
  Parameter* vector = nullptr;
};
struct Target {
  Var rows;
};
/// The destination's row.
inline Target dst(const Sources& x) { return {x.own}; }
/// vector [1, heads * width], as many columns as the rows.
inline ScoreTerm dot(const Message& m, Parameter& vector) { return {m.of.rows, true, &vector}; }
inline ScoreTerm dot(const Target& t, Parameter& vector) { return {t.rows, false, &vector}; }

struct Score {
  ScoreTerm source;
  ScoreTerm target;
  double slope = 1;
};
/// Throws Error unless one term is of the source and one of the target.
Score operator+(const ScoreTerm& a, const ScoreTerm& b);
/// x > 0 ? x : slope x.
inline Score leaky_relu(Score score, double slope = 0.2) {
  score.slope = slope;
  return score;
}

struct AttentionOptions {
  Index heads = 1;
  /// Each vertex attends to itself as well.
  bool self_loops = true;
  /// Dropout on attention coefficients, keyed by the edge (source, target, multiplicity) and the head.
  double dropout = 0;
};

/// GAT's attention (Velickovic et al. 2018, equations 1-5), head h over columns [h w, (h + 1) w):
///
///     e_ij = leaky_relu(a . z_j + b . z_i),  alpha_ij = softmax over in-edges j of e_ij,  y_i = sum_j alpha_ij z_j
///
/// z [num_sources, heads * w] -> y [num_rows, heads * w]; rows without in-edges are 0. Memory beyond y: two numbers a
/// row and head, and in bfloat16 one more row of y's size; in the backward a number an edge and head; on each thread
/// some numbers a head and edge of the longest row. Throws Error if widths are no multiple of the heads.
Var softmax_sum(Tape& tape, const Block& block, const Score& score, const Message& message,
                const AttentionOptions& options = {});

/// For every edge j -> i the sum z_j + t_i of two rows of one width: what GATv2 scores and what PNA takes moments of.
struct Pair {
  Message source;
  Target target;
  /// Of the leaky ReLU that the sum goes through; 1 = none.
  double slope = 1;
};
inline Pair operator+(const Message& source, const Target& target) { return {source, target}; }
inline Pair leaky_relu(Pair pair, double slope = 0.2) {
  pair.slope = slope;
  return pair;
}

struct PairScore {
  Pair pair;
  Parameter* vector = nullptr;
};
/// vector [1, heads * width], as many columns as the rows.
inline PairScore dot(const Pair& pair, Parameter& vector) { return {pair, &vector}; }

/// GATv2's attention (Brody, Alon and Yahav 2022, equation 7), head h over columns [h w, (h + 1) w):
///
///     e_ij = a . leaky_relu(z_j + t_i),  alpha_ij = softmax over in-edges j of e_ij,  y_i = sum_j alpha_ij z_j
///
/// z [num_sources, heads * w], t [num_rows, heads * w] -> y [num_rows, heads * w]; rows without in-edges are 0. Memory
/// beyond y: a number an edge and head. Throws Error if widths do not fit, or if the message is not the scored source.
Var softmax_sum(Tape& tape, const Block& block, const PairScore& score, const Message& message,
                const AttentionOptions& options = {});

/// Mean, minimum, maximum and standard deviation over in-edges of m_ij = z_j (+ t_i), column by column, side by side:
/// z [num_sources, d], t [num_rows, d] -> y [num_rows, 4 d]; of rows without in-edges the first three are 0. The
/// deviation is sqrt(max(v, 1e-5)), v the biased variance (0 without in-edges). Ties go to the first edge. Throws Error
/// if the message carries a matrix, the pair a slope, or shapes do not fit.
Var moments(Tape& tape, const Block& block, const Message& message);
Var moments(Tape& tape, const Block& block, const Pair& pair);

/// What an edge's attributes become: f_ij W + b, f_ij those of Block::edge_features().
struct EdgeTerm {
  Parameter* weight = nullptr;
  Parameter* bias = nullptr;
};
/// weight [Fe, d], bias [1, d].
inline EdgeTerm edge(Parameter& weight, Parameter& bias) { return {&weight, &bias}; }
struct EdgeMessage {
  Message source;
  EdgeTerm edge;
  bool is_rectified = false;
};
inline EdgeMessage operator+(const Message& source, const EdgeTerm& edge) { return {source, edge}; }
/// max(m, 0).
inline EdgeMessage relu(EdgeMessage message) {
  message.is_rectified = true;
  return message;
}

/// y_i = sum over in-edges of relu(x_j + f_ij W + b): sum(tape, block, relu(src(x) + edge(w, b))), or without the relu.
/// x [num_sources, d] -> y [num_rows, d]. f_ij W is computed edge by edge, so there is no buffer of edges x d. Throws
/// Error if shapes do not fit, the graph has no edge features, or the message carries a matrix.
Var sum(Tape& tape, const Block& block, const EdgeMessage& message);

/// y_i = sum over in-edges of a_ij tanh(s_j + t_i) x_j, with the message's matrix A: an attention whose coefficients
/// can be negative (Bo, Wang, Shi and Shen 2021, equation 4). x [num_sources, d], s [num_sources, 1], t [num_rows, 1]
/// -> y [num_rows, d]. Throws Error if shapes do not fit.
Var gated_sum(Tape& tape, const Block& block, const Message& message, Var source_scores, Var target_scores);

/// A gate for every edge and column, between 0 and 1.
struct Gate {
  Pair pair;
};
/// 1 / (1 + e^-(k_j + t_i)).
inline Gate sigmoid(const Pair& pair) { return {pair}; }
struct GatedMessage {
  Gate gate;
  Message message;
  friend GatedMessage operator*(GatedMessage m, const AdjacencySpec& matrix) {
    m.message = m.message * matrix;
    return m;
  }
};
inline GatedMessage operator*(const Gate& gate, const Message& message) { return {gate, message}; }

/// y_i = sum over in-edges of a_ij sigma(k_j + t_i) * x_j, the products column by column, with the message's matrix A
/// (Bresson and Laurent 2017, equation 11): sum(tape, block, sigmoid(src(k) + dst(t)) * src(x)). x, k [num_sources, d],
/// t [num_rows, d] -> y [num_rows, d]; rows without in-edges are 0. Memory beyond y: one more row of y's size. Throws
/// Error if shapes do not fit, or the gate carries a matrix or a slope.
Var sum(Tape& tape, const Block& block, const GatedMessage& message);

}  // namespace laminar::core
