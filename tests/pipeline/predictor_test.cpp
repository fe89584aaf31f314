/// A model applied through any topology says what one device says, of a checkpoint and of a trainer.
#include "laminar/pipeline/predictor.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/temporary_folder.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using pipeline::Cause;
using pipeline::PredictorOptions;
using pipeline::Topology;
using pipeline::Trainer;
using pipeline::TrainOptions;

namespace {

TrainOptions options_of(const Topology& topology) {
  TrainOptions o;
  o.epochs = 6;
  o.threads = 2;
  o.distribution.topology = topology;
  o.distribution.partition = "range";
  o.distribution.history.staleness = 0;
  return o;
}

PredictorOptions predictor(const Topology& topology) {
  PredictorOptions o;
  o.embeddings = true;
  o.threads = 2;
  o.distribution.topology = topology;
  o.distribution.partition = "range";
  return o;
}

}  // namespace

TEST_CASE("predictions are those of one device on every topology") {
  for (const bool sparse : {false, true}) {
    const auto data = block_model_dataset({.vertices = 90, .sparse_features = sparse, .directed = sparse});
    for (const auto& net : topology_nets(core::DType::kFloat64, 4)) {
      CAPTURE(name_of_net(net));
      Trainer trainer(net, *data, options_of({}));
      trainer.run();
      const pipeline::Checkpoint c = trainer.checkpoint();
      const auto alone = pipeline::predict(c, *data, predictor({}));
      REQUIRE(alone.rows.outputs.rows() == 90);
      CHECK(alone.sent[Cause::kEvaluation] == 0);
      CHECK(same_bits(alone.rows.outputs, trainer.predict().outputs));
      CHECK(same_bits(alone.rows.embedding, trainer.predict(true).embedding));
      for (const Topology& t : {Topology{.parts = 3}, Topology{.stages = 3}, Topology{.stages = 2, .parts = 2}}) {
        CAPTURE(t.stages);
        const auto spread = pipeline::predict(c, *data, predictor(t));
        CHECK(relative_difference(spread.rows.outputs, alone.rows.outputs) <= 1e-11);
        CHECK(relative_difference(spread.rows.embedding, alone.rows.embedding) <= 1e-11);
        CHECK(spread.sent[Cause::kEvaluation] > 0);
        CHECK(spread.sent.training_bytes() == 0);
        Trainer other(net, *data, options_of({.stages = t.stages, .parts = t.parts, .chunks = t.stages > 1 ? 3 : 1}));
        other.resume(c);
        CHECK(relative_difference(other.predict().outputs, alone.rows.outputs) <= 1e-11);
      }
      PredictorOptions last = predictor({.stages = 2});
      last.last_weights = true;
      last.embeddings = false;
      const auto of_last = pipeline::predict(c, *data, last);
      CHECK_FALSE(of_last.rows.embedding);
      CHECK((relative_difference(of_last.rows.outputs, alone.rows.outputs) <= 1e-11) == (c.best_epoch == c.epoch));
    }
  }
}

TEST_CASE("a graph without labels is predicted, one with other features is refused") {
  const auto data = block_model_dataset({.vertices = 90});
  Trainer trainer({.layer = "gcn", .layers = 3, .hidden = 8}, *data, options_of({}));
  trainer.run();
  const pipeline::Checkpoint c = trainer.checkpoint();
  datasets::GraphData unlabelled = block_model({.vertices = 90});
  unlabelled.labels = {};
  unlabelled.splits.clear();
  const auto bare = datasets::from_memory(unlabelled);
  CHECK(pipeline::predict(c, *bare, predictor({.parts = 2})).rows.outputs.rows() == 90);
  CHECK_THROWS_AS(pipeline::predict(c, *data, predictor({.stages = 4})), UsageError);
  datasets::GraphData narrow = block_model({.vertices = 90});
  narrow.features = core::Tensor::zeros(90, 2, core::DType::kFloat32);
  CHECK_THROWS_WITH_AS(pipeline::predict(c, *datasets::from_memory(narrow), predictor({.parts = 2})),
                       doctest::Contains("2 features a vertex"), Error);
}

TEST_CASE("a measured cut stands in the checkpoint and is kept") {
  const auto data = block_model_dataset({.vertices = 240});
  const layers::ModelOptions net{.layer = "gcnii", .layers = 8, .hidden = 8};
  TrainOptions o = options_of({.stages = 3, .chunks = 4});
  o.distribution.stage_cut.measured = true;
  o.stop_after = 2;
  Trainer first(net, *data, o);
  const auto result = first.run();
  const pipeline::Checkpoint c = first.checkpoint();
  const auto& at = c.options.distribution.stage_cut.at;
  REQUIRE(at.size() == 2);
  CHECK(first.plan().place(1).layer_begin == at[0]);
  CHECK(first.plan().place(2).layer_begin == at[1]);
  CHECK(result.remarks.back().find("--stage-cut measured: later stages begin at layers") == 0);
  // Whatever would be measured now: here as nothing can come out.
  pipeline::Checkpoint moved = c;
  moved.options.distribution.stage_cut.at = {1, 2};
  Trainer second(net, *data, moved.options);
  CHECK(second.plan().place(1).layer_begin == 1);
  CHECK(second.plan().place(2).layer_begin == 2);
  CHECK(second.plan().remarks.empty());
  // Another number of stages is measured anew, one stage is not measured.
  moved.options.distribution.topology.stages = 2;
  CHECK(Trainer(net, *data, moved.options).plan().remarks.size() == 1);
  moved.options.distribution.topology.stages = 1;
  CHECK(Trainer(net, *data, moved.options).plan().remarks.empty());
  // Where a net is cut changes no loss.
  TrainOptions even = o;
  even.distribution.stage_cut = {.even = true};
  const auto others = Trainer(net, *data, even).run();
  CHECK(others.epochs.back().loss == doctest::Approx(result.epochs.back().loss).epsilon(1e-4));
}
