#pragma once

#include <string_view>

#include "laminar/core/tape.hpp"

namespace laminar::core {

/// y = a x + b z, element by element; x, z, y [n, d]. Throws Error if shapes differ.
Var combine(Tape& tape, double a, Var x, double b, Var z);

/// y = x + z.
inline Var add(Tape& tape, Var x, Var z) { return combine(tape, 1, x, 1, z); }

/// y = a onto + b x, in the place of `onto`, whose value is given up: nothing may read it afterwards. Throws Error if
/// shapes differ.
Var combine_onto(Tape& tape, double a, Var onto, double b, Var x);

/// y = onto + x, likewise.
inline Var add_onto(Tape& tape, Var onto, Var x) { return combine_onto(tape, 1, onto, 1, x); }

/// y = max(x, z), element by element; the gradient goes to x where they are equal. Throws Error if shapes differ.
Var maximum(Tape& tape, Var x, Var z);

/// y = a x.
Var scale(Tape& tape, double a, Var x);

enum class Activation : std::uint8_t {
  kNone,       ///< x
  kRelu,       ///< max(x, 0)
  kLeakyRelu,  ///< x > 0 ? x : .01 x
  kElu,        ///< x > 0 ? x : exp(x) - 1
  kTanh,       ///< tanh(x)
  kGelu,       ///< x Phi(x), Phi the normal distribution function (the exact form)
};

/// "none", "relu", "leaky-relu", "elu", "tanh", "gelu".
std::string_view name_of(Activation activation);
/// The inverse. Throws UsageError, naming those there are.
Activation activation_from_name(std::string_view name);

/// y = f(x), element by element.
Var activate(Tape& tape, Var x, Activation activation);
/// The same in the place of x, whose value is given up: nothing may read it afterwards.
Var activate_in_place(Tape& tape, Var x, Activation activation);

}  // namespace laminar::core
