#include "laminar/apps/distribution_options.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/core/error.hpp"

namespace laminar::apps {
namespace {

using core::Index;
using pipeline::DistributionOptions;

// (S - 1) / (K + S - 1) is idle: with eight chunks a stage about a tenth.
constexpr Index kChunksPerStage = 8;

std::vector<Index> parse_places(const std::string& text) {
  std::vector<Index> places;
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    Index place = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + comma, place);
    if (error != std::errc() || end != text.data() + comma) {
      throw UsageError(
          "expected auto, measured (in training), even, or first layers of the later stages such as 4,8,12");
    }
    places.push_back(place);
    at = comma + 1;
  }
  return places;
}

using Adder = std::function<void(Option)>;

Option spread(Option o) {
  o.scope = Scope::kSpread;
  return o;
}

}  // namespace

namespace {

Adder adder_of(CommandLine& line) {
  return [&line](Option o) { line.add(spread(std::move(o))); };
}

void add_modes(CommandLine& line, DistributionOptions& d, DistributionRequest& r, bool training) {
  line.group("Devices");
  const auto add = adder_of(line);
  Option mode =
      option("mode", r.mode, "NAME",
             training ? "how the work is spread: single, pipeline (stages of layers, chunks flow through them), graph "
                        "(parts of the graph), hybrid (both), or auto: what should be fastest here (default: what "
                        "the numbers below say)"
                      : "how the work is spread: single, pipeline (stages of layers), graph (parts of the graph) or "
                        "hybrid (both; default: what the numbers below say)");
  mode.get = nullptr;  // the numbers that it stands for are dumped
  add(std::move(mode));
  Option devices =
      option("devices", r.devices, "N", "devices to use; under mpirun the ranks (default: as the mode needs)");
  devices.get = nullptr;
  add(std::move(devices));
  add(option("stages", d.topology.stages, "S",
             "groups of consecutive layers; --mode pipeline makes as many as --devices, or 2"));
  add(option("partitions", d.topology.parts, "P",
             "parts of the graph; devices are S x P; --mode graph makes as many as --devices, or 2"));
  if (training)
    add(option("chunks", d.topology.chunks, "K",
               "chunks of the graph that flow through the stages; --mode pipeline and hybrid make 8 a stage"));
  add(option(
      "partition", d.partition, "NAME",
      "strategy that cuts the graph into parts, a partition saved in the graph file, or a file with one part a line"));
  Option cut =
      option("stage-cut", r.stage_cut, "CUT",
             training ? "auto (by estimated cost), measured (by times taken before the training), even, or the "
                        "first layers of the later stages, e.g. 4,8,12"
                      : "auto (by estimated cost), even, or the first layers of the later stages, e.g. 4,8,12");
  cut.set = [&d, &r, training](const std::string& text) {
    // What a checkpoint's training has measured stays.
    if (text != "measured" || !d.stage_cut.measured) d.stage_cut = {};
    if (text == "even") {
      d.stage_cut.even = true;
    } else if (text == "measured" && training) {
      d.stage_cut.measured = true;
    } else if (text != "auto") {
      d.stage_cut.at = parse_places(text);
    }
    r.stage_cut = text;
  };
  cut.get = [&d] {
    if (!d.stage_cut.at.empty()) return fmt::format("{}", fmt::join(d.stage_cut.at, ","));
    return std::string(d.stage_cut.measured ? "measured" : d.stage_cut.even ? "even" : "auto");
  };
  add(std::move(cut));
  if (training) {
    add(option(
        "order", d.order, "NAME",
        "how vertices stand in memory where there is one chunk: file, rcm (reverse Cuthill-McKee), community, or "
        "auto (community where that should pay within five epochs); results differ by rounding only",
        pipeline::vertex_order_from_name));
  }
}

void add_link(CommandLine& line, DistributionOptions& d) {
  const auto add = adder_of(line);
  add(option("link-mbps", d.link.mbps, "X",
             "in one process: devices talk as through ports of this rate, in 10^6 bit/s each way; 0 = through memory"));
  add(option("link-latency-us", d.link.latency_us, "X", "and with this delay, in microseconds"));
}

}  // namespace

