#include "laminar/layers/layer_checks.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/layers/check_data.hpp"
#include "laminar/layers/gradient_check.hpp"
#include "laminar/layers/table_exchange.hpp"

namespace laminar::layers::checks {
namespace {

using core::DType;
using core::Graph;
using core::TapeContext;
using core::Tensor;
using core::VertexId;

constexpr Index kIn = 6;
constexpr Index kEdgeWidth = 3;
constexpr std::size_t kShownFailures = 5;
constexpr std::uint64_t kParameterSeed = 100;

/// A layer in one of the places it can have in a model.
struct Subject {
  std::string text;
  std::string layer;
  LayerSetup::Place place;
  LayerOptions options;
  /// Of the layer's input.
  double rate = 0;
  std::size_t num_carried = 0;
};

/// `graph` with what the layer declares to need of one: edge features, reversed edges.
Graph prepared(const Graph& graph, const LayerInfo& info,
               const std::shared_ptr<const core::EdgeFeatures>& features = {}) {
  Graph made = graph;
  if (info.edge_features) {
    made = features != nullptr
               ? made.with_edge_features(features)
               : made.with_edge_features(random_tensor(graph.num_edges(), kEdgeWidth, DType::kFloat32, 17));
  }
  return info.reversed_edges ? made.with_reversed_edges() : made;
}

std::vector<Subject> subjects_of(const std::string& name) {
  const LayerInfo& info = Registry::instance().info(name);
  std::vector<Subject> all;
  for (LayerOptions options : option_variants(info)) {
    const bool has_heads =
        std::any_of(info.options.begin(), info.options.end(), [](const auto& o) { return o.name == "heads"; });
    if (has_heads) options.insert_or_assign("heads", std::string("2"));
    std::string text = name;
    for (const auto& [key, value] : options) text += fmt::format(" {}={}", key, value);
    // Narrower, equal and wider outputs take different orders of projecting and aggregating.
    for (const Index out : {Index{2}, kIn, Index{8}}) {
      for (const bool is_output : {false, true}) {
        if (info.constant_width && (out != kIn || is_output)) continue;
        for (const double rate : {0.0, 0.4}) {
          Subject s;
          s.text = fmt::format("{}, {} {} -> {}{}", text, is_output ? "output" : "hidden", kIn, out,
                               rate > 0 ? ", dropout" : "");
          s.layer = name;
          s.place.in_width = kIn;
          s.place.out_width = out;
          s.place.index = 1;
          s.place.num_layers = 3;
          s.place.is_output = is_output;
          s.place.edge_width = info.edge_features ? kEdgeWidth : 0;
          s.place.dtype = DType::kFloat64;
          s.options = options;
          s.rate = rate;
          s.num_carried = info.carried.size();
          all.push_back(std::move(s));
        }
      }
    }
  }
  return all;
}

/// Collects what went wrong.
class Findings {
 public:
  explicit Findings(double allowed) { result_.allowed = allowed; }
  void compare(double error, const std::string& text) {
    ++result_.cases;
    // A NaN is the worst there is.
    if (!(error <= result_.worst)) result_.worst = error;
    if (!(error <= result_.allowed)) fail(fmt::format("{}: off by {:.2g}", text, error));
  }
  void fail(std::string text) {
    if (result_.failures.size() < kShownFailures) result_.failures.push_back(std::move(text));
  }
  CheckResult take() { return std::move(result_); }

 private:
  CheckResult result_;
};

/// Calls body(subject, made layer) for every place the layer can have.
CheckResult for_subjects(const std::string& layer, double allowed,
                         const std::function<void(const Subject&, const MadeLayer&, Findings&)>& body) {
  Findings findings(allowed);
  bool any = false;
  std::string refusal;
  for (const Subject& s : subjects_of(layer)) {
    try {
      MadeLayer made;
      try {
        made = make_layer(s.layer, s.place, s.options, kParameterSeed);
      } catch (const UsageError& error) {
        refusal = error.what();
        continue;
      }
      any = true;
      body(s, made, findings);
    } catch (const std::exception& error) {
      findings.fail(fmt::format("{}: it throws: {}", s.text, error.what()));
    }
  }
  if (!any) findings.fail(fmt::format("{}: no width will do: {}", layer, refusal));
  return findings.take();
}

State state_of(const Subject& s, const std::vector<Var>& inputs) {
  return {inputs[0], {inputs.begin() + 1, inputs.end()}, s.rate};
}

/// Records the subject from inputs x, carried...
Builder builder(const Subject& s, const MadeLayer& made, const Block& block) {
  return [&s, &made, &block](Tape& tape, const std::vector<Var>& inputs) {
    return made.layer->forward(tape, block, state_of(s, inputs)).x;
  };
}

std::vector<Tensor> inputs_of(const Subject& s, Index rows) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i <= s.num_carried; ++i) inputs.push_back(random_tensor(rows, kIn, DType::kFloat64, 40 + i));
  return inputs;
}

