// AMX: whether the processor has its bfloat16 tiles, and Linux lets this process use them.
#pragma once

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace eigenmlp {

#if defined(EIGENMLP_EMULATE_AMX) // amx_emulated.hpp
inline bool has_amx() { return true; }
inline bool amx_permission() { return true; }
#elif defined(__x86_64__) && defined(__linux__)
inline bool has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned bf16 = 1U << 22, tile = 1U << 24;
  return (d & bf16) != 0 && (d & tile) != 0;
}
// Asks for the permission, which holds for all threads of the process and its children.
inline bool amx_permission() {
  constexpr long arch_req_xcomp_perm = 0x1023, tile_data = 18;
  return has_amx() && syscall(SYS_arch_prctl, arch_req_xcomp_perm, tile_data) == 0;
}
#else
inline bool has_amx() { return false; }
inline bool amx_permission() { return false; }
#endif

} // namespace eigenmlp
