#pragma once

#include <doctest/doctest.h>

#include "laminar/core/bfloat16.hpp"
#include "laminar/core/wide_registers.hpp"

/// For tests of kernels, which exist for several types and registers.
namespace laminar::testing {

/// check(T()) for each type that rows are kept in.
template <class Check>
void with_any_type(const Check& check) {
  check(float());
  check(double());
  check(core::Bfloat16());
}

/// check() with kernels for registers of 64 bytes, where the processor has them, and with those for shorter ones.
template <class Check>
void with_any_registers(const Check& check) {
  for (const bool wide : {true, false}) {
    core::allow_wide_registers(wide);
    CAPTURE(wide);
    check();
  }
  core::allow_wide_registers(true);
}

}  // namespace laminar::testing
