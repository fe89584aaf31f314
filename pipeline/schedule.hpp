#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "laminar/pipeline/topology.hpp"

namespace laminar::pipeline {

/// One thing a device does with its slice of a chunk.
struct Step {
  enum class Kind : std::uint8_t {
    kForward,   ///< layers [layer_begin, layer_end), with source rows as they are
    kBackward,  ///< and back
    // Where a neighbour must be heard within a layer, single layers in halves:
    kPublish,          ///< forward down to the source rows, which are published
    kRead,             ///< forward with all source rows of this epoch
    kBackwardSources,  ///< backward down to the gradients of the source rows, which are published
    kBackwardRest,     ///< the rest, with what all consumers want
  };
  Kind kind = Kind::kForward;
  Index chunk = 0;
  Index layer_begin = 0;
  Index layer_end = 0;
  bool operator==(const Step&) const = default;
};

/// "forward", "backward", "publish", "read", "backward_sources", "backward_rest".
std::string_view name_of(Step::Kind kind);

/// In which order chunks go forward and backward.
enum class ScheduleKind : std::uint8_t {
  kSequential,             ///< exact, layer by layer, all chunks: the oracle of the others
  kAllForwardAllBackward,  ///< all chunks forward, then all backward in reverse order
  kOneForwardOneBackward,  ///< backward as soon as possible, in the same order: fewer live tapes
  kWavefront,              ///< exact: a half step runs as soon as its neighbours' have
};

/// "sequential", "all-forward", "1f1b", "wavefront".
std::string_view name_of(ScheduleKind kind);
/// The inverse. Throws UsageError on any other name.
ScheduleKind schedule_from_name(std::string_view name);
/// Whether rows of chunks that come later are last epoch's.
constexpr bool uses_history(ScheduleKind kind) {
  return kind == ScheduleKind::kAllForwardAllBackward || kind == ScheduleKind::kOneForwardOneBackward;
}

/// What a schedule is made for. Everything in it is known to all devices.
struct ScheduleInput {
  Topology topology;
  /// Layers [stage_begin[s], stage_begin[s + 1]) are stage s's.
  std::vector<Index> stage_begin;
  /// The order of this epoch; empty = 0, 1, ...
  std::vector<Index> chunk_order = {};
  /// For the exact kinds: the chunks that each chunk reads rows of, ascending, itself left out.
  std::vector<std::vector<std::int32_t>> reads = {};
  /// Relative cost of each chunk, to order a wavefront by; empty = equal.
  std::vector<double> chunk_cost = {};
};

/// What each stage does in an epoch, in order: plain data. All parts of a stage do the same.
struct Schedule {
  std::vector<std::vector<Step>> stages;
};

/// A pure function. Throws Error if the input does not fit together (stages, chunk order, reads).
Schedule make_schedule(ScheduleKind kind, const ScheduleInput& input);

/// Runs the schedule without devices. Throws Error, naming stage and step, unless every chunk goes forward once through
/// every layer in order, and backward once in the opposite order after its forward; every half step comes after those
/// it needs; every message that is waited for is sent by a step that can run (no deadlock); and no stage has more than
/// `max_live` chunks between forward and backward at once (0 = no bound).
void validate(const Schedule& schedule, const ScheduleInput& input, Index max_live = 0);

/// Largest number of chunks that a stage holds tapes of at once.
Index live_chunks(std::span<const Step> steps);

}  // namespace laminar::pipeline