void add_prediction_devices(CommandLine& line, DistributionOptions& d, DistributionRequest& r) {
  add_modes(line, d, r, false);
  add_link(line, d);
}

void add_distribution_options(CommandLine& line, DistributionOptions& d, DistributionRequest& r) {
  add_modes(line, d, r, true);
  const auto add = adder_of(line);
  add(option("schedule", d.schedule, "NAME",
             "all-forward (all chunks forward, then all backward), 1f1b (fewer live activations); exact: sequential, "
             "wavefront",
             pipeline::schedule_from_name));
  add(option("staleness", d.history.staleness, "N",
             "1: a chunk takes last epoch's rows of chunks that come later; 0: it waits for them (exact)"));
  add(option("gradient-mode", d.history.mode, "NAME",
             "gradient between chunks: compensated, truncated, detached or rescaled",
             pipeline::gradient_mode_from_name));
  add(option("history-gradient", d.history.gradient, "NAME",
             "how it is computed: look (look-ahead, any layer), pull (linear ones), auto",
             pipeline::history_gradient_from_name));
  Option order = option("chunk-order", r.chunk_order, "NAME", "shuffled (anew every epoch) or fixed");
  order.set = [&d](const std::string& text) {
    if (text != "shuffled" && text != "fixed") throw UsageError("expected shuffled or fixed");
    d.history.shuffle = text == "shuffled";
  };
  order.get = [&d] { return std::string(d.history.shuffle ? "shuffled" : "fixed"); };
  add(std::move(order));
  add(option("history-refresh", d.history.refresh_every, "N",
             "fill the history by an exact pass every so many epochs; 0 = never"));
  add(option("history-smoothing", d.history.smoothing, "X",
             "share of the old row that stays in the history, 0 <= X < 1"));
  add(option("history-freeze", d.history.freeze, "N",
             "the history takes new rows every so many epochs only; 0 = in all"));
  Option compress =
      option("compress", r.compress, "CODEC",
             "of all that travels: native, bf16, or int8 (a scale a row, stochastic rounding); the next three "
             "override it");
  compress.set = [&d](const std::string& text) {
    d.compression.stage = d.compression.halo = d.compression.weights = pipeline::codec_from_name(text);
  };
  compress.get = nullptr;
  add(std::move(compress));
  add(option("compress-stage", d.compression.stage, "CODEC", "between stages", pipeline::codec_from_name));
  add(option("compress-halo", d.compression.halo, "CODEC", "between parts", pipeline::codec_from_name));
  add(option("compress-weights", d.compression.weights, "CODEC", "gradients of weights", pipeline::codec_from_name));
  add(option("history-dtype", d.history.dtype, "NAME",
             "how rows and gradients are kept for the next epoch: native (as --precision says), float32, or bfloat16 "
             "(half the bytes of float32)",
             pipeline::store_type_from_name));
  add(option(
      "gradient-fidelity", d.fidelity_every, "N",
      "every so many epochs compare the gradient with the exact one of the same weights, at the cost of an exact "
      "pass; 0 = never"));
  add(flag("stale-halos", d.halo.stale,
           "graph: rows and gradients of other parts are last epoch's, so that nobody waits for them (PipeGCN)"));
  add(option("halo-smoothing", d.halo.row_smoothing, "X",
             "share of the old rows that stays in what stale halos use, 0 <= X < 1"));
  add(option("halo-gradient-smoothing", d.halo.gradient_smoothing, "X", "the same for gradients"));
  add(option("boundary-rate", d.halo.rate, "P",
             "a random share of the rows between parts is sent each epoch and counts 1/P times; for sums and means "
             "(BNS-GCN)"));
  Option overlap = flag("no-overlap", r.no_overlap, "graph: wait for the neighbours' rows before computing any");
  overlap.set = [&d](const std::string& text) { d.overlap = text == "false"; };
  overlap.get = [&d] { return std::string(d.overlap ? "" : "true"); };
  add(std::move(overlap));
  add_link(line, d);
}

