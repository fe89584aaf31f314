#include "laminar/core/tape.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/vectorised.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {

struct Tape::Slot {
  // Of a sparse value its dense form, made when it is first asked for, as a deferred one is.
  mutable Tensor value;
  // Of a value in bfloat16 its wider form, made when it is first asked for.
  mutable Tensor wide;
  DType dtype = DType::kFloat32;
  SparseMatrix sparse;
  std::shared_ptr<const DeferredValue> deferred;
  // Shapes outlive values, which finish_forward() drops.
  Index rows = 0;
  Index cols = 0;
  bool is_sparse = false;
  bool needs_gradient = false;
  bool is_constant = false;
  bool is_permanent = false;
  Tensor gradient;
  // Whether `gradient` is shared with another slot or the outside, so that it must not be written in place.
  bool gradient_shared = false;
  Parameter* parameter = nullptr;
  std::unique_ptr<Node> node;
};

namespace {

void add_in_place(Tensor& to, const Tensor& from) {
  const WorkScope scope(pass_work(WorkKind::kElementwise, "sum of gradients", to, 3));
  dispatch_kept(to.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    T* a = to.data<T>();
    const T* b = from.data<T>();
    for_each_element(to.size(), [=](Index i) LAMINAR_INLINE_LAMBDA { a[i] = static_cast<T>(C(a[i]) + C(b[i])); });
  });
}

Tensor converted(const Tensor& t, DType dtype, MemoryPool& pool, MemoryPurpose purpose) {
  const WorkScope scope(pass_work(WorkKind::kElementwise, dtype == DType::kBfloat16 ? "rounding" : "widening",
                                  DType::kBfloat16, t.rows(), t.cols(), 3));
  return t.to(dtype, &pool, purpose);
}

}  // namespace

Tensor SourceExchange::transformed_sources(const Block&, const TransformedRows&) {
  throw Error("[sources] this exchange does not transform rows");
}

Tape::Tape(TapeContext context) : context_(std::move(context)), random_ops_(context_.first_random_op) {
  if (context_.pool == nullptr) throw Error("[tape] a tape needs a memory pool");
  if (context_.bfloat16 && context_.dtype != DType::kFloat32) {
    throw Error(fmt::format("[tape] what is kept in bfloat16 is computed in f32, not in {}", name_of(context_.dtype)));
  }
  live_bytes_at_start_ = context_.pool->live_bytes(MemoryPurpose::kActivations);
}

Tape::~Tape() = default;
Tape::Tape(Tape&&) noexcept = default;
Tape& Tape::operator=(Tape&&) noexcept = default;

Tape::Slot& Tape::slot(Var v) { return const_cast<Slot&>(std::as_const(*this).slot(v)); }

const Tape::Slot& Tape::slot(Var v) const {
  if (v.id < 0 || static_cast<std::size_t>(v.id) >= slots_.size()) {
    throw Error("[tape] the value is not of this tape; values live on the tape that recorded them");
  }
  return slots_[v.id];
}

Var Tape::push(Slot slot) {
  slots_.push_back(std::move(slot));
  return Var{static_cast<std::int32_t>(slots_.size()) - 1};
}

Var Tape::input(Tensor value, bool needs_gradient) {
  Slot s;
  s.rows = value.rows();
  s.cols = value.cols();
  s.dtype = value ? value.dtype() : context_.dtype;
  s.value = std::move(value);
  s.needs_gradient = needs_gradient && context_.record;
  s.is_constant = !needs_gradient;
  return push(std::move(s));
}

Var Tape::input(SparseMatrix value) {
  Slot s;
  s.rows = value.rows();
  s.cols = value.cols();
  s.dtype = context_.dtype;
  s.sparse = std::move(value);
  s.is_sparse = true;
  s.is_constant = true;
  return push(std::move(s));
}

Var Tape::permanent_input(Tensor value) {
  const Var v = input(std::move(value), false);
  slots_[v.id].is_permanent = true;
  return v;
}

Var Tape::record(std::shared_ptr<const DeferredValue> value, Index rows, Index cols) {
  Slot s;
  s.rows = rows;
  s.cols = cols;
  s.dtype = context_.dtype;
  s.deferred = std::move(value);
  s.is_constant = true;
  return push(std::move(s));
}

Var Tape::parameter(Parameter& parameter) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].parameter == &parameter) return Var{static_cast<std::int32_t>(i)};
  }
  const Var v = input(parameter.value, true);
  slots_[v.id].parameter = &parameter;
  return v;
}

Var Tape::record(Tensor value, std::unique_ptr<Node> node, std::initializer_list<Var> inputs) {
  const bool needed = std::any_of(inputs.begin(), inputs.end(), [&](Var v) { return needs_gradient(v); });
  const Var v = input(std::move(value), needed);
  if (needed) slots_[v.id].node = std::move(node);
  slots_[v.id].is_constant = std::all_of(inputs.begin(), inputs.end(), [&](Var i) { return is_constant(i); });
  return v;
}

