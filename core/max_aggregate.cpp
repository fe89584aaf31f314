/// Maximum or minimum over in-edges, column by column. The forward remembers which entry of the row won (4 bytes an
/// element); the backward of a source row gathers, from the rows that read it, the columns it won.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/edge_work.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/vectorised.hpp"

namespace laminar::core {
namespace {

template <bool kLargest>
class ExtremumNode final : public AggregationNode {
 public:
  ExtremumNode(Var x, std::shared_ptr<const Adjacency> a, MemoryPool& pool, Index d)
      : x_(x),
        a_(std::move(a)),
        winners_(pool.allocate(static_cast<std::size_t>(a_->num_rows * d) * sizeof(std::int32_t),
                               MemoryPurpose::kActivations)) {}

  void forward_rows(const Tensor& sources, Tensor& y, Index begin, Index end) override {
    const WorkScope scope(in_edge_work(WorkKind::kSum, kLargest ? "max" : "min", *a_, begin, end, y, y.cols(), 1));
    dispatch(y.dtype(), [&]<class T>(T) {
      const Index d = y.cols();
      const T* x = sources.data<T>();
      T* out = y.data<T>();
      auto* winners = reinterpret_cast<std::int32_t*>(winners_.get());
      const auto rows = [=, a = a_.get()](Index b, Index e) LAMINAR_INLINE_LAMBDA {
        for (Index r = b; r < e; ++r) {
          T* yr = out + r * d;
          std::int32_t* wr = winners + r * d;
          const RowIndices in = row_indices(a->offsets, a->sources, r);
          for (Index c = 0; c < d; ++c) {
            yr[c] = in.count > 0 ? x[in[0] * d + c] : T(0);
            wr[c] = 0;
          }
          for (Index i = 1; i < in.count; ++i) {
            fetch_ahead(x, d, d, in, i);
            const T* xs = x + in[i] * d;
            const auto entry = static_cast<std::int32_t>(i);
            for (Index c = 0; c < d; ++c) {
              // A NaN wins, and stays, so that it is seen.
              const bool wins = (kLargest ? xs[c] > yr[c] : xs[c] < yr[c]) || xs[c] != xs[c];
              yr[c] = wins ? xs[c] : yr[c];
              wr[c] = wins ? entry : wr[c];
            }
          }
        }
      };
      parallel_for_rows(a_->offsets, begin, end, [&](Index b, Index e) { run_vectorised(rows, b, e); });
    });
  }

  void backward(Tape& tape, const Tensor& dy) override {
    SourceGradients out{tape.sink(x_), {}};
    backward_rows(dy, 0, a_->num_sources, out);
  }

  void backward_rows(const Tensor& dy, Index begin, Index end, SourceGradients& out) const override {
    // The gradient and which entries won.
    const WorkScope scope(out_edge_work(WorkKind::kSum, kLargest ? "max, backward" : "min, backward", *a_, begin, end,
                                        dy, 2 * dy.cols(), 1));
    dispatch(dy.dtype(), [&]<class T>(T) {
      const Index d = dy.cols();
      const T* g = dy.data<T>();
      T* dx = out.rows.tensor.data<T>();
      const auto* winners = reinterpret_cast<const std::int32_t*>(winners_.get());
      const bool adds = out.rows.accumulate;
      const auto rows = [=, a = a_.get()](Index b, Index e) LAMINAR_INLINE_LAMBDA {
        const CsrTranspose& t = a->transposed;
        for (Index j = b; j < e; ++j) {
          T* dxj = dx + j * d;
          for (Index c = 0; c < d; ++c) dxj[c] = adds ? dxj[c] : T(0);
          const RowIndices targets = row_indices(t.offsets, t.rows, j);
          for (Index k = 0; k < targets.count; ++k) {
            fetch_ahead(g, d, d, targets, k);
            fetch_ahead(winners, d, d, targets, k);
            const Index i = targets[k];
            const auto entry = static_cast<std::int32_t>(t.positions[t.offsets[j] + k] - a->offsets[i]);
            const T* gi = g + i * d;
            const std::int32_t* wi = winners + i * d;
            for (Index c = 0; c < d; ++c) dxj[c] += wi[c] == entry ? gi[c] : T(0);
          }
        }
      };
      parallel_for_rows(a_->transposed.offsets, begin, end, [&](Index b, Index e) { run_vectorised(rows, b, e); });
    });
  }

 private:
  Var x_;
  std::shared_ptr<const Adjacency> a_;
  std::shared_ptr<std::byte> winners_;
};

template <bool kLargest>
Var extremum(Tape& tape, const Block& block, const Message& message) {
  const char* name = kLargest ? "max" : "min";
  if (message.matrix != src(message.of).matrix) {
    throw Error(fmt::format("[{0}] the message carries edge weights; {0} takes none", name));
  }
  auto adjacency = block.adjacency(message.matrix, tape.context().dtype);
  const Tensor sources = tape.value(message.of.rows);
  if (sources.rows() != adjacency->num_sources) {
    throw Error(
        fmt::format("[{}] {} source rows for a block with {} sources", name, sources.rows(), adjacency->num_sources));
  }
  Tensor y = tape.allocate(adjacency->num_rows, sources.cols());
  auto node =
      std::make_unique<ExtremumNode<kLargest>>(message.of.rows, adjacency, *tape.context().pool, sources.cols());
  node->forward_rows(sources, y, 0, adjacency->num_rows);
  return tape.record_aggregation(std::move(y), std::move(node), {message.of.rows});
}

}  // namespace

Var max(Tape& tape, const Block& block, const Message& message) { return extremum<true>(tape, block, message); }
Var min(Tape& tape, const Block& block, const Message& message) { return extremum<false>(tape, block, message); }

}  // namespace laminar::core
