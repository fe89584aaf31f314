#pragma once

#include "laminar/core/multiversion.hpp"

/// For kernels that exist twice: written for registers of 64 bytes, and for shorter ones. The first is a
/// LAMINAR_WIDE_VERSION, called where has_wide_registers(); the other has LAMINAR_NARROW_VERSIONS, as
/// LAMINAR_MULTIVERSION has. run_by_registers() does both. Where the macro LAMINAR_WIDE_VERSION is not defined there is
/// only the other.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define LAMINAR_NARROW_VERSIONS __attribute__((target_clones("default", "arch=x86-64-v3")))
#define LAMINAR_WIDE_VERSION __attribute__((target("arch=x86-64-v4")))
#else
#define LAMINAR_NARROW_VERSIONS
#endif

namespace laminar::core {

/// Whether the processor runs what is compiled for x86-64-v4, and may.
bool has_wide_registers();

/// body.operator()<kWide>(arguments...), compiled for registers of 64 bytes (kWide) where there are such, or else for
/// shorter ones; of a body the same holds as of run_vectorised()'s.
template <class Body, class... Arguments>
LAMINAR_NARROW_VERSIONS void run_narrow(const Body& body, Arguments... arguments) {
  body.template operator()<false>(arguments...);
}
#ifdef LAMINAR_WIDE_VERSION
template <class Body, class... Arguments>
LAMINAR_WIDE_VERSION void run_wide(const Body& body, Arguments... arguments) {
  body.template operator()<true>(arguments...);
}
#endif
template <class Body, class... Arguments>
void run_by_registers(const Body& body, Arguments... arguments) {
#ifdef LAMINAR_WIDE_VERSION
  if (has_wide_registers()) return run_wide(body, arguments...);
#endif
  run_narrow(body, arguments...);
}

/// For tests: whether has_wide_registers() may be true, which is so at first. Not thread-safe.
void allow_wide_registers(bool allowed);

}  // namespace laminar::core
