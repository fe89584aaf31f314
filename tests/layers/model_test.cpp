#include "laminar/layers/model.hpp"

#include <cmath>
#include <set>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/initializer.hpp"
#include "laminar/layers/registry.hpp"
#include "laminar/tests/support/gradient_check.hpp"
#include "laminar/tests/support/graphs.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using layers::Model;
using layers::ModelOptions;

namespace {

core::DatasetSchema schema(Index features = 5, Index outputs = 3) {
  core::DatasetSchema s;
  s.name = "made up";
  s.num_features = features;
  s.task = core::Task::kClassification;
  s.num_outputs = outputs;
  s.num_edge_features = 2;
  return s;
}

/// The graph with what the layer reads beside its edges.
core::Graph graph_for(const std::string& layer, const core::Graph& graph) {
  const layers::LayerInfo& info = layers::Registry::instance().info(layer);
  if (info.reversed_edges) return graph.with_reversed_edges();
  if (!info.edge_features) return graph;
  return graph.with_edge_features(random_tensor(graph.num_edges(), 2, core::DType::kFloat32, 4));
}

std::set<std::string> names(const Model& m) {
  std::set<std::string> all;
  for (const auto& p : m.parameters()) all.insert(p->name);
  return all;
}

/// All layers of the model on one tape (each asks for its sources once, so one tape a layer), chained by hand.
core::Tensor outputs(const Model& m, const core::Graph& graph, const core::Tensor& x) {
  const core::Block block = core::Block::whole(graph);
  core::Tensor value = x;
  std::vector<core::Tensor> carried;
  for (Index l = 0; l < m.num_layers(); ++l) {
    core::Tape tape(context(m.options().precision));
    layers::State in{tape.input(value, true), {}, 0};
    for (const auto& t : carried) in.carried.push_back(tape.input(t, true));
    const layers::State out = m.forward(l, tape, block, in);
    value = tape.value(out.x);
    CHECK(value.cols() == m.width_after(l));
    carried.clear();
    for (const core::Var v : out.carried) carried.push_back(tape.value(v));
  }
  return value;
}

}  // namespace

TEST_CASE("a plain net has exactly its layers, the last one to the outputs") {
  const Model m({.layer = "gcn", .layers = 3, .hidden = 8}, schema());
  CHECK(names(m) == std::set<std::string>{"layers.0.weight", "layers.0.weight_bias", "layers.1.weight",
                                          "layers.1.weight_bias", "layers.2.weight", "layers.2.weight_bias"});
  CHECK(m.num_weights() == 5 * 8 + 8 + 8 * 8 + 8 + 8 * 3 + 3);
  CHECK(m.width_after(0) == 8);
  CHECK(m.width_after(2) == 3);
  CHECK(m.num_carried() == 0);
  for (const auto& p : m.parameters()) CHECK(p->group == core::ParameterGroup::kConvolution);
}

TEST_CASE("gcnii and residual nets stand between a dense encoder and a dense head") {
  const Model m({.layer = "gcnii", .layers = 2, .hidden = 8}, schema());
  CHECK(names(m) == std::set<std::string>{"encoder.weight", "encoder.weight_bias", "head.weight", "head.weight_bias",
                                          "layers.0.weight", "layers.1.weight"});
  CHECK(m.num_carried() == 1);
  const Model r({.layer = "sage", .layers = 1, .hidden = 8, .residual = true}, schema());
  CHECK(names(r) == std::set<std::string>{"encoder.weight", "encoder.weight_bias", "head.norm_gain", "head.norm_shift",
                                          "head.weight", "head.weight_bias", "layers.0.neighbour",
                                          "layers.0.neighbour_bias", "layers.0.norm_gain", "layers.0.norm_shift",
                                          "layers.0.self"});
  for (const auto& p : r.parameters()) {
    const bool is_dense = p->name.starts_with("encoder") || p->name.starts_with("head");
    CHECK((p->group == core::ParameterGroup::kDense) == is_dense);
  }
}

TEST_CASE("layers that propagate have all widths of the outputs, and nothing between or behind them") {
  const Model appnp({.layer = "appnp", .layers = 10, .hidden = 8}, schema());
  CHECK(names(appnp) ==
        std::set<std::string>{"encoder.hidden", "encoder.hidden_bias", "encoder.weight", "encoder.weight_bias"});
  CHECK(appnp.width_after(0) == 3);
  CHECK(appnp.num_carried() == 1);
  CHECK(appnp.carried_width(0) == 3);
  CHECK(appnp.carried_is_constant());
  const Model sgc({.layer = "sgc", .layers = 3, .hidden = 8}, schema());
  CHECK(names(sgc) == std::set<std::string>{"layers.0.weight", "layers.2.bias"});
  CHECK_FALSE(sgc.has_encoder());
  for (const char* layer : {"appnp", "sgc"}) {
    CHECK_THROWS_WITH_AS(Model({.layer = layer, .residual = true}, schema()), doctest::Contains("--residual"),
                         UsageError);
    CHECK_THROWS_WITH_AS(Model({.layer = layer, .jumping = layers::Jumping::kMax}, schema()),
                         doctest::Contains("--jumping"), UsageError);
  }
}

