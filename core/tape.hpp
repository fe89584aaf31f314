#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "laminar/core/parameter.hpp"
#include "laminar/core/random.hpp"
#include "laminar/core/sparse_matrix.hpp"
#include "laminar/core/tensor.hpp"

namespace laminar::core {

class Block;
class Tape;
struct AdjacencySpec;
class AggregationNode;
class SourceTransform;

/// A value recorded on a tape: a number that means something to its tape only.
struct Var {
  std::int32_t id = -1;
  explicit operator bool() const { return id >= 0; }
};

/// One recorded operation. A node keeps exactly the tensors that its backward reads; nothing else stays alive.
class Node {
 public:
  virtual ~Node() = default;
  /// Reads `output_gradient` and adds to the gradients of its inputs through Tape::sink() or Tape::add_gradient().
  virtual void backward(Tape& tape, const Tensor& output_gradient) = 0;
};

/// Where an operation's backward puts a gradient: `tensor` is to be overwritten, or added to if `accumulate`.
struct GradientSink {
  Tensor tensor;
  bool accumulate = false;
};

/// A constant that is not computed before somebody asks for it, as its product with a weight costs less than itself.
class DeferredValue {
 public:
  virtual ~DeferredValue() = default;
  /// The value, dense.
  virtual Tensor value(const Tape& tape) const = 0;
  /// The value times `weight`, with its backward.
  virtual Var product(Tape& tape, Parameter& weight) const = 0;
};

/// Gives a layer the rows of its block's sources: the executor's end of Block::sources().
class SourceExchange {
 public:
  /// The block's own rows before and after the source transform [num_rows, d] and [num_rows, d'].
  struct TransformedRows {
    const Tensor& own;
    const Tensor& transformed;
    const SourceTransform& transform;
    /// Tape::random_ops() before the transform, so that other rows get the same masks.
    std::uint64_t first_random_op = 0;
  };

  virtual ~SourceExchange() = default;
  /// From the block's own rows [num_rows, d] to all its source rows [num_sources, d], own rows among them. The tape
  /// transforms them, and its source gradient is that of these rows. `constant`: they depend on no parameter, so they
  /// are the same in every epoch.
  virtual Tensor sources(const Block& block, const Tensor& own, bool constant) = 0;
  /// The same for sparse rows, which are constants.
  virtual SparseMatrix sources(const Block& block, const SparseMatrix& own) = 0;
  /// Whether rows that are not constant come transformed, each row transformed once however many blocks read it: then
  /// transformed_sources() is asked, and the tape's source gradient is that of the transformed rows.
  virtual bool transforms() const { return false; }
  /// All transformed source rows [num_sources, d']. Throws Error unless transforms().
  virtual Tensor transformed_sources(const Block& block, const TransformedRows& rows);
};

/// Adds up statistics over the devices that hold the graph's other vertices: the executor's end of batch_norm().
class StatisticsExchange {
 public:
  virtual ~StatisticsExchange() = default;
  /// sums [1, n], float64: becomes the sum over all devices of a stage, which all call it in the same order.
  virtual void add_up(Tensor& sums) = 0;
};

/// What a tape needs to know of the run that it is part of.
struct TapeContext {
  /// Never null; outlives the tape's tensors by shared ownership.
  std::shared_ptr<MemoryPool> pool;
  DType dtype = DType::kFloat32;
  /// With dtype kFloat32: rows and their gradients are kept in bfloat16 where operations know how to, see Tape.
  bool bfloat16 = false;
  /// Whether dropout is active.
  bool training = false;
  /// Whether operations are kept for a backward pass.
  bool record = true;
  /// Whether source rows may be last epoch's. Then a layer must not put weights or masks into what it asks sources for;
  /// it states them as a source transform or applies them after the aggregation.
  bool history = false;
  std::uint64_t seed = 0;
  std::uint64_t run = 0;
  std::uint64_t epoch = 0;
  std::uint64_t layer = 0;
  /// What random_ops() starts at.
  std::uint64_t first_random_op = 0;
  /// Null: a block must hold all its sources among its own rows (a whole graph).
  SourceExchange* exchange = nullptr;
  /// Null: the tape's rows are all there are.
  StatisticsExchange* statistics = nullptr;
};

/// The recording of one (chunk, layer): it *is* the saved activations. Owned by its caller; no global state; one thread
/// at a time (operations themselves are parallel). Its backward splits at the aggregation:
///
///     tape.add_gradient(y, dy);
///     tape.backward_to_sources();             // everything after Block::sources()
///     Tensor g = tape.take_source_gradient();  // [num_sources, d]: what these rows want of their sources
///     tape.backward_from_sources(own);        // [num_rows, d]: what they got from all their consumers
///     Tensor dx = tape.take_gradient(x);
///
/// Precision. All values are of the context's dtype, but with TapeContext::bfloat16 they may be kept in bfloat16:
/// linear maps give such rows, and operations that know it (kept()) hand them on, with gradients kept alike. All others
/// ask for value(), which widens, and give float32. So an operation that knows nothing of bfloat16 is right all the
/// same; it only saves nothing. Parameters, their gradients and sums are float32 everywhere.
class Tape {
 public:
  explicit Tape(TapeContext context);
  ~Tape();
  Tape(Tape&&) noexcept;
  Tape& operator=(Tape&&) noexcept;

