#include "laminar/datasets/feature_storage.hpp"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"

namespace laminar::datasets {

using core::Index;

namespace {

core::SparseMatrix to_sparse(const core::Tensor& dense) {
  std::vector<core::EdgeId> offsets{0};
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  const float* row = dense.data<float>();
  for (Index r = 0; r < dense.rows(); ++r, row += dense.cols()) {
    for (Index c = 0; c < dense.cols(); ++c) {
      if (row[c] == 0) continue;
      columns.push_back(static_cast<std::int32_t>(c));
      values.push_back(row[c]);
    }
    offsets.push_back(static_cast<core::EdgeId>(values.size()));
  }
  return {dense.rows(), dense.cols(), std::move(offsets), std::move(columns), std::move(values)};
}

bool nearly_all_zeros(const core::Tensor& dense) {
  const std::span<const float> values(dense.data<float>(), static_cast<std::size_t>(dense.size()));
  const auto zeros = std::count(values.begin(), values.end(), 0.0F);
  return static_cast<double>(dense.size() - zeros) <= kSparseShare * static_cast<double>(dense.size());
}

}  // namespace

FeatureStorage parse_feature_storage(std::string_view word) {
  if (word == "auto") return FeatureStorage::kAuto;
  if (word == "dense") return FeatureStorage::kDense;
  if (word == "sparse") return FeatureStorage::kSparse;
  throw UsageError(fmt::format("'{}' is no way to store features; expected auto, dense or sparse", word));
}

void store_features(GraphData& data, FeatureStorage storage) {
  if (data.features) {
    if (storage == FeatureStorage::kDense) return;
    if (storage == FeatureStorage::kAuto && !nearly_all_zeros(data.features)) return;
    data.sparse_features = to_sparse(data.features);
    data.features = {};
  } else if (data.sparse_features && storage == FeatureStorage::kDense) {
    data.features = core::to_dense(data.sparse_features, core::DType::kFloat32);
    data.sparse_features = {};
  }
}

}  // namespace laminar::datasets
