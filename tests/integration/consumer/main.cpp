// A program that uses an installed Laminar as a library: it makes a graph of two communities, trains a GCN on it, and
// writes it to the file that it is given the name of.
#include <cstdio>
#include <memory>
#include <vector>

#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_data.hpp"
#include "laminar/datasets/graph_file.hpp"
#include "laminar/pipeline/trainer.hpp"

int main(int argc, char** argv) try {
  using namespace laminar;
  constexpr core::Index kVertices = 200;
  datasets::GraphData data{.name = "two communities"};
  data.labels = {.task = core::Task::kClassification, .num_outputs = 2};
  data.features = core::Tensor(kVertices, 4, core::DType::kFloat32);
  data.splits.push_back({.name = "thirds"});
  std::vector<core::VertexId> from;
  std::vector<core::VertexId> to;
  for (core::VertexId v = 0; v < kVertices; ++v) {
    data.labels.classes.push_back(v % 2);
    for (core::Index c = 0; c < 4; ++c) data.features.set(v, c, ((v * 37 + c * 11) % 23) / 11.0 - 1 + (c == v % 2));
    for (const core::VertexId step : {2, 10, 46}) {  // even: stays in the community
      const core::VertexId u = (v + step) % kVertices;
      from.insert(from.end(), {v, u});
      to.insert(to.end(), {u, v});
    }
    auto& split = data.splits[0];
    (v % 3 == 0 ? split.train : v % 3 == 1 ? split.val : split.test).push_back(v);
  }
  data.graph = std::make_shared<core::Graph>(core::Graph::from_edges(kVertices, from, to, {}, false));

  if (argc > 1) datasets::write(argv[1], data);
  pipeline::Trainer trainer({.layer = "gcn", .hidden = 16}, *datasets::from_memory(std::move(data)), {.epochs = 50});
  const pipeline::TrainResult result = trainer.run();
  std::printf("test accuracy %.2f after %zu epochs\n", result.best.test_metric, result.epochs.size());
} catch (const laminar::Error& error) {
  std::fprintf(stderr, "consumer: %s\n", error.what());
  return 1;
}
