#include "laminar/core/dense.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/gather.hpp"
#include "laminar/core/gemm.hpp"
#include "laminar/core/vectorised.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::core {
namespace {

void check(bool fits, std::string_view op, Index x_rows, Index x_cols, const Tensor& w, const Tensor& y) {
  if (!fits) {
    throw Error(fmt::format("[{}] shapes do not fit: [{}, {}] with [{}, {}] into [{}, {}]", op, x_rows, x_cols,
                            w.rows(), w.cols(), y.rows(), y.cols()));
  }
  if (w.dtype() != y.dtype()) throw Error(fmt::format("[{}] operands of different precision", op));
}

/// Rows a task: enough for the library to pack its operands well, few enough to share them out.
Index panel_rows(Index n, Index width) {
  const Index wanted = std::clamp<Index>((1 << 18) / std::max<Index>(width, 1), 128, 2048) / 64 * 64;
  return std::min(std::max<Index>(n, 1), wanted);
}

/// bias: null, or [1, n] to be added to every row.
template <class T>
void multiply_panels(const GemmShape& base, const Tensor& x, const Tensor& w, const T* bias, Tensor& y,
                     bool accumulate) {
  const T* a = x.data<T>();
  const T* b = w.data<T>();
  T* c = y.data<T>();
  const Index n = base.n;
  parallel_for(x.rows(), panel_rows(x.rows(), base.k + n), [&](Index begin, Index end) {
    GemmShape shape = base;
    shape.m = end - begin;
    gemm(shape, a + begin * base.k, b, c + begin * n, accumulate);
    if (bias == nullptr) return;
    run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
      for (Index r = begin; r < end; ++r) {
        for (Index i = 0; i < n; ++i) c[r * n + i] += bias[i];
      }
    });
  });
}

/// b: null, or [1, m] that grows by the sum of g's rows.
void add_products(const Tensor& x, const Tensor& g, Tensor& w, Tensor* b, MemoryPool& pool) {
  check(x.cols() == w.rows() && g.cols() == w.cols() && x.rows() == g.rows() && x.dtype() == g.dtype(),
        "add_outer_product", x.rows(), x.cols(), g, w);
  if (b != nullptr) {
    check(b->rows() == 1 && b->cols() == g.cols() && b->dtype() == g.dtype(), "add_outer_product", g.rows(), g.cols(),
          g, *b);
  }
  const Index n = x.rows();
  if (n == 0) return;
  const WorkScope scope(dense_work("x^T dy", x.dtype(), {.transpose_a = true, .m = x.cols(), .n = g.cols(), .k = n}));
  // At most 32 partial sums, so that their memory stays small beside the rows'.
  const Index grain = std::max<Index>(panel_rows(n, x.cols() + g.cols()), (n + 31) / 32);
  const Index panels = (n + grain - 1) / grain;
  dispatch(x.dtype(), [&]<class T>(T) {
    const Index k = x.cols();
    const Index m = g.cols();
    // Of each panel, x^T g and below it the sum of g's rows.
    const Index size = (k + (b != nullptr ? 1 : 0)) * m;
    Tensor partial(panels, size, x.dtype(), &pool, MemoryPurpose::kWorkspace);
    T* sums = partial.data<T>();
    const T* left = x.data<T>();
    const T* right = g.data<T>();
    parallel_for(n, grain, [&](Index begin, Index end) {
      T* sum = sums + begin / grain * size;
      gemm({.transpose_a = true, .m = k, .n = m, .k = end - begin}, left + begin * k, right + begin * m, sum, false);
      if (b == nullptr) return;
      run_vectorised([=, column_sums = sum + k * m]() LAMINAR_INLINE_LAMBDA {
        for (Index c = 0; c < m; ++c) column_sums[c] = 0;
        for (Index r = begin; r < end; ++r) {
          for (Index c = 0; c < m; ++c) column_sums[c] += right[r * m + c];
        }
      });
    });
    T* out = w.data<T>();
    parallel_for(k * m, 1 << 12, [&](Index begin, Index end) {
      for (Index p = 0; p < panels; ++p) {
        for (Index i = begin; i < end; ++i) out[i] += sums[p * size + i];
      }
    });
    if (b == nullptr) return;
    T* of_columns = b->data<T>();
    for (Index p = 0; p < panels; ++p) {
      for (Index c = 0; c < m; ++c) of_columns[c] += sums[p * size + k * m + c];
    }
  });
}

}  // namespace

