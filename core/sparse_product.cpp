#include "laminar/core/sparse_product.hpp"

#include <algorithm>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/vectorised.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

void check(bool fits, std::string_view op, const SparseMatrix& x, const Tensor& w, const Tensor& y) {
  if (!fits) {
    throw Error(fmt::format("[{}] shapes do not fit: sparse [{}, {}] with [{}, {}] into [{}, {}]", op, x.rows(),
                            x.cols(), w.rows(), w.cols(), y.rows(), y.cols()));
  }
}

/// Rows that are kept beside w: of its dtype, or bfloat16 beside float32.
void check_dtypes(std::string_view op, const Tensor& rows, const Tensor& w) {
  if (w.dtype() == DType::kBfloat16 || computed(rows.dtype()) != w.dtype()) {
    throw Error(
        fmt::format("[{}] operands of different precision: {} with {}", op, name_of(rows.dtype()), name_of(w.dtype())));
  }
}

/// out = sum (+ bias) (+ out), rounded once.
template <class T, class C>
void put_row(const C* sum, const C* bias, Index d, T* out, bool accumulate) {
  run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
    for (Index c = 0; c < d; ++c) {
      const C v = sum[c] + (bias != nullptr ? bias[c] : C(0));
      out[c] = T(accumulate ? v + C(out[c]) : v);
    }
  });
}

/// sum += x^T g of rows [begin, end).
template <class T, class C>
LAMINAR_INLINE void scatter_rows(const EdgeId* offsets, const std::int32_t* columns, const float* values, const T* g,
                                 Index d, Index begin, Index end, C* sum) {
  for (Index r = begin; r < end; ++r) {
    const T* const row = g + r * d;
    for (EdgeId e = offsets[r]; e < offsets[r + 1]; ++e) {
      C* const out = sum + columns[e] * d;
      const C v = static_cast<C>(values[e]);
      LAMINAR_LANES
      for (Index c = 0; c < d; ++c) out[c] += v * C(row[c]);
    }
  }
}

/// add_outer_product() for a small w.
template <class T>
void add_by_panels(const SparseMatrix& x, const Tensor& g, Tensor& w, MemoryPool& pool) {
  using C = Computed<T>;
  const Index n = x.rows();
  const Index d = g.cols();
  const Index size = w.size();
  // At most 32 partial sums, so that their memory stays small beside the rows'; and enough rows in each that it is
  // little beside them.
  const Index grain = std::max<Index>({row_grain(d), (n + 31) / 32, w.rows()});
  const Index panels = (n + grain - 1) / grain;
  const EdgeId* const offsets = x.offsets().data();
  const std::int32_t* const columns = x.columns().data();
  const float* const values = x.values().data();
  const T* const rows = g.data<T>();
  C* const out = w.data<C>();
  const auto scatter = [=](Index begin, Index end, C* sum)
                           LAMINAR_INLINE_LAMBDA { scatter_rows(offsets, columns, values, rows, d, begin, end, sum); };
  if (panels == 1) return run_vectorised(scatter, Index{0}, n, out);
  Tensor partial(panels, size, w.dtype(), &pool, MemoryPurpose::kWorkspace);
  C* const sums = partial.data<C>();
  parallel_for(n, grain, [&](Index begin, Index end) {
    C* const sum = sums + begin / grain * size;
    std::fill_n(sum, size, C(0));
    run_vectorised(scatter, begin, end, sum);
  });
  parallel_for(size, 1 << 12, [&](Index begin, Index end) {
    for (Index p = 0; p < panels; ++p) {
      for (Index i = begin; i < end; ++i) out[i] += sums[p * size + i];
    }
  });
}

