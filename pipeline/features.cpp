#include "laminar/pipeline/features.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/pipeline/learned_features.hpp"

namespace laminar::pipeline {
namespace {

using core::Tensor;

/// Divides by the sum of absolute values; zeros stay.
template <class T>
void normalize_row(T* values, Index count) {
  double sum = 0;
  for (Index i = 0; i < count; ++i) sum += std::abs(static_cast<double>(values[i]));
  if (sum == 0) return;
  for (Index i = 0; i < count; ++i) values[i] = static_cast<T>(values[i] / sum);
}

/// The first `columns` columns normalised; in each row their entries come first.
core::SparseMatrix normalized(const core::SparseMatrix& x, Index columns) {
  Tensor values(x.entries(), 1, core::DType::kFloat32);
  auto* out = values.data<float>();
  std::copy(x.values().begin(), x.values().end(), out);
  core::parallel_for_rows(x.offsets(), 0, x.rows(), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const core::EdgeId first = x.offsets()[r];
      core::EdgeId last = x.offsets()[r + 1];
      while (last > first && x.columns()[last - 1] >= columns) --last;
      normalize_row(out + first, last - first);
    }
  });
  return x.with_values(std::move(values));
}

void normalize_rows(Tensor& x) {
  core::dispatch(x.dtype(), [&]<class T>(T) {
    T* p = x.data<T>();
    core::parallel_for(x.rows(), core::row_grain(x.cols()), [&](Index first, Index last) {
      for (Index r = first; r < last; ++r) normalize_row(p + r * x.cols(), x.cols());
    });
  });
}

void check_finite(const Tensor& x, Index first_row) {
  Index bad = 0;
  core::dispatch_kept(x.dtype(), [&]<class T>(T) {
    const T* p = x.data<T>();
    bad = core::first_where(x.size(), [=](Index i) { return !std::isfinite(core::Computed<T>(p[i])); });
  });
  if (bad < x.size()) {
    throw Error(
        fmt::format("feature {} of vertex {} is not a finite number", bad % x.cols(), first_row + bad / x.cols()));
  }
}

/// Rows of the file that are read at once.
constexpr Index kPanelRows = 16384;

/// Calls `use(begin, end, wanted)` for panels of the file that hold wanted rows; `order` = positions in `ids`,
/// ascending by id.
template <class F>
void for_panels(const core::RowSource& source, std::span<const core::VertexId> ids, std::span<const std::int32_t> order,
                F&& use) {
  std::size_t at = 0;
  while (at < order.size()) {
    const Index begin = ids[order[at]];
    const Index end = std::min(begin + kPanelRows, source.rows());
    const std::size_t first = at;
    while (at < order.size() && ids[order[at]] < end) ++at;
    // No further than the last wanted row.
    use(begin, Index{ids[order[at - 1]]} + 1, order.subspan(first, at - first));
  }
}

core::SparseMatrix sparse_rows(const core::RowSource& source, std::span<const core::VertexId> ids,
                               std::span<const std::int32_t> order) {
  std::vector<core::EdgeId> offsets{0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  for_panels(source, ids, order, [&](Index begin, Index end, std::span<const std::int32_t> wanted) {
    const core::SparseMatrix panel = source.read_sparse(begin, end);
    for (const std::int32_t i : wanted) {
      const auto first = static_cast<std::ptrdiff_t>(panel.offsets()[ids[i] - begin]);
      const auto last = static_cast<std::ptrdiff_t>(panel.offsets()[ids[i] - begin + 1]);
      columns.insert(columns.end(), panel.columns().begin() + first, panel.columns().begin() + last);
      values.insert(values.end(), panel.values().begin() + first, panel.values().begin() + last);
      offsets.push_back(static_cast<core::EdgeId>(columns.size()));
    }
  });
  const core::SparseMatrix in_file_order(static_cast<Index>(ids.size()), source.cols(), std::move(offsets),
                                         std::move(columns), std::move(values));
  std::vector<std::int32_t> place(ids.size());
  for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = static_cast<std::int32_t>(i);
  return in_file_order.gather_rows(place);
}

}  // namespace

Features load_features(const core::RowSource& source, const layers::ModelOptions& model,
                       std::span<const core::VertexId> ids, core::MemoryPool* pool) {
  // Where each wanted vertex goes, in the file's order.
  std::vector<std::int32_t> order(ids.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return ids[a] < ids[b]; });
  const Index cols = source.cols();
  Features result;
  const bool in_order = std::is_sorted(ids.begin(), ids.end());
  const bool everything = in_order && static_cast<Index>(ids.size()) == source.rows();
  if (source.sparse()) {
    // Panels of sparse rows are put together in the file's order and then brought into the wanted one.
    const auto whole = [&] { return source.read_sparse(0, source.rows()); };
    core::SparseMatrix rows = everything ? whole() : sparse_rows(source, ids, order);
    // A vertex's place in a table of embeddings is no feature that could be normalised.
    const bool learned = model.input != layers::VertexInput::kGiven;
    const Index given = cols - (learned ? embedding_rows(model, source.rows()) : 0);
    result.sparse = model.normalize_features ? normalized(rows, given) : rows;
    return result;
  }
  result.dense = Tensor(static_cast<Index>(ids.size()), cols, model.precision, pool, core::MemoryPurpose::kFeatures);
  for_panels(source, ids, order, [&](Index begin, Index end, std::span<const std::int32_t> wanted) {
    // read_dense() is float32; the copy moves rows into the metered pool and the model's precision.
    Tensor panel = source.read_dense(begin, end).to(core::computed(model.precision));
    if (model.normalize_features) normalize_rows(panel);
    if (panel.dtype() != model.precision) panel = panel.to(model.precision);
    check_finite(panel, begin);
    const std::size_t bytes = static_cast<std::size_t>(cols) * core::size_of(model.precision);
    for (const std::int32_t i : wanted) {
      std::memcpy(result.dense.raw() + static_cast<std::size_t>(i) * bytes,
                  panel.raw() + static_cast<std::size_t>(ids[i] - begin) * bytes, bytes);
    }
  });
  return result;
}

}  // namespace laminar::pipeline
