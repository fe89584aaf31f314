/// Sampled boundaries: a random share of the halo that is met on average, whose gradient is that of the sampled
/// forward, and which costs that share of the bytes; refused where a factor can't make up for what is left out.
#include <cmath>
#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using core::Tensor;
using core::VertexId;
using pipeline::Cause;
using pipeline::Topology;
using pipeline::Trainer;
using pipeline::TrainOptions;

namespace {

TrainOptions options_of(const Topology& topology, double rate) {
  TrainOptions o;
  o.epochs = 6;
  o.eval_every = 6;
  o.threads = 2;
  o.distribution.topology = topology;
  o.distribution.partition = "range";
  o.distribution.halo.rate = rate;
  return o;
}

/// Nets whose aggregations are sums or means.
std::vector<layers::ModelOptions> linear_nets(core::DType precision) {
  std::vector<layers::ModelOptions> nets = topology_nets(precision, 3);
  std::erase_if(nets, [](const auto& net) { return net.layer == "gat" || net.layer_options.contains("aggregator"); });
  return nets;
}

}  // namespace

TEST_CASE("a sample of the halo has the right size, and every row its probability") {
  std::vector<VertexId> ids(37);
  std::iota(ids.begin(), ids.end(), 100);
  constexpr double kRate = 0.3;
  constexpr Index kEpochs = 4000;
  std::vector<int> counts(ids.size(), 0);
  double total = 0;
  for (Index epoch = 0; epoch < kEpochs; ++epoch) {
    const auto rows = pipeline::sample_halo(kRate, 5, epoch, 2, ids);
    CHECK(rows.size() >= 11);
    CHECK(rows.size() <= 12);
    CHECK(std::is_sorted(rows.begin(), rows.end()));
    CHECK(std::adjacent_find(rows.begin(), rows.end()) == rows.end());
    for (const std::int32_t r : rows) ++counts.at(static_cast<std::size_t>(r));
    total += static_cast<double>(rows.size());
  }
  CHECK(total / kEpochs == doctest::Approx(kRate * 37).epsilon(0.01));
  for (const int count : counts) CHECK(count / static_cast<double>(kEpochs) == doctest::Approx(kRate).epsilon(0.1));
  // The same set in any order; others for other seeds, epochs and readers; all of them at rate 1; none of none.
  std::vector<VertexId> reversed(ids.rbegin(), ids.rend());
  const auto chosen = pipeline::sample_halo(kRate, 5, 7, 2, ids);
  std::vector<VertexId> set, other;
  for (const auto i : chosen) set.push_back(ids[static_cast<std::size_t>(i)]);
  for (const auto i : pipeline::sample_halo(kRate, 5, 7, 2, reversed))
    other.push_back(reversed[static_cast<std::size_t>(i)]);
  std::sort(other.begin(), other.end());
  CHECK(set == other);
  CHECK(chosen != pipeline::sample_halo(kRate, 6, 7, 2, ids));
  CHECK(chosen != pipeline::sample_halo(kRate, 5, 8, 2, ids));
  CHECK(chosen != pipeline::sample_halo(kRate, 5, 7, 1, ids));
  CHECK(pipeline::sample_halo(1, 5, 7, 2, ids).size() == 37);
  CHECK(pipeline::sample_halo(0.5, 5, 7, 2, {}).empty());
}

TEST_CASE("a boundary rate of 1 is plain graph parallelism bit for bit; below it overlap changes nothing") {
  const auto data = block_model_dataset({.vertices = 120});
  for (const auto& net : linear_nets(core::DType::kFloat64)) {
    CAPTURE(name_of_net(net));
    TrainOptions plain = options_of({.parts = 3}, 1);
    plain.distribution.halo = {};
    const Numbers all = numbers_of(net, *data, plain);
    CHECK(numbers_of(net, *data, options_of({.parts = 3}, 1)).losses == all.losses);
    TrainOptions waits = options_of({.parts = 3}, 0.4);
    waits.distribution.overlap = false;
    const Numbers sampled = numbers_of(net, *data, options_of({.parts = 3}, 0.4));
    const Numbers same = numbers_of(net, *data, waits);
    CHECK(largest_difference(sampled.gradients, same.gradients) <= 1e-9);
    CHECK(std::abs(sampled.losses.back() - same.losses.back()) <= 1e-9);
    CHECK(sampled.losses.front() != all.losses.front());
  }
}

