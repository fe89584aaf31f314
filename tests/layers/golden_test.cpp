/// Layers against values that another implementation computed in float64.
#include <doctest/doctest.h>

#include "laminar/core/tape.hpp"
#include "laminar/tests/layers/support.hpp"
#include "laminar/tests/support/golden_file.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Tensor;

namespace {

constexpr double kTolerance = 1e-9;

/// How one of the file's parameters is called here, and whether it is stored [out, in].
struct Mapping {
  std::string theirs;
  std::string ours;
  bool is_transposed = false;
};

struct Case {
  std::string name;
  std::string layer;
  layers::LayerOptions options;
  std::vector<Mapping> parameters;
  bool is_output = false;
  core::Index index = 0;
};

const std::vector<Case>& cases() {
  static const std::vector<Mapping> gcn = {{"lin.weight", "weight", true}, {"bias", "weight_bias"}};
  static const std::vector<Mapping> sage = {
      {"lin_l.weight", "neighbour", true}, {"lin_l.bias", "neighbour_bias"}, {"lin_r.weight", "self", true}};
  static const std::vector<Mapping> gat = {
      {"lin_src.weight", "weight", true}, {"att_src", "source_vector"}, {"att_dst", "target_vector"}, {"bias", "bias"}};
  static const std::vector<Mapping> gin = {{"nn.0.weight", "first", true},
                                           {"nn.0.bias", "first_bias"},
                                           {"nn.2.weight", "second", true},
                                           {"nn.2.bias", "second_bias"},
                                           {"eps", "eps"}};
  static const std::vector<Case> all = {
      {"gin", "gin", {{"learn_eps", "true"}, {"mlp_width", "8"}}, gin},
      {"gcn", "gcn", {}, gcn},
      {"gcn_no_self_loops", "gcn", {{"self_loops", "false"}}, gcn},
      {"sage_mean", "sage", {}, sage},
      {"sage_max", "sage", {{"aggregator", "max"}}, sage},
      {"gat_concat", "gat", {{"heads", "3"}}, gat},
      {"gat_mean", "gat", {{"output_heads", "3"}}, gat, true},
      {"gcnii_layer2", "gcnii", {{"alpha", "0.1"}, {"lambda", "0.5"}}, {{"weight1", "weight"}}, false, 1}};
  return all;
}

Tensor reference(const GoldenFile& golden, const std::string& object, bool is_transposed) {
  const Tensor t = golden.tensor(object);
  return is_transposed ? transposed(t) : t;
}

void check_case(const GoldenFile& golden, const Case& c, const std::string& graph_name) {
  const std::string at = "/layers/" + c.name + "/" + graph_name;
  CAPTURE(at);
  const Tensor x = golden.tensor(at + "/x");
  const Tensor y = golden.tensor(at + "/y");
  const MadeLayer made = make_layer(c.layer,
                                    {.in_width = x.cols(),
                                     .out_width = y.cols(),
                                     .index = c.index,
                                     .num_layers = 4,
                                     .is_output = c.is_output,
                                     .dtype = core::DType::kFloat64},
                                    c.options);
  CHECK(made.parameters.size() == c.parameters.size());
  for (const Mapping& m : c.parameters) {
    made.parameter(m.ours).value.copy_from(reference(golden, at + "/parameters/" + m.theirs, m.is_transposed));
  }
  core::Graph graph = golden.graph(graph_name);
  // Reference inputs may cover the graph's first vertices only.
  REQUIRE(graph.num_vertices() >= x.rows());
  const core::Block block = core::Block::whole(graph);
  core::Tape tape(context(core::DType::kFloat64));
  layers::State in{tape.input(x, true), {}, 0};
  const bool carried = golden.has(at + "/x0");
  if (carried) in.carried.push_back(tape.input(golden.tensor(at + "/x0"), true));
  const layers::State out = made.layer->forward(tape, block, in);
  CHECK(relative_difference(tape.value(out.x), y) < kTolerance);
  tape.add_gradient(out.x, golden.tensor(at + "/dy"));
  tape.backward();
  if (carried) CHECK(relative_difference(tape.take_gradient(in.carried[0]), golden.tensor(at + "/dx0")) < kTolerance);
  CHECK(relative_difference(tape.take_gradient(in.x), golden.tensor(at + "/dx")) < kTolerance);
  for (const Mapping& m : c.parameters) {
    CAPTURE(m.ours);
    const Tensor expected = reference(golden, at + "/gradients/" + m.theirs, m.is_transposed);
    CHECK(relative_difference(made.parameter(m.ours).gradient, expected) < kTolerance);
  }
}

/// One layer on a reference case, its parameters given by the caller.
class Reference {
 public:
  Reference(const GoldenFile& golden, const std::string& name, const std::string& graph)
      : golden_(golden), at_("/layers/" + name + "/" + graph), graph_(golden.graph(graph)) {}