  const TapeContext& context() const { return context_; }

  /// A value from outside. With `needs_gradient`, take_gradient() gives the gradient after backward.
  Var input(Tensor value, bool needs_gradient);
  /// A constant that is the same tensor in every epoch, such as input features: what is computed of it alone may be
  /// kept.
  Var permanent_input(Tensor value);
  /// Sparse rows; always constant.
  Var input(SparseMatrix value);
  /// A parameter; its gradient is added to parameter.gradient. The same parameter gives the same Var.
  Var parameter(Parameter& parameter);

  /// Records `node` with its result. The node is dropped at once if no input needs a gradient.
  Var record(Tensor value, std::unique_ptr<Node> node, std::initializer_list<Var> inputs);
  /// Records a constant sparse result.
  Var record(SparseMatrix value) { return input(std::move(value)); }
  /// Records a constant result [rows, cols] that is computed when value() is first asked for it.
  Var record(std::shared_ptr<const DeferredValue> value, Index rows, Index cols);
  /// Records where the source rows come in; called by Block::sources(), once a tape. Throws Error at a second call.
  Var record_sources(Var own, Tensor sources);
  Var record_sources(SparseMatrix sources);
  /// record(), remembering the node as the tape's aggregation.
  Var record_aggregation(Tensor value, std::unique_ptr<AggregationNode> node, std::initializer_list<Var> inputs);
  /// Null if no aggregation needs a gradient.
  AggregationNode* aggregation() const { return aggregation_; }

  /// The dense form of a sparse value (and a deferred one) is made once a tape, so operations that know nothing of
  /// sparse rows take them all the same, at the price of every element. Throws Error if `v` is not of this tape, dense
  /// (sparse), or was released. In the context's dtype: what is kept in bfloat16 is widened once a tape.
  const Tensor& value(Var v) const;
  /// The same as it is kept: of kept_dtype(v).
  const Tensor& kept(Var v) const;
  DType kept_dtype(Var v) const;
  /// The same in bfloat16 if the context says so, rounded if need be; else value().
  Tensor narrowed(Var v) const;
  /// What linear maps give: bfloat16 if the context says so, up to give_wide_results().
  DType result_dtype() const;
  /// From here on linear maps give float32, for results that must not be rounded: a net's outputs.
  void give_wide_results() { wide_results_ = true; }
  const SparseMatrix& sparse(Var v) const;
  /// Null if `v` was not recorded as a deferred value, or was released.
  std::shared_ptr<const DeferredValue> deferred(Var v) const;
  /// The value, which the tape gives up, for an operation that writes its result in the same place if nothing else
  /// holds it (Tensor::is_unique()). Nobody may ask for it afterwards. As it is kept.
  Tensor take(Var v);
  bool is_sparse(Var v) const;
  Index rows(Var v) const;
  Index cols(Var v) const;
  bool needs_gradient(Var v) const;
  /// Whether `v` depends on no parameter and on no input that could have a gradient, also where nothing is recorded.
  bool is_constant(Var v) const;

