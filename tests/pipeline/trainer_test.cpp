#include "laminar/pipeline/trainer.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/device_features.hpp"
#include "laminar/pipeline/executor.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/temporary_folder.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using pipeline::Ending;
using pipeline::Trainer;
using pipeline::TrainOptions;
using pipeline::TrainResult;

namespace {

TrainOptions short_options(core::Index epochs = 40) {
  TrainOptions o;
  o.epochs = epochs;
  o.threads = 2;
  return o;
}

/// One device with the whole graph, in the file's order.
std::unique_ptr<pipeline::Executor> whole_graph_executor(const layers::Model& model, const core::Dataset& data,
                                                         std::shared_ptr<core::MemoryPool> pool) {
  pipeline::ExecutorSetup setup;
  setup.model = &model;
  setup.place.layer_end = model.num_layers();
  setup.cut = std::make_shared<pipeline::CutGraph>(partition::Layout(data.graph()->num_vertices()), *data.graph());
  setup.features = pipeline::load_device_features(data.features(), model, *setup.cut, setup.place,
                                                  pipeline::needs_features(model, setup.place, false), pool.get());
  setup.pool = std::move(pool);
  return std::make_unique<pipeline::Executor>(std::move(setup));
}

bool same_weights(const std::vector<core::NamedTensor>& a, const std::vector<core::NamedTensor>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].name != b[i].name || !same_bits(a[i].value, b[i].value)) return false;
  }
  return true;
}

/// What a run computed, without times.
bool same_numbers(const TrainResult& a, const TrainResult& b) {
  if (a.epochs.size() != b.epochs.size() || a.best_epoch != b.best_epoch || a.confusion != b.confusion) return false;
  for (std::size_t i = 0; i < a.epochs.size(); ++i) {
    const auto& x = a.epochs[i];
    const auto& y = b.epochs[i];
    if (x.epoch != y.epoch || x.loss != y.loss || x.learning_rate != y.learning_rate || x.evaluated != y.evaluated ||
        x.evaluation.val_metric != y.evaluation.val_metric || x.evaluation.test_metric != y.evaluation.test_metric ||
        x.evaluation.train_metric != y.evaluation.train_metric || x.evaluation.val_loss != y.evaluation.val_loss) {
      return false;
    }
  }
  return true;
}

const std::vector<layers::ModelOptions>& models() {
  static const std::vector<layers::ModelOptions> all = {
      {.layer = "gcn", .hidden = 16, .input_dropout = 0.2},
      {.layer = "sage", .layers = 3, .hidden = 16, .residual = true},
      {.layer = "sage", .hidden = 16, .layer_options = {{"aggregator", "max"}}},
      {.layer = "gat", .hidden = 16, .layer_options = {{"heads", "4"}, {"attention_dropout", "0.3"}}},
      {.layer = "gcnii", .layers = 4, .hidden = 16},
      {.layer = "linear", .hidden = 16}};
  return all;
}

/// CHECKs that 1, 2 and 4 threads give the same bits, and returns what they gave.
TrainResult check_threads(const layers::ModelOptions& model, const core::Dataset& data, TrainOptions options) {
  options.threads = 1;
  Trainer one(model, data, options);
  const TrainResult expected = one.run();
  for (const int threads : {2, 4}) {
    options.threads = threads;
    Trainer other(model, data, options);
    CHECK(same_numbers(other.run(), expected));
    CHECK(same_weights(other.checkpoint().weights, one.checkpoint().weights));
  }
  return expected;
}

}  // namespace

TEST_CASE("every layer learns the block model, from dense and from sparse features") {
  for (const bool sparse : {false, true}) {
    const auto data = block_model_dataset({.vertices = 480, .sparse_features = sparse});
    for (const auto& model : models()) {
      CAPTURE(model.layer);
      CAPTURE(sparse);
      Trainer trainer(model, *data, short_options(60));
      const TrainResult r = trainer.run();
      CHECK(r.epochs.size() == 60);
      CHECK(r.epochs.back().loss < r.epochs.front().loss);
      CHECK(r.best.val_metric > (model.layer == "linear" ? 0.5 : 0.75));
      CHECK(r.best.test_metric > (model.layer == "linear" ? 0.5 : 0.7));
      CHECK(r.ending == Ending::kAllEpochs);
      std::int64_t scored = 0;
      for (const auto count : r.confusion) scored += count;
      CHECK(scored == static_cast<std::int64_t>(data->split("random").test.size()));
    }
  }
}