/// add_outer_product() for a large w, g of its dtype.
void add_by_columns(const SparseMatrix& x, const Tensor& g, Tensor& w) {
  const Index d = g.cols();
  dispatch(g.dtype(), [&]<class T>(T) {
    const T* b = g.data<T>();
    T* c = w.data<T>();
    parallel_for_rows(x.transposed_offsets(), 0, x.cols(), [&](Index begin, Index end) {
      std::vector<T> values;
      for (Index col = begin; col < end; ++col) {
        const RowIndices rows = row_indices(x.transposed_offsets(), x.transposed_rows(), col);
        if (rows.count == 0) continue;
        const auto* const positions = x.transposed_positions().data() + x.transposed_offsets()[col];
        values.resize(static_cast<std::size_t>(rows.count));
        for (Index e = 0; e < rows.count; ++e) values[e] = static_cast<T>(x.values()[positions[e]]);
        gather_row(c + col * d, b, d, d, rows, values.data(), true);
      }
    });
  });
}

}  // namespace

void multiply(const SparseMatrix& x, const Tensor& w, const Tensor* bias, Tensor& y, bool accumulate) {
  check(x.cols() == w.rows() && w.cols() == y.cols() && x.rows() == y.rows(), "multiply", x, w, y);
  check_dtypes("multiply", y, w);
  if (bias != nullptr) {
    check(bias->rows() == 1 && bias->cols() == y.cols(), "multiply", x, *bias, y);
    if (bias->dtype() != w.dtype()) {
      throw Error(fmt::format("[multiply] operands of different precision: a bias in {} with {}",
                              name_of(bias->dtype()), name_of(w.dtype())));
    }
  }
  const Index d = w.cols();
  const WorkScope scope(
      gather_work(WorkKind::kSum, "sparse x W", w.dtype(), {x.offsets(), x.columns(), x.cols(), d}, d));
  dispatch_kept(y.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    const C* b = w.data<C>();
    const C* added = bias != nullptr ? bias->data<C>() : nullptr;
    T* c = y.data<T>();
    parallel_for_rows(x.offsets(), 0, x.rows(), [&](Index begin, Index end) {
      std::vector<C> values;
      std::vector<C> sum(static_cast<std::size_t>(d));
      for (Index r = begin; r < end; ++r) {
        values.assign(x.values().begin() + x.offsets()[r], x.values().begin() + x.offsets()[r + 1]);
        const RowIndices entries = row_indices(x.offsets(), x.columns(), r);
        if constexpr (std::is_same_v<T, C>) {
          if (added == nullptr) {
            gather_row(c + r * d, b, d, d, entries, values.data(), accumulate);
            continue;
          }
        }
        gather_row(sum.data(), b, d, d, entries, values.data(), false);
        put_row(sum.data(), added, d, c + r * d, accumulate);
      }
    });
  });
}

void add_outer_product(const SparseMatrix& x, const Tensor& g, Tensor& w, MemoryPool& pool) {
  check(x.cols() == w.rows() && g.cols() == w.cols() && x.rows() == g.rows(), "add_outer_product", x, g, w);
  check_dtypes("add_outer_product", g, w);
  if (x.rows() == 0) return;
  // What stays in a core's second level of cache beside the rows that pass by, on any machine of today.
  constexpr std::size_t kMostBytes = std::size_t{256} << 10;
  const Index d = g.cols();
  if (w.bytes() <= kMostBytes) {
    const WorkScope scope(
        gather_work(WorkKind::kSum, "sparse x^T dy", w.dtype(), {x.offsets(), x.columns(), x.cols(), d}, d));
    dispatch_kept(g.dtype(), [&]<class T>(T) { add_by_panels<T>(x, g, w, pool); });
    return;
  }
  const WorkScope scope(gather_work(WorkKind::kSum, "sparse x^T dy", w.dtype(),
                                    {x.transposed_offsets(), x.transposed_rows(), x.rows(), d}, d));
  add_by_columns(x, g.dtype() == w.dtype() ? g : g.to(w.dtype(), &pool, MemoryPurpose::kWorkspace), w);
}

}  // namespace laminar::core
