#pragma once

#include <string_view>

#include "laminar/pipeline/row_store.hpp"
#include "laminar/pipeline/topology.hpp"

namespace laminar::pipeline {

/// What a row's gradient takes of consumers in other chunks: those whose backward has run this epoch count c_f times,
/// the others, whose gradient is last epoch's, c_s times.
enum class GradientMode : std::uint8_t {
  kTruncated,    ///< 1, 0: the exact gradient of a forward whose history is held constant
  kDetached,     ///< 0, 0: no gradient between chunks (GNNAutoScale; Fey et al. 2021)
  kRescaled,     ///< 2, 0: what GNNPipe's research code appears to do
  kCompensated,  ///< 1, 1: last epoch's gradient stands in for the missing one (LMC; Shi et al. 2023)
};

/// How it is computed. For linear aggregations both give the same.
enum class HistoryGradient : std::uint8_t {
  kAuto,  ///< pull where the aggregation is linear and the graph is in one part, look-ahead elsewhere
  kLook,
  kPull,  ///< as auto, but an aggregation that can't pull is an error
};

/// "truncated", "detached", "rescaled", "compensated"; "auto", "look", "pull".
std::string_view name_of(GradientMode mode);
std::string_view name_of(HistoryGradient gradient);
/// The inverses. Throw UsageError on any other name.
GradientMode gradient_mode_from_name(std::string_view name);
HistoryGradient history_gradient_from_name(std::string_view name);

/// How chunks use rows of chunks that have not come by yet.
struct HistoryOptions {
  /// 1: a chunk takes the last epoch's rows. 0: it waits for this epoch's (exact).
  Index staleness = 1;
  GradientMode mode = GradientMode::kCompensated;
  HistoryGradient gradient = HistoryGradient::kAuto;
  /// Chunks go in another order every epoch, drawn from the seed; else in their numbers' order.
  bool shuffle = true;
  /// Every so many epochs the tables are filled by an exact pass first; 0 = never.
  Index refresh_every = 0;
  /// What is stored is (1 - smoothing) x the new row + smoothing x the old one.
  double smoothing = 0;
  /// The tables take new rows in every so many epochs only; 0 or 1 = in all.
  Index freeze = 0;
  /// Type of what is kept from one epoch to the next.
  StoreType dtype = StoreType::kNative;
};

/// Throws UsageError, naming the option, if a number is out of its range.
void validate(const HistoryOptions& options);

}  // namespace laminar::pipeline
