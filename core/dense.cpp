#include "laminar/core/dense.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
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
}

/// Rows and their product are numbers of w's dtype, or kept in bfloat16 where that is float32; a bfloat16 product only
/// of bfloat16 rows.
void check_dtypes(std::string_view op, const Tensor& x, const Tensor& w, const Tensor& y) {
  const bool fits = computed(x.dtype()) == w.dtype() && computed(y.dtype()) == w.dtype() &&
                    (y.dtype() == w.dtype() || x.dtype() == y.dtype());
  if (!fits) {
    throw Error(fmt::format("[{}] operands of different precision: {} with {} into {}", op, name_of(x.dtype()),
                            name_of(w.dtype()), name_of(y.dtype())));
  }
}

/// Rows a task: enough for the library to pack its operands well, few enough to share them out.
Index panel_rows(Index n, Index width) {
  const Index wanted = std::clamp<Index>((1 << 18) / std::max<Index>(width, 1), 128, 2048) / 64 * 64;
  return std::min(std::max<Index>(n, 1), wanted);
}

/// bias [n] to each of `rows` rows; null: nothing.
template <class T>
void add_to_rows(T* c, const T* bias, Index rows, Index n) {
  if (bias == nullptr) return;
  run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
    for (Index r = 0; r < rows; ++r) {
      for (Index i = 0; i < n; ++i) c[r * n + i] += bias[i];
    }
  });
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
    add_to_rows(c + begin * n, bias, shape.m, n);
  });
}

void widen(const Bfloat16* from, Index count, float* to) {
  run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
    for (Index i = 0; i < count; ++i) to[i] = from[i];
  });
}

/// `count` floats of this thread's own, until it asks again with the same `slot`: for a task's panel, which stays in
/// the cache.
float* scratch(std::size_t slot, Index count) {
  thread_local std::array<Tensor, 2> kept;
  Tensor& t = kept[slot];
  if (!t || t.size() < count) t = Tensor(1, count, DType::kFloat32);
  return t.data<float>();
}

/// c = panel, + bias in every row, + c if `accumulate`, rounded once.
void put(const float* panel, const float* bias, Index rows, Index n, Bfloat16* c, bool accumulate) {
  run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
    for (Index r = 0; r < rows; ++r) {
      for (Index i = 0; i < n; ++i) {
        const float v = panel[r * n + i] + (bias != nullptr ? bias[i] : 0.0F);
        c[r * n + i] = Bfloat16(accumulate ? v + c[r * n + i] : v);
      }
    }
  });
}

/// multiply_panels() of bfloat16 rows: a processor with AMX multiplies them as they are, with w rounded once; any other
/// one a widened panel in float32. y is float32 or bfloat16.
void multiply_kept_panels(const GemmShape& base, const Tensor& x, const Tensor& w, const float* bias, Tensor& y,
                          bool accumulate) {
  const bool fast = has_fast_bfloat16_gemm();
  const Tensor rounded = fast ? w.to(DType::kBfloat16) : Tensor();
  const auto* const a = x.data<Bfloat16>();
  const auto* const b = w.data<float>();
  const Index k = base.k;
  const Index n = base.n;
  const bool wide = y.dtype() == DType::kFloat32;
  parallel_for(x.rows(), panel_rows(x.rows(), k + n), [&](Index begin, Index end) {
    GemmShape shape = base;
    shape.m = end - begin;
    float* const c = wide ? y.data<float>() + begin * n : scratch(1, shape.m * n);
    if (fast) {
      gemm(shape, a + begin * k, rounded.data<Bfloat16>(), c, wide && accumulate);
    } else {
      float* const left = scratch(0, shape.m * k);
      widen(a + begin * k, shape.m * k, left);
      gemm(shape, left, b, c, wide && accumulate);
    }
    if (wide) {
      add_to_rows(c, bias, shape.m, n);
    } else {
      put(c, bias, shape.m, n, y.data<Bfloat16>() + begin * n, accumulate);
    }
  });
}

/// y = op(x, w), bias null or [1, n].
void multiply_any(const GemmShape& shape, const Tensor& x, const Tensor& w, const Tensor* bias, Tensor& y,
                  bool accumulate) {
  if (x.dtype() == DType::kBfloat16) {
    multiply_kept_panels(shape, x, w, bias != nullptr ? bias->data<float>() : nullptr, y, accumulate);
    return;
  }
  dispatch(x.dtype(), [&]<class T>(T) {
    multiply_panels<T>(shape, x, w, bias != nullptr ? bias->data<T>() : nullptr, y, accumulate);
  });
}

/// sum [k, m] (+)= x^T g of rows [begin, end), which are few enough to stay in the cache.
template <class T>
void multiply_rows(const Tensor& x, const Tensor& g, Index begin, Index end, T* sum, bool accumulate) {
  const Index k = x.cols();
  const Index m = g.cols();
  gemm({.transpose_a = true, .m = k, .n = m, .k = end - begin}, x.data<T>() + begin * k, g.data<T>() + begin * m, sum,
       accumulate);
}

/// The same of bfloat16 rows, as in multiply_kept_panels().
void multiply_kept_rows(const Tensor& x, const Tensor& g, Index begin, Index end, float* sum, bool accumulate) {
  const Index k = x.cols();
  const Index m = g.cols();
  const auto* const left = x.data<Bfloat16>() + begin * k;
  const auto* const right = g.data<Bfloat16>() + begin * m;
  const GemmShape shape{.transpose_a = true, .m = k, .n = m, .k = end - begin};
  if (has_fast_bfloat16_gemm()) return gemm(shape, left, right, sum, accumulate);
  float* const wide_left = scratch(0, shape.k * k);
  float* const wide_right = scratch(1, shape.k * m);
  widen(left, shape.k * k, wide_left);
  widen(right, shape.k * m, wide_right);
  gemm(shape, wide_left, wide_right, sum, accumulate);
}

