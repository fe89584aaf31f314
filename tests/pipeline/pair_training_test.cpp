#include <cmath>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/checkpoint.hpp"
#include "laminar/pipeline/executor.hpp"
#include "laminar/pipeline/pair_objective.hpp"
#include "laminar/pipeline/pair_split.hpp"
#include "laminar/pipeline/predictor.hpp"
#include "laminar/pipeline/trainer.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/temporary_folder.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using layers::DecoderKind;
using pipeline::Trainer;
using pipeline::TrainOptions;
using pipeline::TrainResult;

namespace {

layers::ModelOptions model_of(DecoderKind decoder) {
  return {.layer = "gcn", .layers = 2, .hidden = 12, .dropout = 0.2, .decoder = decoder};
}

TrainOptions options_of(core::Index epochs) { return {.epochs = epochs, .seed = 3}; }

TrainResult train(const core::Dataset& data, DecoderKind decoder, const TrainOptions& options) {
  return Trainer(model_of(decoder), data, options).run();
}

void check_same(const TrainResult& a, const TrainResult& b) {
  CHECK(a.loss == b.loss);
  CHECK(a.best_epoch == b.best_epoch);
  CHECK(a.best.test_metric == b.best.test_metric);
  REQUIRE(a.links.size() == b.links.size());
  for (std::size_t i = 0; i < a.links.size(); ++i) CHECK(a.links[i].test == b.links[i].test);
}

}  // namespace

TEST_CASE("a model learns which vertices are joined") {
  const auto data = block_model_dataset({.vertices = 300});
  for (const auto decoder : {DecoderKind::kDot, DecoderKind::kMlp}) {
    CAPTURE(layers::name_of(decoder));
    Trainer trainer(model_of(decoder), *data, options_of(60));
    REQUIRE(trainer.links() != nullptr);
    const auto untrained = trainer.pair_figures();
    const TrainResult r = trainer.run();
    CHECK(r.metric == core::Metric::kRocAuc);
    CHECK(r.split == "random");
    CHECK(r.epochs.back().loss < 0.8 * r.epochs.front().loss);
    CHECK(r.best.test_metric > 0.65);
    CHECK(r.confusion.empty());
    REQUIRE(r.links.size() == 6);
    CHECK(r.links[0].name == "roc-auc");
    CHECK(r.links[0].val == r.best.val_metric);
    CHECK(r.links[0].test == r.best.test_metric);
    CHECK(r.links[0].val > untrained[0].val);
  }
}

TEST_CASE("threads and stages do not change a bit, and a resumed training is the same") {
  const auto data = block_model_dataset({.vertices = 120});
  TrainOptions options = options_of(8);
  options.threads = 1;
  const TrainResult one = train(*data, DecoderKind::kMlp, options);
  options.threads = 3;
  check_same(one, train(*data, DecoderKind::kMlp, options));
  options.distribution.topology = {.stages = 2, .parts = 1, .chunks = 1};
  check_same(one, train(*data, DecoderKind::kMlp, options));
  options.clip_norm = 0.05;
  const TrainResult clipped = train(*data, DecoderKind::kMlp, options);
  options.distribution.topology = {};
  check_same(clipped, train(*data, DecoderKind::kMlp, options));
  options.clip_norm = 0;

  const TemporaryFolder folder;
  options.checkpoint = folder.path() / "run.h5";
  options.stop_after = 3;
  train(*data, DecoderKind::kMlp, options);
  options.stop_after = 0;
  Trainer later(model_of(DecoderKind::kMlp), *data, options);
  later.resume(pipeline::read_checkpoint(options.checkpoint));
  check_same(one, later.run());
}

TEST_CASE("another seed splits and draws differently") {
  const auto data = block_model_dataset({.vertices = 120});
  TrainOptions options = options_of(2);
  const TrainResult a = train(*data, DecoderKind::kDot, options);
  options.seed = 4;
  CHECK(a.loss != train(*data, DecoderKind::kDot, options).loss);
  // More negatives make another loss of the same pairs.
  options.seed = 3;
  options.pairs.negatives = 3;
  CHECK(a.loss != train(*data, DecoderKind::kDot, options).loss);
}

TEST_CASE("the outputs do not depend on held-out edges") {
  // Two graphs that differ in one held-out edge of the first: same messages, same initial weights, same outputs.
  const auto data = block_model_dataset({.vertices = 120});
  Trainer trainer(model_of(DecoderKind::kDot), *data, options_of(1));
  const auto links = trainer.links();
  datasets::GraphData other = block_model({.vertices = 120});
  other.graph = links->message_graph;
  const auto without = datasets::from_memory(other);
  trainer.run();
  const pipeline::Checkpoint c = trainer.checkpoint();
  const auto whole = pipeline::predict(c, *without, {});
  CHECK(same_bits(trainer.predict().outputs, whole.rows.outputs));
  CHECK_FALSE(same_bits(trainer.predict().outputs, pipeline::predict(c, *data, {}).rows.outputs));
}

TEST_CASE("a checkpoint scores pairs as its training did") {
  const auto data = block_model_dataset({.vertices = 120});
  for (const char* layer : {"gcn", "gcnii"}) {
    layers::ModelOptions model = model_of(DecoderKind::kMlp);
    model.layer = layer;
    Trainer trainer(model, *data, options_of(5));
    const TrainResult r = trainer.run();
    const pipeline::Checkpoint c = trainer.checkpoint();
    const auto pool = core::MemoryPool::create();
    const layers::Model end = pipeline::make_decoder(c, false, pool.get());
    std::vector<core::VertexId> ids;
    for (core::VertexId v = 0; v < 120; ++v) ids.push_back(v);
    const pipeline::PairObjective objective(trainer.links(), c.options.pairs, c.options.seed, end, ids, pool);
    CHECK(objective.evaluate(core::Metric::kRocAuc, trainer.predict().outputs).test_metric == r.best.test_metric);
    CHECK(pipeline::make_model(c).decoder() != nullptr);
  }
}

TEST_CASE("datasets without labels will do, and what can't be is refused") {
  datasets::GraphData bare = block_model({.vertices = 120});
  bare.labels = {};
  bare.splits.clear();
  const auto data = datasets::from_memory(bare);
  CHECK(std::isfinite(train(*data, DecoderKind::kDot, options_of(1)).loss));
  const auto refused = [&](auto&& change) {
    TrainOptions options = options_of(1);
    change(options);
    CHECK_THROWS_AS(train(*data, DecoderKind::kDot, options), UsageError);
  };
  refused([](TrainOptions& o) { o.metric = core::Metric::kAccuracy; });
  refused([](TrainOptions& o) { o.split = std::string("0"); });
  refused([](TrainOptions& o) { o.distribution.topology.parts = 2; });
  refused([](TrainOptions& o) { o.distribution.topology = {.stages = 2, .parts = 1, .chunks = 4}; });
  refused([](TrainOptions& o) { o.pairs.test = 0; });
  layers::ModelOptions no_maps = model_of(DecoderKind::kMlp);
  no_maps.decoder_layers = 0;
  CHECK_THROWS_AS(Trainer(no_maps, *data, options_of(1)), UsageError);
  bare.graph = std::make_shared<core::Graph>(core::Graph::from_edges(120, {}, {}, {}, false));
  CHECK_THROWS_AS(train(*datasets::from_memory(bare), DecoderKind::kDot, options_of(1)), Error);
}
