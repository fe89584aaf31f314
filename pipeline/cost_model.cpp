#include "laminar/pipeline/cost_model.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <thread>
#include <tuple>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/pipeline/calibration.hpp"
#include "laminar/pipeline/device_program.hpp"
#include "laminar/pipeline/link_probe.hpp"
#include "laminar/pipeline/model_graph.hpp"
#include "laminar/pipeline/part_map.hpp"
#include "laminar/pipeline/rehearsal.hpp"
#include "laminar/pipeline/stage_cut.hpp"

namespace laminar::pipeline {
namespace {

// More chunks a stage make the bubble smaller, and history staler and slices smaller.
constexpr std::array<Index, 3> kChunksPerStage = {4, 8, 16};
constexpr Index kMostChunksBeyond = 32;
// Predictions that differ by less are equally good: they are measured, and so no better than a repeated measurement.
constexpr double kAlike = 1.05;

using Labels = std::shared_ptr<const std::vector<std::int32_t>>;

/// The part, or chunk, of each vertex in the file's order.
Labels labels_of(const CutGraph& cut, bool chunks) {
  const partition::Layout& layout = cut.layout;
  auto labels = std::make_shared<std::vector<std::int32_t>>(static_cast<std::size_t>(layout.num_vertices()));
  for (Index v = 0; v < layout.num_vertices(); ++v) {
    const auto vertex = static_cast<core::VertexId>(v);
    const Index label = chunks ? layout.chunk_of(vertex) : layout.part_of(vertex);
    (*labels)[static_cast<std::size_t>(layout.file_ids()[static_cast<std::size_t>(v)])] =
        static_cast<std::int32_t>(label);
  }
  return labels;
}

/// Seconds that a thread waits beyond the link, in microseconds.
double wake_up_us() {
  auto ends = make_local_transports(2);
  std::thread other([&] { measure_network(*ends[1]); });
  const double latency_us = measure_network(*ends[0]).link.latency_us;
  other.join();
  return latency_us;
}

}  // namespace

std::string_view mode_of(const Topology& t) {
  if (t.stages > 1) return t.parts > 1 ? "hybrid" : "pipeline";
  return t.parts > 1 ? "graph" : "single";
}

DeviceSetting devices_in_this_process(Index devices, int threads, const LinkOptions& link) {
  const core::Arena arena(threads);
  const core::Arena all(0);
  DeviceSetting setting;
  setting.host_of.assign(static_cast<std::size_t>(devices), 0);
  setting.cores_per_host = all.threads();
  // As Trainer shares them out.
  setting.threads_per_device = std::max(1, arena.threads() / static_cast<int>(std::max<Index>(devices, 1)));
  setting.link = link;
  if (devices > 1) setting.link.latency_us += wake_up_us();
  setting.rehearsed_link = link;
  return setting;
}

double CostPrediction::busy_share() const {
  if (devices.empty() || epoch_ms <= 0) return 0;
  double busy = 0;
  for (const DeviceTimes& d : devices) busy += d.busy_ms;
  return busy / (epoch_ms * static_cast<double>(devices.size()));
}

std::vector<Topology> candidate_topologies(const CandidateOptions& o, Index num_layers, Index num_vertices) {
  std::set<std::tuple<Index, Index, Index, Index>> found;
  for (Index devices = o.devices; devices >= 1; devices = o.fewer ? devices / 2 : 0) {
    for (Index stages = 1; stages <= std::min(devices, num_layers); ++stages) {
      const Index parts = devices / stages;
      if (devices % stages != 0 || parts > num_vertices) continue;
      if (o.stages.value_or(stages) != stages || o.parts.value_or(parts) != parts) continue;
      if (o.chunks) {
        found.emplace(devices, stages, *o.chunks, parts);
        continue;
      }
      if (stages == 1) {
        found.emplace(devices, stages, 1, parts);
        continue;
      }
      for (const Index a_stage : kChunksPerStage) {
        const Index chunks = a_stage * stages;
        if (a_stage == kChunksPerStage.back() && chunks > kMostChunksBeyond) continue;
        // A slice of a vertex or two is no work.
        if (chunks * parts * 4 <= num_vertices) found.emplace(devices, stages, chunks, parts);
      }
    }
  }
  std::vector<Topology> topologies;
  for (const auto& [devices, stages, chunks, parts] : found) topologies.push_back({stages, parts, chunks});
  return topologies;
}

struct CostModel::Impl {
  layers::ModelOptions model;
  const core::Dataset& data;
  TrainOptions options;
  DeviceSetting setting;
  std::shared_ptr<const core::Graph> graph;
  MessageCosts message;
  /// By threads a device.
  std::map<int, double> speedups;
  /// What was cut and timed, for other topologies that share it.
  std::map<Index, Labels> parts;
  std::map<std::pair<Index, Index>, Labels> chunks;
  /// Also by how many devices share the host.
  std::map<std::tuple<Index, Index, Index>, Calibration> calibrations;

  Plan plan_of(const Topology& topology) {
    TrainOptions o = options;
    o.distribution.topology = topology;
    const std::pair key{topology.parts, topology.chunks};
    if (const auto at = parts.find(topology.parts); at != parts.end()) o.distribution.part_of = at->second;
    if (const auto at = chunks.find(key); at != chunks.end()) o.distribution.chunk_of = at->second;
    Plan plan;
    core::Arena arena(0);
    arena.execute([&] { plan = make_plan(model, data.schema(), *graph, o); });
    if (topology.parts > 1) parts.emplace(topology.parts, labels_of(*plan.cut, false));
    if (topology.chunks > 1) chunks.emplace(key, labels_of(*plan.cut, true));
    return plan;
  }

