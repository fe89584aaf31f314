/// Embeddings trained along: what their sparse features are, that training them is training one-hot features to the
/// bit, and that every topology, a checkpoint and a prediction know them.
#include "laminar/pipeline/learned_features.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/datasets/graph_data.hpp"
#include "laminar/pipeline/config.hpp"
#include "laminar/pipeline/predictor.hpp"
#include "laminar/tests/pipeline/topologies.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/temporary_folder.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::Index;
using layers::ModelOptions;
using layers::VertexInput;
using pipeline::Topology;
using pipeline::Trainer;
using pipeline::TrainOptions;
using pipeline::with_learned_features;

namespace {

constexpr Index kVertices = 90;

datasets::GraphData bare_blocks() {
  datasets::GraphData data = block_model({.vertices = kVertices});
  data.features = {};
  return data;
}

std::unique_ptr<core::Dataset> bare() { return datasets::from_memory(bare_blocks()); }

/// The same with one-hot features in the file.
std::unique_ptr<core::Dataset> one_hot() {
  datasets::GraphData data = bare_blocks();
  std::vector<core::EdgeId> offsets(kVertices + 1);
  std::iota(offsets.begin(), offsets.end(), core::EdgeId{0});
  std::vector<std::int32_t> columns(kVertices);
  std::iota(columns.begin(), columns.end(), 0);
  data.sparse_features = {kVertices, kVertices, offsets, columns, std::vector<float>(kVertices, 1.0F)};
  return datasets::from_memory(std::move(data));
}

ModelOptions learning(ModelOptions net, Index width, Index buckets = 0) {
  net.input = VertexInput::kLearned;
  net.embedding_width = width;
  net.embedding_buckets = buckets;
  return net;
}

TrainOptions options_of(const Topology& topology, Index epochs = 6) {
  TrainOptions o = training_on(topology, epochs);
  o.distribution.history.staleness = 0;
  return o;
}

/// Row r as (column, value).
std::vector<std::pair<int, float>> row(const core::SparseMatrix& x, std::size_t r) {
  std::vector<std::pair<int, float>> entries;
  for (auto e = static_cast<std::size_t>(x.offsets()[r]); e < static_cast<std::size_t>(x.offsets()[r + 1]); ++e) {
    entries.emplace_back(x.columns()[e], x.values()[e]);
  }
  return entries;
}

}  // namespace

TEST_CASE("a row of the table for each vertex is a one-hot feature") {
  const auto data = bare();
  CHECK(with_learned_features(*data, ModelOptions{}) == nullptr);
  const auto learned = with_learned_features(*data, learning({}, 8));
  const core::DatasetSchema& s = learned->schema();
  CHECK(s.num_features == kVertices);
  CHECK(s.num_learned == kVertices);
  CHECK(s.feature_entries == kVertices);
  CHECK(s.sparse_features);
  const core::SparseMatrix x = learned->features().read_sparse(7, 9);
  CHECK(x.cols() == kVertices);
  CHECK(row(x, 0) == std::vector<std::pair<int, float>>{{7, 1.0F}});
  CHECK(row(x, 1) == std::vector<std::pair<int, float>>{{8, 1.0F}});
  CHECK_THROWS_AS(learned->features().read_sparse(0, kVertices + 1), Error);
  CHECK_THROWS_AS(learned->features().read_dense(0, 1), Error);
}

