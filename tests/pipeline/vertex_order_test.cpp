/// An order of vertices is chosen by graph and shapes alone, and whatever it is, a training is the same to rounding, by
/// the ids of the file.
#include "laminar/pipeline/vertex_order.hpp"

#include <algorithm>
#include <numeric>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/parallel.hpp"
#include "laminar/pipeline/config.hpp"
#include "laminar/pipeline/learned_features.hpp"
#include "laminar/pipeline/plan.hpp"
#include "laminar/pipeline/predictor.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/temporary_folder.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using pipeline::decide_vertex_order;
using pipeline::Topology;
using pipeline::Trainer;
using pipeline::TrainOptions;
using pipeline::VertexOrder;

namespace {

constexpr VertexOrder kOrders[] = {VertexOrder::kFile, VertexOrder::kRcm, VertexOrder::kCommunity};

TrainOptions training_in(VertexOrder order, const Topology& topology = {}, Index epochs = 4) {
  TrainOptions o = training_on(topology, epochs);
  o.distribution.order = order;
  return o;
}

bool is_rank(std::vector<Index> rank, Index n) {
  std::sort(rank.begin(), rank.end());
  std::vector<Index> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), Index{0});
  return rank == all;
}

/// Communities of 100 vertices whose ids are interleaved, 10 edges a vertex inside.
core::Graph scattered_communities(Index communities) {
  constexpr Index kSize = 100;
  std::vector<core::VertexId> sources;
  std::vector<core::VertexId> targets;
  for (Index c = 0; c < communities; ++c) {
    for (Index i = 0; i < kSize; ++i) {
      for (const Index step : {1, 3, 7, 19, 31}) {
        const auto u = static_cast<core::VertexId>(c + communities * i);
        const auto v = static_cast<core::VertexId>(c + communities * ((i + step) % kSize));
        sources.insert(sources.end(), {u, v});
        targets.insert(targets.end(), {v, u});
      }
    }
  }
  return core::Graph::from_edges(communities * kSize, sources, targets, {}, false);
}

}  // namespace

TEST_CASE("orders have names") {
  for (const VertexOrder order : {VertexOrder::kAuto, VertexOrder::kFile, VertexOrder::kRcm, VertexOrder::kCommunity}) {
    CHECK(pipeline::vertex_order_from_name(name_of(order)) == order);
  }
  CHECK_THROWS_AS(pipeline::vertex_order_from_name("hilbert"), UsageError);
}

TEST_CASE("what is asked for is done, whatever the graph") {
  const auto data = block_model_dataset({.vertices = 60});
  const core::Graph& graph = *data->graph();
  for (const VertexOrder order : {VertexOrder::kRcm, VertexOrder::kCommunity}) {
    const auto decision = decide_vertex_order(order, graph, {.row_bytes = 32, .layers = 1, .epochs = 1});
    CHECK(decision.order == order);
    CHECK(decision.why == std::string(name_of(order)) + ", as asked");
    CHECK(is_rank(decision.rank, 60));
  }
  const auto file = decide_vertex_order(VertexOrder::kFile, graph, {.row_bytes = 1 << 20, .layers = 9, .epochs = 100});
  CHECK(file.order == VertexOrder::kFile);
  CHECK(file.rank.empty());
}