TEST_CASE("multi-label and regression are learnt, with their own metrics") {
  for (const auto task : {core::Task::kMultiLabel, core::Task::kRegression}) {
    CAPTURE(core::name_of(task));
    const auto data = block_model_dataset({.task = task});
    Trainer trainer({.layer = "sage", .hidden = 16, .dropout = 0.1}, *data, short_options(80));
    const TrainResult r = trainer.run();
    CHECK(r.confusion.empty());
    CHECK(r.label_counts.size() == (task == core::Task::kMultiLabel ? 3U : 0U));
    if (task == core::Task::kMultiLabel) {
      CHECK(r.metric == core::Metric::kRocAuc);
      CHECK(r.best.test_metric > 0.85);
    } else {
      CHECK(r.metric == core::Metric::kMse);
      CHECK(r.best.test_metric < 0.5);
      CHECK(r.best.val_metric <= r.epochs.front().evaluation.val_metric);
    }
  }
}

TEST_CASE("the same seed gives the same bits on 1, 2 and 4 threads, another seed others") {
  for (const bool sparse : {false, true}) {
    const auto data = block_model_dataset({.sparse_features = sparse, .directed = true});
    for (const auto& model : models()) {
      CAPTURE(model.layer);
      TrainOptions options = short_options(8);
      options.clip_norm = 1;
      const TrainResult expected = check_threads(model, *data, options);
      options.seed = 2;
      Trainer another(model, *data, options);
      CHECK_FALSE(same_numbers(another.run(), expected));
    }
  }
}

TEST_CASE("threads change no bit where loops are cut in many pieces") {
  const auto data = block_model_dataset({.vertices = 3000});
  for (const layers::ModelOptions& model :
       {layers::ModelOptions{.layer = "sage", .layers = 2, .hidden = 64, .residual = true},
        layers::ModelOptions{.layer = "gat", .hidden = 64, .layer_options = {{"attention_dropout", "0.3"}}}}) {
    CAPTURE(model.layer);
    TrainOptions options = short_options(3);
    options.clip_norm = 1;
    check_threads(model, *data, options);
  }
}

TEST_CASE("a run that stops half-way and is resumed from its file ends as if it had not") {
  const TemporaryFolder folder;
  const auto data = block_model_dataset();
  for (const auto& model : models()) {
    CAPTURE(model.layer);
    TrainOptions options = short_options(20);
    options.learning_rate.schedule = core::LearningRateSchedule::kCosine;
    options.learning_rate.warmup_epochs = 3;
    options.eval_every = 3;
    Trainer whole(model, *data, options);
    const TrainResult expected = whole.run();

    options.checkpoint = folder.path() / "half.h5";
    options.stop_after = 10;
    Trainer half(model, *data, options);
    CHECK(half.run().ending == Ending::kStopAfter);
    options.stop_after = 0;
    Trainer rest(model, *data, options);
    rest.resume(pipeline::read_checkpoint(options.checkpoint));
    const TrainResult result = rest.run();
    CHECK(same_numbers(result, expected));
    CHECK(same_weights(rest.checkpoint().weights, whole.checkpoint().weights));
    CHECK(same_weights(rest.checkpoint().best_weights, whole.checkpoint().best_weights));
    CHECK(same_weights(rest.checkpoint().optimizer, whole.checkpoint().optimizer));
    const auto stored = pipeline::read_checkpoint(options.checkpoint);
    CHECK(stored.epoch == 20);
    CHECK(stored.best_epoch == expected.best_epoch);
  }
}

TEST_CASE("patience ends a run, and again when it is resumed") {
  const TemporaryFolder folder;
  const auto data = block_model_dataset();
  TrainOptions options = short_options(400);
  options.patience = 10;
  options.checkpoint = folder.path() / "run.h5";
  Trainer trainer(models()[0], *data, options);
  const TrainResult r = trainer.run();
  CHECK(r.ending == Ending::kEarlyStop);
  CHECK(r.epochs.back().epoch == r.best_epoch + 10);
  Trainer again(models()[0], *data, options);
  again.resume(pipeline::read_checkpoint(options.checkpoint));
  CHECK(same_numbers(again.run(), r));
}