TEST_CASE("with fewer rows than vertices an embedding is the mean of two") {
  const auto data = bare();
  const auto learned = with_learned_features(*data, learning({}, 8, 20));
  CHECK(learned->schema().num_features == 20);
  const core::SparseMatrix x = learned->features().read_sparse(0, kVertices);
  std::vector<int> users(20, 0);
  int alone = 0;
  for (std::size_t v = 0; v < static_cast<std::size_t>(kVertices); ++v) {
    const auto entries = row(x, v);
    float sum = 0;
    for (const auto& [column, value] : entries) {
      sum += value;
      ++users[static_cast<std::size_t>(column)];
    }
    CHECK(sum == 1.0F);
    CHECK(entries.size() <= 2);
    alone += entries.size() == 1 ? 1 : 0;
    // A part of the rows is read as they stand in all.
    CHECK(row(learned->features().read_sparse(static_cast<Index>(v), static_cast<Index>(v) + 1), 0) == entries);
  }
  CHECK(alone < 15);
  CHECK(*std::min_element(users.begin(), users.end()) > 0);
  // Whatever the seed of a run, as checkpoints rely on it.
  CHECK(row(x, 0) == row(with_learned_features(*data, learning({}, 3, 20))->features().read_sparse(0, 1), 0));

  CHECK(pipeline::embedding_rows(learning({}, 8), 100) == 100);
  CHECK(pipeline::embedding_rows(learning({}, 8, 500), 100) == 100);
  CHECK(pipeline::embedding_rows(learning({}, 8), 5'000'000) == pipeline::kMostEmbeddingRows);
  CHECK_THROWS_WITH_AS(with_learned_features(*data, learning({}, 8, -1)),
                       doctest::Contains("--embedding-buckets is -1"), UsageError);
  CHECK_THROWS_AS(with_learned_features(*data, learning({}, 8, (1 << 24) + 1)), UsageError);
}

TEST_CASE("given features stand before the learned ones, and are normalised alone") {
  for (const bool sparse : {false, true}) {
    const auto data = block_model_dataset({.vertices = kVertices, .sparse_features = sparse});
    ModelOptions net = learning({}, 8);
    net.input = VertexInput::kGivenAndLearned;
    const auto both = with_learned_features(*data, net);
    CHECK(both->schema().num_features == 12 + kVertices);
    const core::SparseMatrix x = both->features().read_sparse(0, kVertices);
    core::Tensor given(kVertices, 12, core::DType::kFloat32);
    given = sparse ? core::to_dense(data->features().read_sparse(0, kVertices), core::DType::kFloat32)
                   : data->features().read_dense(0, kVertices);
    const core::Tensor all = core::to_dense(x, core::DType::kFloat32);
    for (Index v = 0; v < kVertices; ++v) {
      for (Index c = 0; c < 12; ++c) CHECK(all.at(v, c) == given.at(v, c));
      for (Index c = 0; c < kVertices; ++c) CHECK(all.at(v, 12 + c) == (c == v ? 1 : 0));
    }
    net.normalize_features = true;
    const std::vector<core::VertexId> ids = {5, 3};
    const auto loaded = pipeline::load_features(both->features(), net, ids, nullptr);
    const core::Tensor rows = core::to_dense(loaded.sparse, core::DType::kFloat64);
    double sum = 0;
    for (Index c = 0; c < 12; ++c) sum += std::abs(rows.at(0, c));
    CHECK(sum == doctest::Approx(1));
    CHECK(rows.at(0, 12 + 5) == 1);
    CHECK(rows.at(1, 12 + 3) == 1);
  }
  ModelOptions net = learning({}, 8);
  net.input = VertexInput::kGivenAndLearned;
  const auto data = bare();
  CHECK_THROWS_WITH_AS(with_learned_features(*data, net), doctest::Contains("has no features of its own"), UsageError);
}

TEST_CASE("without a table of its own, and in nets with an encoder, it is training one-hot features") {
  const auto data = bare();
  const auto explicit_data = one_hot();
  for (const auto precision : {core::DType::kFloat32, core::DType::kFloat64}) {
    for (const auto& net : topology_nets(precision, 3)) {
      CAPTURE(name_of_net(net));
      const ModelOptions with = learning(net, layers::has_own_encoder(net) ? 64 : 0);
      const Numbers found = numbers_of(with, *with_learned_features(*data, with), options_of({}));
      const Numbers expected = numbers_of(net, *explicit_data, options_of({}));
      CHECK(found.losses == expected.losses);
      REQUIRE(found.gradients.size() == expected.gradients.size());
      for (const auto& [name, gradient] : expected.gradients) CHECK(same_bits(found.gradients.at(name), gradient));
    }
  }
}