/// f of each tensor.
template <class F>
auto transformed(const std::vector<Tensor>& tensors, F&& f) {
  std::vector<decltype(f(tensors[0]))> result;
  result.reserve(tensors.size());
  for (const Tensor& t : tensors) result.push_back(f(t));
  return result;
}

std::vector<Var> record(Tape& tape, const std::vector<Tensor>& inputs) {
  return transformed(inputs, [&](const Tensor& t) { return tape.input(t, true); });
}

Tensor output_of(const TapeContext& c, const Subject& s, const MadeLayer& made, const Block& block,
                 const std::vector<Tensor>& inputs) {
  Tape tape(c);
  return tape.value(builder(s, made, block)(tape, record(tape, inputs)));
}

CheckResult check_description(const std::string& layer) {
  const LayerInfo& info = Registry::instance().info(layer);
  const Block block = Block::whole(prepared(directed_random(20, 60, true, 3), info));
  CheckResult result = for_subjects(layer, 0, [&](const Subject& s, const MadeLayer& made, Findings& findings) {
    Tape tape(context(DType::kFloat64, s.rate > 0));
    const std::vector<Var> vars = record(tape, inputs_of(s, 20));
    const State out = made.layer->forward(tape, block, state_of(s, vars));
    const Tensor& y = tape.value(out.x);
    if (y.rows() != 20 || y.cols() != s.place.out_width) {
      findings.fail(
          fmt::format("{}: it gave [{}, {}], expected [20, {}]", s.text, y.rows(), y.cols(), s.place.out_width));
    }
    const std::vector<double> values = values_of(y);
    if (!std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); })) {
      findings.fail(s.text + ": some values are not finite");
    }
    if (out.carried.size() != s.num_carried) {
      findings.fail(
          fmt::format("{}: it gave {} carried tensors, but declares {}", s.text, out.carried.size(), s.num_carried));
    }
    findings.compare(0, s.text);
  });
  const auto needs = [&](bool there, const std::string& what) {
    if (!there) result.failures.push_back(fmt::format("layer '{}' has no {}", layer, what));
  };
  needs(!info.summary.empty(), "summary");
  for (const OptionInfo& o : info.options) {
    needs(!o.help.empty(), fmt::format("help of option '{}'", o.name));
    needs(!o.default_value.empty(), fmt::format("default of option '{}'", o.name));
  }
  for (const CarriedInfo& c : info.carried) needs(!c.help.empty(), fmt::format("help of carried '{}'", c.name));
  return result;
}

CheckResult check_gradients(const std::string& layer) {
  const GradientCheckOptions defaults;
  const LayerInfo& info = Registry::instance().info(layer);
  return for_subjects(layer, defaults.tolerance, [&](const Subject& s, const MadeLayer& made, Findings& findings) {
    for (const auto& [name, graph] : test_graphs()) {
      const Block block = Block::whole(prepared(graph, info));
      const GradientError error = gradient_error(builder(s, made, block), inputs_of(s, graph.num_vertices()),
                                                 made.parameters, {.training = s.rate > 0});
      findings.compare(error.worst, fmt::format("{}, on {}: the gradient of {}", s.text, name, error.where));
    }
  });
}

/// A graph with its vertices in another order.
struct Renumbered {
  Graph graph = directed_random(40, 150, true, 3);
  std::vector<VertexId> new_id;
  std::vector<VertexId> file_ids;
  Graph moved = graph;

