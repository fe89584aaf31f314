#include "laminar/layers/model.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/batch_norm.hpp"
#include "laminar/core/dropout.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/initializer.hpp"
#include "laminar/core/layer_norm.hpp"
#include "laminar/core/linear.hpp"
#include "laminar/layers/layer_guard.hpp"
#include "laminar/layers/registry.hpp"

namespace laminar::layers {
namespace {

/// The learnt gain and shift of a norm.
struct NormLayer {
  bool is_batch;
  core::Parameter* gain;
  core::Parameter* shift;
  Var operator()(Tape& tape, Var x) const {
    return is_batch ? core::batch_norm(tape, x, *gain, *shift) : core::layer_norm(tape, x, *gain, *shift);
  }
};

NormLayer make_norm(LayerSetup& setup, Norm norm, Index width, const char* name) {
  return {norm == Norm::kBatch, &setup.parameter(fmt::format("{}_gain", name), 1, width, core::Initializer::kOnes),
          &setup.parameter(fmt::format("{}_shift", name), 1, width, core::Initializer::kZeros)};
}

constexpr std::array kNorms = {std::pair{Norm::kDefault, "default"}, std::pair{Norm::kNone, "none"},
                               std::pair{Norm::kLayer, "layer"}, std::pair{Norm::kBatch, "batch"}};
constexpr std::array kInputs = {std::pair{VertexInput::kGiven, "given"}, std::pair{VertexInput::kLearned, "learned"},
                                std::pair{VertexInput::kGivenAndLearned, "given,learned"}};
constexpr std::array kJumpings = {std::pair{Jumping::kNone, "none"}, std::pair{Jumping::kCat, "cat"},
                                  std::pair{Jumping::kMax, "max"}, std::pair{Jumping::kSum, "sum"}};

void check(const ModelOptions& o, const LayerInfo& layer, const core::DatasetSchema& schema) {
  if (o.residual && layer.propagates) {
    throw UsageError(fmt::format("--residual: layer '{}' only propagates what its perceptron gave", layer.name));
  }
  if (o.jumping != Jumping::kNone && (o.residual || layer.propagates)) {
    throw UsageError(fmt::format("--jumping {}: {}", name_of(o.jumping),
                                 o.residual ? "a residual net's embedding is the sum of all its blocks already"
                                            : fmt::format("layer '{}' only propagates outputs", layer.name)));
  }
  if (o.norm != Norm::kDefault && o.norm != Norm::kNone && (layer.propagates || !layer.activated)) {
    throw UsageError(
        fmt::format("--norm {}: nothing but a sum stands between the layers of '{}'", name_of(o.norm), layer.name));
  }
  if (layer.edge_features && schema.num_edge_features < 1) {
    throw UsageError(fmt::format("layer '{}' reads edge features, but '{}' has none", layer.name, schema.name));
  }
  const auto at_least_one = [](Index v, const char* name) {
    if (v < 1 || v > 1'000'000) throw UsageError(fmt::format("--{} is {}, expected 1 to 1000000", name, v));
  };
  at_least_one(o.layers, "layers");
  at_least_one(o.hidden, "hidden");
  for (const auto& [rate, name] : {std::pair{o.dropout, "dropout"}, std::pair{o.input_dropout, "input-dropout"}}) {
    if (!(rate >= 0 && rate < 1)) throw UsageError(fmt::format("--{} is {}, expected 0 <= rate < 1", name, rate));
  }
  if (schema.num_features < 1) {
    throw UsageError(
        fmt::format("'{}' has no vertex features, so there is nothing to learn from; --features learned trains "
                    "embeddings of its vertices, and laminar-convert --features makes some, e.g. degree",
                    schema.name));
  }
  if (o.embedding_width < 0 || o.embedding_width > 1'000'000) {
    throw UsageError(fmt::format("--embedding-width is {}, expected 0 to 1000000", o.embedding_width));
  }
  if (o.decoder != DecoderKind::kNone) {
    at_least_one(o.decoder_layers, "decoder-layers");
  } else if (schema.task == core::Task::kNone || schema.num_outputs < 1) {
    throw UsageError(fmt::format("'{}' has no labels, so there is nothing to learn", schema.name));
  }
}

}  // namespace

struct Model::Impl {
  ModelOptions options;
  bool carried_is_constant = false;
  Index num_inputs = 0;
  Index num_outputs = 0;
  /// Columns of each carried tensor: those that the layers declare, then what jumping knowledge adds up.
  std::vector<Index> carried_widths;
  Index num_declared = 0;
  /// Between layers.
  Index width = 0;
  Norm norm = Norm::kNone;
  bool propagates = false;
  bool activated = true;
  core::ParameterList parameters;
  /// For each parameter the layer that declared it, or -1 for encoder and head.
  std::vector<Index> layer_of;
  Index num_encoder_parameters = 0;
  bool has_encoder = false;
  /// Whether the encoder is a table of embeddings only, before a net that has none otherwise.
  bool embeds = false;
  bool has_head = false;
  /// Of a net that propagates, what stands before its encoder.
  std::optional<Linear> perceptron;
  std::optional<Linear> encoder;
  std::optional<Linear> head;
  /// With Jumping::kCat: each layer's share of the head, and the head's bias.
  std::vector<std::optional<Linear>> jumps;
  core::Parameter* jump_bias = nullptr;
  std::optional<NormLayer> head_norm;
  std::optional<Decoder> decoder;
  /// One a layer; empty for layers that are not held, norms also for models without.
  std::vector<std::optional<NormLayer>> norms;
  std::vector<std::unique_ptr<Layer>> layers;
  /// One a layer, as errors name it.
  std::vector<GuardedLayer> guards;

