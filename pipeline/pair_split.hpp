#pragma once

#include <memory>
#include <vector>

#include "laminar/core/dataset.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/pair_options.hpp"
#include "laminar/pipeline/pair_set.hpp"

namespace laminar::pipeline {

/// Pairs with an edge, in three sets, and without, for judging. Whatever direction an edge of a graph has, the pair of
/// its ends is in one set only, so that no set tells of another's pairs.
struct PairSplit {
  /// Ascending.
  std::vector<Pair> train;
  std::vector<Pair> val;
  std::vector<Pair> test;
  /// Some pairs of `train`, at most as many as there are in `val`: what training metrics are of.
  std::vector<Pair> train_sample;
  /// Not joined by any edge of the graph, PairOptions::eval_negatives for each pair of the set.
  std::vector<Pair> train_sample_negatives;
  std::vector<Pair> val_negatives;
  std::vector<Pair> test_negatives;
  /// The edges that pass messages: all but those between the pairs of `val` and `test`, in either direction.
  std::shared_ptr<const core::Graph> message_graph;
  /// Their positions among the in-edges of the whole graph.
  std::vector<core::EdgeId> message_edges;
};

/// Splits the pairs of `graph` at random: floor(share x pairs) for test, likewise for validation, the rest for
/// training. A function of the edges, options and seed. Throws Error if a set would be empty.
PairSplit split_links(const core::Graph& graph, const PairOptions& options, std::uint64_t seed);

/// What a model of pairs needs to know of a dataset: no labels, embeddings of width model.hidden, one split "random".
core::DatasetSchema pair_schema(core::DatasetSchema schema, const layers::ModelOptions& model);

/// A dataset with the message edges only, and without labels; `data` must outlive it.
class PairDataset final : public core::Dataset {
 public:
  PairDataset(const core::Dataset& data, const layers::ModelOptions& model, std::shared_ptr<const PairSplit> split);
  const core::DatasetSchema& schema() const override { return schema_; }
  std::shared_ptr<const core::Graph> graph() const override { return split_->message_graph; }
  const core::RowSource& features() const override { return data_.features(); }
  core::Tensor edge_features() const override;
  const core::Labels& labels() const override { return labels_; }
  /// Of no vertices.
  core::Split split(std::string_view name) const override;
  std::vector<std::string> vertex_names() const override { return data_.vertex_names(); }

 private:
  const core::Dataset& data_;
  std::shared_ptr<const PairSplit> split_;
  core::DatasetSchema schema_;
  core::Labels labels_;
};

}  // namespace laminar::pipeline
