#include "laminar/layers/model.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/dropout.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/initializer.hpp"
#include "laminar/core/layer_norm.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// The learnt gain and shift of a LayerNorm.
struct Norm {
  core::Parameter* gain;
  core::Parameter* shift;
  Var operator()(Tape& tape, Var x) const { return core::layer_norm(tape, x, *gain, *shift); }
};

Norm make_norm(LayerSetup& setup, const char* name) {
  const Index width = setup.in_width();
  return {&setup.parameter(fmt::format("{}_gain", name), 1, width, core::Initializer::kOnes),
          &setup.parameter(fmt::format("{}_shift", name), 1, width, core::Initializer::kZeros)};
}

void check(const ModelOptions& o, const core::DatasetSchema& schema) {
  const auto at_least_one = [](Index v, const char* name) {
    if (v < 1 || v > 1'000'000) throw UsageError(fmt::format("--{} is {}, expected 1 to 1000000", name, v));
  };
  at_least_one(o.layers, "layers");
  at_least_one(o.hidden, "hidden");
  for (const auto& [rate, name] : {std::pair{o.dropout, "dropout"}, std::pair{o.input_dropout, "input-dropout"}}) {
    if (!(rate >= 0 && rate < 1)) throw UsageError(fmt::format("--{} is {}, expected 0 <= rate < 1", name, rate));
  }
  if (schema.num_features < 1) {
    throw UsageError(fmt::format("'{}' has no vertex features, so there is nothing to learn from", schema.name));
  }
  if (schema.task == core::Task::kNone || schema.num_outputs < 1) {
    throw UsageError(fmt::format("'{}' has no labels, so there is nothing to learn", schema.name));
  }
}

}  // namespace

struct Model::Impl {
  ModelOptions options;
  bool carried_is_constant = false;
  Index num_inputs = 0;
  Index num_outputs = 0;
  Index num_carried = 0;
  core::ParameterList parameters;
  /// For each parameter the layer that declared it, or -1 for encoder and head.
  std::vector<Index> layer_of;
  Index num_encoder_parameters = 0;
  bool is_wrapped = false;
  std::optional<Linear> encoder;
  std::optional<Linear> head;
  std::optional<Norm> head_norm;
  /// One a layer; empty for layers that are not held, norms also for models without.
  std::vector<std::optional<Norm>> norms;
  std::vector<std::unique_ptr<Layer>> layers;

  /// gcnii's representation starts as relu(x W); residual blocks activate their input themselves.
  bool encoder_activated() const { return !options.residual; }
};

Model::Model(const ModelOptions& options, const core::DatasetSchema& schema, core::MemoryPool* pool,
             const ModelPart& part)
    : impl_(std::make_unique<Impl>()) {
  check(options, schema);
  const Index part_end = part.layer_end < 0 ? options.layers : part.layer_end;
  if (part.layer_begin < 0 || part.layer_begin > part_end || part_end > options.layers) {
    throw Error(fmt::format("[model] layers {}..{} of {}", part.layer_begin, part_end, options.layers));
  }
  Impl& m = *impl_;
  m.options = options;
  m.num_inputs = schema.num_features;
  m.num_outputs = schema.num_outputs;
  const LayerInfo& info = Registry::instance().info(options.layer);
  m.num_carried = static_cast<Index>(info.carried.size());
  m.carried_is_constant =
      std::all_of(info.carried.begin(), info.carried.end(), [](const auto& c) { return c.constant; });
  // What is carried starts as the encoder's output.
  const bool wrapped = options.residual || info.constant_width || !info.carried.empty();
  static const LayerInfo kDense{.name = "dense", .summary = {}};
  const auto dense_setup = [&](const char* prefix, Index in, Index out) {
    return LayerSetup({.prefix = prefix,
                       .in_width = in,
                       .out_width = out,
                       .dtype = options.precision,
                       .pool = pool,
                       .group = core::ParameterGroup::kDense},
                      kDense, {}, m.parameters);
  };
  m.is_wrapped = wrapped;
  if (wrapped && (part.layer_begin == 0 || part.encoder)) {
    LayerSetup setup = dense_setup("encoder", m.num_inputs, options.hidden);
    m.encoder = setup.linear("weight");
  }
  m.layer_of.resize(m.parameters.size(), -1);
  m.num_encoder_parameters = static_cast<Index>(m.parameters.size());
  m.norms.resize(static_cast<std::size_t>(options.layers));
  m.layers.resize(static_cast<std::size_t>(options.layers));
  for (Index l = part.layer_begin; l < part_end; ++l) {
    const bool is_output = !wrapped && l == options.layers - 1;
    LayerSetup setup({.prefix = fmt::format("layers.{}", l),
                      .in_width = !wrapped && l == 0 ? m.num_inputs : options.hidden,
                      .out_width = is_output ? m.num_outputs : options.hidden,
                      .index = l,
                      .num_layers = options.layers,
                      .is_output = is_output,
                      .dtype = options.precision,
                      .pool = pool},
                     info, options.layer_options, m.parameters);
    if (options.residual) m.norms[static_cast<std::size_t>(l)] = make_norm(setup, "norm");
    m.layers[static_cast<std::size_t>(l)] = Registry::instance().make(options.layer, setup);
    m.layer_of.resize(m.parameters.size(), l);
  }
  if (wrapped && part_end == options.layers) {
    LayerSetup setup = dense_setup("head", options.hidden, m.num_outputs);
    if (options.residual) m.head_norm = make_norm(setup, "norm");
    m.head = setup.linear("weight");
  }
  m.layer_of.resize(m.parameters.size(), -1);
}

Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