TEST_CASE("a norm stands before each activation, or at the head of each residual block") {
  const Model plain({.layer = "gcn", .layers = 3, .hidden = 8, .norm = layers::Norm::kBatch}, schema());
  CHECK(names(plain).count("layers.0.norm_gain") == 1);
  CHECK(names(plain).count("layers.1.norm_shift") == 1);
  CHECK(names(plain).count("layers.2.norm_gain") == 0);
  CHECK(plain.needs_all_rows());
  const Model wrapped({.layer = "gcnii", .layers = 2, .hidden = 8, .norm = layers::Norm::kLayer}, schema());
  CHECK(names(wrapped).count("layers.1.norm_gain") == 1);
  CHECK_FALSE(wrapped.needs_all_rows());
  const Model bare({.layer = "gcn", .layers = 2, .hidden = 8, .residual = true, .norm = layers::Norm::kNone}, schema());
  for (const std::string& name : names(bare)) CHECK(name.find("norm") == std::string::npos);
  const Model batch({.layer = "gcn", .layers = 2, .hidden = 8, .residual = true, .norm = layers::Norm::kBatch},
                    schema());
  CHECK(names(batch).count("head.norm_gain") == 1);
  CHECK_THROWS_WITH_AS(Model({.layer = "sgc", .norm = layers::Norm::kBatch}, schema()), doctest::Contains("--norm"),
                       UsageError);
  CHECK_THROWS_WITH_AS(layers::norm_from_name("instance"), doctest::Contains("batch"), UsageError);
  CHECK(layers::norm_from_name("default") == layers::Norm::kDefault);
}

TEST_CASE("nets with norms pass the gradient check") {
  const core::Graph graph = directed_random(20, 60, true, 1);
  const core::Block block = core::Block::whole(graph);
  for (const auto norm : {layers::Norm::kLayer, layers::Norm::kBatch}) {
    for (const bool residual : {false, true}) {
      Model m({.layer = "gcn",
               .layers = 2,
               .hidden = 4,
               .activation = core::Activation::kTanh,
               .residual = residual,
               .norm = norm,
               .precision = core::DType::kFloat64},
              schema(), nullptr, {0, 1});
      std::uint64_t seed = 50;
      for (const auto& p : m.parameters()) {
        p->value.copy_from(random_tensor(p->value.rows(), p->value.cols(), core::DType::kFloat64, seed++, 0.5));
      }
      check_gradients(
          "net with a norm",
          [&](core::Tape& tape, const std::vector<core::Var>& inputs) {
            return m.forward(0, tape, block, {inputs[0], {}, 0}).x;
          },
          {random_tensor(20, 5, core::DType::kFloat64, 3)}, m.parameters());
    }
  }
}

TEST_CASE("jumping knowledge: a head on all layers") {
  const core::Graph graph = directed_random(20, 60, false, 1);
  const core::Block block = core::Block::whole(graph);
  for (const auto jumping : {layers::Jumping::kCat, layers::Jumping::kMax, layers::Jumping::kSum}) {
    CAPTURE(std::string(layers::name_of(jumping)));
    Model m({.layer = "sage", .layers = 3, .hidden = 8, .jumping = jumping, .precision = core::DType::kFloat64},
            schema());
    m.initialize(1);
    CHECK(m.width_after(1) == 8);
    CHECK(m.num_carried() == 1);
    CHECK(m.carried_width(0) == (jumping == layers::Jumping::kCat ? 3 : 8));
    CHECK_FALSE(m.carried_is_constant());
    CHECK_FALSE(m.has_encoder());
    const auto parameter = [&](const std::string& name) -> const core::Tensor& {
      for (const auto& p : m.parameters()) {
        if (p->name == name) return p->value;
      }
      FAIL("there is no " << name);
      return m.parameters()[0]->value;
    };
    // By hand, from the embeddings that pass between the layers and what the last one shows.
    const core::Tensor x = random_tensor(20, 5, core::DType::kFloat64, 2);
    core::Tensor value = x, gathered, expected = core::Tensor::zeros(20, 3, core::DType::kFloat64);
    std::vector<core::Tensor> embeddings;
    for (Index l = 0; l < 3; ++l) {
      core::Tape tape(context(core::DType::kFloat64));
      layers::State in{tape.input(value, true), {}, 0};
      if (gathered) in.carried.push_back(tape.input(gathered, true));
      core::Var shown;
      const layers::State out = m.forward(l, tape, block, in, &shown);
      value = tape.value(out.x);
      if (l < 2) {
        gathered = tape.value(out.carried.back());
        embeddings.push_back(value);
      }
      if (l == 2) {
        CHECK(out.carried.empty());
        if (jumping == layers::Jumping::kCat) embeddings.push_back(tape.value(shown));
      }
    }
    if (jumping != layers::Jumping::kCat) continue;
    for (Index v = 0; v < 20; ++v) {
      for (Index c = 0; c < 3; ++c) {
        double sum = parameter("head.weight_bias").at(0, c);
        for (Index l = 0; l < 3; ++l) {
          const core::Tensor& w = parameter("layers." + std::to_string(l) + ".jump");
          for (Index k = 0; k < 8; ++k) sum += embeddings[l].at(v, k) * w.at(k, c);
        }
        expected.set(v, c, sum);
      }
    }
    CHECK(relative_difference(value, expected) <= 1e-13);
  }
  CHECK_THROWS_WITH_AS(Model({.residual = true, .jumping = layers::Jumping::kSum}, schema()),
                       doctest::Contains("residual"), UsageError);
  CHECK_THROWS_WITH_AS(layers::jumping_from_name("lstm"), doctest::Contains("cat"), UsageError);
  CHECK(layers::jumping_from_name("max") == layers::Jumping::kMax);
}

