#include "laminar/pipeline/config.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "laminar/core/error.hpp"
#include "laminar/core/initializer.hpp"

namespace laminar::pipeline {

using nlohmann::json;

std::string to_json(const layers::ModelOptions& m, const TrainOptions& t) {
  json model = {{"layer", m.layer},
                {"layers", m.layers},
                {"hidden", m.hidden},
                {"dropout", m.dropout},
                {"input_dropout", m.input_dropout},
                {"activation", core::name_of(m.activation)},
                {"residual", m.residual},
                {"norm", layers::name_of(m.norm)},
                {"jumping", layers::name_of(m.jumping)},
                {"normalize_features", m.normalize_features},
                {"initializer", m.initializer ? std::string(core::name_of(*m.initializer)) : "default"},
                {"precision", core::name_of(m.precision)},
                {"decoder", layers::name_of(m.decoder)},
                {"decoder_layers", m.decoder_layers},
                {"features", layers::name_of(m.input)},
                {"embedding_width", m.embedding_width},
                {"embedding_buckets", m.embedding_buckets},
                {"layer_options", json::object()}};
  for (const auto& [name, value] : m.layer_options) model["layer_options"][name] = value;
  const auto& o = t.optimizer;
  const auto& r = t.learning_rate;
  const json training = {{"epochs", t.epochs},
                         {"seed", t.seed},
                         {"split", t.split},
                         {"optimizer", core::name_of(o.kind)},
                         {"momentum", o.momentum},
                         {"nesterov", o.nesterov},
                         {"beta1", o.beta1},
                         {"beta2", o.beta2},
                         {"epsilon", o.epsilon},
                         {"weight_decay_convolution", o.weight_decay_convolution},
                         {"weight_decay_dense", o.weight_decay_dense},
                         {"learning_rate", r.base},
                         {"learning_rate_schedule", core::name_of(r.schedule)},
                         {"warmup_epochs", r.warmup_epochs},
                         {"final_fraction", r.final_fraction},
                         {"step_epochs", r.step_epochs},
                         {"gamma", r.gamma},
                         {"clip_norm", t.clip_norm},
                         {"class_weights", class_weights_text(t.loss)},
                         {"label_smoothing", t.loss.label_smoothing},
                         {"link_val", t.pairs.val},
                         {"link_test", t.pairs.test},
                         {"negatives", t.pairs.negatives},
                         {"eval_negatives", t.pairs.eval_negatives},
                         {"hits", t.pairs.hits},
                         {"metric", t.metric ? std::string(core::name_of(*t.metric)) : "default"},
                         {"eval_every", t.eval_every},
                         {"select", name_of(t.select)},
                         {"patience", t.patience}};
  const DistributionOptions& d = t.distribution;
  const HistoryOptions& h = d.history;
  const json distribution = {{"stages", d.topology.stages},
                             {"parts", d.topology.parts},
                             {"chunks", d.topology.chunks},
                             {"schedule", name_of(d.schedule)},
                             {"staleness", h.staleness},
                             {"gradient_mode", name_of(h.mode)},
                             {"history_gradient", name_of(h.gradient)},
                             {"shuffle", h.shuffle},
                             {"refresh_every", h.refresh_every},
                             {"smoothing", h.smoothing},
                             {"freeze", h.freeze},
                             {"history_dtype", name_of(h.dtype)},
                             {"stale_halos", d.halo.stale},
                             {"halo_smoothing", d.halo.row_smoothing},
                             {"halo_gradient_smoothing", d.halo.gradient_smoothing},
                             {"boundary_rate", d.halo.rate},
                             {"fidelity_every", d.fidelity_every},
                             {"stage_cut_even", d.stage_cut.even},
                             {"stage_cut_measured", d.stage_cut.measured},
                             {"stage_cut", d.stage_cut.at},
                             {"partition", d.partition},
                             {"overlap", d.overlap},
                             {"order", name_of(d.order)},
                             {"compress_stage", name_of(d.compression.stage)},
                             {"compress_halo", name_of(d.compression.halo)},
                             {"compress_weights", name_of(d.compression.weights)}};
  return json{{"model", model}, {"training", training}, {"distribution", distribution}}.dump(
      2, ' ', false, json::error_handler_t::replace);
}

void from_json(const std::string& text, layers::ModelOptions& m, TrainOptions& t) {
  try {
    const json all = json::parse(text);
    const json& model = all.at("model");
    model.at("layer").get_to(m.layer);
    model.at("layers").get_to(m.layers);
    model.at("hidden").get_to(m.hidden);
    model.at("dropout").get_to(m.dropout);
    model.at("input_dropout").get_to(m.input_dropout);
    m.activation = core::activation_from_name(model.at("activation").get<std::string>());
    model.at("residual").get_to(m.residual);
    // Younger than the first checkpoints.
    m.norm =
        model.contains("norm") ? layers::norm_from_name(model.at("norm").get<std::string>()) : layers::Norm::kDefault;
    m.jumping = model.contains("jumping") ? layers::jumping_from_name(model.at("jumping").get<std::string>())
                                          : layers::Jumping::kNone;
    model.at("normalize_features").get_to(m.normalize_features);
    const auto initializer = model.at("initializer").get<std::string>();
    m.initializer.reset();
    if (initializer != "default") m.initializer = core::initializer_from_name(initializer);
    m.precision = core::dtype_from_name(model.at("precision").get<std::string>());
    m.decoder = layers::DecoderKind::kNone;
    if (model.contains("decoder")) {
      const auto decoder = model.at("decoder").get<std::string>();
      if (decoder != "none") m.decoder = layers::decoder_from_name(decoder);
      model.at("decoder_layers").get_to(m.decoder_layers);
    }
    m.input = layers::VertexInput::kGiven;
    if (model.contains("features")) {
      m.input = layers::vertex_input_from_name(model.at("features").get<std::string>());
      model.at("embedding_width").get_to(m.embedding_width);
      model.at("embedding_buckets").get_to(m.embedding_buckets);
    }
    m.layer_options.clear();
    for (const auto& [name, value] : model.at("layer_options").items())
      m.layer_options[name] = value.get<std::string>();

    const json& training = all.at("training");
    training.at("epochs").get_to(t.epochs);
    training.at("seed").get_to(t.seed);
    training.at("split").get_to(t.split);
    auto& o = t.optimizer;
    o.kind = core::optimizer_from_name(training.at("optimizer").get<std::string>());
    training.at("momentum").get_to(o.momentum);
    training.at("nesterov").get_to(o.nesterov);
    training.at("beta1").get_to(o.beta1);
    training.at("beta2").get_to(o.beta2);
    training.at("epsilon").get_to(o.epsilon);
    training.at("weight_decay_convolution").get_to(o.weight_decay_convolution);
    training.at("weight_decay_dense").get_to(o.weight_decay_dense);
    auto& r = t.learning_rate;
    training.at("learning_rate").get_to(r.base);
    r.schedule = core::learning_rate_schedule_from_name(training.at("learning_rate_schedule").get<std::string>());
    training.at("warmup_epochs").get_to(r.warmup_epochs);
    training.at("final_fraction").get_to(r.final_fraction);
    training.at("step_epochs").get_to(r.step_epochs);
    training.at("gamma").get_to(r.gamma);
    training.at("clip_norm").get_to(t.clip_norm);
    // Younger than the first checkpoints.
    t.loss = LossOptions();
    if (training.contains("class_weights")) {
      set_class_weights(training.at("class_weights").get<std::string>(), t.loss);
      training.at("label_smoothing").get_to(t.loss.label_smoothing);
    }
    t.pairs = PairOptions();
    if (training.contains("link_val")) {
      training.at("link_val").get_to(t.pairs.val);
      training.at("link_test").get_to(t.pairs.test);
      training.at("negatives").get_to(t.pairs.negatives);
      training.at("eval_negatives").get_to(t.pairs.eval_negatives);
      training.at("hits").get_to(t.pairs.hits);
    }
    const auto metric = training.at("metric").get<std::string>();
    t.metric.reset();
    if (metric != "default") t.metric = core::metric_from_name(metric);
    training.at("eval_every").get_to(t.eval_every);
    t.select = selection_from_name(training.at("select").get<std::string>());
    training.at("patience").get_to(t.patience);

    DistributionOptions& d = t.distribution;
    d = DistributionOptions();
    if (!all.contains("distribution")) return;
    const json& distribution = all.at("distribution");
    distribution.at("stages").get_to(d.topology.stages);
    distribution.at("parts").get_to(d.topology.parts);
    distribution.at("chunks").get_to(d.topology.chunks);
    d.schedule = schedule_from_name(distribution.at("schedule").get<std::string>());
    HistoryOptions& h = d.history;
    distribution.at("staleness").get_to(h.staleness);
    h.mode = gradient_mode_from_name(distribution.at("gradient_mode").get<std::string>());
    h.gradient = history_gradient_from_name(distribution.at("history_gradient").get<std::string>());
    distribution.at("shuffle").get_to(h.shuffle);
    distribution.at("refresh_every").get_to(h.refresh_every);
    distribution.at("smoothing").get_to(h.smoothing);
    distribution.at("freeze").get_to(h.freeze);
    // What is younger than the first checkpoints of several devices.
    const auto newer = [&](const char* name, auto& value) {
      if (distribution.contains(name)) distribution.at(name).get_to(value);
    };
    if (distribution.contains("history_dtype")) {
      h.dtype = store_type_from_name(distribution.at("history_dtype").get<std::string>());
    }
    newer("stage_cut_measured", d.stage_cut.measured);
    newer("fidelity_every", d.fidelity_every);
    newer("stale_halos", d.halo.stale);
    newer("halo_smoothing", d.halo.row_smoothing);
    newer("halo_gradient_smoothing", d.halo.gradient_smoothing);
    newer("boundary_rate", d.halo.rate);
    if (distribution.contains("order")) {
      d.order = vertex_order_from_name(distribution.at("order").get<std::string>());
    }
    distribution.at("stage_cut_even").get_to(d.stage_cut.even);
    distribution.at("stage_cut").get_to(d.stage_cut.at);
    distribution.at("partition").get_to(d.partition);
    distribution.at("overlap").get_to(d.overlap);
    d.compression.stage = codec_from_name(distribution.at("compress_stage").get<std::string>());
    d.compression.halo = codec_from_name(distribution.at("compress_halo").get<std::string>());
    d.compression.weights = codec_from_name(distribution.at("compress_weights").get<std::string>());
  } catch (const json::exception& e) {
    throw Error(fmt::format("the configuration can't be read: {}", e.what()));
  }
}

bool same_training(const layers::ModelOptions& model_a, const TrainOptions& a, const layers::ModelOptions& model_b,
                   const TrainOptions& b) {
  TrainOptions elsewhere = b;
  elsewhere.distribution = a.distribution;
  return to_json(model_a, a) == to_json(model_b, elsewhere);
}

}  // namespace laminar::pipeline
