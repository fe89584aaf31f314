#include "laminar/pipeline/pair_objective.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "laminar/core/error.hpp"
#include "laminar/core/random.hpp"
#include "laminar/core/ranking.hpp"

namespace laminar::pipeline {
namespace {

std::vector<core::Scored> together(const PairScores& s) {
  std::vector<core::Scored> all;
  all.reserve(s.positives.size() + s.negatives.size());
  for (const double x : s.positives) all.emplace_back(x, true);
  for (const double x : s.negatives) all.emplace_back(x, false);
  return all;
}

const layers::Decoder& decoder_of(const layers::Model& model) {
  if (model.decoder() == nullptr) throw Error("[link objective] the model has no decoder");
  return *model.decoder();
}

}  // namespace

double metric_of(core::Metric metric, const PairScores& s) {
  using core::Metric;
  const auto hits = [&](Index k) { return core::hits_at(k, s.positives, s.negatives); };
  switch (metric) {
    case Metric::kRocAuc:
      return core::roc_auc(together(s));
    case Metric::kAveragePrecision:
      return core::average_precision(together(s));
    case Metric::kMrr:
      return core::mean_reciprocal_rank(s.positives, s.negatives);
    case Metric::kHits10:
      return hits(10);
    case Metric::kHits20:
      return hits(20);
    case Metric::kHits50:
      return hits(50);
    case Metric::kHits100:
      return hits(100);
    default:
      throw UsageError(
          fmt::format("metric {} is of vertices; of pairs there are roc-auc, average-precision, mrr, hits@10, hits@20, "
                      "hits@50 and hits@100",
                      name_of(metric)));
  }
}

std::vector<std::string> pair_figure_names(const PairOptions& options) {
  std::vector<std::string> names = {"roc-auc", "average-precision"};
  for (const Index k : options.hits) names.push_back(fmt::format("hits@{}", k));
  names.emplace_back("mrr");
  return names;
}

std::vector<double> pair_figures(const PairScores& s, const PairOptions& options) {
  std::vector<double> values = {core::roc_auc(together(s)), core::average_precision(together(s))};
  for (const Index k : options.hits) values.push_back(core::hits_at(k, s.positives, s.negatives));
  values.push_back(core::mean_reciprocal_rank(s.positives, s.negatives));
  return values;
}

PairObjective::PairObjective(std::shared_ptr<const PairSplit> split, const PairOptions& options, std::uint64_t seed,
                             const layers::Model& model, const std::vector<VertexId>& ids,
                             std::shared_ptr<core::MemoryPool> pool)
    : split_(std::move(split)),
      options_(options),
      seed_(seed),
      layer_(model.num_layers()),
      row_of_(ids.size()),
      messages_(static_cast<Index>(ids.size()), split_->train),
      scorer_(decoder_of(model), std::move(pool)) {
  for (std::size_t row = 0; row < ids.size(); ++row) {
    row_of_[static_cast<std::size_t>(ids[row])] = static_cast<VertexId>(row);
  }
}

PairObjective::~PairObjective() = default;

std::vector<Pair> PairObjective::rows_of(const std::vector<Pair>& pairs) const {
  std::vector<Pair> rows;
  rows.reserve(pairs.size());
  for (const Pair& p : pairs) {
    rows.push_back({row_of_[static_cast<std::size_t>(p.u)], row_of_[static_cast<std::size_t>(p.v)]});
  }
  return rows;
}

double PairObjective::train(Index epoch, const core::Tensor& outputs, core::Tensor& gradient) const {
  const std::size_t positives = split_->train.size();
  const core::RandomKey key = core::random_key(seed_, fmt::format("link negatives, epoch {}", epoch));
  const auto negatives = messages_.draw_others(options_.negatives * static_cast<Index>(positives), key);
  std::vector<Pair> pairs = split_->train;
  pairs.insert(pairs.end(), negatives.begin(), negatives.end());
  return scorer_.loss(outputs, rows_of(pairs), positives, seed_, epoch, layer_, gradient);
}

PairScores PairObjective::scores(const core::Tensor& outputs, const std::vector<Pair>& joined,
                                 const std::vector<Pair>& others) const {
  return {scorer_.scores(outputs, rows_of(joined)), scorer_.scores(outputs, rows_of(others))};
}

Evaluation PairObjective::evaluate(core::Metric metric, const core::Tensor& outputs) const {
  const PairScores val = scores(outputs, split_->val, split_->val_negatives);
  Evaluation e;
  e.train_metric = metric_of(metric, scores(outputs, split_->train_sample, split_->train_sample_negatives));
  e.val_metric = metric_of(metric, val);
  e.test_metric = metric_of(metric, scores(outputs, split_->test, split_->test_negatives));
  e.val_loss = pair_loss(val.positives, val.negatives);
  return e;
}

std::vector<double> PairObjective::figures(const core::Tensor& outputs) const {
  std::vector<double> all = pair_figures(scores(outputs, split_->val, split_->val_negatives), options_);
  const std::vector<double> test = pair_figures(scores(outputs, split_->test, split_->test_negatives), options_);
  all.insert(all.end(), test.begin(), test.end());
  return all;
}

}  // namespace laminar::pipeline
