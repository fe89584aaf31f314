#include "laminar/apps/work_limits.hpp"

#include <array>

#include <fmt/format.h>

#include "laminar/apps/machine_limits.hpp"

namespace laminar::apps {

using core::GemmShape;
using core::Work;
using core::WorkKind;

namespace {

constexpr std::array<std::string_view, 3> kNames = {"product", "gather", "stream"};
// A GB/s is 10^6 bytes a millisecond, a GFLOP/s likewise.
constexpr double kPerMs = 1e6;

}  // namespace

std::string_view name_of(Bound bound) { return kNames[static_cast<std::size_t>(bound)]; }

Limit WorkLimits::of(const Work& work) {
  const Limit stream{Bound::kStream, work.bytes / (copy_gbps_ * kPerMs)};
  if (work.gather.entries() > 0) {
    const GatherKey key{work.dtype, work.gather.offsets.data(), work.gather.offsets.size(), work.gather.width};
    auto found = gather_ms_.find(key);
    if (found == gather_ms_.end()) {
      found = gather_ms_.emplace(key, gather_ms(arena_, work.dtype, work.gather)).first;
    }
    return {Bound::kGather, found->second};
  }
  if (work.kind != WorkKind::kDense || work.flops == 0) return stream;
  const GemmShape& p = work.product;
  const ProductKey key{work.dtype, p.transpose_a, p.transpose_b, p.transpose_a ? p.m : p.k, p.n};
  auto found = product_gflops_.find(key);
  if (found == product_gflops_.end()) {
    found = product_gflops_.emplace(key, gemm_gflops(arena_.threads(), work.dtype, p)).first;
  }
  const Limit product{Bound::kProduct, work.flops / (found->second * kPerMs)};
  return product.ms >= stream.ms ? product : stream;
}

std::string_view rate_unit(const Work& work) { return work.kind == WorkKind::kDense ? "GFLOP/s" : "GB/s"; }

double rate_of(const Work& work, double ms) {
  return (work.kind == WorkKind::kDense ? work.flops : work.bytes) / (ms * kPerMs);
}

std::string label_of(const Work& work) {
  if (work.kind != WorkKind::kDense) return fmt::format("{}, {}", work.op, work.width);
  const GemmShape& p = work.product;
  return fmt::format("{}, {} x {}", work.op, p.transpose_a ? p.m : p.k, p.n);
}

}  // namespace laminar::apps