const ModelOptions& Model::options() const { return impl_->options; }
Index Model::num_layers() const { return impl_->options.layers; }
Index Model::num_inputs() const { return impl_->num_inputs; }
Index Model::num_outputs() const { return impl_->num_outputs; }
Index Model::width_after(Index l) const { return l == num_layers() - 1 ? num_outputs() : impl_->options.hidden; }
Index Model::num_carried() const { return impl_->num_carried; }
bool Model::carried_is_constant() const { return impl_->carried_is_constant; }
bool Model::has_encoder() const { return impl_->is_wrapped; }
Index Model::layer_of(Index i) const { return impl_->layer_of[static_cast<std::size_t>(i)]; }
bool Model::is_of_encoder(Index i) const { return i < impl_->num_encoder_parameters; }
core::ParameterList& Model::parameters() { return impl_->parameters; }
const core::ParameterList& Model::parameters() const { return impl_->parameters; }

Index Model::num_weights() const {
  Index count = 0;
  for (const auto& p : parameters()) count += p->value.size();
  return count;
}

void Model::initialize(std::uint64_t seed, const core::Graph* graph) {
  Impl& m = *impl_;
  const auto& wanted = m.options.initializer;
  std::vector<core::VirgoStatistics> statistics;
  if (wanted == core::Initializer::kVirgo) {
    if (graph == nullptr) throw Error("the virgo initialisation needs the graph");
    statistics = core::virgo_statistics(*graph, num_layers(), {}, !m.is_wrapped);
  }
  for (std::size_t i = 0; i < m.parameters.size(); ++i) {
    core::Parameter& p = *m.parameters[i];
    const core::Initializer declared = p.initializer;
    const bool constant = declared == core::Initializer::kZeros || declared == core::Initializer::kOnes;
    const Index l = m.layer_of[i];
    // Virgo is defined for convolutions; the dense layers around them keep what they declare.
    const bool follows = wanted && !constant && (*wanted != core::Initializer::kVirgo || l >= 0);
    p.initializer = follows ? *wanted : declared;
    core::initialize(p, seed, statistics.empty() || l < 0 ? nullptr : &statistics[static_cast<std::size_t>(l)]);
    p.initializer = declared;
  }
}

State Model::encode(Tape& tape, const Block& block, State in) const {
  const Impl& m = *impl_;
  if (!m.is_wrapped) return in;
  if (!m.encoder) throw Error("[model] this part of the model has no encoder");
  const Var x = core::dropout(tape, in.x, m.options.input_dropout, block.own_ids());
  in.x = (*m.encoder)(tape, x);
  if (m.encoder_activated()) in.x = core::activate(tape, in.x, m.options.activation);
  in.carried.assign(static_cast<std::size_t>(m.num_carried), in.x);
  return in;
}

State Model::forward(Index l, Tape& tape, const Block& block, State in, Var* embedding) const {
  const Impl& m = *impl_;
  const ModelOptions& o = m.options;
  const bool last = l == num_layers() - 1;
  if (m.layers[static_cast<std::size_t>(l)] == nullptr) {
    throw Error(fmt::format("[model] layer {} is not held by this device", l));
  }
  if (l == 0) in = encode(tape, block, std::move(in));
  in.rate = l == 0 && !m.is_wrapped ? o.input_dropout : o.dropout;
  const Var before = in.x;
  if (o.residual) in.x = core::activate(tape, (*m.norms[static_cast<std::size_t>(l)])(tape, in.x), o.activation);
  if (last && !m.is_wrapped && embedding != nullptr) *embedding = in.x;
  State out = m.layers[static_cast<std::size_t>(l)]->forward(tape, block, std::move(in));
  if (o.residual) {
    out.x = core::add(tape, before, out.x);
  } else if (m.is_wrapped || !last) {
    out.x = core::activate(tape, out.x, o.activation);
  }
  if (last && m.head) {
    if (m.head_norm) out.x = (*m.head_norm)(tape, out.x);
    if (embedding != nullptr) *embedding = out.x;
    const Var x = m.head_norm ? out.x : core::dropout(tape, out.x, o.dropout, block.own_ids());
    out.x = (*m.head)(tape, x);
  }
  return out;
}

}  // namespace laminar::layers
