#pragma once

#include <string>
#include <vector>

#include "laminar/pipeline/train_result.hpp"

namespace laminar::apps {

/// The last epoch of each run as a timeline in Chrome's trace format (JSON), which ui.perfetto.dev and chrome://tracing
/// read: a run is a process, a device a track, a step a slice "forward chunk 3" with its layers and its times waiting
/// and sending among the arguments. Within a step these two are slices of their own; when in the step they happened is
/// not recorded, and waiting is put at its beginning, where a step receives, and sending at its end. A layer's forward
/// that was run again is a slice "recompute layer 3 chunk 0" of its step, where it happened. Thread-safe.
std::string trace_json(const std::vector<pipeline::TrainResult>& results);

}  // namespace laminar::apps
