#pragma once

#include <string>
#include <vector>

namespace laminar::pipeline {

/// How classes or labels count in the loss.
struct LossOptions {
  /// Weights from the training set; see set_loss().
  bool balanced = false;
  /// Instead: one a class (what its vertices count) or label (what its positives count); empty = all count 1.
  std::vector<double> class_weights = {};
  /// 0 <= X < 1; see core::LossShape.
  double label_smoothing = 0;
};

/// "none", "balanced" or numbers with commas between them, which read back exactly.
std::string class_weights_text(const LossOptions& options);
/// The inverse. Throws UsageError "expected ..." for anything else, and for a number not above 0.
void set_class_weights(const std::string& text, LossOptions& options);

/// Throws UsageError, naming the option, if a number is out of its range.
void validate(const LossOptions& options);

}  // namespace laminar::pipeline