TEST_CASE("auto takes the order by communities where it pays, on any number of threads") {
  const core::Graph graph = scattered_communities(200);  // 20 000 vertices
  const auto decide = [](const core::Graph& g, std::size_t row_bytes, Index epochs) {
    return decide_vertex_order(VertexOrder::kAuto, g, {row_bytes, 3, epochs});
  };
  pipeline::VertexOrderDecision one;
  core::Arena(1).execute([&] { one = decide(graph, 2048, 200); });
  CHECK(one.order == VertexOrder::kCommunity);
  CHECK(is_rank(one.rank, 20'000));
  CAPTURE(one.why);
  CHECK(one.why.starts_with("community, as in the file's order "));
  pipeline::VertexOrderDecision four;
  core::Arena(4).execute([&] { four = decide(graph, 2048, 200); });
  CHECK(four.rank == one.rank);
  CHECK(four.why == one.why);

  const auto stays = [&](const core::Graph& g, std::size_t row_bytes, Index epochs, const std::string& why) {
    const auto d = decide(g, row_bytes, epochs);
    CAPTURE(d.why);
    CHECK(d.order == VertexOrder::kFile);
    CHECK(d.rank.empty());
    CHECK(d.why.find(why) != std::string::npos);
  };
  stays(graph, 512, 200, "MiB of rows are read fast in any order");
  stays(graph, 2048, 1, "no other could pay within 5 epochs");
  stays(
      partition::Layout({1, std::vector<std::int32_t>(20'000, 0)}, {1, std::vector<std::int32_t>(20'000, 0)}, one.rank)
          .renumber(graph),
      2048, 200, "no other could pay within 5 epochs");
  // Nothing to be found: each vertex reads 8 others far away.
  std::vector<core::VertexId> sources;
  std::vector<core::VertexId> targets;
  for (Index v = 0; v < 20'000; ++v) {
    for (Index k = 1; k <= 8; ++k) {
      sources.push_back(static_cast<core::VertexId>((v * 7919 + k * k * 1237 + k * v % 9973) % 20'000));
      targets.push_back(static_cast<core::VertexId>(v));
    }
  }
  stays(core::Graph::from_edges(20'000, sources, targets, {}, true), 2048, 200, "by communities: too little");
}

TEST_CASE("a plan puts one chunk's vertices in the order, in any number of stages and parts") {
  const auto data = block_model_dataset({.vertices = 90});
  const layers::ModelOptions net{.layer = "gcn", .layers = 4, .hidden = 8};
  for (const Topology& t : {Topology{}, {.stages = 2}, {.parts = 3}}) {
    const auto plan_in = [&](VertexOrder order) {
      return make_plan(net, data->schema(), *data->graph(), training_in(order, t));
    };
    const pipeline::Plan file = plan_in(VertexOrder::kFile);
    const pipeline::Plan community = plan_in(VertexOrder::kCommunity);
    CHECK(community.order == VertexOrder::kCommunity);
    CHECK(community.cut->layout.file_ids() != file.cut->layout.file_ids());
    CHECK(community.topology == t);
    CHECK(community.cut->layout.num_chunks() == file.cut->layout.num_chunks());
    for (core::VertexId v = 0; v < 90; ++v) {
      const auto part_in = [v](const pipeline::Plan& p) { return p.cut->layout.part_of(p.cut->layout.new_ids()[v]); };
      CHECK(part_in(community) == part_in(file));
    }
    // Small graphs stay as they are.
    CHECK(plan_in(VertexOrder::kAuto).cut->layout.file_ids() == file.cut->layout.file_ids());
  }
  // Chunks have an order of their own.
  const auto chunked = [&](VertexOrder order) {
    return make_plan(net, data->schema(), *data->graph(), training_in(order, {.stages = 2, .chunks = 4}));
  };
  CHECK(chunked(VertexOrder::kRcm).cut->layout.file_ids() == chunked(VertexOrder::kFile).cut->layout.file_ids());
}

TEST_CASE("in any order a training has the same losses and gradients to rounding") {
  std::vector<layers::ModelOptions> nets = topology_nets(core::DType::kFloat64, 3);
  nets.push_back({.layer = "gine", .layers = 3, .hidden = 8, .precision = core::DType::kFloat64});
  for (const bool directed : {false, true}) {
    const auto data = block_model_dataset({.vertices = 90, .directed = directed, .edge_features = 2});
    for (const auto& net : nets) {
      CAPTURE(name_of_net(net));
      const Numbers expected = numbers_of(net, *data, training_in(VertexOrder::kFile));
      for (const VertexOrder order : {VertexOrder::kRcm, VertexOrder::kCommunity}) {
        for (const Topology& t : {Topology{}, {.stages = 2}, {.parts = 2}, {.stages = 2, .parts = 2}}) {
          CAPTURE(name_of(order));
          CAPTURE(t.stages);
          CAPTURE(t.parts);
          const Numbers found = numbers_of(net, *data, training_in(order, t));
          REQUIRE(found.losses.size() == expected.losses.size());
          for (std::size_t e = 0; e < found.losses.size(); ++e) {
            CHECK(found.losses[e] == doctest::Approx(expected.losses[e]).epsilon(1e-9));
          }
          if (t == Topology{}) CHECK(largest_difference(expected.gradients, found.gradients) < 1e-9);
        }
      }
    }
  }
}

TEST_CASE("predictions are by the ids of the file, and a predictor needs no order") {
  const auto data = block_model_dataset({.vertices = 90});
  const layers::ModelOptions net{.layer = "sage", .layers = 3, .hidden = 8, .precision = core::DType::kFloat64};
  Trainer in_file(net, *data, training_in(VertexOrder::kFile));
  in_file.run();
  const core::Tensor expected = in_file.predict(true).outputs;
  for (const VertexOrder order : {VertexOrder::kRcm, VertexOrder::kCommunity}) {
    Trainer trainer(net, *data, training_in(order));
    trainer.run();
    CHECK(relative_difference(trainer.predict(true).outputs, expected) < 1e-9);
    CHECK(relative_difference(predict(trainer.checkpoint(), *data, {}, nullptr).rows.outputs, expected) < 1e-9);
  }
}

TEST_CASE("the number of threads does not change a bit, in any order") {
  const auto data = block_model_dataset({.vertices = 240, .sparse_features = true});
  for (const auto& net : topology_nets(core::DType::kFloat32, 3)) {
    CAPTURE(name_of_net(net));
    for (const VertexOrder order : {VertexOrder::kRcm, VertexOrder::kCommunity}) {
      const auto trained_on = [&](int threads) {
        TrainOptions o = training_in(order);
        o.threads = threads;
        Trainer trainer(net, *data, o);
        trainer.run();
        return trainer.checkpoint().weights;
      };
      const auto one = trained_on(1);
      const auto four = trained_on(4);
      REQUIRE(one.size() == four.size());
      for (std::size_t i = 0; i < one.size(); ++i) CHECK(same_bits(one[i].value, four[i].value));
    }
  }
}

TEST_CASE("a checkpoint goes on in its order to the bit, and in any other to rounding") {
  const auto data = block_model_dataset({.vertices = 90});
  const TemporaryFolder folder;
  for (const char* layer : {"gcn", "gat", "gcnii"}) {
    CAPTURE(layer);
    const layers::ModelOptions net{.layer = layer, .layers = 3, .hidden = 8, .precision = core::DType::kFloat64};
    for (const VertexOrder first : kOrders) {
      TrainOptions whole = training_in(first, {}, 8);
      Trainer uninterrupted(net, *data, whole);
      const double loss = uninterrupted.run().loss;
      TrainOptions half = whole;
      half.stop_after = 4;
      half.checkpoint = folder.path() / "half.h5";
      Trainer(net, *data, half).run();
      const pipeline::Checkpoint checkpoint = pipeline::read_checkpoint(half.checkpoint);
      CHECK(checkpoint.options.distribution.order == first);
      for (const VertexOrder second : kOrders) {
        for (const Topology& t : {Topology{}, {.stages = 2}, {.parts = 2}}) {
          Trainer trainer(net, *data, training_in(second, t, 8));
          trainer.resume(checkpoint);
          const double found = trainer.run().loss;
          CHECK(found == doctest::Approx(loss).epsilon(1e-9));
          if (second == first && t == Topology{}) {
            CHECK(found == loss);
            const auto expected = uninterrupted.checkpoint().weights;
            const auto weights = trainer.checkpoint().weights;
            REQUIRE(weights.size() == expected.size());
            for (std::size_t i = 0; i < weights.size(); ++i) CHECK(same_bits(weights[i].value, expected[i].value));
          }
        }
      }
    }
  }
}

TEST_CASE("a checkpoint holds what auto came to; one that knows of no order is in the file's") {
  const auto data = block_model_dataset({.vertices = 60});
  const layers::ModelOptions net{.layer = "gcn", .hidden = 8};
  CHECK(Trainer(net, *data, training_in(VertexOrder::kAuto)).checkpoint().options.distribution.order ==
        VertexOrder::kFile);
  CHECK(Trainer(net, *data, training_in(VertexOrder::kAuto, {.stages = 2, .chunks = 4}))
            .checkpoint()
            .options.distribution.order == VertexOrder::kAuto);
  std::string text = to_json(net, training_in(VertexOrder::kRcm));
  layers::ModelOptions model;
  TrainOptions options;
  pipeline::from_json(text, model, options);
  CHECK(options.distribution.order == VertexOrder::kRcm);
  const std::string entry = "\"order\": \"rcm\",";
  const auto at = text.find(entry);
  REQUIRE(at != std::string::npos);
  text.erase(at, entry.size());
  pipeline::from_json(text, model, options);
  CHECK(options.distribution.order == VertexOrder::kFile);
}

TEST_CASE("links and embeddings of vertices are trained alike in any order") {
  const auto data = block_model_dataset({.vertices = 120});
  const layers::ModelOptions links{.layer = "gcn",
                                   .layers = 2,
                                   .hidden = 8,
                                   .precision = core::DType::kFloat64,
                                   .decoder = layers::DecoderKind::kMlp};
  const auto figures = [&](VertexOrder order) { return Trainer(links, *data, training_in(order)).run(); };
  const pipeline::TrainResult expected = figures(VertexOrder::kFile);
  for (const VertexOrder order : {VertexOrder::kRcm, VertexOrder::kCommunity}) {
    const pipeline::TrainResult found = figures(order);
    CHECK(found.loss == doctest::Approx(expected.loss).epsilon(1e-9));
    REQUIRE(found.links.size() == expected.links.size());
    for (std::size_t i = 0; i < found.links.size(); ++i) {
      CHECK(found.links[i].test == doctest::Approx(expected.links[i].test).epsilon(1e-9));
    }
  }

  layers::ModelOptions learning{.layer = "gcn", .layers = 2, .hidden = 8, .precision = core::DType::kFloat64};
  learning.input = layers::VertexInput::kGivenAndLearned;
  learning.embedding_width = 4;
  const auto with_embeddings = pipeline::with_learned_features(*data, learning);
  const auto loss = [&](VertexOrder order) {
    return Trainer(learning, *with_embeddings, training_in(order)).run().loss;
  };
  for (const VertexOrder order : {VertexOrder::kRcm, VertexOrder::kCommunity}) {
    CHECK(loss(order) == doctest::Approx(loss(VertexOrder::kFile)).epsilon(1e-9));
  }
}
