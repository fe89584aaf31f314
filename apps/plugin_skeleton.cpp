#include "laminar/apps/plugin_skeleton.hpp"

#include <cctype>
#include <string_view>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::apps {
namespace {

constexpr std::string_view kLayer = R"(#pragma once

#include "laminar/plugin.hpp"

using namespace laminar;

/// y_i = x_i W_self + share * mean_{j -> i} x_j W_neighbour + b.   x: [n, in], y: [n, out].
/// Say here what your layer computes, with shapes, and where it comes from.
class @Class@ final : public Layer {
 public:
  /// What --help, laminar-info --layers and a checkpoint know of it. Options are --@name@.NAME on the command line.
  static LayerInfo info() {
    return {.name = "@name@",
            .summary = "a self term beside the mean of the neighbours",
            .paper = "",
            .options = {{.name = "share",
                         .kind = OptionKind::kNumber,
                         .default_value = "1",
                         .help = "weight of the neighbours",
                         .min = 0,
                         .max = 100}}};
  }

  /// Reads options and declares parameters, each named; a Linear is a weight [in_width, out_width] and a bias.
  explicit @Class@(LayerSetup& s)
      : share_(s.number("share")), self_(s.linear("self")), neighbour_(s.linear("neighbour", {.bias = false})) {}

  /// The forward is all there is to write: row-local work, block.sources() once, one aggregation, row-local work.
  State forward(Tape& tape, const Block& block, State in) const override {
    // The rows to aggregate from: x.rows, and this block's own rows among them: x.own.
    auto x = block.sources(tape, in.x, dropout(in.rate));
    // sum, mean, max, softmax_sum ... of a message: src(x), src(x) * symmetric_norm(), ...
    auto m = mean(tape, block, src(x));
    in.x = combine(tape, 1, self_(tape, x.own), share_, neighbour_(tape, m));
    return in;
  }

 private:
  double share_;
  Linear self_, neighbour_;
};
LAMINAR_LAYER(@Class@)
)";

constexpr std::string_view kTest =
    R"(// A value of @name@ worked out by hand. `laminar-plugin check @name@.hpp` compiles and runs this.
#include <cmath>
#include <cstdio>

#include "@name@.hpp"
#include "laminar/layers/check_data.hpp"
#include "laminar/layers/layer_checks.hpp"

int main() {
  using namespace laminar::layers::checks;
  // Edges 0 -> 2 and 1 -> 2, so vertex 2 has the mean of 0 and 1, and they have no neighbours.
  const core::Graph graph = core::Graph::from_edges(3, std::vector<VertexId>{0, 1}, std::vector<VertexId>{2, 2}, {}, true);
  const MadeLayer made = make_layer("@name@", {.in_width = 1, .out_width = 1, .dtype = DType::kFloat64}, {{"share", "2"}});
  made.parameter("self").value.set(0, 0, 10);
  made.parameter("neighbour").value.set(0, 0, 100);
  made.parameter("self_bias").value.set(0, 0, 0.5);

  const Block block = Block::whole(graph);
  Tape tape(context(DType::kFloat64));
  const Var x = tape.input(Tensor::from(3, 1, std::vector<double>{1, 2, 3}), false);
  const Tensor y = tape.value(made.layer->forward(tape, block, {x}).x);

  const double expected[] = {10.5, 20.5, 30.5 + 2 * 100 * 1.5};
  for (Index v = 0; v < 3; ++v) {
    if (std::abs(y.at(v, 0) - expected[v]) <= 1e-12) continue;
    std::printf("vertex %d: expected %g, found %g\n", static_cast<int>(v), expected[v], y.at(v, 0));
    return 1;
  }
  return 0;
}
)";

std::string class_name(const std::string& name) {
  std::string result;
  bool upper = true;
  for (const char c : name) {
    if (c != '_') result += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = c == '_';
  }
  return result;
}

std::string filled(std::string_view pattern, const std::string& name) {
  const bool valid = !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
                     name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  if (!valid) throw UsageError(fmt::format("a layer can't be named '{}'; use a-z, 0-9 and _, a letter first", name));
  std::string text(pattern);
  const auto replace = [&](std::string_view what, const std::string& with) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
      text.replace(at, what.size(), with);
    }
  };
  replace("@name@", name);
  replace("@Class@", class_name(name));
  return text;
}

}  // namespace

std::string plugin_skeleton(const std::string& name) { return filled(kLayer, name); }
std::string plugin_skeleton_test(const std::string& name) { return filled(kTest, name); }

}  // namespace laminar::apps
