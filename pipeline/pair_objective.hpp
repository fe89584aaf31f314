#pragma once

#include <memory>
#include <string>
#include <vector>

#include "laminar/core/metrics.hpp"
#include "laminar/layers/model.hpp"
#include "laminar/pipeline/pair_scorer.hpp"
#include "laminar/pipeline/pair_split.hpp"
#include "laminar/pipeline/train_result.hpp"

namespace laminar::pipeline {

/// Scores of pairs with an edge and without.
struct PairScores {
  std::vector<double> positives;
  std::vector<double> negatives;
};

/// A metric of them. Throws UsageError for one that is not of pairs.
double metric_of(core::Metric metric, const PairScores& scores);

/// The names of what is told of pairs: "roc-auc", "average-precision", "hits@K" for each K that options name, "mrr".
std::vector<std::string> pair_figure_names(const PairOptions& options);
/// Their values.
std::vector<double> pair_figures(const PairScores& scores, const PairOptions& options);

/// What a model of pairs is trained to and judged by, on the device that has its last layer and all vertices. One
/// thread at a time, inside an arena.
class PairObjective {
 public:
  /// `ids`: the vertex in the file of each row of the outputs. The model, which must have a decoder, must outlive it.
  PairObjective(std::shared_ptr<const PairSplit> split, const PairOptions& options, std::uint64_t seed,
                const layers::Model& model, const std::vector<VertexId>& ids, std::shared_ptr<core::MemoryPool> pool);
  ~PairObjective();

  /// The loss of the training pairs and of as many negatives as there should be, drawn for this epoch among those that
  /// no message joins; and its gradients, as PairScorer::loss().
  double train(Index epoch, const core::Tensor& outputs, core::Tensor& gradient) const;

  /// Metric on all three sets, and the loss of validation pairs.
  Evaluation evaluate(core::Metric metric, const core::Tensor& outputs) const;
  /// pair_figures() of the validation pairs, then of the test pairs.
  std::vector<double> figures(const core::Tensor& outputs) const;

 private:
  std::vector<Pair> rows_of(const std::vector<Pair>& pairs) const;
  PairScores scores(const core::Tensor& outputs, const std::vector<Pair>& joined,
                    const std::vector<Pair>& others) const;

  std::shared_ptr<const PairSplit> split_;
  PairOptions options_;
  std::uint64_t seed_;
  Index layer_;
  std::vector<VertexId> row_of_;
  PairSet messages_;
  PairScorer scorer_;
};

}  // namespace laminar::pipeline
