#pragma once

#include <string>
#include <vector>

#include "laminar/pipeline/experiment.hpp"
#include "laminar/pipeline/pair_split.hpp"

namespace laminar::apps {

/// What was asked to stand beside a trained model of pairs.
struct PairBaseline {
  std::string name;
  std::vector<pipeline::PairFigure> figures;
};

/// "85 pairs to train, 5 to validate, 10 to test; 170 of 200 edges pass messages".
std::string pairs_text(const pipeline::PairSplit& split, core::EdgeId num_edges);

/// A table with a row for each figure: validation and test, of several runs as mean +- standard deviation. Empty for a
/// model of vertices.
std::string pair_table(const pipeline::Summary& summary, bool several);

/// One with the test figures of baselines, means over runs, beside the trained model's: a row each.
std::string baseline_table(const std::vector<std::vector<PairBaseline>>& runs, const pipeline::Summary& summary);

/// " test_roc_auc=0.9 ..." for the RESULT line, or empty.
std::string pair_result(const pipeline::Summary& summary);

}  // namespace laminar::apps
