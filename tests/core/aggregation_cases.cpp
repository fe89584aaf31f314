#include "laminar/tests/core/aggregation_cases.hpp"

#include "laminar/tests/support/tensors.hpp"

namespace laminar::testing {

using namespace core;

std::vector<AdjacencySpec> all_adjacency_specs() {
  std::vector<AdjacencySpec> specs;
  for (const auto normalization : {Normalization::kNone, Normalization::kSymmetric, Normalization::kRandomWalk}) {
    for (const bool self_loops : {false, true}) {
      for (const bool weights : {false, true}) specs.push_back({normalization, self_loops, weights});
    }
  }
  specs.push_back({.weights = false, .own = 1});
  specs.push_back({.normalization = Normalization::kSymmetric, .self_loops = true, .factor = .5, .own = -.25});
  return specs;
}

std::string name_of(const AdjacencySpec& spec) {
  std::string name = spec.normalization == Normalization::kNone        ? "plain"
                     : spec.normalization == Normalization::kSymmetric ? "symmetric"
                                                                       : "random walk";
  if (spec.self_loops) name += ", self-loops";
  if (spec.weights) name += ", weighted";
  if (spec.own != 0) name += ", plus own";
  return name;
}

ParameterList aggregation_parameters(DType dtype, Index width) {
  ParameterList parameters;
  parameters.push_back(random_parameter("source vector", 1, width, dtype, 101));
  parameters.push_back(random_parameter("target vector", 1, width, dtype, 102));
  return parameters;
}

const std::vector<AggregationCase>& aggregation_cases() {
  static const std::vector<AggregationCase> cases = [] {
    std::vector<AggregationCase> all;
    for (const AdjacencySpec& spec : all_adjacency_specs()) {
      all.push_back(
          {"sum: " + name_of(spec), true, false, [spec](Tape& tape, const Block& block, Var own, const ParameterList&) {
             return sum(tape, block, src(block.sources(tape, own)) * spec);
           }});
    }
    all.push_back({"mean", true, false, [](Tape& tape, const Block& block, Var own, const ParameterList&) {
                     return mean(tape, block, src(block.sources(tape, own)));
                   }});
    all.push_back({"max", false, false, [](Tape& tape, const Block& block, Var own, const ParameterList&) {
                     return max(tape, block, src(block.sources(tape, own)));
                   }});
    all.push_back({"min", false, false, [](Tape& tape, const Block& block, Var own, const ParameterList&) {
                     return min(tape, block, src(block.sources(tape, own)));
                   }});
    all.push_back({"gates", false, false, [](Tape& tape, const Block& block, Var own, const ParameterList&) {
                     const Sources z = block.sources(tape, own);
                     return sum(tape, block, sigmoid(src(z) + dst(z)) * src(z));
                   }});
    for (const double dropout : {0.0, 0.4}) {
      const AttentionOptions options{3, dropout > 0, dropout};
      all.push_back({dropout > 0 ? "attention of pairs: self-loops, dropout" : "attention of pairs", false, dropout > 0,
                     [options](Tape& tape, const Block& block, Var own, const ParameterList& p) {
                       const Sources z = block.sources(tape, own);
                       return softmax_sum(tape, block, dot(leaky_relu(src(z) + dst(z), .2), *p[0]), src(z), options);
                     }});
    }
    for (const Index heads : {1, 3}) {
      for (const bool self_loops : {false, true}) {
        for (const double dropout : {0.0, 0.4}) {
          std::string name = "attention: " + std::to_string(heads) + (heads == 1 ? " head" : " heads");
          if (self_loops) name += ", self-loops";
          if (dropout > 0) name += ", dropout";
          const AttentionOptions options{heads, self_loops, dropout};
          all.push_back({std::move(name), false, dropout > 0,
                         [options](Tape& tape, const Block& block, Var own, const ParameterList& p) {
                           const Sources z = block.sources(tape, own);
                           return softmax_sum(tape, block, leaky_relu(dot(src(z), *p[0]) + dot(dst(z), *p[1]), .2),
                                              src(z), options);
                         }});
        }
      }
    }
    return all;
  }();
  return cases;
}

}  // namespace laminar::testing
