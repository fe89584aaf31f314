#include "laminar/apps/auto_topology.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/apps/progress.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/memory.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/pipeline/communicator.hpp"
#include "laminar/pipeline/link_probe.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using pipeline::CostPrediction;
using pipeline::Topology;

std::string link_text(const pipeline::LinkOptions& link) {
  if (link.mbps == 0) return "memory";
  return fmt::format("links of {:.0f} Mbit/s and {:.0f} us", link.mbps, link.latency_us);
}

std::string cost_text(const CostPrediction& p) {
  return fmt::format("{} ms and {}", ms_text(p.epoch_ms), bytes_text(static_cast<double>(p.bytes())));
}

std::optional<Index> given_number(const TrainCommand& c, std::string_view name, Index value) {
  return c.given.contains(name) ? std::optional<Index>(value) : std::nullopt;
}

/// Predicts all candidates; those that do not fit this graph are left out.
std::vector<CostPrediction> predict_all(const TrainCommand& c, const core::Dataset& data,
                                        const pipeline::DeviceSetting& setting, bool fewer) {
  const Topology& asked = c.training.distribution.topology;
  const pipeline::CandidateOptions wanted{
      static_cast<Index>(setting.host_of.size()), fewer, given_number(c, "stages", asked.stages),
      given_number(c, "partitions", asked.parts), given_number(c, "chunks", asked.chunks)};
  const auto& schema = data.schema();
  const auto topologies = pipeline::candidate_topologies(wanted, c.model.layers, schema.num_vertices);
  pipeline::CostModel model(c.model, data, c.training, setting);
  std::vector<CostPrediction> predictions;
  std::string why;
  for (const Topology& t : topologies) {
    try {
      predictions.push_back(model.predict(t));
    } catch (const UsageError& e) {
      why = e.what();
    }
  }
  if (!predictions.empty()) return predictions;
  if (!why.empty())
    throw UsageError(fmt::format("--mode auto: no topology of {} devices fits: {}", wanted.devices, why));
  throw UsageError(fmt::format("--mode auto: {} devices can't be arranged as --stages, --partitions and {} layers ask",
                               wanted.devices, c.model.layers));
}

/// One line: why this graph, net and network lead there.
std::string reason(const TrainCommand& c, const std::vector<CostPrediction>& all) {
  const auto cut = std::max_element(all.begin(), all.end(), [](const CostPrediction& a, const CostPrediction& b) {
    return std::pair(a.topology.parts, -a.topology.stages) < std::pair(b.topology.parts, -b.topology.stages);
  });
  if (cut->topology.parts == 1) return {};
  const Index devices = cut->topology.parts;
  const double rows = static_cast<double>(c.model.layers) * (cut->h_in + cut->h_out);
  const double pipeline_rows = 2 * static_cast<double>(devices - 1);
  return fmt::format(
      "in {} parts this graph has h = {:.2f} halo rows a vertex: L (h_in + h_out) = {} x {:.2f} = {:.3g} against 2 (S "
      "- "
      "1) = {:.0f}, so {}",
      devices, cut->h_in, c.model.layers, cut->h_in + cut->h_out, rows, pipeline_rows,
      rows > pipeline_rows ? "a pipeline sends less than graph parallelism"
                           : "graph parallelism sends less than a pipeline");
}

void add_notes(TrainCommand& c, const AutoChoice& choice, const pipeline::DeviceSetting& setting) {
  const CostPrediction& best = choice.predictions.front();
  c.notes.push_back(fmt::format("--mode auto chose {}, {}: of {} candidates the best by prediction, {} an epoch",
                                mode_of(best.topology), topology_text(best.topology), choice.predictions.size(),
                                cost_text(best)));
  // The best of every other mode.
  std::vector<std::string> others;
  std::vector<std::string_view> seen{mode_of(best.topology)};
  for (const CostPrediction& p : choice.predictions) {
    const std::string_view mode = mode_of(p.topology);
    if (std::find(seen.begin(), seen.end(), mode) != seen.end()) continue;
    seen.push_back(mode);
    others.push_back(fmt::format("{}, {}: {}", mode, topology_text(p.topology), cost_text(p)));
  }
  if (!others.empty()) c.notes.push_back(fmt::format("predicted for the others: {}", fmt::join(others, "; ")));
  if (const std::string why = reason(c, choice.predictions); !why.empty()) c.notes.push_back(why);
  std::map<Index, Index> on_host;
  for (Index d = 0; d < best.topology.devices(); ++d) ++on_host[setting.host_of[static_cast<std::size_t>(d)]];
  Index crowded = 0;
  for (const auto& [host, count] : on_host) crowded = std::max(crowded, count);
  std::string where = fmt::format("{} between devices", link_text(setting.link));
  if (static_cast<double>(crowded) > setting.cores_per_host) {
    where += fmt::format("; {} devices share {:.0f} cores, so computing does not get faster by them", crowded,
                         setting.cores_per_host);
  }
  if (best.topology.devices() > 1) c.notes.push_back(where);
}