TEST_CASE("a stop request ends after the current epoch and leaves a checkpoint") {
  const TemporaryFolder folder;
  const auto data = block_model_dataset();
  TrainOptions options = short_options(30);
  options.checkpoint = folder.path() / "run.h5";
  Trainer trainer(models()[0], *data, options);
  trainer.observe([&](const pipeline::EpochRecord& e) {
    if (e.epoch == 7) trainer.request_stop();
  });
  CHECK(trainer.run().ending == Ending::kInterrupted);
  CHECK(pipeline::read_checkpoint(options.checkpoint).epoch == 7);
}

TEST_CASE("the best epoch is the first with the highest validation metric and the lowest loss among equals") {
  const auto data = block_model_dataset();
  Trainer trainer(models()[0], *data, short_options(50));
  const TrainResult r = trainer.run();
  for (const auto& e : r.epochs) {
    CHECK(e.evaluation.val_metric <= r.best.val_metric);
    if (e.evaluation.val_metric == r.best.val_metric) CHECK(e.evaluation.val_loss >= r.best.val_loss);
  }
  CHECK(r.epochs[static_cast<std::size_t>(r.best_epoch - 1)].evaluation.test_metric == r.best.test_metric);
}

TEST_CASE("on request the epoch of the lowest validation loss is the best") {
  const auto data = block_model_dataset();
  TrainOptions options = short_options(50);
  options.select = pipeline::Selection::kLoss;
  Trainer trainer(models()[0], *data, options);
  const TrainResult r = trainer.run();
  for (const auto& e : r.epochs) CHECK(e.evaluation.val_loss >= r.best.val_loss);
  CHECK(r.epochs[static_cast<std::size_t>(r.best_epoch - 1)].evaluation.val_loss == r.best.val_loss);
}

TEST_CASE("selections have names") {
  for (const auto s : {pipeline::Selection::kMetric, pipeline::Selection::kLoss}) {
    CHECK(pipeline::selection_from_name(name_of(s)) == s);
  }
  CHECK_THROWS_AS(pipeline::selection_from_name("luck"), UsageError);
}

TEST_CASE("the model of a checkpoint predicts what the best epoch did") {
  const auto data = block_model_dataset();
  Trainer trainer(models()[1], *data, short_options(30));
  const TrainResult r = trainer.run();
  const layers::Model model = pipeline::make_model(trainer.checkpoint());
  const auto pool = core::MemoryPool::create();
  const pipeline::Prediction p = whole_graph_executor(model, *data, pool)->predict(true);
  core::MetricAccumulator accuracy(core::Metric::kAccuracy, core::Task::kClassification, 3);
  accuracy.add(p.outputs, data->labels(), data->split("random").test);
  CHECK(accuracy.value() == r.best.test_metric);
  CHECK(p.embedding.cols() == 16);
}

TEST_CASE("after the first epoch nothing proportional to the graph comes from the heap") {
  for (const bool sparse : {false, true}) {
    const auto data = block_model_dataset({.sparse_features = sparse});
    for (const auto& options : models()) {
      CAPTURE(options.layer);
      const auto pool = core::MemoryPool::create();
      layers::Model model(options, data->schema(), pool.get());
      model.initialize(1);
      const auto executor = whole_graph_executor(model, *data, pool);
      const std::vector<pipeline::Step> steps = {{pipeline::Step::Kind::kForward, 0, 0, model.num_layers()},
                                                 {pipeline::Step::Kind::kBackward, 0, 0, model.num_layers()}};
      const auto epoch = [&](core::Index e) {
        executor->run(steps, 1, e, pipeline::chunk_order(1, 1, e, false),
                      [](core::Index, const core::Tensor&, core::Tensor& gradient) {
                        gradient.fill(1);
                        return 0.0;
                      });
      };
      epoch(0);
      const auto before = pool->heap_allocations();
      for (core::Index e = 1; e < 5; ++e) epoch(e);
      CHECK(pool->heap_allocations() == before);
      CHECK(executor->live_tape_bytes() > 0);
    }
  }
}

