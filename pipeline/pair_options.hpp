#pragma once

#include <string>
#include <vector>

#include "laminar/core/types.hpp"

namespace laminar::pipeline {

using core::Index;

/// How pairs of vertices are split and drawn to train and to judge a model of them.
struct PairOptions {
  /// Shares of the pairs that are held out, each above 0; the rest is trained on and passes messages.
  double val = 0.05;
  double test = 0.10;
  /// Pairs without an edge for each pair with one: drawn anew in every epoch of training, and once for judging.
  Index negatives = 1;
  Index eval_negatives = 1;
  /// The K of Hits@K that results tell of.
  std::vector<Index> hits = {10, 50, 100};
};

/// "85/5/10": training, validation and test pairs in percent.
std::string pair_split_text(const PairOptions& options);
/// The inverse. Throws UsageError "expected ..." unless three numbers above 0 add up to 100.
void set_pair_split(const std::string& text, PairOptions& options);
/// "10,50,100", and the inverse, which throws UsageError "expected ..." unless they are 1 to 16 numbers from 1 up.
std::string hits_text(const PairOptions& options);
void set_hits(const std::string& text, PairOptions& options);

/// Throws UsageError, naming the option, if a number is out of its range.
void validate(const PairOptions& options);

}  // namespace laminar::pipeline