  Renumbered() {
    const Index n = graph.num_vertices();
    for (Index v = 0; v < n; ++v) new_id.push_back(static_cast<VertexId>((v * 7 + 3) % n));
    file_ids.resize(static_cast<std::size_t>(n));
    std::vector<VertexId> sources;
    std::vector<VertexId> targets;
    std::vector<double> weights;
    for (Index v = 0; v < n; ++v) {
      file_ids[new_id[v]] = static_cast<VertexId>(v);
      for (auto e = graph.in_offsets()[v]; e < graph.in_offsets()[v + 1]; ++e) {
        sources.push_back(new_id[graph.in_sources()[e]]);
        targets.push_back(new_id[v]);
        weights.push_back(graph.in_weights()[e]);
      }
    }
    moved = Graph::from_edges(n, sources, targets, weights, true);
  }
  Tensor permuted(const Tensor& t) const {
    Tensor p(t.rows(), t.cols(), t.dtype());
    for (Index v = 0; v < t.rows(); ++v) {
      for (Index c = 0; c < t.cols(); ++c) p.set(new_id[v], c, t.at(v, c));
    }
    return p;
  }
};

CheckResult check_equivariance(const std::string& layer) {
  static const Renumbered renumbered;
  const LayerInfo& info = Registry::instance().info(layer);
  const Graph graph = prepared(renumbered.graph, info);
  // Masks and edge features are keyed by ids in the file, so they move along with the vertices.
  const Block moved_block = Block::whole(prepared(renumbered.moved, info, graph.edge_features()), renumbered.file_ids);
  const Block own_block = Block::whole(graph);
  return for_subjects(layer, 1e-12, [&](const Subject& s, const MadeLayer& made, Findings& findings) {
    const TapeContext c = context(DType::kFloat64, s.rate > 0);
    const std::vector<Tensor> inputs = inputs_of(s, renumbered.graph.num_vertices());
    const auto moved = transformed(inputs, [](const Tensor& t) { return renumbered.permuted(t); });
    const Tensor there = output_of(c, s, made, moved_block, moved);
    const Tensor here = output_of(c, s, made, own_block, inputs);
    findings.compare(relative_difference(renumbered.permuted(here), there), s.text);
  });
}

CheckResult check_chunks(const std::string& layer) {
  const Graph graph = prepared(directed_random(50, 220, true, 5), Registry::instance().info(layer));
  return for_subjects(layer, 1e-13, [&](const Subject& s, const MadeLayer& made, Findings& findings) {
    const std::vector<Tensor> inputs = inputs_of(s, graph.num_vertices());
    TapeContext c = context(DType::kFloat64, s.rate > 0);
    // What a table holds must not depend on weights or masks, which is what a history asks of a layer.
    c.history = true;
    const Tensor expected = output_of(c, s, made, Block::whole(graph), inputs);
    for (const auto space : {core::SourceSpace::kCompact, core::SourceSpace::kTable}) {
      for (const auto& [begin, end] : {std::pair<Index, Index>{0, 17}, {17, 18}, {18, 50}}) {
        TableExchange exchange(inputs[0]);
        c.exchange = &exchange;
        // Named anew: clang 14 does not capture a structured binding.
        const auto own = transformed(inputs, [b = begin, e = end](const Tensor& t) { return t.slice_rows(b, e); });
        const Tensor rows = output_of(c, s, made, Block::chunk(graph, begin, end, space), own);
        findings.compare(relative_difference(rows, expected.slice_rows(begin, end)),
                         fmt::format("{}, vertices {} to {}", s.text, begin, end - 1));
      }
    }
  });
}

CheckResult check_history(const std::string& layer) {
  const Graph graph = prepared(directed_random(50, 220, true, 5), Registry::instance().info(layer));
  const Block block = Block::whole(graph);
  return for_subjects(layer, 1e-11, [&](const Subject& s, const MadeLayer& made, Findings& findings) {
    const std::vector<Tensor> inputs = inputs_of(s, graph.num_vertices());
    TapeContext c = context(DType::kFloat64);
    const Pass a = run_pass(c, builder(s, made, block), inputs, made.parameters);
    c.history = true;
    const Pass b = run_pass(c, builder(s, made, block), inputs, made.parameters);
    findings.compare(relative_difference(a.output, b.output), s.text + ": the output");
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      findings.compare(relative_difference(a.input_gradients[i], b.input_gradients[i]),
                       fmt::format("{}: the gradient of input {}", s.text, i));
    }
    for (std::size_t p = 0; p < a.parameter_gradients.size(); ++p) {
      findings.compare(relative_difference(a.parameter_gradients[p], b.parameter_gradients[p]),
                       fmt::format("{}: the gradient of {}", s.text, made.parameters[p]->name));
    }
  });
}