Var Tape::record_aggregation(Tensor value, std::unique_ptr<AggregationNode> node, std::initializer_list<Var> inputs) {
  AggregationNode* const recorded = node.get();
  const Var v = record(std::move(value), std::move(node), inputs);
  if (needs_gradient(v)) {
    // With several aggregations of the same sources no single one's pull is their gradient.
    aggregates_sources_ =
        aggregation_ == nullptr && sources_ && inputs.size() == 1 && inputs.begin()->id == sources_.id;
    aggregation_ = recorded;
  }
  return v;
}

void Tape::check_first_sources() const {
  if (sources_) {
    throw Error(
        "[sources] a layer has one aggregation, but this one asks for source rows twice; split it in two layers");
  }
}

Var Tape::record_sources(SparseMatrix sources) {
  check_first_sources();
  sources_ = input(std::move(sources));
  sources_own_ = sources_;  // constants: no gradient goes further
  return sources_;
}

Var Tape::record_sources(Var own, Tensor sources) {
  check_first_sources();
  sources_own_ = own;
  // Rows that somebody else holds too are the features themselves; a copy made for this tape comes anew in every epoch.
  const bool permanent = is_permanent(own) && !sources.is_unique();
  if (sources && sources.dtype() != kept_dtype(own)) {
    sources = converted(sources, kept_dtype(own), *context_.pool, MemoryPurpose::kActivations);
  }
  sources_ = input(std::move(sources), !is_constant(own));
  slots_[sources_.id].is_permanent = permanent;
  return sources_;
}

const Tensor& Tape::kept(Var v) const {
  const Slot& s = slot(v);
  if (!s.value && s.sparse) s.value = to_dense(s.sparse, context_.dtype, context_.pool.get());
  if (!s.value && s.deferred != nullptr) s.value = s.deferred->value(*this);
  if (!s.value)
    throw Error("[tape] the value was released, after the forward pass or to the operation it was given up to");
  return s.value;
}

const Tensor& Tape::value(Var v) const {
  const Tensor& as_kept = kept(v);
  if (as_kept.dtype() == context_.dtype || as_kept.dtype() != DType::kBfloat16) return as_kept;
  const Slot& s = slot(v);
  if (!s.wide) s.wide = converted(as_kept, context_.dtype, *context_.pool, MemoryPurpose::kActivations);
  return s.wide;
}

DType Tape::kept_dtype(Var v) const { return slot(v).dtype; }

Tensor Tape::narrowed(Var v) const {
  if (!context_.bfloat16 || kept_dtype(v) == DType::kBfloat16) return kept(v);
  return converted(value(v), DType::kBfloat16, *context_.pool, MemoryPurpose::kActivations);
}

DType Tape::result_dtype() const { return context_.bfloat16 && !wide_results_ ? DType::kBfloat16 : context_.dtype; }

Tensor Tape::take(Var v) {
  kept(v);
  slot(v).wide = Tensor();
  return std::exchange(slot(v).value, Tensor());
}

const SparseMatrix& Tape::sparse(Var v) const {
  const Slot& s = slot(v);
  if (!s.is_sparse) throw Error("[tape] the value is dense where a sparse one is needed");
  if (!s.sparse) throw Error("[tape] the value was released after the forward pass");
  return s.sparse;
}

std::shared_ptr<const DeferredValue> Tape::deferred(Var v) const { return slot(v).deferred; }
bool Tape::is_sparse(Var v) const { return slot(v).is_sparse; }
Index Tape::rows(Var v) const { return slot(v).rows; }
Index Tape::cols(Var v) const { return slot(v).cols; }
bool Tape::needs_gradient(Var v) const { return slot(v).needs_gradient; }
bool Tape::is_constant(Var v) const { return slot(v).is_constant; }
bool Tape::is_permanent(Var v) const { return slot(v).is_permanent; }

Tensor Tape::allocate(Index rows, Index cols, MemoryPurpose purpose) const {
  return {rows, cols, context_.dtype, context_.pool.get(), purpose};
}

Tensor Tape::allocate_as(DType dtype, Index rows, Index cols, MemoryPurpose purpose) const {
  return {rows, cols, dtype, context_.pool.get(), purpose};
}

RandomKey Tape::next_random_key() {
  return random_key(context_.seed, context_.run, context_.epoch, context_.layer, random_ops_++);
}

void Tape::finish_forward(std::span<const Var> outputs) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const bool kept = std::any_of(outputs.begin(), outputs.end(), [&](Var v) { return v.id == static_cast<int>(i); });
    if (!kept) {
      slots_[i].value = Tensor();
      slots_[i].wide = Tensor();
      slots_[i].sparse = SparseMatrix();
      slots_[i].deferred.reset();
    }
  }
  const std::size_t live = context_.pool->live_bytes(MemoryPurpose::kActivations);
  saved_bytes_ = live > live_bytes_at_start_ ? live - live_bytes_at_start_ : 0;
}