  /// Devices of `t` that run on the first one's host, which is timed.
  Index beside_the_first(const Topology& t) const {
    const auto end = setting.host_of.begin() + t.devices();
    return std::count(setting.host_of.begin(), end, setting.host_of.front());
  }
  int threads_of(const Topology& t) const {
    const auto all = static_cast<int>(setting.host_of.size()) * setting.threads_per_device;
    const bool one_host = std::all_of(setting.host_of.begin(), setting.host_of.end(), [](Index h) { return h == 0; });
    // Devices of one process share its threads; ranks have their own.
    return one_host ? std::max(setting.threads_per_device, all / static_cast<int>(t.devices()))
                    : setting.threads_per_device;
  }
  double speedup_of(int threads) {
    const int useful = std::min(threads, static_cast<int>(setting.cores_per_host));
    const auto at = speedups.find(useful);
    if (at != speedups.end()) return at->second;
    return speedups[useful] = measure_speedup(model, data, options, useful);
  }
};

CostModel::CostModel(const layers::ModelOptions& model, const core::Dataset& data, const TrainOptions& options,
                     DeviceSetting setting)
    : impl_(new Impl{model, data, options, std::move(setting), model_graph(model, data), {}, {}, {}, {}, {}}) {
  const std::vector<Index>& hosts = impl_->setting.host_of;
  if (hosts.size() == 1) return;
  impl_->message = measure_messages(options.distribution.compression.stage, core::computed(model.precision),
                                    std::count(hosts.begin(), hosts.end(), hosts.front()),
                                    options.distribution.link.mbps > 0 || options.distribution.link.latency_us > 0);
}

CostModel::~CostModel() = default;

CostPrediction CostModel::predict(const Topology& topology) {
  Impl& m = *impl_;
  if (topology.devices() > static_cast<Index>(m.setting.host_of.size())) {
    throw Error(fmt::format("[cost model] {} devices were asked for, but it knows where {} are", topology.devices(),
                            m.setting.host_of.size()));
  }
  const Plan plan = m.plan_of(topology);
  const std::vector<double> slices = slice_costs(*plan.cut, row_cost(m.model, m.data.schema()));
  const Index beside = std::max<Index>(m.beside_the_first(topology), 1);
  const std::tuple key{topology.parts, topology.chunks, beside};
  auto at = m.calibrations.find(key);
  if (at == m.calibrations.end()) {
    at = m.calibrations.emplace(key, calibrate(m.model, m.data, m.options, plan, slices, beside)).first;
  }
  StepCosts costs = at->second.costs;
  costs.message_ms = m.message.message_ms;
  costs.number_ms = m.message.number_ms;
  const TrafficShape shape = traffic_shape(m.model, m.data.schema(), plan.history.staleness > 0);
  // Orders differ from epoch to epoch, but chunks cost about the same.
  const EpochPrograms programs =
      make_programs(plan, shape, costs, slices, m.options.distribution.compression, plan.order_of(m.options.seed, 1));
  SimulatedMachine machine;
  machine.host_of = m.setting.host_of;
  machine.cores = m.setting.cores_per_host;
  machine.speedup = m.speedup_of(m.threads_of(topology));
  machine.link = m.setting.link;
  const bool crowded = static_cast<double>(topology.devices()) > m.setting.cores_per_host;
  const SimulatedEpoch epoch = crowded && m.setting.rehearsed_link
                                   ? rehearse(programs.devices, *m.setting.rehearsed_link)
                                   : simulate(programs.devices, machine);

  CostPrediction p;
  p.topology = topology;
  p.epoch_ms = epoch.epoch_ms;
  p.devices = epoch.devices;
  p.ledger = programs.ledger;
  for (const DeviceProgram& program : programs.devices) {
    for (const Operation& op : program) {
      p.core_ms += op.core_ms;
      if (op.kind == Operation::Kind::kSend) ++p.messages;
    }
  }
  const auto stages = static_cast<double>(topology.stages);
  p.bubble = (stages - 1) / (static_cast<double>(topology.chunks) + stages - 1);
  Index most_layers = 0;
  for (Index d = 0; d < topology.devices(); ++d) {
    const DevicePlace place = plan.place(d);
    most_layers = std::max(most_layers, place.layer_end - place.layer_begin);
  }
  Index most_rows = 0;
  const auto n = static_cast<double>(std::max<Index>(m.graph->num_vertices(), 1));
  for (Index part = 0; part < topology.parts; ++part) {
    const PartMap map(*plan.cut, part);
    most_rows = std::max(most_rows, map.num_rows());
    // A halo's gradients come back along the same rows.
    p.h_in += static_cast<double>(map.halo().size()) / n;
  }
  p.h_out = p.h_in;
  p.table_bytes =
      static_cast<std::uint64_t>(at->second.table_bytes_per_row * static_cast<double>(most_rows * most_layers));
  return p;
}

const CostPrediction& best_of(std::span<const CostPrediction> predictions) {
  if (predictions.empty()) throw Error("[cost model] there is nothing to choose from");
  double fastest = predictions.front().epoch_ms;
  for (const CostPrediction& p : predictions) fastest = std::min(fastest, p.epoch_ms);
  const CostPrediction* best = nullptr;
  for (const CostPrediction& p : predictions) {
    if (p.epoch_ms > kAlike * fastest) continue;
    if (best == nullptr || std::pair(p.messages, p.bytes()) < std::pair(best->messages, best->bytes())) best = &p;
  }
  return *best;
}

}  // namespace laminar::pipeline
