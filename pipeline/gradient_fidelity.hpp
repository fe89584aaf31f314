#pragma once

#include <vector>

#include "laminar/core/tensor.hpp"
#include "laminar/pipeline/train_result.hpp"

namespace laminar::pipeline {

/// Sums that tell how close gradients g are to the exact ones, layer by layer and of all parameters together. They add
/// up over devices.
class FidelitySums {
 public:
  explicit FidelitySums(Index num_layers);

  /// Adds a parameter of a layer, or of none (-1), which counts among all only. Of the same shape and dtype.
  void add(Index layer, const core::Tensor& gradient, const core::Tensor& exact);
  /// The sums as numbers to be added up over devices, each parameter counting at one of them.
  std::vector<double>& values() { return sums_; }

  GradientFidelity of_layer(Index layer) const;
  GradientFidelity of_all() const { return of_layer(num_layers_); }

 private:
  Index num_layers_;
  /// By layer, then of all.
  std::vector<double> sums_;
};

}  // namespace laminar::pipeline