TEST_CASE("gradients at a boundary rate are those of the sampled forward") {
  const auto data = block_model_dataset({.vertices = 96, .directed = true});
  for (layers::ModelOptions net : linear_nets(core::DType::kFloat64)) {
    net.activation = core::Activation::kElu;
    CAPTURE(name_of_net(net));
    for (const Topology& topology : {Topology{.parts = 2}, Topology{.stages = 2, .parts = 2, .chunks = 3}}) {
      TrainOptions o = options_of(topology, 0.5);
      o.distribution.history.staleness = 0;
      Trainer trainer(net, *data, o);
      trainer.compute_gradients(1);
      const auto analytic = gradients_of(trainer);
      for (const auto& [name, gradient] : analytic) {
        CAPTURE(name);
        const Tensor direction = random_tensor(gradient.rows(), gradient.cols(), core::DType::kFloat64, 5);
        const auto loss_at = [&](double step) {
          for (Index d = 0; d < trainer.plan().num_devices(); ++d) {
            for (const auto& p : trainer.device(d).model().parameters()) {
              if (p->name != name) continue;
              for (Index r = 0; r < direction.rows(); ++r) {
                for (Index c = 0; c < direction.cols(); ++c)
                  p->value.set(r, c, p->value.at(r, c) + step * direction.at(r, c));
              }
            }
          }
          return trainer.compute_gradients(1);
        };
        constexpr double kStep = 1e-5;
        const double up = loss_at(kStep);
        const double down = loss_at(-2 * kStep);
        loss_at(kStep);
        double expected = 0;
        for (Index r = 0; r < direction.rows(); ++r) {
          for (Index c = 0; c < direction.cols(); ++c) expected += gradient.at(r, c) * direction.at(r, c);
        }
        CHECK(std::abs((up - down) / (2 * kStep) - expected) <= 1e-6 * std::max(1e-2, std::abs(expected)));
      }
    }
  }
}

TEST_CASE("bytes fall with the boundary rate, evaluation stays exact") {
  const auto data = block_model_dataset({.vertices = 240});
  for (const auto& net : linear_nets(core::DType::kFloat32)) {
    CAPTURE(name_of_net(net));
    const auto epochs_of = [&](const Topology& topology, double rate) {
      TrainOptions o = options_of(topology, rate);
      // Weights that do not move, so that evaluations can be compared.
      o.learning_rate.base = 1e-30;
      return Trainer(net, *data, o).run().epochs;
    };
    const auto whole = epochs_of({.parts = 3}, 1);
    const double bytes = static_cast<double>(whole.front().ledger[Cause::kHaloForward]);
    const double loss = whole.back().evaluation.val_loss;
    CHECK(epochs_of({}, 1).back().evaluation.val_loss == doctest::Approx(loss).epsilon(1e-5));
    for (const double rate : {0.5, 0.1}) {
      CAPTURE(rate);
      const auto epochs = epochs_of({.parts = 3}, rate);
      CHECK(epochs.back().evaluation.val_loss == doctest::Approx(loss).epsilon(1e-5));
      CHECK(epochs.back().ledger[Cause::kEvaluation] == whole.back().ledger[Cause::kEvaluation]);
      double mean = 0;
      for (const auto& e : epochs) {
        mean += static_cast<double>(e.ledger[Cause::kHaloForward]) / static_cast<double>(epochs.size());
        CHECK(e.ledger[Cause::kHaloForward] == e.ledger[Cause::kHaloBackward]);
        CHECK(e.ledger[Cause::kWeights] == whole.front().ledger[Cause::kWeights]);
      }
      // A row a message is drawn at random.
      CHECK(mean / bytes == doctest::Approx(rate).epsilon(0.05));
    }
  }
}

TEST_CASE("a boundary rate is refused where it is not sound") {
  const auto data = block_model_dataset({.vertices = 96});
  const auto refused = [&](const layers::ModelOptions& net, const TrainOptions& o, const char* text) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(Trainer(net, *data, o).run(), doctest::Contains(text), UsageError);
  };
  const layers::ModelOptions gcn{.layer = "gcn", .layers = 3, .hidden = 4};
  refused(gcn, options_of({}, 0.5), "the graph is in one part");
  refused(gcn, options_of({.stages = 2, .parts = 2, .chunks = 4}, 0.5), "can't go with history");
  refused(gcn, options_of({.parts = 2}, 0), "--boundary-rate is 0");
  refused(gcn, options_of({.parts = 2}, 1.5), "--boundary-rate is 1.5");
  TrainOptions both = options_of({.parts = 2}, 0.5);
  both.distribution.halo.stale = true;
  refused(gcn, both, "can't go with --stale-halos");
  refused({.layer = "gat", .layers = 3, .hidden = 8}, options_of({.parts = 2}, 0.5), "layer 1 (gat)");
  refused({.layer = "sage", .layers = 3, .hidden = 8, .layer_options = {{"aggregator", "max"}}},
          options_of({.parts = 2}, 0.5), "layer 1 (sage)");
}