constexpr Index kSparseRows = 30;

/// Two entries a row.
core::SparseMatrix sparse_features() {
  std::vector<core::EdgeId> offsets = {0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  for (int v = 0; v < kSparseRows; ++v) {
    for (const int column : {v % 3, 3 + v % 3}) {
      values.push_back(0.25F * static_cast<float>(static_cast<int>(columns.size()) % 7 - 3));
      columns.push_back(column);
    }
    offsets.push_back(static_cast<core::EdgeId>(columns.size()));
  }
  return {kSparseRows, kIn, std::move(offsets), std::move(columns), std::move(values)};
}

CheckResult check_sparse(const std::string& layer) {
  static const core::SparseMatrix sparse = sparse_features();
  const LayerInfo& info = Registry::instance().info(layer);
  const Block block = Block::whole(prepared(directed_random(kSparseRows, 120, true, 9), info));
  // Such a layer sees an encoder's output, never the features.
  if (info.constant_width || !info.carried.empty()) return {};
  // With dropout the masks of both forms are equal but for rounding in float32.
  return for_subjects(layer, 1e-6, [&](const Subject& s, const MadeLayer& made, Findings& findings) {
    const auto run = [&](auto input) {
      Tape tape(context(DType::kFloat64, s.rate > 0));
      const Var x = input(tape);
      const Var y = made.layer->forward(tape, block, {x, {}, s.rate}).x;
      const Tensor value = tape.value(y);
      core::zero_gradients(made.parameters);
      tape.add_gradient(y, output_gradient(value.rows(), value.cols(), DType::kFloat64));
      tape.backward();
      std::vector<Tensor> all{value};
      for (const auto& p : made.parameters) all.push_back(p->gradient.clone());
      return all;
    };
    const auto a = run([&](Tape& tape) { return tape.input(sparse); });
    const auto b = run([&](Tape& tape) { return tape.input(to_dense(sparse, DType::kFloat64), false); });
    for (std::size_t i = 0; i < a.size(); ++i) {
      // Without dropout nothing is rounded on the way: a hundredth of a millionth of what is allowed.
      const double error = relative_difference(a[i], b[i]) * (s.rate > 0 ? 1 : 1e6);
      findings.compare(
          error, fmt::format("{}: {}", s.text,
                             i == 0 ? std::string("the output") : "the gradient of " + made.parameters[i - 1]->name));
    }
  });
}

}  // namespace

core::Parameter& MadeLayer::parameter(const std::string& name) const {
  for (const auto& p : parameters) {
    if (p->name == "layer." + name) return *p;
  }
  throw Error(fmt::format("the layer has no parameter '{}'", name));
}

MadeLayer make_layer(const std::string& name, LayerSetup::Place place, const LayerOptions& options,
                     std::uint64_t seed) {
  MadeLayer made;
  place.prefix = "layer";
  auto& registry = Registry::instance();
  LayerSetup setup(place, registry.info(name), options, made.parameters);
  made.layer = registry.make(name, setup);
  if (seed == 0) return made;
  for (auto& p : made.parameters) {
    p->value.copy_from(random_tensor(p->value.rows(), p->value.cols(), place.dtype, seed++, 0.5));
  }
  return made;
}

std::vector<LayerOptions> option_variants(const LayerInfo& info) {
  std::vector<LayerOptions> variants = {{}};
  for (const OptionInfo& option : info.options) {
    if (option.kind == OptionKind::kFlag) {
      variants.push_back({{option.name, option.default_value == "true" ? "false" : "true"}});
    }
    for (const std::string& choice : option.choices) {
      if (choice != option.default_value) variants.push_back({{option.name, choice}});
    }
  }
  return variants;
}

std::span<const LayerCheck> layer_checks() {
  static constexpr std::array kAll = {
      LayerCheck{"description", "described; right shapes, finite values", check_description},
      LayerCheck{"gradients", "backward agrees with finite differences in float64", check_gradients},
      LayerCheck{"equivariance", "vertices renumbered give the same rows in the new order", check_equivariance},
      LayerCheck{"chunks", "chunks with a table give the rows of the whole graph", check_chunks},
      LayerCheck{"history", "a history changes how it computes, not what", check_history},
      LayerCheck{"sparse", "sparse features give what their dense form gives", check_sparse}};
  return kAll;
}

}  // namespace laminar::layers::checks
