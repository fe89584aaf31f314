#pragma once

#include "laminar/core/tape.hpp"

namespace laminar::core {

/// y = x W + b. x [n, in] dense or sparse, W [in, out], b [1, out] or null, y [n, out]. Throws Error if shapes don't
/// fit.
Var linear(Tape& tape, Var x, Parameter& weight, Parameter* bias = nullptr);

/// y = onto + x W + b, in the place of `onto` [n, out], whose value is given up: nothing may read it afterwards. Throws
/// Error if shapes don't fit.
Var linear_onto(Tape& tape, Var onto, Var x, Parameter& weight, Parameter* bias = nullptr);

/// y = x (a I + b W) = a x + b x W in one product. x [n, d], W [d, d], y [n, d]. Throws Error if shapes don't fit.
Var scaled_identity_linear(Tape& tape, Var x, double a, double b, Parameter& weight);

/// y = x + b, b [1, d] added to every row.
Var add_bias(Tape& tape, Var x, Parameter& bias);
/// The same in the place of x, whose value is given up: nothing may read it afterwards.
Var add_bias_in_place(Tape& tape, Var x, Parameter& bias);

}  // namespace laminar::core
