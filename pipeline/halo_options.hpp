#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "laminar/core/types.hpp"

namespace laminar::pipeline {

using core::Index;

/// What parts of the graph take from each other in training where that need not be exact; evaluation always is.
struct HaloOptions {
  /// Rows and gradients of other parts are those of the last epoch, so that nobody waits for them (PipeGCN; Wan et al.,
  /// ICLR 2022).
  bool stale = false;
  /// Of stale rows, and of stale gradients: what is used is (1 - smoothing) x what came + smoothing x what was used
  /// before (PipeGCN's -F and -G).
  double row_smoothing = 0;
  double gradient_smoothing = 0;
  /// Share of the halo's rows that is sent in an epoch; they count 1 / rate times (BNS-GCN; Wan et al., MLSys 2022).
  double rate = 1;
  bool samples() const { return rate < 1; }
};

/// Throws UsageError, naming the option, if a number is out of its range or options do not go together.
void validate(const HaloOptions& options);

/// Which of the rows that part `reader` reads are sent in `epoch`: ascending places in `ids`, their ids in the file. Of
/// n rows floor(rate n + u) are drawn without replacement, u uniform in [0, 1), so that each is sent with probability
/// `rate` exactly. A pure function, which does not depend on the order of `ids`, so that both ends know it.
std::vector<std::int32_t> sample_halo(double rate, std::uint64_t seed, Index epoch, Index reader,
                                      std::span<const core::VertexId> ids);

}  // namespace laminar::pipeline