TEST_CASE("bad requests are refused before anything is trained") {
  const auto data = block_model_dataset();
  const auto refused = [&](auto&& change) {
    TrainOptions options = short_options();
    layers::ModelOptions model = models()[0];
    change(model, options);
    CHECK_THROWS_AS(Trainer(model, *data, options), UsageError);
  };
  refused([](auto&, auto& t) { t.epochs = 0; });
  refused([](auto&, auto& t) { t.eval_every = 0; });
  refused([](auto&, auto& t) { t.stop_after = -1; });
  refused([](auto&, auto& t) { t.patience = -1; });
  refused([](auto&, auto& t) { t.threads = -1; });
  refused([](auto&, auto& t) { t.checkpoint_every = -1; });
  refused([](auto&, auto& t) { t.clip_norm = -1; });
  refused([](auto&, auto& t) { t.learning_rate.base = std::nan(""); });
  refused([](auto&, auto& t) { t.optimizer.beta1 = 1; });
  refused([](auto&, auto& t) { t.distribution.topology.chunks = 1000; });
  refused([](auto&, auto& t) { t.distribution.topology.stages = 0; });
  refused([](auto&, auto& t) { t.split = "none such"; });
  refused([](auto&, auto& t) { t.metric = core::Metric::kMse; });
  refused([](auto& m, auto&) { m.layer = "none_such"; });
  refused([](auto& m, auto&) { m.hidden = 0; });
  refused([](auto& m, auto&) { m.layers = 0; });
  refused([](auto& m, auto&) { m.dropout = 1; });
  refused([](auto& m, auto&) { m.input_dropout = -.1; });
  refused([](auto& m, auto&) { m.layer_options["none_such"] = "1"; });

  datasets::GraphData unlabelled = block_model();
  unlabelled.labels = {};
  unlabelled.splits.clear();
  CHECK_THROWS_AS(Trainer(models()[0], *datasets::from_memory(std::move(unlabelled)), short_options()), UsageError);
  datasets::GraphData featureless = block_model();
  featureless.features = {};
  CHECK_THROWS_AS(Trainer(models()[0], *datasets::from_memory(std::move(featureless)), short_options()), UsageError);
  datasets::GraphData splitless = block_model();
  splitless.splits.clear();
  CHECK_THROWS_AS(Trainer(models()[0], *datasets::from_memory(std::move(splitless)), short_options()), UsageError);
}

TEST_CASE("a loss that leaves the finite numbers ends the run with an error that names the epoch") {
  const auto data = block_model_dataset({.task = core::Task::kRegression});
  TrainOptions options = short_options(200);
  options.optimizer.kind = core::OptimizerKind::kSgd;
  options.learning_rate.base = 1e12;
  const TemporaryFolder folder;
  options.checkpoint = folder.path() / "before.h5";
  Trainer trainer({.layer = "gcn", .hidden = 16, .dropout = 0}, *data, options);
  CHECK_THROWS_WITH_AS(trainer.run(), doctest::Contains("in epoch"), Error);
  CHECK(pipeline::read_checkpoint(options.checkpoint).epoch > 0);
}

TEST_CASE("a checkpoint of another model, other options or another graph is not resumed") {
  const auto data = block_model_dataset();
  Trainer trainer(models()[0], *data, short_options(5));
  trainer.run();
  const pipeline::Checkpoint checkpoint = trainer.checkpoint();
  Trainer other_model(models()[1], *data, short_options(5));
  CHECK_THROWS_AS(other_model.resume(checkpoint), Error);
  Trainer other_options(models()[0], *data, short_options(6));
  CHECK_THROWS_AS(other_options.resume(checkpoint), Error);
  const auto smaller = block_model_dataset({.vertices = 200});
  Trainer other_graph(models()[0], *smaller, short_options(5));
  CHECK_THROWS_WITH_AS(other_graph.resume(checkpoint), doctest::Contains("another graph"), Error);
  datasets::GraphData relabelled = block_model();
  relabelled.labels.classes[0] = (relabelled.labels.classes[0] + 1) % 3;
  const auto other_labels = datasets::from_memory(std::move(relabelled));
  Trainer on_other_labels(models()[0], *other_labels, short_options(5));
  CHECK_THROWS_WITH_AS(on_other_labels.resume(checkpoint), doctest::Contains("labels"), Error);
  datasets::GraphData changed = block_model();
  changed.features.set(3, 2, 9);
  const auto other_features = datasets::from_memory(std::move(changed));
  Trainer on_other_features(models()[0], *other_features, short_options(5));
  CHECK_THROWS_WITH_AS(on_other_features.resume(checkpoint), doctest::Contains("features"), Error);
  pipeline::Checkpoint damaged = checkpoint;
  damaged.weights.pop_back();
  Trainer same(models()[0], *data, short_options(5));
  CHECK_THROWS_AS(same.resume(damaged), Error);
}
