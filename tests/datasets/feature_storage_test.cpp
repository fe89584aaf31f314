#include "laminar/datasets/feature_storage.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"

using namespace laminar;
using namespace laminar::datasets;

namespace {

// 2 x 10, of which `entries` are not zero.
GraphData with_features(core::Index entries) {
  GraphData data;
  data.features = core::Tensor(2, 10, core::DType::kFloat32);
  data.features.fill(0);
  for (core::Index i = 0; i < entries; ++i) data.features.data<float>()[i * 7] = static_cast<float>(i) - 3.5F;
  return data;
}

}  // namespace

TEST_CASE("features that are nearly all zeros are stored as sparse ones, with the same numbers") {
  GraphData data = with_features(2);
  const core::Tensor before = data.features;
  store_features(data, FeatureStorage::kAuto);
  CHECK_FALSE(data.features);
  REQUIRE(data.sparse_features);
  CHECK(data.sparse_features.entries() == 2);
  CHECK(data.sparse_features.columns()[1] == 7);
  CHECK(data.sparse_features.values()[1] == -2.5F);

  store_features(data, FeatureStorage::kAuto);
  CHECK(data.sparse_features);
  store_features(data, FeatureStorage::kDense);
  REQUIRE(data.features);
  CHECK_FALSE(data.sparse_features);
  for (core::Index i = 0; i < 20; ++i) CHECK(data.features.data<float>()[i] == before.data<float>()[i]);
}

TEST_CASE("fuller features stay dense unless asked for") {
  GraphData data = with_features(3);
  store_features(data, FeatureStorage::kAuto);
  CHECK(data.features);
  store_features(data, FeatureStorage::kDense);
  CHECK(data.features);
  store_features(data, FeatureStorage::kSparse);
  CHECK(data.sparse_features.entries() == 3);
}

TEST_CASE("no features stay none, and a storage is one of three words") {
  GraphData data;
  for (const auto* word : {"auto", "dense", "sparse"}) {
    store_features(data, parse_feature_storage(word));
    CHECK_FALSE(data.features);
    CHECK_FALSE(data.sparse_features);
  }
  CHECK_THROWS_WITH_AS(parse_feature_storage("csr"),
                       "'csr' is no way to store features; expected auto, dense or sparse", UsageError);
}