void resolve_topology(const GivenValues& given, Index ranks, const DistributionRequest& r, DistributionOptions& d) {
  pipeline::Topology& t = d.topology;
  const bool has_stages = given.contains("stages");
  const bool has_parts = given.contains("partitions");
  const bool has_chunks = given.contains("chunks");
  if (r.devices < 0) throw UsageError(fmt::format("--devices is {}, expected 1 or more", r.devices));
  if (ranks > 0 && r.devices > 0 && r.devices != ranks) {
    throw UsageError(fmt::format("--devices is {}, but {} ranks were started", r.devices, ranks));
  }
  const Index devices = ranks > 0 ? ranks : r.devices;
  std::string mode = r.mode;
  if (mode.empty() && devices > 0 && !has_stages && !has_parts) mode = devices == 1 ? "single" : "pipeline";
  const auto refuse = [&](bool wrong, const char* what) {
    if (wrong) throw UsageError(fmt::format("--mode {} {}", mode, what));
  };
  if (mode == "single") {
    refuse((has_stages && t.stages > 1) || (has_parts && t.parts > 1) || devices > 1, "is one device");
    t.stages = t.parts = 1;
    if (!has_chunks) t.chunks = 1;
  } else if (mode == "pipeline") {
    refuse(has_parts && t.parts > 1, "has no --partitions; hybrid has both");
    t.parts = 1;
    if (!has_stages) t.stages = devices > 0 ? devices : 2;
    if (!has_chunks) t.chunks = kChunksPerStage * t.stages;
  } else if (mode == "graph") {
    refuse(has_stages && t.stages > 1, "has no --stages; hybrid has both");
    t.stages = 1;
    if (!has_parts) t.parts = devices > 0 ? devices : 2;
    if (!has_chunks) t.chunks = 1;
  } else if (mode == "hybrid") {
    if (!has_stages && !has_parts) {
      const Index all = devices > 0 ? devices : 4;
      for (t.stages = 1; (t.stages + 1) * (t.stages + 1) <= all; ++t.stages) {
      }
      while (all % t.stages != 0) --t.stages;
      t.parts = all / t.stages;
    } else if (!has_parts) {
      t.parts = devices > 0 ? std::max<Index>(1, devices / std::max<Index>(1, t.stages)) : 2;
    } else if (!has_stages) {
      t.stages = devices > 0 ? std::max<Index>(1, devices / std::max<Index>(1, t.parts)) : 2;
    }
    if (!has_chunks) t.chunks = kChunksPerStage * t.stages;
  } else if (!mode.empty() && mode != "auto") {
    throw UsageError(fmt::format("--mode {}: expected single, pipeline, graph, hybrid or auto", mode));
  }
  if (mode == "auto") return;
  if (devices > 0 && t.devices() != devices) {
    throw UsageError(fmt::format("{} stages x {} parts are {} devices, but there are {} {}", t.stages, t.parts,
                                 t.devices(), devices, ranks > 0 ? "ranks" : "--devices"));
  }
}

std::string choose_training_defaults(const GivenValues& given, pipeline::TrainOptions& t) {
  const DistributionOptions& d = t.distribution;
  if (d.topology.chunks == 1 || d.history.staleness == 0 || !pipeline::uses_history(d.schedule)) return {};
  std::vector<std::string> chosen;
  if (t.optimizer.kind != core::OptimizerKind::kSgd && !given.contains("beta1")) {
    t.optimizer.beta1 = 0.5;
    chosen.emplace_back("--beta1 0.5");
  }
  if (!given.contains("lr-schedule")) {
    t.learning_rate.schedule = core::LearningRateSchedule::kCosine;
    chosen.emplace_back("--lr-schedule cosine");
  }
  if (chosen.empty()) return {};
  return fmt::format("with history {} trains better and is the default here; your own choice wins",
                     fmt::join(chosen, " "));
}

}  // namespace laminar::apps
