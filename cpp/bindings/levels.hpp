// Which variants of the core a processor can run, best first. By CPUID itself on x86-64, since
// compilers differ in the names that __builtin_cpu_supports knows; elsewhere as the system says.
#pragma once

#include <cstddef>
#include <string_view>

#include "../eigenmlp/kernel/amx_permission.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#include <cstring>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace eigenmlp {

// As the variants' names are sorted: EIGENMLP_ISA asks for one of these.
inline constexpr const char* architecture =
#if defined(__x86_64__)
    "x86-64";
#elif defined(__aarch64__)
    "aarch64";
#else
    "other";
#endif

// Of x86-64.
struct Processor {
  char vendor[13] = "";
  bool v2 = false, v3 = false, v4 = false; // x86-64's levels
  bool bf16 = false;                       // v4 with AVX-512's products of bfloat16
  bool amx = false;                        // that with AMX's tiles, granted by the system
};

// Names, best first. AMD's processors multiply pairs of bfloat16 as fast as floats. Intel's take
// two cycles for them, also those that hide AMX, so that rounded operands are faster in float
// there: v4 is better than bf16.
struct Levels {
  Levels() = default;
  explicit Levels(const Processor& p) {
    const std::string_view vendor(p.vendor);
    const bool fast = vendor == "AuthenticAMD" || vendor == "HygonGenuine";
    add("amx", p.amx);
    if (fast) add("bf16", p.bf16);
    add("v4", p.v4);
    if (!fast) add("bf16", p.bf16);
    add("v3", p.v3);
    add("v2", p.v2);
  }
  void add(const char* name, bool runs) {
    if (runs) names[count++] = name;
  }
  const char* names[5] = {};
  int count = 0;
};

#if defined(__x86_64__)
namespace detail {
struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};
inline Registers cpuid(unsigned leaf, unsigned part = 0) {
  Registers r; // zeros if there is no such leaf
  __get_cpuid_count(leaf, part, &r.a, &r.b, &r.c, &r.d);
  return r;
}
template <class... Bits>
constexpr bool has(unsigned word, Bits... bits) {
  return ((word >> bits & 1U) && ...);
}
} // namespace detail

// This machine's, without what the operating system does not keep for each thread.
inline Processor this_processor() {
  using detail::has;
  const auto [highest, vendor_1, vendor_3, vendor_2] = detail::cpuid(0);
  const auto basic = detail::cpuid(1), more = detail::cpuid(7), most = detail::cpuid(7, 1);
  const auto amd = detail::cpuid(0x80000001);
  Processor p;
  for (int i = 0; const unsigned part : {vendor_1, vendor_2, vendor_3})
    std::memcpy(p.vendor + 4 * i++, &part, sizeof part);
  unsigned kept = 0, high = 0; // registers, as XCR0 has them
  if (has(basic.c, 27)) asm volatile("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
  // SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT; LAHF
  p.v2 = has(basic.c, 0, 9, 13, 19, 20, 23) && has(amd.c, 0);
  // FMA, MOVBE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT
  p.v3 = p.v2 && has(kept, 1, 2) && has(basic.c, 12, 22, 28, 29) && has(more.b, 3, 5, 8) &&
         has(amd.c, 5);
  // AVX-512 F, DQ, CD, BW, VL
  p.v4 = p.v3 && has(kept, 5, 6, 7) && has(more.b, 16, 17, 28, 30, 31);
  p.bf16 = p.v4 && highest >= 7 && has(most.a, 5);
  p.amx = p.bf16 && amx_permission();
  return p;
}
inline Levels this_machines_levels() { return Levels(this_processor()); }
#else
// Products of bfloat16, which aarch64 counts as a feature of its own (FEAT_BF16).
inline bool has_bfdot() {
#if defined(__aarch64__) && defined(__linux__)
  constexpr unsigned long bf16 = 1UL << 14; // of <asm/hwcap.h>, where that is new enough
  return (getauxval(AT_HWCAP2) & bf16) != 0;
#elif defined(__aarch64__) && defined(__APPLE__)
  int has = 0;
  std::size_t size = sizeof has;
  return sysctlbyname("hw.optional.arm.FEAT_BF16", &has, &size, nullptr, 0) == 0 && has != 0;
#else
  return false;
#endif
}
inline Levels this_machines_levels() {
  Levels levels;
  levels.add("bf16", has_bfdot());
  levels.add("baseline", true);
  return levels;
}
#endif

} // namespace eigenmlp