  /// gcnii's representation starts as relu(x W); residual blocks activate their input themselves.
  bool encoder_activated() const { return !options.residual && !propagates && !embeds; }

  /// Takes layer l's embedding into what jumping knowledge has gathered of those before, which may be empty.
  Var gathered(Index l, Tape& tape, Var before, Var x) const {
    if (options.jumping == Jumping::kCat) x = (*jumps[static_cast<std::size_t>(l)])(tape, x);
    if (!before) return x;
    return options.jumping == Jumping::kMax ? core::maximum(tape, before, x) : core::add(tape, before, x);
  }
};

std::string_view name_of(Norm norm) { return kNorms[static_cast<std::size_t>(norm)].second; }

Norm norm_from_name(std::string_view name) {
  for (const auto& [norm, text] : kNorms) {
    if (name == text) return norm;
  }
  throw UsageError(fmt::format("norm '{}' is not known; there are default, none, layer and batch", name));
}

std::string_view name_of(Jumping jumping) { return kJumpings[static_cast<std::size_t>(jumping)].second; }

Jumping jumping_from_name(std::string_view name) {
  for (const auto& [jumping, text] : kJumpings) {
    if (name == text) return jumping;
  }
  throw UsageError(fmt::format("jumping knowledge '{}' is not known; there are none, cat, max and sum", name));
}

std::string_view name_of(VertexInput input) { return kInputs[static_cast<std::size_t>(input)].second; }

VertexInput vertex_input_from_name(std::string_view name) {
  if (name == "learned,given") return VertexInput::kGivenAndLearned;
  for (const auto& [input, text] : kInputs) {
    if (name == text) return input;
  }
  throw UsageError(
      fmt::format("features '{}' are not known; expected given, learned or given,learned; what is made from the graph "
                  "(degree, pagerank, ...) is put into the file by laminar-convert GRAPH.h5 --features NAME --out FILE",
                  name));
}

bool has_own_encoder(const ModelOptions& options) {
  const LayerInfo& info = Registry::instance().info(options.layer);
  // What is carried starts as the encoder's output.
  return options.residual || info.constant_width || !info.carried.empty();
}

Model::Model(const ModelOptions& options, const core::DatasetSchema& schema, core::MemoryPool* pool,
             const ModelPart& part)
    : impl_(std::make_unique<Impl>()) {
  const LayerInfo& info = Registry::instance().info(options.layer);
  check(options, info, schema);
  const Index part_end = part.layer_end < 0 ? options.layers : part.layer_end;
  if (part.layer_begin < 0 || part.layer_begin > part_end || part_end > options.layers) {
    throw Error(fmt::format("[model] layers {}..{} of {}", part.layer_begin, part_end, options.layers));
  }
  Impl& m = *impl_;
  m.options = options;
  m.num_inputs = schema.num_features;
  m.num_outputs = options.decoder == DecoderKind::kNone ? schema.num_outputs : options.hidden;
  const bool jumps = options.jumping != Jumping::kNone;
  m.propagates = info.propagates;
  m.activated = info.activated && !info.propagates;
  m.norm = options.norm;
  if (m.norm == Norm::kDefault) m.norm = options.residual ? Norm::kLayer : Norm::kNone;
  m.width = info.propagates ? m.num_outputs : options.hidden;
  m.num_declared = static_cast<Index>(info.carried.size());
  m.carried_widths.assign(info.carried.size(), m.width);
  if (jumps) m.carried_widths.push_back(options.jumping == Jumping::kCat ? m.num_outputs : m.width);
  m.carried_is_constant =
      !jumps && std::all_of(info.carried.begin(), info.carried.end(), [](const auto& c) { return c.constant; });
  const bool wrapped = has_own_encoder(options);
  m.embeds = !wrapped && options.input != VertexInput::kGiven && options.embedding_width > 0;
  m.has_encoder = wrapped || m.embeds;
  m.has_head = !m.propagates && (wrapped || jumps);
  static const LayerInfo kDense{.name = "dense", .summary = {}};
  const auto dense_setup = [&](const char* prefix, Index in, Index out) {
    return LayerSetup({.prefix = prefix,
                       .in_width = in,
                       .out_width = out,
                       .dtype = core::computed(options.precision),
                       .pool = pool,
                       .group = core::ParameterGroup::kDense},
                      kDense, {}, m.parameters);
  };
  const bool holds_encoder = part.layer_begin == 0 || part.encoder;
  if (m.embeds && holds_encoder) {
    m.encoder = dense_setup("embedding", m.num_inputs, options.embedding_width).linear("weight", {.bias = false});
  } else if (m.has_encoder && holds_encoder) {
    const bool deep = info.encoder_layers > 1;
    LayerSetup setup = dense_setup("encoder", m.num_inputs, m.width);
    if (deep) m.perceptron = setup.linear("hidden", {.out = options.hidden});
    m.encoder = setup.linear("weight", {.in = deep ? options.hidden : m.num_inputs});
  }
  m.layer_of.resize(m.parameters.size(), -1);
  m.num_encoder_parameters = static_cast<Index>(m.parameters.size());
  m.norms.resize(static_cast<std::size_t>(options.layers));
  m.layers.resize(static_cast<std::size_t>(options.layers));
  m.guards.resize(static_cast<std::size_t>(options.layers));
  m.jumps.resize(static_cast<std::size_t>(options.layers));
  for (Index l = part.layer_begin; l < part_end; ++l) {
    const bool is_output = !m.has_head && l == options.layers - 1;
    LayerSetup setup({.prefix = fmt::format("layers.{}", l),
                      .in_width = l > 0 || wrapped ? m.width
                                  : m.embeds       ? options.embedding_width
                                                   : m.num_inputs,
                      .out_width = is_output ? m.num_outputs : m.width,
                      .index = l,
                      .num_layers = options.layers,
                      .is_output = is_output,
                      .edge_width = schema.num_edge_features,
                      .dtype = core::computed(options.precision),
                      .pool = pool},
                     info, options.layer_options, m.parameters);
    // Residual blocks begin with it; elsewhere it stands where an activation follows.
    if (m.norm != Norm::kNone && (options.residual || (m.activated && !is_output))) {
      m.norms[static_cast<std::size_t>(l)] = make_norm(setup, m.norm, m.width, "norm");
    }
    GuardedLayer& guard = m.guards[static_cast<std::size_t>(l)];
    guard = {.name = options.layer,
             .source = Registry::instance().source(options.layer),
             .index = l,
             .out_width = setup.out_width(),
             .carried_widths = std::vector<Index>(info.carried.size(), m.width)};
    const std::size_t first = m.parameters.size();
    guarded(guard, [&] { m.layers[static_cast<std::size_t>(l)] = Registry::instance().make(options.layer, setup); });
    for (std::size_t p = first; p < m.parameters.size(); ++p) guard.parameters.push_back(m.parameters[p].get());
    if (options.jumping == Jumping::kCat) {
      LayerSetup dense = dense_setup(setup.place().prefix.c_str(), m.width, m.num_outputs);
      m.jumps[static_cast<std::size_t>(l)] = dense.linear("jump", {.bias = false});
    }
    m.layer_of.resize(m.parameters.size(), l);
  }
  if (m.has_head && part_end == options.layers) {
    LayerSetup setup = dense_setup("head", m.width, m.num_outputs);
    if (options.residual && m.norm != Norm::kNone) m.head_norm = make_norm(setup, m.norm, m.width, "norm");
    if (options.jumping == Jumping::kCat) {
      m.jump_bias = &setup.parameter("weight_bias", 1, m.num_outputs, core::Initializer::kZeros);
    } else {
      m.head = setup.linear("weight");
    }
  }
  if (options.decoder != DecoderKind::kNone && part_end == options.layers) {
    m.decoder.emplace(options.decoder, options.decoder_layers, options.dropout,
                      dense_setup("decoder", m.num_outputs, m.num_outputs));
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
Index Model::width_after(Index l) const { return l == num_layers() - 1 ? num_outputs() : impl_->width; }
Index Model::num_carried() const { return static_cast<Index>(impl_->carried_widths.size()); }
Index Model::carried_width(Index i) const { return impl_->carried_widths[static_cast<std::size_t>(i)]; }
bool Model::carried_is_constant() const { return impl_->carried_is_constant; }
bool Model::needs_all_rows() const { return impl_->norm == Norm::kBatch; }
bool Model::has_encoder() const { return impl_->has_encoder; }
Index Model::layer_of(Index i) const { return impl_->layer_of[static_cast<std::size_t>(i)]; }
bool Model::is_of_encoder(Index i) const { return i < impl_->num_encoder_parameters; }
const Decoder* Model::decoder() const { return impl_->decoder ? &*impl_->decoder : nullptr; }
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
    statistics = core::virgo_statistics(*graph, num_layers(), {}, !m.has_head);
  }
  for (std::size_t i = 0; i < m.parameters.size(); ++i) {
    core::Parameter& p = *m.parameters[i];
    const core::Initializer declared = p.initializer;
    const bool constant = declared == core::Initializer::kZeros || declared == core::Initializer::kOnes;
    const Index l = m.layer_of[i];
    // Virgo is defined for convolutions; the dense layers around them keep what they declare.
    const bool is_convolution = l >= 0 && p.group == core::ParameterGroup::kConvolution;
    const bool follows = wanted && !constant && (*wanted != core::Initializer::kVirgo || is_convolution);
    p.initializer = follows ? *wanted : declared;
    core::initialize(p, seed, statistics.empty() || l < 0 ? nullptr : &statistics[static_cast<std::size_t>(l)]);
    p.initializer = declared;
  }
}

State Model::encode(Tape& tape, const Block& block, State in) const {
  const Impl& m = *impl_;
  if (!m.has_encoder) return in;
  if (!m.encoder) throw Error("[model] this part of the model has no encoder");
  // Embeddings are inputs as features are, so it is their columns that dropout falls on, in the first layer.
  Var x = m.embeds ? in.x : core::dropout(tape, in.x, m.options.input_dropout, block.own_ids());
  if (m.perceptron) {
    x = core::activate(tape, (*m.perceptron)(tape, x), m.options.activation);
    x = core::dropout(tape, x, m.options.dropout, block.own_ids());
  }
  in.x = (*m.encoder)(tape, x);
  if (m.encoder_activated()) in.x = core::activate_in_place(tape, in.x, m.options.activation);
  in.carried.assign(static_cast<std::size_t>(m.num_declared), in.x);
  return in;
}

State Model::forward(Index l, Tape& tape, const Block& block, State in, Var* embedding) const {
  const Impl& m = *impl_;
  const ModelOptions& o = m.options;
  const bool last = l == num_layers() - 1;
  if (m.layers[static_cast<std::size_t>(l)] == nullptr) {
    throw Error(fmt::format("[model] layer {} is not held by this device", l));
  }
  // Outputs are ranked and compared, where rounded ones would be ties.
  if (last) tape.give_wide_results();
  if (l == 0) in = encode(tape, block, std::move(in));
  in.rate = l == 0 && (!m.has_encoder || m.embeds) ? o.input_dropout : o.dropout;
  const Var before = in.x;
  Var gathered;
  if (o.jumping != Jumping::kNone && l > 0) {
    gathered = in.carried.back();
    in.carried.pop_back();
  }
  const auto& normalise = m.norms[static_cast<std::size_t>(l)];
  if (o.residual) in.x = core::activate(tape, normalise ? (*normalise)(tape, in.x) : in.x, o.activation);
  if (last && !m.has_head && embedding != nullptr) *embedding = in.x;
  const auto at = static_cast<std::size_t>(l);
  State out = guarded_forward(m.guards[at], *m.layers[at], tape, block, std::move(in));
  const bool carried = std::any_of(out.carried.begin(), out.carried.end(), [&](Var v) { return v.id == out.x.id; });
  if (o.residual) {
    out.x = carried ? core::add(tape, before, out.x) : core::add_onto(tape, out.x, before);
  } else if (m.activated && (m.has_head || !last)) {
    if (normalise) out.x = (*normalise)(tape, out.x);
    out.x = carried && !normalise ? core::activate(tape, out.x, o.activation)
                                  : core::activate_in_place(tape, out.x, o.activation);
  }
  if (o.jumping != Jumping::kNone) {
    gathered = m.gathered(l, tape, gathered, out.x);
    if (!last) out.carried.push_back(gathered);
  }
  if (last && o.jumping == Jumping::kCat) {
    // The head's product has been added up layer by layer, which is that with all embeddings side by side.
    if (embedding != nullptr) *embedding = out.x;
    out.x = core::add_bias(tape, gathered, *m.jump_bias);
  } else if (last && o.jumping != Jumping::kNone) {
    out.x = gathered;
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
