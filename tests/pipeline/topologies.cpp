#include "laminar/tests/pipeline/topologies.hpp"

#include <algorithm>

#include "laminar/core/error.hpp"
#include "laminar/tests/support/tensors.hpp"

namespace laminar::testing {

std::vector<layers::ModelOptions> topology_nets(core::DType precision, core::Index layers) {
  std::vector<layers::ModelOptions> nets = {
      {.layer = "gcn", .hidden = 8, .input_dropout = 0.2},
      {.layer = "sage", .hidden = 8},
      {.layer = "sage", .hidden = 8, .layer_options = {{"aggregator", "max"}}},
      {.layer = "gat", .hidden = 8, .layer_options = {{"heads", "2"}, {"attention_dropout", "0.3"}}},
      {.layer = "gcnii", .hidden = 8, .input_dropout = 0.2},
      {.layer = "gat", .hidden = 8, .residual = true, .layer_options = {{"heads", "2"}}},
      {.layer = "sage", .hidden = 8, .residual = true}};
  for (auto& net : nets) {
    net.layers = layers;
    net.precision = precision;
  }
  return nets;
}

std::string name_of_net(const layers::ModelOptions& net) {
  std::string name = net.layer;
  for (const auto& [key, value] : net.layer_options) name += " " + key + "=" + value;
  if (net.jumping != layers::Jumping::kNone) name += " jumping " + std::string(layers::name_of(net.jumping));
  return net.residual ? name + " residual" : name;
}

pipeline::TrainOptions training_on(const pipeline::Topology& topology, core::Index epochs) {
  pipeline::TrainOptions o;
  o.epochs = epochs;
  o.eval_every = epochs;
  o.threads = 2;
  o.distribution.topology = topology;
  o.distribution.partition = "range";
  return o;
}

std::map<std::string, core::Tensor> gradients_of(pipeline::Trainer& trainer) {
  std::map<std::string, core::Tensor> all;
  for (core::Index d = 0; d < trainer.plan().num_devices(); ++d) {
    for (const auto& p : trainer.device(d).model().parameters()) all.emplace(p->name, p->gradient.clone());
  }
  return all;
}

double largest_difference(const std::map<std::string, core::Tensor>& a, const std::map<std::string, core::Tensor>& b) {
  if (a.size() != b.size()) throw Error("there are gradients of other parameters");
  double largest = 0;
  double scale = 0;
  for (const auto& [name, gradient] : a) scale = std::max(scale, norm(gradient));
  for (const auto& [name, gradient] : a) {
    const core::Tensor& other = b.at(name);
    // A gradient that is 0 to rounding has no direction.
    if (norm(gradient) <= 1e-13 * scale && norm(other) <= 1e-13 * scale) continue;
    largest = std::max(largest, relative_difference(other, gradient));
  }
  return largest;
}

Numbers numbers_of(const layers::ModelOptions& net, const core::Dataset& data, const pipeline::TrainOptions& options) {
  Numbers numbers;
  pipeline::Trainer first(net, data, options);
  first.compute_gradients(0);
  numbers.gradients = gradients_of(first);
  pipeline::Trainer trainer(net, data, options);
  for (const auto& e : trainer.run().epochs) numbers.losses.push_back(e.loss);
  return numbers;
}

}  // namespace laminar::testing
