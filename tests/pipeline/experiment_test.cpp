#include "laminar/pipeline/experiment.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/memory_estimate.hpp"
#include "laminar/tests/support/datasets.hpp"

using namespace laminar;
using namespace laminar::testing;
using namespace laminar::pipeline;

TEST_CASE("runs: consecutive seeds on one split, or one seed a split") {
  core::DatasetSchema schema;
  schema.split_names = {"a", "b", "c"};
  const auto on_first = plan_runs(schema, "", 5, 2);
  REQUIRE(on_first.size() == 2);
  CHECK(on_first[0].split == "a");
  CHECK(on_first[1].split == "a");
  CHECK(on_first[0].seed == 5);
  CHECK(on_first[1].seed == 6);
  CHECK(plan_runs(schema, "b", 5, 1)[0].split == "b");
  const auto all = plan_runs(schema, "all", 7, 1);
  REQUIRE(all.size() == 3);
  CHECK(all[2].split == "c");
  CHECK(all[2].seed == 9);
  CHECK_THROWS_AS(plan_runs(schema, "all", 1, 2), UsageError);
  CHECK_THROWS_AS(plan_runs(schema, "a", 1, 0), UsageError);
  CHECK_THROWS_AS(plan_runs({}, "", 1, 1), UsageError);
}

TEST_CASE("spread and median") {
  CHECK(spread({}).mean == 0);
  CHECK(spread({3}).std == 0);
  CHECK(spread({1, 2, 3}).mean == doctest::Approx(2));
  CHECK(spread({1, 2, 3}).std == doctest::Approx(1));
  CHECK(median({}) == 0);
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 3, 2}) == 2.5);
}

TEST_CASE("a summary holds means over runs") {
  TrainResult a;
  a.loss = 1;
  a.best = {.train_metric = 1, .val_metric = 0.5, .test_metric = 0.4, .val_loss = 0};
  a.best_epoch = 10;
  a.epoch_ms = 1;
  TrainResult b = a;
  b.loss = 3;
  b.best.test_metric = 0.6;
  b.best_epoch = 20;
  const Summary s = summarize({a, b});
  CHECK(s.loss == 2);
  CHECK(s.test_metric.mean == doctest::Approx(0.5));
  CHECK(s.test_metric.std == doctest::Approx(std::sqrt(0.02)));
  CHECK(s.best_epoch == 15);
  CHECK_THROWS_AS(summarize({}), Error);
}

TEST_CASE("the memory estimate is close to what a training takes") {
  const auto data = block_model_dataset({.vertices = 1200});
  for (const layers::ModelOptions& model :
       {layers::ModelOptions{.layer = "gcn", .layers = 3, .hidden = 32},
        layers::ModelOptions{.layer = "sage", .layers = 4, .hidden = 32, .residual = true},
        layers::ModelOptions{.layer = "gat", .hidden = 32}, layers::ModelOptions{.layer = "gcnii", .layers = 8}}) {
    CAPTURE(model.layer);
    TrainOptions options;
    options.epochs = 3;
    const MemoryEstimate e = estimate_memory(model, data->schema(), options);
    Trainer trainer(model, *data, options);
    const TrainResult r = trainer.run();
    const auto peak = [&](core::MemoryPurpose p) {
      return static_cast<double>(r.peak_bytes[static_cast<std::size_t>(p)]);
    };
    CHECK(static_cast<double>(e.activations_bytes) ==
          doctest::Approx(peak(core::MemoryPurpose::kActivations)).epsilon(.1));
    if (model.layer == "gat") {
      const double estimated = static_cast<double>(e.activations_bytes + e.gradients_bytes);
      CHECK(estimated > 0.9 * (peak(core::MemoryPurpose::kActivations) + peak(core::MemoryPurpose::kGradients)));
    }
    CHECK(static_cast<double>(e.gradients_bytes) ==
          doctest::Approx(peak(core::MemoryPurpose::kGradients)).epsilon(.15));
    CHECK(static_cast<double>(e.features_bytes) == doctest::Approx(peak(core::MemoryPurpose::kFeatures)).epsilon(.02));
    CHECK(static_cast<double>(e.parameters_bytes) ==
          doctest::Approx(peak(core::MemoryPurpose::kParameters)).epsilon(.1));
    CHECK(static_cast<double>(e.optimizer_bytes) == doctest::Approx(peak(core::MemoryPurpose::kOptimizer)).epsilon(.1));
  }
}