  const std::string& at() const { return at_; }
  Tensor input() const { return golden_.tensor(at_ + "/x"); }
  Tensor output() const { return golden_.tensor(at_ + "/y"); }
  /// Theirs, [in, out] if it is a weight.
  Tensor parameter(const std::string& name, bool is_weight) const { return get("/parameters/", name, is_weight); }
  Tensor gradient(const std::string& name, bool is_weight) const { return get("/gradients/", name, is_weight); }

  /// Runs layer after layer, each on a tape of its own, and checks the output and the gradient of the input; with
  /// `carried` every layer gets the input as its carried tensor too.
  void check(const std::vector<const layers::Layer*>& layers, bool carried = false) const {
    const core::Block block = core::Block::whole(graph_);
    std::vector<core::Tape> tapes;
    std::vector<layers::State> in, out;
    Tensor value = input();
    for (const layers::Layer* layer : layers) {
      core::Tape& tape = tapes.emplace_back(context(core::DType::kFloat64));
      in.push_back({tape.input(value, true), {}, 0});
      if (carried) in.back().carried.push_back(tape.input(input(), true));
      out.push_back(layer->forward(tape, block, in.back()));
      value = tape.value(out.back().x);
    }
    CHECK(relative_difference(value, output()) < kTolerance);
    Tensor gradient = golden_.tensor(at_ + "/dy");
    Tensor of_carried = Tensor::zeros(gradient.rows(), gradient.cols(), core::DType::kFloat64);
    for (std::size_t l = layers.size(); l-- > 0;) {
      tapes[l].add_gradient(out[l].x, gradient);
      tapes[l].backward();
      gradient = tapes[l].take_gradient(in[l].x);
      if (carried) of_carried = plus(of_carried, tapes[l].take_gradient(in[l].carried[0]));
    }
    if (carried) gradient = plus(gradient, of_carried);
    CHECK(relative_difference(gradient, golden_.tensor(at_ + "/dx")) < kTolerance);
  }

  static Tensor plus(const Tensor& a, const Tensor& b) {
    Tensor sum(a.rows(), a.cols(), core::DType::kFloat64);
    for (core::Index r = 0; r < a.rows(); ++r) {
      for (core::Index c = 0; c < a.cols(); ++c) sum.set(r, c, a.at(r, c) + b.at(r, c));
    }
    return sum;
  }
  static Tensor product(const Tensor& a, const Tensor& b) {
    Tensor y = Tensor::zeros(a.rows(), b.cols(), core::DType::kFloat64);
    for (core::Index r = 0; r < a.rows(); ++r) {
      for (core::Index k = 0; k < a.cols(); ++k) {
        for (core::Index c = 0; c < b.cols(); ++c) y.set(r, c, y.at(r, c) + a.at(r, k) * b.at(k, c));
      }
    }
    return y;
  }

