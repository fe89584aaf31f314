/// Sum and mean over in-edges: y = A x, dx = A^T dy, kept as their sources are. Both directions are row-parallel
/// gathers over the adjacency and its transpose; a row's entries are added in their order, so any cut into rows, blocks
/// or threads gives the same bits. The sum of sparse rows waits to be asked for: a weight that it meets goes before it.
/// That of input features is made once.
#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/aggregation.hpp"
#include "laminar/core/edge_work.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/core/parallel.hpp"

namespace laminar::core {

namespace {

/// The entries of a matrix, for rows kept as T.
template <class T>
const Computed<T>* entries_of(const Tensor& values) {
  return values ? values.data<Computed<T>>() : nullptr;
}

/// Rows [begin, end) of y = A x.
void add_up(const Adjacency& a, const Tensor& x, Tensor& y, Index begin, Index end) {
  const WorkScope scope(in_edge_work(WorkKind::kSum, "sum", a, begin, end, y, y.cols()));
  dispatch_kept(y.dtype(), [&]<class T>(T) {
    const GatheredRows<T> rows{y.data<T>(), std::as_const(x).data<T>(), y.cols(), a.offsets,
                               a.sources,   entries_of<T>(a.values),    false};
    parallel_for_rows(a.offsets, begin, end, [&](Index b, Index e) { gather_rows(rows, b, e); });
  });
}

/// A x, a tensor of its own.
Tensor sum_of(const Tape& tape, const Adjacency& a, const Tensor& x, MemoryPurpose purpose) {
  Tensor y = tape.allocate_as(x.dtype(), a.num_rows, x.cols(), purpose);
  add_up(a, x, y, 0, a.num_rows);
  return y;
}

class WeightedSumNode final : public AggregationNode {
 public:
  WeightedSumNode(Var x, std::shared_ptr<const Adjacency> a, const AdjacencySpec& spec)
      : x_(x), a_(std::move(a)), spec_(spec) {}

  void forward_rows(const Tensor& sources, Tensor& y, Index begin, Index end) override {
    add_up(*a_, sources, y, begin, end);
  }

  void backward(Tape& tape, const Tensor& dy) override {
    SourceGradients out{tape.sink(x_, dy.dtype()), {}};
    backward_rows(dy, 0, a_->num_sources, out);
  }

  void backward_rows(const Tensor& dy, Index begin, Index end, SourceGradients& out) const override {
    const WorkScope scope(out_edge_work(WorkKind::kSum, "sum, backward", *a_, begin, end, dy, dy.cols()));
    dispatch_kept(dy.dtype(), [&]<class T>(T) {
      const auto& t = a_->transposed;
      const GatheredRows<T> rows{
          out.rows.tensor.data<T>(), dy.data<T>(), dy.cols(), t.offsets, t.rows, entries_of<T>(a_->transposed_values),
          out.rows.accumulate};
      parallel_for_rows(t.offsets, begin, end, [&](Index b, Index e) { gather_rows(rows, b, e); });
    });
  }

  const AdjacencySpec* linear_matrix() const override { return &spec_; }

 private:
  Var x_;
  std::shared_ptr<const Adjacency> a_;
  AdjacencySpec spec_;
};

Var sum_dense(Tape& tape, Var x, const std::shared_ptr<const Adjacency>& a, const AdjacencySpec& spec) {
  Tensor y = sum_of(tape, *a, tape.kept(x), MemoryPurpose::kActivations);
  return tape.record_aggregation(std::move(y), std::make_unique<WeightedSumNode>(x, a, spec), {x});
}

/// A X of sparse rows X.
class SumOfSparse final : public DeferredValue {
 public:
  SumOfSparse(Var x, std::shared_ptr<const Adjacency> a, const AdjacencySpec& spec)
      : x_(x), a_(std::move(a)), spec_(spec) {}

