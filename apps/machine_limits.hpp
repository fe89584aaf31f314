#pragma once

#include <cstddef>

#include "laminar/core/gemm.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/core/types.hpp"
#include "laminar/core/work_log.hpp"

/// What this machine can do at best, measured: the speeds that kernels are held against. Every figure is the best of
/// several tries, as what else runs on a machine only makes it slower. All throw Error when memory runs out.
namespace laminar::apps {

/// In bytes: the second level's of one core, the last level's of all (on a virtual machine others may use it too).
/// Where the system doesn't tell, 1 MiB and 32 MiB.
struct CacheSizes {
  std::size_t second_level = 0;
  std::size_t last_level = 0;
};
CacheSizes cache_sizes();

/// Bytes of arrays that are far larger than the caches: four times the last level, an eighth of the memory at most.
std::size_t default_stream_bytes();

/// GB/s (10^9 bytes) at which `threads` threads read arrays of `bytes` bytes together, each its own, again and again.
double read_gbps(int threads, std::size_t bytes);
/// The same for copying; arrays read and written are `bytes` together, and both count.
double copy_gbps(int threads, std::size_t bytes);

/// GFLOP/s of core::gemm on `threads` threads at once, each with panels of rows of its own that stay in its cache:
/// the best over several heights of panels. Of `shape`, m counts for nothing (k, if a is transposed): a panel's rows
/// take its place. Of bfloat16 where core::has_fast_bfloat16_gemm(), else of float32 in its stead.
double gemm_gflops(int threads, core::DType dtype, const core::GemmShape& shape);
/// The best of gemm_gflops() over a few square shapes.
double dense_peak_gflops(int threads);

/// Milliseconds of a kernel that only reads the rows of `pattern` in its order and adds them up, in vector registers,
/// and writes nothing: what a sum over edges would take if it had nothing else to do. The best over several distances
/// of fetching ahead. Runs in `arena`, and takes memory for a table of pattern.table_rows x width.
double gather_ms(core::Arena& arena, core::DType dtype, const core::GatherPattern& pattern);

}  // namespace laminar::apps