void multiply(const Tensor& x, const Tensor& w, Tensor& y, bool accumulate) {
  check(x.cols() == w.rows() && w.cols() == y.cols() && x.rows() == y.rows() && x.dtype() == y.dtype(), "multiply",
        x.rows(), x.cols(), w, y);
  const GemmShape shape{.m = x.rows(), .n = w.cols(), .k = w.rows()};
  const WorkScope scope(dense_work("x W", x.dtype(), shape));
  dispatch(x.dtype(), [&]<class T>(T) { multiply_panels<T>(shape, x, w, nullptr, y, accumulate); });
}

void multiply_transposed(const Tensor& x, const Tensor& w, Tensor& y, bool accumulate) {
  check(x.cols() == w.cols() && w.rows() == y.cols() && x.rows() == y.rows() && x.dtype() == y.dtype(),
        "multiply_transposed", x.rows(), x.cols(), w, y);
  const GemmShape shape{.transpose_b = true, .m = x.rows(), .n = w.rows(), .k = w.cols()};
  const WorkScope scope(dense_work("dy W^T", x.dtype(), shape));
  dispatch(x.dtype(), [&]<class T>(T) { multiply_panels<T>(shape, x, w, nullptr, y, accumulate); });
}

void multiply_add(const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y, bool accumulate) {
  check(x.cols() == w.rows() && w.cols() == y.cols() && x.rows() == y.rows() && x.dtype() == y.dtype(), "multiply_add",
        x.rows(), x.cols(), w, y);
  check(b.rows() == 1 && b.cols() == y.cols() && b.dtype() == y.dtype(), "multiply_add", x.rows(), x.cols(), b, y);
  const GemmShape shape{.m = x.rows(), .n = w.cols(), .k = w.rows()};
  const WorkScope scope(dense_work("x W + b", x.dtype(), shape));
  dispatch(x.dtype(), [&]<class T>(T) { multiply_panels<T>(shape, x, w, b.data<T>(), y, accumulate); });
}

void add_outer_product(const Tensor& x, const Tensor& g, Tensor& w, MemoryPool& pool) {
  add_products(x, g, w, nullptr, pool);
}

void add_outer_product(const Tensor& x, const Tensor& g, Tensor& w, Tensor& b, MemoryPool& pool) {
  add_products(x, g, w, &b, pool);
}

void multiply(const SparseMatrix& x, const Tensor& w, Tensor& y, bool accumulate) {
  check(x.cols() == w.rows() && w.cols() == y.cols() && x.rows() == y.rows(), "multiply", x.rows(), x.cols(), w, y);
  const Index d = w.cols();
  const WorkScope scope(
      gather_work(WorkKind::kSum, "sparse x W", w.dtype(), {x.offsets(), x.columns(), x.cols(), d}, d));
  dispatch(w.dtype(), [&]<class T>(T) {
    const T* b = w.data<T>();
    T* c = y.data<T>();
    parallel_for_rows(x.offsets(), 0, x.rows(), [&](Index begin, Index end) {
      std::vector<T> values;
      for (Index r = begin; r < end; ++r) {
        values.assign(x.values().begin() + x.offsets()[r], x.values().begin() + x.offsets()[r + 1]);
        gather_row(c + r * d, b, d, d, row_indices(x.offsets(), x.columns(), r), values.data(), accumulate);
      }
    });
  });
}

void add_outer_product(const SparseMatrix& x, const Tensor& g, Tensor& w) {
  check(x.cols() == w.rows() && g.cols() == w.cols() && x.rows() == g.rows(), "add_outer_product", x.rows(), x.cols(),
        g, w);
  const Index d = g.cols();
  const WorkScope scope(gather_work(WorkKind::kSum, "sparse x^T dy", g.dtype(),
                                    {x.transposed_offsets(), x.transposed_rows(), x.rows(), d}, d));
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

}  // namespace laminar::core
