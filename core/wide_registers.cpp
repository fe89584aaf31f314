#include "laminar/core/wide_registers.hpp"

namespace laminar::core {
namespace {

bool supports_wide_registers() {
#ifdef LAMINAR_WIDE_VERSION
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

bool uses_wide_registers = supports_wide_registers();

}  // namespace

bool has_wide_registers() { return uses_wide_registers; }

void allow_wide_registers(bool allowed) { uses_wide_registers = allowed && supports_wide_registers(); }

}  // namespace laminar::core