/// As if the user had asked for it.
void take(TrainCommand& c, const Topology& t) {
  c.training.distribution.topology = t;
  c.distribution.mode = mode_of(t);
  c.distribution.devices = t.devices();
  c.given.emplace("stages", fmt::format("{}", t.stages));
  c.given.emplace("partitions", fmt::format("{}", t.parts));
  c.given.emplace("chunks", fmt::format("{}", t.chunks));
}

}  // namespace

std::string topology_text(const Topology& t) {
  std::vector<std::string> words;
  if (t.stages > 1) words.push_back(fmt::format("{} stages", t.stages));
  if (t.parts > 1) words.push_back(fmt::format("{} parts", t.parts));
  if (t.chunks > 1) words.push_back(fmt::format("{} chunks", t.chunks));
  return words.empty() ? "one device" : fmt::format("{}", fmt::join(words, " x "));
}

pipeline::DeviceSetting find_devices(const TrainCommand& c, Index devices, pipeline::Transport* rank) {
  if (rank == nullptr) {
    const core::Arena all(0);
    const Index count = devices > 0 ? devices : std::max<Index>(2, all.threads());
    return pipeline::devices_in_this_process(count, c.training.threads, c.training.distribution.link);
  }
  pipeline::DeviceSetting setting;
  const pipeline::MeasuredNetwork network = pipeline::measure_network(*rank);
  const core::Arena own(c.training.threads);
  const core::Arena all(0);
  setting.host_of = network.host_of;
  setting.cores_per_host = all.threads();
  setting.threads_per_device = own.threads();
  setting.link = network.link;
  return setting;
}

std::optional<AutoChoice> choose_topology(TrainCommand& c, const core::Dataset& data, pipeline::Transport* rank) {
  if (c.distribution.mode != "auto") return std::nullopt;
  if (c.distribution.devices < 0) {
    throw UsageError(fmt::format("--devices is {}, expected 1 or more", c.distribution.devices));
  }
  if (rank != nullptr && c.distribution.devices > 0 && c.distribution.devices != rank->size()) {
    throw UsageError(fmt::format("--devices is {}, but {} ranks were started", c.distribution.devices, rank->size()));
  }
  const pipeline::DeviceSetting setting = find_devices(c, c.distribution.devices, rank);
  AutoChoice choice;
  if (rank == nullptr || rank->rank() == 0) {
    const bool fewer = rank == nullptr && c.training.distribution.link.mbps == 0;
    choice.predictions = predict_all(c, data, setting, fewer);
    choice.topology = pipeline::best_of(choice.predictions).topology;
    std::stable_sort(choice.predictions.begin(), choice.predictions.end(), [&](const auto& a, const auto& b) {
      const bool first = a.topology == choice.topology;
      return first != (b.topology == choice.topology) ? first : a.epoch_ms < b.epoch_ms;
    });
  }
  if (rank != nullptr) {
    // Timings are rank 0's; all must choose alike.
    pipeline::Communicator communicator(*rank, {}, core::MemoryPool::create());
    const Topology& t = choice.topology;
    std::istringstream text(communicator.broadcast_text(fmt::format("{} {} {}", t.stages, t.parts, t.chunks)));
    text >> choice.topology.stages >> choice.topology.parts >> choice.topology.chunks;
  }
  if (!choice.predictions.empty()) add_notes(c, choice, setting);
  take(c, choice.topology);
  return choice;
}

std::string prediction_text(const AutoChoice& choice, double epoch_ms, double bytes_per_epoch) {
  if (choice.predictions.empty()) return {};
  return fmt::format("--mode auto predicted {} an epoch; observed {} ms and {}\n",
                     cost_text(choice.predictions.front()), ms_text(epoch_ms), bytes_text(bytes_per_epoch));
}

}  // namespace laminar::apps
