#include "laminar/pipeline/learned_features.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"

namespace laminar::pipeline {
namespace {

using layers::VertexInput;

constexpr Index kMostBuckets = Index{1} << 24;

/// The columns of vertex v in a table of `rows` rows that is smaller than the graph.
std::pair<std::int32_t, std::int32_t> hashed(Index v, Index rows) {
  static const core::RandomKey key = core::random_key(0, "embedding buckets");
  const auto draw = core::random_block(key, static_cast<std::uint32_t>(v), 0, 0);
  const auto bucket = [&](std::uint32_t high, std::uint32_t low) {
    return static_cast<std::int32_t>(((std::uint64_t{high} << 32) | low) % static_cast<std::uint64_t>(rows));
  };
  return std::minmax(bucket(draw[0], draw[1]), bucket(draw[2], draw[3]));
}

/// Rows of sparse features: the given ones, if there are any, and behind them which rows of the table are a vertex's.
class TableRows final : public core::RowSource {
 public:
  TableRows(const core::RowSource* given, Index vertices, Index table_rows)
      : given_(given), vertices_(vertices), table_rows_(table_rows) {}
  Index rows() const override { return vertices_; }
  Index cols() const override { return given_cols() + table_rows_; }
  bool sparse() const override { return true; }
  core::Tensor read_dense(Index, Index) const override { throw Error("features with learned embeddings are sparse"); }
  core::SparseMatrix read_sparse(Index begin, Index end) const override {
    if (begin < 0 || begin > end || end > vertices_) {
      throw Error(fmt::format("rows {}..{} of {} were asked for", begin, end, vertices_));
    }
    Entries all;
    const core::SparseMatrix sparse =
        given_ != nullptr && given_->sparse() ? given_->read_sparse(begin, end) : core::SparseMatrix();
    const core::Tensor dense = given_ != nullptr && !given_->sparse() ? given_->read_dense(begin, end) : core::Tensor();
    for (Index v = begin; v < end; ++v) {
      if (sparse) all.add_row(sparse, v - begin);
      if (dense) all.add_row(dense, v - begin);
      add_learned(v, all);
      all.offsets.push_back(static_cast<core::EdgeId>(all.columns.size()));
    }
    return {end - begin, cols(), std::move(all.offsets), std::move(all.columns), std::move(all.values)};
  }

 private:
  struct Entries {
    std::vector<core::EdgeId> offsets{0};
    std::vector<std::int32_t> columns;
    std::vector<float> values;

    void add(Index column, float value) {
      columns.push_back(static_cast<std::int32_t>(column));
      values.push_back(value);
    }
    void add_row(const core::SparseMatrix& rows, Index r) {
      const auto begin = rows.offsets()[static_cast<std::size_t>(r)];
      const auto end = rows.offsets()[static_cast<std::size_t>(r) + 1];
      for (auto e = static_cast<std::size_t>(begin); e < static_cast<std::size_t>(end); ++e) {
        add(rows.columns()[e], rows.values()[e]);
      }
    }
    void add_row(const core::Tensor& rows, Index r) {
      const auto* x = rows.data<float>() + r * rows.cols();
      for (Index c = 0; c < rows.cols(); ++c) {
        if (x[c] != 0) add(c, x[c]);
      }
    }
  };

  Index given_cols() const { return given_ == nullptr ? 0 : given_->cols(); }

  void add_learned(Index v, Entries& all) const {
    if (table_rows_ >= vertices_) return all.add(given_cols() + v, 1);
    const auto [first, second] = hashed(v, table_rows_);
    if (first == second) return all.add(given_cols() + first, 1);
    all.add(given_cols() + first, 0.5F);
    all.add(given_cols() + second, 0.5F);
  }

  const core::RowSource* given_;
  Index vertices_;
  Index table_rows_;
};

class LearnedFeatures final : public core::Dataset {
 public:
  LearnedFeatures(const core::Dataset& data, const layers::ModelOptions& model)
      : data_(data), schema_(data.schema()), with_given_(model.input == VertexInput::kGivenAndLearned) {
    if (with_given_ && schema_.num_features < 1) {
      throw UsageError(fmt::format("--features {}: '{}' has no features of its own; use --features learned",
                                   layers::name_of(model.input), schema_.name));
    }
    const Index n = schema_.num_vertices;
    schema_.num_learned = embedding_rows(model, n);
    schema_.num_features = (with_given_ ? schema_.num_features : 0) + schema_.num_learned;
    schema_.feature_entries = (with_given_ ? schema_.feature_entries : 0) + (schema_.num_learned < n ? 2 : 1) * n;
    schema_.sparse_features = true;
    rows_ = std::make_unique<TableRows>(with_given_ ? &data.features() : nullptr, n, schema_.num_learned);
  }
  const core::DatasetSchema& schema() const override { return schema_; }
  std::shared_ptr<const core::Graph> graph() const override { return data_.graph(); }
  void visit_rows(const core::WantedRows& wanted,
                  const std::function<void(const core::GraphRows&)>& visit) const override {
    data_.visit_rows(wanted, visit);
  }
  std::uint64_t graph_fingerprint() const override { return data_.graph_fingerprint(); }
  const core::RowSource& features() const override { return *rows_; }
  core::Tensor edge_features() const override { return data_.edge_features(); }
  const core::Labels& labels() const override { return data_.labels(); }
  core::Split split(std::string_view name) const override { return data_.split(name); }
  std::vector<std::string> vertex_names() const override { return data_.vertex_names(); }

 private:
  const core::Dataset& data_;
  core::DatasetSchema schema_;
  bool with_given_;
  std::unique_ptr<TableRows> rows_;
};

}  // namespace

Index embedding_rows(const layers::ModelOptions& model, Index num_vertices) {
  const Index asked = model.embedding_buckets;
  if (asked < 0 || asked > kMostBuckets) {
    throw UsageError(
        fmt::format("--embedding-buckets is {}, expected 1 to {}, or 0 = a row for each vertex, {} at most", asked,
                    kMostBuckets, kMostEmbeddingRows));
  }
  return std::min(num_vertices, asked == 0 ? kMostEmbeddingRows : asked);
}

std::unique_ptr<core::Dataset> with_learned_features(const core::Dataset& data, const layers::ModelOptions& model) {
  if (model.input == VertexInput::kGiven) return nullptr;
  return std::make_unique<LearnedFeatures>(data, model);
}

std::unique_ptr<core::Dataset> with_learned_features(const core::Dataset& data, const Checkpoint& checkpoint) {
  const bool learned = checkpoint.model.input != VertexInput::kGiven;
  if (learned && data.graph_fingerprint() != checkpoint.data.graph_fingerprint) {
    throw Error(
        fmt::format("the model has learnt embeddings of the {} vertices of '{}', which say nothing of those of '{}'; "
                    "for a model that goes on to other graphs train with features that they have too: given ones, or "
                    "those of laminar-convert --features degree",
                    checkpoint.data.num_vertices, checkpoint.data.name, data.schema().name));
  }
  return with_learned_features(data, checkpoint.model);
}

void check_learned_features(const layers::ModelOptions& model, const core::DatasetSchema& schema) {
  if (model.input == VertexInput::kGiven || schema.num_learned > 0) return;
  throw Error(
      fmt::format("the model learns embeddings of vertices, but '{}' was not prepared for it; see "
                  "pipeline::with_learned_features()",
                  schema.name));
}

}  // namespace laminar::pipeline
