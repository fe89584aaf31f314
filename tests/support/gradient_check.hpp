#pragma once

#include <string>
#include <vector>

#include "laminar/layers/gradient_check.hpp"

/// Gradients against finite differences, for tests.
namespace laminar::testing {

using layers::checks::Builder;
using layers::checks::gradient_error;
using layers::checks::GradientCheckOptions;
using layers::checks::GradientError;
using layers::checks::output_gradient;
using layers::checks::Pass;
using layers::checks::run_pass;

/// CHECKs that gradient_error() stays within the tolerance; `what` names the computation in the message.
void check_gradients(const std::string& what, const Builder& build, const std::vector<core::Tensor>& inputs,
                     const core::ParameterList& parameters = {}, const GradientCheckOptions& options = {});

}  // namespace laminar::testing
