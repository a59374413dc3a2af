// bfloat16: the upper half of a float, rounded to the nearest, ties to even. As the processors do
// that have it, numbers too small for a normal float count as zero, and NaN stays NaN.
#pragma once

#include <bit>

#include "eigenmlp/kernel/types.hpp"

namespace eigenmlp {

// x rounded to bfloat16, as a float.
inline float round_to_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t exponent = bits & 0x7F800000U;
  const std::uint32_t even = (bits + 0x7FFFU + ((bits >> 16) & 1U)) & 0xFFFF0000U;
  const std::uint32_t special =
      (bits & 0xFFFF0000U) | ((bits & 0x007FFFFFU) != 0U ? 0x00400000U : 0U);
  const std::uint32_t rounded = exponent == 0x7F800000U ? special : even;
  return std::bit_cast<float>(exponent == 0 ? bits & 0x80000000U : rounded);
}

} // namespace eigenmlp