  /// Whether `v` is a permanent_input(), or the source rows of one.
  bool is_permanent(Var v) const;

  /// An uninitialised tensor in the tape's dtype from its pool.
  Tensor allocate(Index rows, Index cols, MemoryPurpose purpose = MemoryPurpose::kActivations) const;
  /// The same in another dtype.
  Tensor allocate_as(DType dtype, Index rows, Index cols, MemoryPurpose purpose = MemoryPurpose::kActivations) const;
  /// The random stream of the next random operation of this tape: the n-th call of every tape of a layer gives the
  /// same.
  RandomKey next_random_key();
  /// How often it was called, plus context().first_random_op.
  std::uint64_t random_ops() const { return random_ops_; }

  /// Drops all values that neither `outputs` nor any node needs. Records saved_bytes().
  void finish_forward(std::span<const Var> outputs);
  /// Activation bytes that live because of this tape; valid after finish_forward().
  std::size_t saved_bytes() const { return saved_bytes_; }

  /// Adds to the gradient of `v`; shares `gradient` when it is the first contribution. It may be bfloat16 if the
  /// context says so.
  void add_gradient(Var v, Tensor gradient);
  /// Where to put a contribution to the gradient of `v`, in the context's dtype. Call only if needs_gradient(v).
  GradientSink sink(Var v) { return sink(v, context_.dtype); }
  /// The same in `dtype`, which may be bfloat16 for what is no parameter, if the context says so. A node's backward
  /// gets its gradient in the dtype that its result is kept in, whatever it was added up in.
  GradientSink sink(Var v, DType dtype);
  /// The same in dy's dtype, for the backward of an operation on single elements, which reads each of `dy` before it
  /// writes that of the sink, and none afterwards: it may be dy itself, if nothing else holds it.
  GradientSink sink_in_place(Var v, const Tensor& dy);

  /// Runs backward over everything recorded after the source rows came in, or over all if they never did.
  void backward_to_sources();
  /// The matrix A if the one aggregation is y = A x of the source rows themselves, so that a pull can take the place of
  /// its backward; null otherwise.
  const AdjacencySpec* linear_matrix() const;
  /// Like backward_to_sources(), but leaves out the aggregation's own backward and gives what it would have read, Z =
  /// dLoss / dy [num_rows, d]: empty if no gradient reached it. Throws Error unless linear_matrix().
  Tensor backward_to_aggregation();
  /// The gradient of the block's source rows [num_sources, d]; empty if nothing reached them or they are constant. With
  /// an exchange in the context's dtype, as that is what it deals in, else as they are kept.
  Tensor take_source_gradient();
  /// Gives the own rows' gradient that all consumers together want (may be empty), and runs the rest.
  void backward_from_sources(const Tensor& own_gradient);
  /// All of it, for a block whose own rows are its sources.
  void backward();
  /// The gradient of an input, kept as the input is, or an empty tensor if none reached it; released from the tape.
  Tensor take_gradient(Var v);

 private:
  struct Slot;
  void check_first_sources() const;
  Slot& slot(Var v);
  const Slot& slot(Var v) const;
  Var push(Slot slot);
  /// The slot's gradient in `dtype`, released.
  Tensor exchange_gradient(Slot& s, DType dtype);
  Tensor run_backward(std::int32_t first, std::int32_t last, const AggregationNode* left_out = nullptr);

  TapeContext context_;
  std::vector<Slot> slots_;
  AggregationNode* aggregation_ = nullptr;
  bool aggregates_sources_ = false;
  Var sources_;
  Var sources_own_;
  bool wide_results_ = false;
  std::uint64_t random_ops_ = 0;
  std::size_t live_bytes_at_start_ = 0;
  std::size_t saved_bytes_ = 0;
};

}  // namespace laminar::core
