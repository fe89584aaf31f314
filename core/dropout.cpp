#include "laminar/core/dropout.hpp"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/dropout_rows.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

/// y (+)= mask(x), for rows of `ids`.
template <class T>
void apply_mask(const Tensor& x, Tensor& y, RandomKey key, const DropoutRate& rate, std::span<const VertexId> ids,
                bool accumulate) {
  const WorkScope scope(pass_work(WorkKind::kElementwise, "dropout", x, accumulate ? 3 : 2));
  const MaskedRows<T> rows{
      x.data<T>(), y.data<T>(), x.cols(), ids, key, rate.threshold, static_cast<Computed<T>>(rate.scale), accumulate};
  parallel_for(x.rows(), row_grain(x.cols()), [&rows](Index begin, Index end) { mask_rows(rows, begin, end); });
}

class DropoutNode final : public Node {
 public:
  DropoutNode(Var x, RandomKey key, DropoutRate rate, std::span<const VertexId> ids)
      : x_(x), key_(key), rate_(rate), ids_(ids) {}
  void backward(Tape& tape, const Tensor& dy) override {
    GradientSink sink = tape.sink_in_place(x_, dy);
    dispatch_kept(dy.dtype(), [&]<class T>(T) { apply_mask<T>(dy, sink.tensor, key_, rate_, ids_, sink.accumulate); });
  }

 private:
  Var x_;
  RandomKey key_;
  DropoutRate rate_;
  std::span<const VertexId> ids_;
};

SparseMatrix thin(const SparseMatrix& x, RandomKey key, const DropoutRate& rate, std::span<const VertexId> ids,
                  MemoryPool& pool) {
  const WorkScope scope(
      pass_work(WorkKind::kElementwise, "dropout of sparse rows", DType::kFloat32, x.entries(), 1, 2));
  Tensor values(x.entries(), 1, DType::kFloat32, &pool);
  const MaskedEntries entries{x.offsets(), x.columns(), x.values().data(), values.data<float>(),
                              ids,         key,         rate.threshold,    rate.scale};
  parallel_for_rows(x.offsets(), 0, x.rows(),
                    [&entries](Index begin, Index end) { mask_entries(entries, begin, end); });
  return x.with_values(std::move(values));
}

Var dropout_with_key(Tape& tape, Var x, double rate, std::span<const VertexId> row_ids, RandomKey key) {
  const DropoutRate checked(rate);
  if (static_cast<Index>(row_ids.size()) != tape.rows(x)) {
    throw Error(fmt::format("[dropout] {} row ids for {} rows", row_ids.size(), tape.rows(x)));
  }
  if (!tape.context().training || !checked.active()) return x;
  if (tape.is_sparse(x)) return tape.record(thin(tape.sparse(x), key, checked, row_ids, *tape.context().pool));
  const Tensor in = tape.kept(x);
  Tensor y = tape.allocate_as(in.dtype(), in.rows(), in.cols());
  dispatch_kept(y.dtype(), [&]<class T>(T) { apply_mask<T>(in, y, key, checked, row_ids, false); });
  return tape.record(std::move(y), std::make_unique<DropoutNode>(x, key, checked, row_ids), {x});
}

}  // namespace

Var dropout(Tape& tape, Var x, double rate, std::span<const VertexId> row_ids) {
  // Taken even when nothing is dropped, so that a rate of 0 somewhere does not shift the streams of what follows.
  return dropout_with_key(tape, x, rate, row_ids, tape.next_random_key());
}

Var dropout_again(Tape& tape, Var x, double rate, std::span<const VertexId> row_ids, std::uint64_t random_op) {
  const TapeContext& c = tape.context();
  return dropout_with_key(tape, x, rate, row_ids, random_key(c.seed, c.run, c.epoch, c.layer, random_op));
}

}  // namespace laminar::core