/// b: null, or [1, m] that grows by the sum of g's rows.
void add_products(const Tensor& x, const Tensor& g, Tensor& w, Tensor* b, MemoryPool& pool) {
  check(x.cols() == w.rows() && g.cols() == w.cols() && x.rows() == g.rows() && x.dtype() == g.dtype(),
        "add_outer_product", x.rows(), x.cols(), g, w);
  check_dtypes("add_outer_product", x, w, w);
  if (b != nullptr) {
    check(b->rows() == 1 && b->cols() == g.cols() && b->dtype() == w.dtype(), "add_outer_product", g.rows(), g.cols(),
          g, *b);
  }
  const Index n = x.rows();
  if (n == 0) return;
  const WorkScope scope(dense_work("x^T dy", x.dtype(), {.transpose_a = true, .m = x.cols(), .n = g.cols(), .k = n}));
  // At most 32 partial sums, so that their memory stays small beside the rows'.
  const Index step = panel_rows(n, x.cols() + g.cols());
  const Index grain = std::max<Index>(step, (n + 31) / 32);
  const Index panels = (n + grain - 1) / grain;
  dispatch_kept(x.dtype(), [&]<class T>(T) {
    using C = Computed<T>;
    const Index k = x.cols();
    const Index m = g.cols();
    // Of each panel, x^T g and below it the sum of g's rows.
    const Index size = (k + (b != nullptr ? 1 : 0)) * m;
    Tensor partial(panels, size, w.dtype(), &pool, MemoryPurpose::kWorkspace);
    C* sums = partial.data<C>();
    const T* right = g.data<T>();
    parallel_for(n, grain, [&](Index begin, Index end) {
      C* sum = sums + begin / grain * size;
      C* column_sums = sum + k * m;
      if (b != nullptr) std::fill_n(column_sums, m, C(0));
      for (Index first = begin; first < end; first += step) {
        const Index last = std::min(first + step, end);
        if constexpr (std::is_same_v<T, C>) {
          multiply_rows<T>(x, g, first, last, sum, first > begin);
        } else {
          multiply_kept_rows(x, g, first, last, sum, first > begin);
        }
        if (b == nullptr) continue;
        run_vectorised([=]() LAMINAR_INLINE_LAMBDA {
          for (Index r = first; r < last; ++r) {
            for (Index c = 0; c < m; ++c) column_sums[c] += right[r * m + c];
          }
        });
      }
    });
    C* out = w.data<C>();
    parallel_for(k * m, 1 << 12, [&](Index begin, Index end) {
      for (Index p = 0; p < panels; ++p) {
        for (Index i = begin; i < end; ++i) out[i] += sums[p * size + i];
      }
    });
    if (b == nullptr) return;
    C* of_columns = b->data<C>();
    for (Index p = 0; p < panels; ++p) {
      for (Index c = 0; c < m; ++c) of_columns[c] += sums[p * size + k * m + c];
    }
  });
}

}  // namespace

void multiply(const Tensor& x, const Tensor& w, Tensor& y, bool accumulate) {
  check(x.cols() == w.rows() && w.cols() == y.cols() && x.rows() == y.rows(), "multiply", x.rows(), x.cols(), w, y);
  check_dtypes("multiply", x, w, y);
  const GemmShape shape{.m = x.rows(), .n = w.cols(), .k = w.rows()};
  const WorkScope scope(dense_work("x W", x.dtype(), shape));
  multiply_any(shape, x, w, nullptr, y, accumulate);
}

void multiply_transposed(const Tensor& x, const Tensor& w, Tensor& y, bool accumulate) {
  check(x.cols() == w.cols() && w.rows() == y.cols() && x.rows() == y.rows(), "multiply_transposed", x.rows(), x.cols(),
        w, y);
  check_dtypes("multiply_transposed", x, w, y);
  const GemmShape shape{.transpose_b = true, .m = x.rows(), .n = w.rows(), .k = w.cols()};
  const WorkScope scope(dense_work("dy W^T", x.dtype(), shape));
  multiply_any(shape, x, w, nullptr, y, accumulate);
}

void multiply_add(const Tensor& x, const Tensor& w, const Tensor& b, Tensor& y, bool accumulate) {
  check(x.cols() == w.rows() && w.cols() == y.cols() && x.rows() == y.rows(), "multiply_add", x.rows(), x.cols(), w, y);
  check_dtypes("multiply_add", x, w, y);
  check(b.rows() == 1 && b.cols() == y.cols() && b.dtype() == w.dtype(), "multiply_add", x.rows(), x.cols(), b, y);
  const GemmShape shape{.m = x.rows(), .n = w.cols(), .k = w.rows()};
  const WorkScope scope(dense_work("x W + b", x.dtype(), shape));
  multiply_any(shape, x, w, &b, y, accumulate);
}

void add_outer_product(const Tensor& x, const Tensor& g, Tensor& w, MemoryPool& pool) {
  add_products(x, g, w, nullptr, pool);
}

void add_outer_product(const Tensor& x, const Tensor& g, Tensor& w, Tensor& b, MemoryPool& pool) {
  add_products(x, g, w, &b, pool);
}

}  // namespace laminar::core