TEST_CASE("outputs have the promised shapes, for every combination of net and depth") {
  const core::Graph graph = directed_random(20, 60, false, 1);
  for (const std::string& layer : layers::Registry::instance().names()) {
    for (const bool residual : {false, true}) {
      if (residual && layers::Registry::instance().info(layer).propagates) continue;
      for (const Index depth : {1, 2, 5}) {
        CAPTURE(layer);
        Model m({.layer = layer, .layers = depth, .hidden = 16, .residual = residual}, schema());
        m.initialize(1);
        const core::Tensor y = outputs(m, graph_for(layer, graph), random_tensor(20, 5, core::DType::kFloat32, 2));
        CHECK(y.rows() == 20);
        CHECK(y.cols() == 3);
        CHECK(std::isfinite(norm(y)));
        CHECK(norm(y) > 0);
      }
    }
  }
}

TEST_CASE("one-layer nets with all their dense parts pass the gradient check") {
  for (const std::string& layer : layers::Registry::instance().names()) {
    const core::Block block = core::Block::whole(graph_for(layer, directed_random(20, 60, true, 1)));
    for (const bool residual : {false, true}) {
      if (residual && layers::Registry::instance().info(layer).propagates) continue;
      Model m({.layer = layer,
               .layers = 1,
               .hidden = 8,
               .dropout = 0.3,
               .input_dropout = 0.2,
               .activation = core::Activation::kTanh,
               .residual = residual,
               .precision = core::DType::kFloat64},
              schema());
      std::uint64_t seed = 50;
      for (const auto& p : m.parameters()) {
        p->value.copy_from(random_tensor(p->value.rows(), p->value.cols(), core::DType::kFloat64, seed++, 0.5));
      }
      check_gradients(layer + (residual ? " residual" : ""),
                      [&](core::Tape& tape, const std::vector<core::Var>& inputs) {
                        return m.forward(0, tape, block, {inputs[0], {}, 0}).x;
                      },
                      {random_tensor(20, 5, core::DType::kFloat64, 3)}, m.parameters(), {.training = true});
    }
  }
}

TEST_CASE("initial weights depend on seed and name alone") {
  Model a({.layer = "gcn", .layers = 3, .hidden = 8}, schema());
  Model b({.layer = "gcn", .layers = 3, .hidden = 8}, schema());
  a.initialize(1);
  b.initialize(1);
  for (std::size_t i = 0; i < a.parameters().size(); ++i) {
    CHECK(same_bits(a.parameters()[i]->value, b.parameters()[i]->value));
  }
  b.initialize(2);
  CHECK_FALSE(same_bits(a.parameters()[0]->value, b.parameters()[0]->value));
  // A deeper net starts with the same weights where names and shapes are the same.
  Model deeper({.layer = "gcn", .layers = 4, .hidden = 8}, schema());
  deeper.initialize(1);
  CHECK(same_bits(a.parameters()[0]->value, deeper.parameters()[0]->value));
}

TEST_CASE("another initialisation applies to weights; constants stay; virgo needs the graph") {
  Model m({.layer = "gcn", .layers = 2, .hidden = 8, .initializer = core::Initializer::kKaimingUniform}, schema());
  m.initialize(1);
  Model plain({.layer = "gcn", .layers = 2, .hidden = 8}, schema());
  plain.initialize(1);
  CHECK_FALSE(same_bits(m.parameters()[0]->value, plain.parameters()[0]->value));
  CHECK(norm(m.parameters()[1]->value) == 0);
  Model virgo({.layer = "gcnii", .layers = 2, .hidden = 8, .initializer = core::Initializer::kVirgo}, schema());
  CHECK_THROWS_AS(virgo.initialize(1), Error);
  const core::Graph graph = star(12);
  virgo.initialize(1, &graph);
  for (const auto& p : virgo.parameters()) {
    if (!p->name.ends_with("bias")) CHECK(norm(p->value) > 0);
  }
}

TEST_CASE("data that nothing can be learnt from is refused") {
  CHECK_THROWS_WITH_AS(Model({}, schema(0)), doctest::Contains("features"), UsageError);
  core::DatasetSchema unlabelled = schema();
  unlabelled.task = core::Task::kNone;
  CHECK_THROWS_WITH_AS(Model({}, unlabelled), doctest::Contains("labels"), UsageError);
}
