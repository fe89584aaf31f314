#include "laminar/core/rows.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/vectorised.hpp"

namespace laminar::core {
namespace {

class SliceRowsNode final : public Node {
 public:
  SliceRowsNode(Var x, Index begin) : x_(x), begin_(begin) {}
  void backward(Tape& tape, const Tensor& dy) override {
    GradientSink sink = tape.sink(x_, dy.dtype());
    if (!sink.accumulate) sink.tensor.fill(0);
    Tensor part = sink.tensor.slice_rows(begin_, begin_ + dy.rows());
    dispatch_kept(dy.dtype(), [&]<class T>(T) {
      using C = Computed<T>;
      const T* g = dy.data<T>();
      T* out = part.data<T>();
      for_each_element(dy.size(), [=](Index i) LAMINAR_INLINE_LAMBDA { out[i] = static_cast<T>(C(out[i]) + C(g[i])); });
    });
  }

 private:
  Var x_;
  Index begin_;
};

}  // namespace

Var slice_rows(Tape& tape, Var x, Index begin, Index end) {
  if (tape.is_sparse(x)) return tape.record(tape.sparse(x).slice_rows(begin, end));
  return tape.record(tape.kept(x).slice_rows(begin, end), std::make_unique<SliceRowsNode>(x, begin), {x});
}

Var densify(Tape& tape, Var x) { return tape.is_sparse(x) ? tape.input(tape.value(x), false) : x; }

void gather_rows(const Tensor& from, std::span<const std::int32_t> rows, Tensor& to) {
  if (to.rows() != static_cast<Index>(rows.size()) || to.cols() != from.cols() || to.dtype() != from.dtype()) {
    throw Error(fmt::format("[gather_rows] {} rows of {} columns into a tensor [{}, {}]", rows.size(), from.cols(),
                            to.rows(), to.cols()));
  }
  const std::size_t bytes = static_cast<std::size_t>(from.cols()) * size_of(from.dtype());
  if (bytes == 0) return;
  const std::byte* in = from.raw();
  std::byte* out = to.raw();
  parallel_for(to.rows(), row_grain(to.cols()), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      std::memcpy(out + static_cast<std::size_t>(i) * bytes, in + static_cast<std::size_t>(rows[i]) * bytes, bytes);
    }
  });
}

void scatter_add_rows(const Tensor& from, std::span<const std::int32_t> rows, std::span<const double> factors,
                      Tensor& to) {
  if (from.rows() != static_cast<Index>(rows.size()) || factors.size() != rows.size() || to.cols() != from.cols() ||
      to.dtype() != from.dtype()) {
    throw Error(fmt::format("[scatter_add_rows] {} rows, {} factors and a tensor [{}, {}] into one of {} columns",
                            rows.size(), factors.size(), from.rows(), from.cols(), to.cols()));
  }
  dispatch(from.dtype(), [&]<class T>(T) {
    const Index d = from.cols();
    const T* in = from.data<T>();
    T* out = to.data<T>();
    parallel_for(from.rows(), row_grain(d), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const T factor = static_cast<T>(factors[i]);
        if (factor == 0) continue;
        T* row = out + rows[i] * d;
        for (Index c = 0; c < d; ++c) row[c] += factor * in[i * d + c];
      }
    });
  });
}

}  // namespace laminar::core