  Tensor value(const Tape& tape) const override {
    return sum_of(tape, *a_, tape.value(x_), MemoryPurpose::kActivations);
  }
  Var product(Tape& tape, Parameter& weight) const override {
    return sum_dense(tape, linear(tape, x_, weight), a_, spec_);
  }

 private:
  Var x_;
  std::shared_ptr<const Adjacency> a_;
  AdjacencySpec spec_;
};

Var weighted_sum(Tape& tape, const Block& block, const Sources& x, const AdjacencySpec& spec) {
  auto adjacency = block.adjacency(spec, tape.context().dtype);
  if (tape.rows(x.rows) != adjacency->num_sources) {
    throw Error(
        fmt::format("[sum] {} source rows for a block with {} sources", tape.rows(x.rows), adjacency->num_sources));
  }
  if (tape.is_permanent(x.rows)) {
    const Tensor rows = tape.kept(x.rows);
    Tensor sum = block.kept_sum(spec, rows, [&] { return sum_of(tape, *adjacency, rows, MemoryPurpose::kFeatures); });
    return tape.record(std::move(sum), nullptr, {x.rows});
  }
  if (!tape.is_sparse(x.rows)) return sum_dense(tape, x.rows, adjacency, spec);
  return tape.record(std::make_shared<SumOfSparse>(x.rows, adjacency, spec), adjacency->num_rows, tape.cols(x.rows));
}

}  // namespace

void pull(const Adjacency& a, Index begin, Index end, const Tensor& z, const PullWeights& weights, Tensor& out) {
  if (begin < 0 || begin > end || end > a.num_sources || z.rows() != a.num_rows || out.rows() != end - begin ||
      out.cols() != z.cols() || weights.offsets.size() != weights.coefficients.size() + 1 ||
      weights.offsets.front() != 0 || weights.offsets.back() != a.num_rows) {
    throw Error(fmt::format("[pull] sources {}..{} of {}, Z [{}, {}] of {} rows, {} chunks: they do not fit", begin,
                            end, a.num_sources, z.rows(), z.cols(), a.num_rows, weights.coefficients.size()));
  }
  const WorkScope scope(out_edge_work(WorkKind::kSum, "sum, pulled back", a, begin, end, z, z.cols()));
  dispatch(z.dtype(), [&]<class T>(T) {
    const Index d = z.cols();
    const T* g = z.data<T>();
    T* dx = out.data<T>();
    const auto& t = a.transposed;
    const T* const all_entries = entries_of<T>(a.transposed_values);
    parallel_for_rows(t.offsets, begin, end, [&](Index b, Index e) {
      std::vector<T> values;
      for (Index j = b; j < e; ++j) {
        const RowIndices targets = row_indices(t.offsets, t.rows, j);
        const T* entries = all_entries != nullptr ? all_entries + t.offsets[j] : nullptr;
        values.resize(static_cast<std::size_t>(targets.count));
        for (Index i = 0; i < targets.count; ++i) {
          // Targets ascend, but a search keeps this independent of it.
          const auto above = std::upper_bound(weights.offsets.begin(), weights.offsets.end(), targets[i]);
          const double c = weights.coefficients[static_cast<std::size_t>(above - weights.offsets.begin()) - 1];
          values[i] = static_cast<T>(c) * (entries != nullptr ? entries[i] : T(1));
        }
        gather_row(dx + (j - begin) * d, g, d, d, targets, values.data(), false);
      }
    });
  });
}

Var sum(Tape& tape, const Block& block, const Message& message) {
  return weighted_sum(tape, block, message.of, message.matrix);
}

Var mean(Tape& tape, const Block& block, const Message& message) {
  if (message.matrix != src(message.of).matrix) {
    throw Error("[mean] the message carries edge weights; a weighted mean is sum(src(x) * random_walk_norm())");
  }
  return weighted_sum(tape, block, message.of, {Normalization::kRandomWalk, false, false});
}

}  // namespace laminar::core
