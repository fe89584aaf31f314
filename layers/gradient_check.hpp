#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "laminar/core/parameter.hpp"
#include "laminar/core/tape.hpp"
#include "laminar/core/tensor.hpp"

/// Runs operations forward and backward, and compares the gradients with finite differences.
namespace laminar::layers::checks {

/// Records a computation on the tape from its dense inputs and returns its result. Called many times; it must compute
/// the same each time. Sparse inputs, graphs and parameters come in by capture.
using Builder = std::function<core::Var(core::Tape&, const std::vector<core::Var>& inputs)>;

/// What one forward and backward pass over sum(y * R) gave, R being a fixed random matrix.
struct Pass {
  core::Tensor output;
  /// One an input, empty if none reached it.
  std::vector<core::Tensor> input_gradients;
  /// One a parameter.
  std::vector<core::Tensor> parameter_gradients;
};

/// The R of Pass for an output of this shape.
core::Tensor output_gradient(core::Index rows, core::Index cols, core::DType dtype);

/// Runs `build` forward and backward. Gradients of `parameters` are cleared before.
Pass run_pass(const core::TapeContext& context, const Builder& build, const std::vector<core::Tensor>& inputs,
              const core::ParameterList& parameters);

struct GradientCheckOptions {
  bool training = false;
  core::SourceExchange* exchange = nullptr;
  /// Step of the central difference, times max(1, |x|).
  double step = 1e-6;
  /// Allowed |gradient - difference| / max(|gradient|, |difference|, floor), in the Euclidean norm of one matrix.
  double tolerance = 1e-7;
  double floor = 0.1;
  int threads = 2;
};

/// The largest of the errors above, and whose it is.
struct GradientError {
  double worst = 0;
  std::string where;
};

/// Compares in float64, inside an arena of its own. Inputs are checked one by one ("input 0", ...), parameters by name.
GradientError gradient_error(const Builder& build, const std::vector<core::Tensor>& inputs,
                             const core::ParameterList& parameters, const GradientCheckOptions& options = {});

}  // namespace laminar::layers::checks
