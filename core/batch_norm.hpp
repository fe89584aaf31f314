#pragma once

#include "laminar/core/tape.hpp"

namespace laminar::core {

/// y_ic = gain_c * (x_ic - mean_c) / sqrt(var_c + epsilon) + shift_c, mean and (biased) variance of column c over the
/// rows of *all* vertices: those of x, and those that TapeContext::statistics adds from other devices. Ioffe and
/// Szegedy 2015, Algorithm 1; there are no running averages, as a whole graph is always at hand. x [n, d]; gain, shift
/// [1, d]. Sums are of float64. Throws Error if shapes don't fit, or under history, where no moment has all rows.
Var batch_norm(Tape& tape, Var x, Parameter& gain, Parameter& shift, double epsilon = 1e-5);

}  // namespace laminar::core
