#include "laminar/pipeline/stage_cut.hpp"

#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"
#include "laminar/tests/support/datasets.hpp"

using namespace laminar;
using core::Index;
using pipeline::cut_stages;
using pipeline::StageCut;

namespace {

using Places = std::vector<Index>;
using Costs = std::vector<double>;

double costliest(const Costs& costs, const Places& places) {
  double most = 0;
  for (std::size_t s = 0; s + 1 < places.size(); ++s) {
    most = std::max(most, std::accumulate(costs.begin() + places[s], costs.begin() + places[s + 1], 0.0));
  }
  return most;
}

/// The best of all cuts, longer early stages first, by trying them all.
Places best_of_all(const Costs& costs, Index stages) {
  const auto layers = static_cast<Index>(costs.size());
  std::vector<bool> cut_before(static_cast<std::size_t>(layers - 1), false);
  std::fill(cut_before.end() - (stages - 1), cut_before.end(), true);
  Places best;
  do {
    Places places{0};
    for (Index l = 1; l < layers; ++l) {
      if (cut_before[static_cast<std::size_t>(l - 1)]) places.push_back(l);
    }
    places.push_back(layers);
    const double cost = costliest(costs, places);
    if (best.empty() || cost < costliest(costs, best) || (cost == costliest(costs, best) && places > best)) {
      best = places;
    }
  } while (std::next_permutation(cut_before.begin(), cut_before.end()));
  return best;
}

/// The first stage of the best of all cuts, then the same rule for the layers after it.
Places best_in_turn(const Costs& costs, Index stages) {
  const Index first = best_of_all(costs, stages)[1];
  Places places{0, first};
  if (stages == 1) return places;
  const Places rest = best_in_turn(Costs(costs.begin() + first, costs.end()), stages - 1);
  for (std::size_t i = 1; i < rest.size(); ++i) places.push_back(first + rest[i]);
  return places;
}

}  // namespace

TEST_CASE("stages are cut by cost") {
  CHECK(cut_stages(Costs{1, 1, 1, 1}, 2, {}) == Places{0, 2, 4});
  CHECK(cut_stages(Costs{5, 1, 1, 1}, 2, {}) == Places{0, 1, 4});
  CHECK(cut_stages(Costs{1, 1, 1, 5}, 2, {}) == Places{0, 3, 4});
  CHECK(cut_stages(Costs{3, 1, 1, 3}, 3, {}) == Places{0, 1, 3, 4});
  CHECK(cut_stages(Costs{7}, 1, {}) == Places{0, 1});
  CHECK(cut_stages(Costs{1, 2, 3}, 3, {}) == Places{0, 1, 2, 3});
  // One costly layer does not excuse an uneven rest. Early stages are long, but a stage has a layer.
  CHECK(cut_stages(Costs{4, 1, 1, 1, 1}, 3, {}) == Places{0, 1, 3, 5});
  CHECK(cut_stages(Costs{0, 0, 0, 0}, 3, {}) == Places{0, 2, 3, 4});
}

TEST_CASE("no cut is better, nor one of the layers after a stage, nor as good with longer early stages") {
  const core::RandomKey key = core::random_key(3, "costs");
  std::uint64_t draw = 0;
  for (Index layers = 2; layers <= 8; ++layers) {
    for (Index stages = 1; stages <= layers; ++stages) {
      for (int times = 0; times < 4; ++times) {
        Costs costs;
        for (Index l = 0; l < layers; ++l) costs.push_back(static_cast<double>(core::random_below(key, draw++, 6)));
        CAPTURE(layers);
        CAPTURE(stages);
        CHECK(cut_stages(costs, stages, {}) == best_in_turn(costs, stages));
        CHECK(costliest(costs, cut_stages(costs, stages, {})) == costliest(costs, best_of_all(costs, stages)));
      }
    }
  }
}

TEST_CASE("stages are cut evenly or where one says") {
  CHECK(cut_stages(Costs(10, 1), 4, {.even = true}) == Places{0, 2, 5, 7, 10});
  CHECK(cut_stages(Costs{9, 1, 1, 1}, 2, {.even = true}) == Places{0, 2, 4});
  CHECK(cut_stages(Costs(8, 1), 3, {.at = {1, 7}}) == Places{0, 1, 7, 8});
}

TEST_CASE("cuts that can't be are refused") {
  const Costs costs(4, 1);
  const auto refused = [&](Index stages, const StageCut& cut, const char* text) {
    CHECK_THROWS_WITH_AS(cut_stages(costs, stages, cut), doctest::Contains(text), UsageError);
  };
  refused(5, {}, "--stages is 5, but the model has 4 layers");
  refused(5, {.even = true}, "--stages is 5");
  refused(2, {.at = {1, 2}}, "--stage-cut 1,2: 2 places for 2 stages, expected 1");
  refused(1, {.at = {2}}, "expected 0");
  refused(3, {.at = {2, 2}}, "ascending layers from 1 to 3");
  refused(3, {.at = {3, 1}}, "ascending layers from 1 to 3");
  refused(2, {.at = {0}}, "ascending");
  refused(2, {.at = {4}}, "ascending");
  refused(2, {.at = {-1}}, "ascending");
}

TEST_CASE("the cost of a layer counts its weights and its edges") {
  const auto data = laminar::testing::block_model_dataset({.vertices = 60});
  const core::DatasetSchema& schema = data->schema();
  const double rows = 60;
  const auto edges = static_cast<double>(schema.num_edges);
  // 12 features -> 8 -> 8 -> 3 classes, weights and biases.
  const layers::Model gcn({.layer = "gcn", .layers = 3, .hidden = 8}, schema);
  const double column = 6 * (edges + rows) + 300 * rows;
  CHECK(pipeline::layer_costs(gcn, schema) ==
        Costs{rows * (12 * 8 + 8) + column * 8, rows * (8 * 8 + 8) + column * 8, rows * (8 * 3 + 3) + column * 3});
  // In edges, what is left of them when the edges themselves are taken out.
  const double width = 8 + 8 + 3;
  const double weights = 12 * 8 + 8 + 8 * 8 + 8 + 8 * 3 + 3;
  CHECK(pipeline::row_cost({.layer = "gcn", .layers = 3, .hidden = 8}, schema) ==
        doctest::Approx((weights + (6 + 300) * width) / (6 * width)));
  // Encoder and head are the first and last layer's.
  const layers::Model net({.layer = "gcnii", .layers = 2, .hidden = 8}, schema);
  const Costs costs = pipeline::layer_costs(net, schema);
  CHECK(costs[0] - costs[1] == doctest::Approx(rows * (12 * 8 + 8) - rows * (8 * 3 + 3) + column * (8 - 3)));
  // Sparse features meet only the stored entries.
  const auto sparse = laminar::testing::block_model_dataset({.vertices = 60, .sparse_features = true});
  const Costs of_sparse = pipeline::layer_costs(gcn, sparse->schema());
  CHECK(of_sparse[0] ==
        doctest::Approx(6 * static_cast<double>(sparse->schema().feature_entries) * 8 + rows * 8 + column * 8));
}
