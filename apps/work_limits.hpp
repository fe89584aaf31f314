#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "laminar/core/parallel.hpp"
#include "laminar/core/work_log.hpp"

namespace laminar::apps {

/// What keeps a kernel from being faster.
enum class Bound : std::uint8_t {
  kProduct,  ///< the library's best rate for products of that shape
  kGather,   ///< reading the rows of that very matrix, in its order
  kStream,   ///< copying that many bytes
};
/// "product", "gather", "stream".
std::string_view name_of(Bound bound);

/// The least time that one call of a kernel could take.
struct Limit {
  Bound bound = Bound::kStream;
  double ms = 0;
};

/// Finds limits by measuring them, each once: of a dense product gemm_gflops() of its shape, or its bytes at copy speed
/// if that takes longer; of a kernel that gathers gather_ms() of its pattern; of all else its bytes at copy speed.
class WorkLimits {
 public:
  /// `copy_gbps`: see machine_limits.hpp. The arena must outlive the object.
  WorkLimits(core::Arena& arena, double copy_gbps) : arena_(arena), copy_gbps_(copy_gbps) {}
  /// The arrays of work.gather must still be there.
  Limit of(const core::Work& work);
  double copy_gbps() const { return copy_gbps_; }

 private:
  using ProductKey = std::tuple<core::DType, bool, bool, core::Index, core::Index>;
  using GatherKey = std::tuple<core::DType, const void*, std::size_t, core::Index>;
  core::Arena& arena_;
  double copy_gbps_;
  std::map<ProductKey, double> product_gflops_;
  std::map<GatherKey, double> gather_ms_;
};

/// "GFLOP/s" of products, else "GB/s", and the rate of `work` done in `ms` in that unit.
std::string_view rate_unit(const core::Work& work);
double rate_of(const core::Work& work, double ms);

/// What a row of a table calls it: "x W 128x128", "sum of 128", "relu of 128".
std::string label_of(const core::Work& work);

}  // namespace laminar::apps
