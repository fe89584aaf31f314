#include "laminar/apps/run_json.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "laminar/pipeline/config.hpp"

namespace laminar::apps {
namespace {

using nlohmann::ordered_json;

std::string_view text_of(pipeline::Ending ending) {
  switch (ending) {
    case pipeline::Ending::kAllEpochs:
      return "all-epochs";
    case pipeline::Ending::kEarlyStop:
      return "early-stop";
    case pipeline::Ending::kStopAfter:
      return "stop-after";
    case pipeline::Ending::kInterrupted:
      break;
  }
  return "interrupted";
}

ordered_json to_json(const pipeline::EpochRecord& e) {
  ordered_json j = {{"epoch", e.epoch}, {"loss", e.loss}, {"learning_rate", e.learning_rate}};
  j["gradient_norm"] = e.gradient_norm;
  if (e.evaluated) {
    j["train_metric"] = e.evaluation.train_metric;
    j["val_metric"] = e.evaluation.val_metric;
    j["test_metric"] = e.evaluation.test_metric;
    j["val_loss"] = e.evaluation.val_loss;
    j["evaluation_ms"] = e.evaluation_ms;
  }
  j["epoch_ms"] = e.epoch_ms;
  j["forward_ms"] = e.forward_ms;
  j["loss_ms"] = e.loss_ms;
  j["backward_ms"] = e.backward_ms;
  j["recompute_ms"] = e.recompute_ms;
  j["optimizer_ms"] = e.optimizer_ms;
  j["bytes"] = e.bytes;
  // Empty on one device.
  if (!e.devices.empty()) {
    for (std::size_t c = 0; c < pipeline::kNumCauses; ++c) {
      const std::string cause(name_of(static_cast<pipeline::Cause>(c)));
      j["bytes_by_cause"][cause] = e.ledger.bytes[c];
      j["messages_by_cause"][cause] = e.ledger.messages[c];
    }
    j["devices"] = ordered_json::array();
    for (const pipeline::DeviceTimes& d : e.devices) {
      j["devices"].push_back({{"busy_ms", d.busy_ms}, {"wait_ms", d.wait_ms}, {"send_ms", d.send_ms}});
    }
  }
  if (!e.staleness.empty()) j["staleness"] = e.staleness;
  if (!e.layer_fidelity.empty()) {
    const auto pair_of = [](const pipeline::GradientFidelity& f) {
      return ordered_json{{"cosine", f.cosine}, {"relative_error", f.relative_error}};
    };
    j["gradient_fidelity"] = pair_of(e.fidelity);
    j["gradient_fidelity"]["layers"] = ordered_json::array();
    for (const pipeline::GradientFidelity& f : e.layer_fidelity) {
      j["gradient_fidelity"]["layers"].push_back(pair_of(f));
    }
    j["gradient_fidelity"]["ms"] = e.fidelity_ms;
  }
  return j;
}

ordered_json peaks(const std::array<std::size_t, core::kNumMemoryPurposes>& peak_bytes, std::size_t total) {
  ordered_json j;
  for (std::size_t i = 0; i < core::kNumMemoryPurposes; ++i) {
    j[std::string(name_of(static_cast<core::MemoryPurpose>(i)))] = peak_bytes[i];
  }
  j["total"] = total;
  return j;
}

ordered_json to_json(const std::vector<pipeline::PairFigure>& figures) {
  ordered_json j;
  for (const pipeline::PairFigure& f : figures) j[f.name] = {{"val", f.val}, {"test", f.test}};
  return j;
}

ordered_json to_json(const pipeline::TrainResult& r) {
  ordered_json j = {{"split", r.split},
                    {"seed", r.seed},
                    {"ending", text_of(r.ending)},
                    {"loss", r.loss},
                    {"best_epoch", r.best_epoch},
                    {"train_metric", r.best.train_metric},
                    {"val_metric", r.best.val_metric},
                    {"test_metric", r.best.test_metric},
                    {"val_loss", r.best.val_loss},
                    {"epoch_ms", r.epoch_ms},
                    {"bytes_per_epoch", r.bytes_per_epoch}};
  j["topology"] = {{"stages", r.topology.stages},
                   {"parts", r.topology.parts},
                   {"chunks", r.topology.chunks},
                   {"devices", r.topology.devices()}};
  j["remarks"] = r.remarks;
  j["peak_bytes"] = peaks(r.peak_bytes, r.peak_bytes_total);
  j["peak_bytes_by_device"] = ordered_json::array();
  for (const pipeline::DeviceMemory& m : r.device_memory) {
    j["peak_bytes_by_device"].push_back(peaks(m.peak_bytes, m.peak_bytes_total));
  }
  j["graph_bytes"] = r.graph_bytes;
  if (r.topology.devices() > 1) {
    for (std::size_t c = 0; c < pipeline::kNumCauses; ++c) {
      const std::string cause(name_of(static_cast<pipeline::Cause>(c)));
      j["sent_bytes_by_cause"][cause] = r.sent.bytes[c];
    }
  }
  // Row-major by true class; the number of classes is its root.
  j["test_confusion"] = r.confusion;
  for (const pipeline::LabelCounts& c : r.label_counts) {
    j["test_labels"].push_back({{"true_positives", c.true_positives},
                                {"false_positives", c.false_positives},
                                {"false_negatives", c.false_negatives}});
  }
  if (!r.links.empty()) j["links"] = to_json(r.links);
  j["epochs"] = ordered_json::array();
  for (const pipeline::EpochRecord& e : r.epochs) j["epochs"].push_back(to_json(e));
  return j;
}

ordered_json to_json(const core::DatasetSchema& s, const std::filesystem::path& file) {
  return {{"file", file.string()},
          {"name", s.name},
          {"vertices", s.num_vertices},
          {"edges", s.num_edges},
          {"directed", s.directed},
          {"weighted", s.weighted},
          {"features", s.num_features},
          {"sparse_features", s.sparse_features},
          {"learned_features", s.num_learned},
          {"task", name_of(s.task)},
          {"outputs", s.num_outputs},
          {"output_names", s.output_names},
          {"splits", s.split_names}};
}

ordered_json to_json(const Machine& m) {
  return {{"cpu_model", m.cpu_model},
          {"cores", m.cores},
          {"threads", m.threads},
          {"memory_bytes", m.memory_bytes},
          {"os", m.os},
          {"compiler", m.compiler},
          {"gemm_library", m.gemm_library},
          {"time_utc", m.time_utc}};
}

ordered_json to_json(const pipeline::Spread& s) { return {{"mean", s.mean}, {"std", s.std}}; }

}  // namespace

std::string run_json(const RunJson& run) {
  ordered_json j = {{"program", "laminar-train"}, {"version", run.machine.version}};
  j["configuration"] = ordered_json::parse(pipeline::to_json(*run.model, *run.options));
  j["weights"] = run.num_weights;
  j["recompute"] = {{"recomputes", run.recompute.recomputes}, {"why", run.recompute.why}};
  j["dataset"] = to_json(*run.schema, run.graph);
  j["machine"] = to_json(run.machine);
  j["runs"] = ordered_json::array();
  for (const pipeline::TrainResult& r : *run.results) j["runs"].push_back(to_json(r));
  for (std::size_t i = 0; i < std::min(run.baselines.size(), run.results->size()); ++i) {
    for (const PairBaseline& b : run.baselines[i]) j["runs"][i]["link_baselines"][b.name] = to_json(b.figures);
  }
  const pipeline::Summary& s = run.summary;
  j["summary"] = {{"metric", name_of(s.metric)},
                  {"loss", s.loss},
                  {"train_metric", to_json(s.train_metric)},
                  {"val_metric", to_json(s.val_metric)},
                  {"test_metric", to_json(s.test_metric)},
                  {"best_epoch", s.best_epoch},
                  {"epoch_ms", s.epoch_ms},
                  {"bytes_per_epoch", s.bytes_per_epoch},
                  {"peak_rss_mib", run.peak_rss_mib}};
  for (const pipeline::PairSpread& f : s.links) {
    j["summary"]["links"][f.name] = {{"val", to_json(f.val)}, {"test", to_json(f.test)}};
  }
  // Names come from files and may be no valid UTF-8.
  return j.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace laminar::apps
