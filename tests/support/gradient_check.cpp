#include "laminar/tests/support/gradient_check.hpp"

#include <doctest/doctest.h>

namespace laminar::testing {

using namespace core;

void check_gradients(const std::string& what, const Builder& build, const std::vector<Tensor>& inputs,
                     const ParameterList& parameters, const GradientCheckOptions& options) {
  const GradientError error = gradient_error(build, inputs, parameters, options);
  CHECK_MESSAGE(error.worst <= options.tolerance, what, ": the gradient of ", error.where, " is off by ", error.worst);
}

}  // namespace laminar::testing