TEST_CASE("a table before the first layer is looked up, and its gradient is that of finite differences") {
  for (const Index buckets : {Index{0}, Index{30}}) {
    ModelOptions net = learning({.layer = "gcn", .layers = 2, .hidden = 8, .dropout = 0}, 5, buckets);
    net.precision = core::DType::kFloat64;
    const auto data = bare();
    const auto learned = with_learned_features(*data, net);
    TrainOptions options = options_of({}, 2);
    options.stop_after = 1;
    Trainer trainer(net, *learned, options);
    trainer.run();
    pipeline::Checkpoint c = trainer.checkpoint();
    for (auto& t : c.weights) t.value = t.value.clone();
    const auto table =
        std::find_if(c.weights.begin(), c.weights.end(), [](const auto& t) { return t.name == "embedding.weight"; });
    REQUIRE(table != c.weights.end());
    CHECK(table->value.rows() == (buckets == 0 ? kVertices : buckets));
    CHECK(table->value.cols() == 5);
    const auto loss = [&](Index r, Index col, double by) {
      const double before = table->value.at(r, col);
      table->value.set(r, col, before + by);
      Trainer there(net, *learned, options);
      there.resume(c);
      const double value = there.compute_gradients(1);
      table->value.set(r, col, before);
      return std::pair(value, gradients_of(there).at("embedding.weight"));
    };
    const core::Tensor gradient = loss(0, 0, 0).second;
    CHECK(norm(gradient) > 0);
    constexpr double kStep = 1e-5;
    for (const auto& [r, col] : {std::pair<Index, Index>{0, 0}, {3, 4}, {29, 2}}) {
      const double slope = (loss(r, col, kStep).first - loss(r, col, -kStep).first) / (2 * kStep);
      CHECK(gradient.at(r, col) == doctest::Approx(slope).epsilon(1e-6));
    }
    // The same net on the table's rows as features gives the same loss: the lookup is exact.
    if (buckets > 0) continue;
    datasets::GraphData rows = bare_blocks();
    rows.features = table->value.to(core::DType::kFloat32);
    ModelOptions plain = net;
    plain.input = VertexInput::kGiven;
    Trainer on_rows(plain, *datasets::from_memory(rows), options_of({}, 2));
    pipeline::Checkpoint other = on_rows.checkpoint();
    for (auto& t : other.weights) {
      const auto same =
          std::find_if(c.weights.begin(), c.weights.end(), [&](const auto& w) { return w.name == t.name; });
      t.value.copy_from(same->value);
    }
    // The features are float32.
    CHECK(on_rows.compute_gradients(1) == doctest::Approx(loss(0, 0, 0).first).epsilon(1e-6));
  }
}

TEST_CASE("learned features are trained alike on every topology") {
  const auto data = block_model_dataset({.vertices = kVertices});
  for (const bool given : {false, true}) {
    for (auto net : topology_nets(core::DType::kFloat64, 4)) {
      net = learning(net, 6, given ? 40 : 0);
      if (given) net.input = VertexInput::kGivenAndLearned;
      CAPTURE(name_of_net(net));
      const auto learned = with_learned_features(*data, net);
      const Numbers expected = numbers_of(net, *learned, options_of({}));
      for (const Topology& t :
           {Topology{.parts = 3}, Topology{.stages = 2, .chunks = 4}, Topology{.stages = 2, .parts = 2, .chunks = 3}}) {
        CAPTURE(t.stages);
        const Numbers found = numbers_of(net, *learned, options_of(t));
        REQUIRE(found.losses.size() == expected.losses.size());
        for (std::size_t e = 0; e < found.losses.size(); ++e) {
          CHECK(found.losses[e] == doctest::Approx(expected.losses[e]).epsilon(1e-9));
        }
        CHECK(largest_difference(expected.gradients, found.gradients) <= 1e-9);
      }
      // With history a hybrid gives the numbers of a pipeline.
      TrainOptions pipe = options_of({.stages = 2, .chunks = 3}),
                   hybrid = options_of({.stages = 2, .parts = 2, .chunks = 3});
      for (TrainOptions* o : {&pipe, &hybrid}) {
        o->distribution.history.staleness = 1;
        std::vector<std::int32_t> chunk_of, part_of;
        for (Index v = 0; v < kVertices; ++v) {
          chunk_of.push_back(static_cast<std::int32_t>(v % 3));
          part_of.push_back(static_cast<std::int32_t>(v % o->distribution.topology.parts));
        }
        o->distribution.chunk_of = std::make_shared<const std::vector<std::int32_t>>(chunk_of);
        o->distribution.part_of = std::make_shared<const std::vector<std::int32_t>>(part_of);
      }
      const Numbers a = numbers_of(net, *learned, pipe);
      const Numbers b = numbers_of(net, *learned, hybrid);
      for (std::size_t e = 0; e < a.losses.size(); ++e)
        CHECK(b.losses[e] == doctest::Approx(a.losses[e]).epsilon(1e-9));
    }
  }
}