 private:
  Tensor get(const char* group, const std::string& name, bool is_weight) const {
    return reference(golden_, at_ + group + name, is_weight);
  }
  const GoldenFile& golden_;
  std::string at_;
  core::Graph graph_;
};

layers::LayerSetup::Place place_of(core::Index in, core::Index out, core::Index index = 0, core::Index layers = 2,
                                   bool is_output = false) {
  return {.in_width = in,
          .out_width = out,
          .index = index,
          .num_layers = layers,
          .is_output = is_output,
          .dtype = core::DType::kFloat64};
}

void check_gradient(const MadeLayer& made, const std::string& ours, const Tensor& expected) {
  CAPTURE(ours);
  CHECK(relative_difference(made.parameter(ours).gradient, expected) < kTolerance);
}

/// The reference has a bias on the projected sources; here it is part of the two others: softmax weights add up to 1.
void check_gatv2(const Reference& r) {
  const MadeLayer made = make_layer("gatv2", place_of(7, 10), {{"heads", "2"}});
  const Tensor source_bias = r.parameter("lin_l.bias", false);
  made.parameter("source").value.copy_from(r.parameter("lin_l.weight", true));
  made.parameter("target").value.copy_from(r.parameter("lin_r.weight", true));
  made.parameter("target_bias").value.copy_from(Reference::plus(r.parameter("lin_r.bias", false), source_bias));
  made.parameter("vector").value.copy_from(r.parameter("att", false));
  made.parameter("bias").value.copy_from(Reference::plus(r.parameter("bias", false), source_bias));
  r.check({made.layer.get()});
  check_gradient(made, "source", r.gradient("lin_l.weight", true));
  check_gradient(made, "target", r.gradient("lin_r.weight", true));
  check_gradient(made, "target_bias", r.gradient("lin_r.bias", false));
  check_gradient(made, "vector", r.gradient("att", false));
  check_gradient(made, "bias", r.gradient("bias", false));
  const Tensor both = Reference::plus(made.parameter("target_bias").gradient, made.parameter("bias").gradient);
  CHECK(relative_difference(both, r.gradient("lin_l.bias", false)) < kTolerance);
}

/// The reference has one matrix on [x_i, x_j], one on all that is aggregated, and a last one behind it, which is a
/// product here.
void check_pna(const Reference& r) {
  const MadeLayer made = make_layer("pna", place_of(7, 5), {{"message_width", "7"}});
  const Tensor pre = r.parameter("pre_nns.0.0.weight", true);
  const Tensor post = r.parameter("post_nns.0.0.weight", true);
  const Tensor last = r.parameter("lin.weight", true);
  const Tensor update = Reference::product(post, last);
  made.parameter("target").value.copy_from(pre.slice_rows(0, 7));
  made.parameter("source").value.copy_from(pre.slice_rows(7, 14));
  made.parameter("target_bias").value.copy_from(r.parameter("pre_nns.0.0.bias", false));
  const Tensor post_bias = r.parameter("post_nns.0.0.bias", false);
  made.parameter("self_bias")
      .value.copy_from(Reference::plus(Reference::product(post_bias, last), r.parameter("lin.bias", false)));
  const std::vector<std::string> rows = {"self", "identity", "amplified", "attenuated"};
  const auto range = [](std::size_t i) {
    return std::pair<core::Index, core::Index>{i == 0 ? 0 : 28 * static_cast<core::Index>(i) - 21,
                                               28 * static_cast<core::Index>(i) + 7};
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    made.parameter(rows[i]).value.copy_from(update.slice_rows(range(i).first, range(i).second));
  }
  r.check({made.layer.get()});
  const Tensor pre_gradient = r.gradient("pre_nns.0.0.weight", true);
  check_gradient(made, "target", pre_gradient.slice_rows(0, 7));
  check_gradient(made, "source", pre_gradient.slice_rows(7, 14));
  check_gradient(made, "target_bias", r.gradient("pre_nns.0.0.bias", false));
  check_gradient(made, "self_bias", r.gradient("lin.bias", false));
  const Tensor post_gradient = r.gradient("post_nns.0.0.weight", true);
  Tensor last_gradient = Reference::product(transposed(post_bias), made.parameter("self_bias").gradient);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Tensor& ours = made.parameter(rows[i]).gradient;
    const Tensor theirs = post_gradient.slice_rows(range(i).first, range(i).second);
    CHECK(relative_difference(Reference::product(ours, transposed(last)), theirs) < kTolerance);
    last_gradient = Reference::plus(
        last_gradient, Reference::product(transposed(post.slice_rows(range(i).first, range(i).second)), ours));
  }
  CHECK(relative_difference(last_gradient, r.gradient("lin.weight", true)) < kTolerance);
}

void check_sgc(const Reference& r) {
  const MadeLayer first = make_layer("sgc", place_of(7, 5, 0, 3));
  const MadeLayer middle = make_layer("sgc", place_of(5, 5, 1, 3));
  const MadeLayer last = make_layer("sgc", place_of(5, 5, 2, 3, true));
  first.parameter("weight").value.copy_from(r.parameter("lin.weight", true));
  last.parameter("bias").value.copy_from(r.parameter("lin.bias", false));
  r.check({first.layer.get(), middle.layer.get(), last.layer.get()});
  check_gradient(first, "weight", r.gradient("lin.weight", true));
  check_gradient(last, "bias", r.gradient("lin.bias", false));
}

void check_appnp(const Reference& r) {
  const MadeLayer step = make_layer("appnp", place_of(7, 7, 0, 5), {{"alpha", "0.1"}});
  CHECK(step.parameters.empty());
  r.check(std::vector<const layers::Layer*>(5, step.layer.get()), true);
}

}  // namespace

TEST_CASE("layers that are cut differently here agree with the reference values too") {
  const auto data = test_data("the comparison with reference values", "golden/pyg_float64.h5");
  if (!data) return;
  const GoldenFile golden(*data / "golden/pyg_float64.h5");
  const std::vector<std::pair<std::string, void (*)(const Reference&)>> all = {
      {"appnp", check_appnp}, {"gatv2_concat", check_gatv2}, {"pna", check_pna}, {"sgc", check_sgc}};
  for (const auto& [name, check] : all) {
    for (const std::string& graph : golden.names("/layers/" + name)) {
      const Reference r(golden, name, graph);
      CAPTURE(r.at());
      check(r);
    }
  }
}

TEST_CASE("layers agree with the reference values, outputs and all gradients") {
  const auto data = test_data("the comparison with reference values", "golden/pyg_float64.h5");
  if (!data) return;
  const GoldenFile golden(*data / "golden/pyg_float64.h5");
  for (const Case& c : cases()) {
    for (const std::string& graph : golden.names("/layers/" + c.name)) check_case(golden, c, graph);
  }
}
