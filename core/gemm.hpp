#pragma once

#include "laminar/core/types.hpp"

namespace laminar::core {

/// One single-threaded product of row-major matrices, c = op(a) op(b) (+ c if `accumulate`), op(a) [m, k], op(b) [k,
/// n], c [m, n], no padding between rows. `transpose_a`: a is stored [k, m]; likewise b. float goes to oneDNN where the
/// build has it, double and the rest to Eigen. Thread-safe.
struct GemmShape {
  bool transpose_a = false;
  bool transpose_b = false;
  Index m = 0;
  Index n = 0;
  Index k = 0;
};
void gemm(const GemmShape& shape, const float* a, const float* b, float* c, bool accumulate);
void gemm(const GemmShape& shape, const double* a, const double* b, double* c, bool accumulate);

/// a and b in bfloat16, sums in float32. By oneDNN where the build has it, which uses the tile unit (AMX) of a
/// processor that has one; else by widening both whole, so ask has_fast_bfloat16_gemm() first.
void gemm(const GemmShape& shape, const Bfloat16* a, const Bfloat16* b, float* c, bool accumulate);

/// Whether that is faster than widening panels of rows and multiplying in float32: on processors with AMX-BF16. Those
/// that have AVX512-BF16 only were seen to take twice as long (81 against 160 GFLOP/s, 2048 x 128 x 128).
bool has_fast_bfloat16_gemm();

/// "oneDNN 2.6.3" or "Eigen 3.4.0": what multiplies float matrices.
const char* gemm_library();

}  // namespace laminar::core