void Tape::add_gradient(Var v, Tensor gradient) {
  Slot& s = slot(v);
  if (!s.needs_gradient || !gradient) return;
  const bool fits = gradient.dtype() == context_.dtype || (context_.bfloat16 && gradient.dtype() == DType::kBfloat16);
  if (gradient.rows() != s.rows || gradient.cols() != s.cols || !fits) {
    throw Error(fmt::format("[tape] a gradient {} [{}, {}] for a value {} [{}, {}]", name_of(gradient.dtype()),
                            gradient.rows(), gradient.cols(), name_of(context_.dtype), s.rows, s.cols));
  }
  if (s.parameter == nullptr && !s.gradient) {
    s.gradient = std::move(gradient);
    s.gradient_shared = true;
    return;
  }
  // Added up in the wider of the two.
  const bool narrow = s.gradient.dtype() == DType::kBfloat16 && gradient.dtype() == DType::kBfloat16;
  const DType dtype = s.parameter == nullptr && narrow ? DType::kBfloat16 : context_.dtype;
  GradientSink target = sink(v, dtype);
  if (gradient.dtype() != dtype) {
    gradient = converted(gradient, dtype, *context_.pool, MemoryPurpose::kGradients);
  }
  add_in_place(target.tensor, gradient);
}

GradientSink Tape::sink(Var v, DType dtype) {
  Slot& s = slot(v);
  if (s.parameter != nullptr) return {s.parameter->gradient, true};
  if (!s.gradient) {
    s.gradient = allocate_as(dtype, s.rows, s.cols, MemoryPurpose::kGradients);
    s.gradient_shared = false;
    return {s.gradient, false};
  }
  if (s.gradient.dtype() != dtype) {
    s.gradient = converted(s.gradient, dtype, *context_.pool, MemoryPurpose::kGradients);
  } else if (s.gradient_shared && !s.gradient.is_unique()) {
    s.gradient = s.gradient.clone(context_.pool.get(), MemoryPurpose::kGradients);
  }
  s.gradient_shared = false;
  return {s.gradient, true};
}

GradientSink Tape::sink_in_place(Var v, const Tensor& dy) {
  Slot& s = slot(v);
  const bool fits = dy.is_unique() && dy.rows() == s.rows && dy.cols() == s.cols;
  if (s.parameter != nullptr || s.gradient || !fits) return sink(v, dy.dtype());
  s.gradient = dy;
  s.gradient_shared = false;
  return {s.gradient, false};
}

Tensor Tape::exchange_gradient(Slot& s, DType dtype) {
  Tensor gradient = std::exchange(s.gradient, Tensor());
  if (!gradient || gradient.dtype() == dtype) return gradient;
  return converted(gradient, dtype, *context_.pool, MemoryPurpose::kGradients);
}

Tensor Tape::run_backward(std::int32_t first, std::int32_t last, const AggregationNode* left_out) {
  Tensor of_left_out;
  for (std::int32_t i = last; i >= first; --i) {
    Slot& s = slots_[i];
    if (s.node == nullptr) continue;
    if (s.gradient) {
      Tensor gradient = exchange_gradient(s, s.node.get() == left_out ? context_.dtype : s.dtype);
      if (s.node.get() == left_out) {
        of_left_out = std::move(gradient);
      } else {
        s.node->backward(*this, gradient);
      }
    }
    if (s.node.get() == aggregation_) aggregation_ = nullptr;
    s.node.reset();
  }
  return of_left_out;
}

void Tape::backward_to_sources() {
  run_backward(sources_ ? sources_.id + 1 : 0, static_cast<std::int32_t>(slots_.size()) - 1);
}

const AdjacencySpec* Tape::linear_matrix() const {
  return aggregation_ != nullptr && aggregates_sources_ ? aggregation_->linear_matrix() : nullptr;
}

Tensor Tape::backward_to_aggregation() {
  if (linear_matrix() == nullptr) throw Error("[pull] the tape's aggregation is not linear in its source rows");
  return run_backward(sources_.id + 1, static_cast<std::int32_t>(slots_.size()) - 1, aggregation_);
}

Tensor Tape::take_source_gradient() {
  if (!sources_) return {};
  Slot& s = slot(sources_);
  return exchange_gradient(s, context_.exchange != nullptr ? context_.dtype : s.dtype);
}

void Tape::backward_from_sources(const Tensor& own_gradient) {
  if (!sources_) return;
  add_gradient(sources_own_, own_gradient);
  run_backward(0, sources_.id);
}

void Tape::backward() {
  backward_to_sources();
  backward_from_sources(take_source_gradient());
}

Tensor Tape::take_gradient(Var v) {
  Slot& s = slot(v);
  return exchange_gradient(s, s.dtype);
}

}  // namespace laminar::core
