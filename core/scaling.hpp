#pragma once

#include "laminar/core/tape.hpp"

namespace laminar::core {

/// y_ic = (offset + s_c) x_ic, s learnt: [1, d], or [1, 1] for one factor of all columns. x [n, d], dense. Throws Error
/// if `s` has another shape.
Var scale_columns(Tape& tape, Var x, Parameter& s, double offset = 0);

/// y_ic = f_i x_ic with constants f [n, 1] of the tape's dtype. Throws Error if there are not as many.
Var scale_rows(Tape& tape, Var x, Tensor factors);

}  // namespace laminar::core
