#include "laminar/apps/model_options.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "laminar/apps/plugins.hpp"
#include "laminar/core/error.hpp"
#include "laminar/core/initializer.hpp"
#include "laminar/layers/registry.hpp"
#include "laminar/pipeline/learned_features.hpp"

namespace laminar::apps {

using layers::OptionInfo;
using layers::OptionKind;

namespace {

/// One text for equal values, so that "8", "+8" and "8.0" are the same.
std::string normalized(const OptionInfo& info, const std::string& text) {
  switch (info.kind) {
    case OptionKind::kNumber:
    case OptionKind::kInteger:
      return fmt::format("{}", parse_number(text));
    case OptionKind::kFlag:
      return parse_bool(text) ? "true" : "false";
    case OptionKind::kChoice:
      break;
  }
  return text;
}

Option layer_option(const std::string& layer, const OptionInfo& info, const layers::ModelOptions& model,
                    LayerValues& values) {
  const std::string name = fmt::format("{}.{}", layer, info.name);
  const std::string default_value = normalized(info, info.default_value);
  Option o;
  o.name = name;
  o.placeholder = placeholder_of(info);
  o.help = info.help + range_of(info);
  o.set = [&values, name, info](const std::string& text) { values.insert_or_assign(name, normalized(info, text)); };
  o.get = [&values, name, default_value] {
    const auto found = values.find(name);
    return found != values.end() ? found->second : default_value;
  };
  o.applies = [&model, layer] { return model.layer == layer; };
  return o;
}

/// Whether --embedding-width says something.
bool learns_own_table(const layers::ModelOptions& model) {
  return model.input != layers::VertexInput::kGiven && !layers::has_own_encoder(model);
}

}  // namespace

std::string range_of(const OptionInfo& info) {
  if (info.kind == OptionKind::kChoice) return fmt::format("; one of {}", fmt::join(info.choices, ", "));
  const bool low = info.min > -1e300;
  const bool high = info.max < 1e300;
  if (low && high) return fmt::format("; {} to {}", info.min, info.max);
  if (low) return fmt::format("; {} or more", info.min);
  return high ? fmt::format("; at most {}", info.max) : std::string();
}

std::string placeholder_of(const OptionInfo& info) {
  switch (info.kind) {
    case OptionKind::kNumber:
      return "X";
    case OptionKind::kInteger:
      return "N";
    case OptionKind::kFlag:
      return "BOOL";
    case OptionKind::kChoice:
      break;
  }
  return "NAME";
}

void add_model_options(CommandLine& line, layers::ModelOptions& model, LayerValues& layer_values) {
  const auto& registry = layers::Registry::instance();
  line.group("Model");
  line.add(option("layer", model.layer, "NAME", fmt::format("{}", fmt::join(registry.names(), ", "))));
  line.add(plugin_option());
  line.add(option("layers", model.layers, "N",
                  "aggregations; a plain net has exactly these, gcnii and residual nets a linear encoder and head "
                  "around them"));
  line.add(option("hidden", model.hidden, "N", "width between layers"));
  line.add(option("dropout", model.dropout, "RATE", "dropout between layers, 0 <= RATE < 1"));
  line.add(option("input-dropout", model.input_dropout, "RATE", "dropout of the input features, 0 <= RATE < 1"));
  line.add(option("activation", model.activation, "NAME", "none, relu, leaky-relu, elu, tanh or gelu",
                  core::activation_from_name));
  line.add(
      flag("residual", model.residual, "pre-activation residual blocks: x + conv(dropout(activation(layer_norm(x))))"));
  line.add(
      option("norm", model.norm, "NAME",
             "before the activation: none, layer or batch (over all vertices; not under history); default: layer in "
             "residual nets, none elsewhere",
             layers::norm_from_name));
  line.add(option("jumping", model.jumping, "NAME",
                  "what the head reads: none (the last layer), cat, max or sum (all layers together)",
                  layers::jumping_from_name));
  line.add(
      option("features", model.input, "WHICH",
             "what the net reads of a vertex: given (the file's features), learned (an embedding of its own that is "
             "trained along), or given,learned (both)",
             layers::vertex_input_from_name));
  Option width = option("embedding-width", model.embedding_width, "N",
                        "learned: columns of the table of embeddings; 0 = the first layer's weights are the table. "
                        "Residual nets, gcnii and appnp have one of --hidden columns anyway");
  width.applies = [&model] { return learns_own_table(model); };
  line.add(std::move(width));
  Option buckets =
      option("embedding-buckets", model.embedding_buckets, "N",
             fmt::format("learned: rows of the table; 0 = one a vertex, {} at most. With fewer rows than vertices a "
                         "vertex's embedding is the mean of two rows, by hash",
                         pipeline::kMostEmbeddingRows));
  buckets.applies = [&model] { return model.input != layers::VertexInput::kGiven; };
  line.add(std::move(buckets));
  line.add(flag("normalize-features", model.normalize_features,
                "divide each vertex's features by the sum of their absolute values"));
  Option init;
  init.name = "init";
  init.placeholder = "NAME";
  init.help = "how weights start: default (as the layer says), glorot-uniform, glorot-normal, kaiming-uniform or virgo";
  init.set = [&model](const std::string& text) {
    model.initializer.reset();
    if (text != "default") model.initializer = core::initializer_from_name(text);
  };
  init.get = [&model] {
    return model.initializer ? std::string(core::name_of(*model.initializer)) : std::string("default");
  };
  line.add(std::move(init));
  line.add(option(
      "precision", model.precision, "NAME",
      "f32, f64, or bf16: computed in f32, but activations, features and their gradients are kept in two bytes a "
      "number, which is faster where memory decides, and with AMX where dense products do",
      core::dtype_from_name));

  for (const std::string& name : registry.names()) {
    const layers::LayerInfo& info = registry.info(name);
    if (info.options.empty()) continue;
    line.group(fmt::format("Options of --layer {} ({})", name, info.summary));
    for (const OptionInfo& o : info.options) line.add(layer_option(name, o, model, layer_values));
  }
}

LayerValues layer_values_of(const layers::ModelOptions& model) {
  LayerValues values;
  for (const auto& [name, value] : model.layer_options) values[fmt::format("{}.{}", model.layer, name)] = value;
  return values;
}

void set_layer_options(layers::ModelOptions& model, const LayerValues& layer_values) {
  const auto names = layers::Registry::instance().names();
  if (std::find(names.begin(), names.end(), model.layer) == names.end()) {
    throw UsageError(
        fmt::format("--layer is '{}', which is not known; there are {}{}; a layer of a plugin needs --plugin "
                    "FILE",
                    model.layer, fmt::join(names, ", "), suggestion(model.layer, names)));
  }
  const auto& declared = layers::Registry::instance().info(model.layer).options;
  model.layer_options.clear();
  for (const auto& [full_name, value] : layer_values) {
    const auto dot = full_name.find('.');
    const std::string layer = full_name.substr(0, dot);
    if (layer != model.layer) {
      throw UsageError(
          fmt::format("--{} is an option of layer '{}', but --layer is '{}'", full_name, layer, model.layer));
    }
    const std::string name = full_name.substr(dot + 1);
    // Left out where they say nothing new, so that equal models have equal options.
    const bool is_default =
        std::any_of(declared.begin(), declared.end(), [&, &text = value](const layers::OptionInfo& o) {
          return o.name == name && normalized(o, o.default_value) == text;
        });
    if (!is_default) model.layer_options[name] = value;
  }
}

void check_model_options(const layers::ModelOptions& model, const GivenValues& given) {
  const bool learns = model.input != layers::VertexInput::kGiven;
  for (const char* name : {"embedding-width", "embedding-buckets"}) {
    if (!learns && given.contains(name)) throw UsageError(fmt::format("--{} is of --features learned", name));
  }
  if (learns && given.contains("embedding-width") && !learns_own_table(model)) {
    throw UsageError(fmt::format(
        "--embedding-width: the encoder of a net of '{}'{} has the embeddings, of width --hidden; leave the "
        "option out",
        model.layer, model.residual ? " with --residual" : ""));
  }
}

}  // namespace laminar::apps