TEST_CASE("a checkpoint goes on to the same bits, and predicts its own graph only") {
  const auto data = bare();
  for (const Index buckets : {Index{0}, Index{25}}) {
    const ModelOptions net = learning({.layer = "gat", .layers = 2, .hidden = 8}, 6, buckets);
    const auto learned = with_learned_features(*data, net);
    Trainer whole(net, *learned, options_of({}));
    const auto result = whole.run();
    TrainOptions half = options_of({});
    half.stop_after = 3;
    Trainer first(net, *learned, half);
    first.run();
    const TemporaryFolder folder;
    pipeline::write_checkpoint(folder.path() / "c.h5", first.checkpoint());
    const pipeline::Checkpoint read = pipeline::read_checkpoint(folder.path() / "c.h5");
    CHECK(read.model.input == VertexInput::kLearned);
    CHECK(read.model.embedding_width == 6);
    CHECK(read.model.embedding_buckets == buckets);
    Trainer second(net, *learned, options_of({}));
    second.resume(read);
    CHECK(second.run().epochs.back().loss == result.epochs.back().loss);
    CHECK(same_bits(second.predict().outputs, whole.predict().outputs));

    const pipeline::Checkpoint done = whole.checkpoint();
    const auto again = with_learned_features(*data, done);
    REQUIRE(again != nullptr);
    CHECK(same_bits(pipeline::predict(done, *again, {.threads = 2}).rows.outputs, whole.predict().outputs));
    pipeline::PredictorOptions spread{.threads = 2};
    spread.distribution.topology = {.stages = 2};
    CHECK(relative_difference(pipeline::predict(done, *again, spread).rows.outputs, whole.predict().outputs) <= 1e-5);
    CHECK(pipeline::make_model(done).num_weights() == whole.model().num_weights());
    const auto other = block_model_dataset({.vertices = kVertices, .directed = true});
    CHECK_THROWS_WITH_AS(with_learned_features(*other, done), doctest::Contains("say nothing of those of"), Error);
    // What was not prepared is no silent training on other features.
    CHECK_THROWS_WITH_AS(pipeline::predict(done, *data, {}), doctest::Contains("with_learned_features"), Error);
    CHECK_THROWS_WITH_AS(Trainer(net, *data, options_of({})), doctest::Contains("with_learned_features"), Error);
  }
}

TEST_CASE("embeddings stand in a configuration; an older one has none") {
  TrainOptions options = options_of({});
  std::string text = pipeline::to_json(learning({}, 5, 7), options);
  ModelOptions read;
  pipeline::from_json(text, read, options);
  CHECK(read.input == VertexInput::kLearned);
  CHECK(read.embedding_width == 5);
  CHECK(read.embedding_buckets == 7);
  const std::string line = "\"features\": \"learned\",";
  REQUIRE(text.find(line) != std::string::npos);
  text.erase(text.find(line), line.size());
  pipeline::from_json(text, read, options);
  CHECK(read.input == VertexInput::kGiven);
}

TEST_CASE("pairs are learnt from embeddings alone") {
  const auto data = bare();
  ModelOptions net = learning({.layer = "gcn", .layers = 2, .hidden = 16, .dropout = 0}, 16);
  net.decoder = layers::DecoderKind::kDot;
  TrainOptions options = options_of({}, 60);
  options.eval_every = 10;
  Trainer trainer(net, *with_learned_features(*data, net), options);
  const auto result = trainer.run();
  CHECK(result.epochs.back().loss < 0.8 * result.epochs.front().loss);
}
