#include "laminar/apps/trace.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/apps/device_figures.hpp"

namespace laminar::apps {
namespace {

using nlohmann::ordered_json;
using pipeline::StepSpan;

ordered_json metadata(const char* name, std::size_t process, std::size_t thread, ordered_json args) {
  return {{"name", name}, {"ph", "M"}, {"pid", process}, {"tid", thread}, {"args", std::move(args)}};
}

/// Times are in microseconds in this format.
ordered_json slice(std::string name, const char* category, std::size_t process, std::size_t thread, double begin_ms,
                   double length_ms) {
  return {{"name", std::move(name)},
          {"cat", category},
          {"ph", "X"},
          {"pid", process},
          {"tid", thread},
          {"ts", begin_ms * 1000},
          {"dur", length_ms * 1000},
          {"args", ordered_json::object()}};
}

void add_step(ordered_json& events, const StepSpan& s, std::size_t process, std::size_t thread) {
  const std::string_view kind = name_of(s.step.kind);
  const double length_ms = s.end_ms - s.begin_ms;
  ordered_json step = slice(fmt::format("{} chunk {}", kind, s.step.chunk), is_forward(s.step) ? "forward" : "backward",
                            process, thread, s.begin_ms, length_ms);
  step["args"] = {{"step", kind},
                  {"chunk", s.step.chunk},
                  {"first_layer", s.step.layer_begin},
                  {"last_layer", s.step.layer_end - 1},
                  {"busy_ms", busy_ms(s)},
                  {"wait_ms", s.wait_ms},
                  {"send_ms", s.send_ms}};
  events.push_back(std::move(step));
  const double wait_ms = std::min(s.wait_ms, length_ms);
  const double send_ms = std::min(s.send_ms, length_ms - wait_ms);
  if (wait_ms > 0) events.push_back(slice("wait", "wait", process, thread, s.begin_ms, wait_ms));
  if (send_ms > 0) events.push_back(slice("send", "send", process, thread, s.end_ms - send_ms, send_ms));
}

}  // namespace

std::string trace_json(const std::vector<pipeline::TrainResult>& results) {
  ordered_json j = {
      {"displayTimeUnit", "ms"}, {"otherData", {{"program", "laminar-train"}}}, {"traceEvents", ordered_json::array()}};
  ordered_json& events = j["traceEvents"];
  for (std::size_t run = 0; run < results.size(); ++run) {
    const pipeline::TrainResult& r = results[run];
    const core::Index epoch = r.epochs.empty() ? 0 : r.epochs.back().epoch;
    events.push_back(metadata("process_name", run, 0,
                              {{"name", fmt::format("split {}, seed {}, epoch {}", r.split, r.seed, epoch)}}));
    for (std::size_t d = 0; d < r.spans.size(); ++d) {
      events.push_back(metadata("thread_name", run, d, {{"name", device_name(r.topology, d)}}));
      events.push_back(metadata("thread_sort_index", run, d, {{"sort_index", d}}));
      for (const StepSpan& s : r.spans[d]) add_step(events, s, run, d);
      if (d >= r.recomputed.size()) continue;
      for (const StepSpan& s : r.recomputed[d]) {
        events.push_back(slice(fmt::format("recompute layer {} chunk {}", s.step.layer_begin, s.step.chunk),
                               "recompute", run, d, s.begin_ms, s.end_ms - s.begin_ms));
      }
    }
  }
  return j.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace laminar::apps
