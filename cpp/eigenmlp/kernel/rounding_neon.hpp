// Rows of a panel, rounded to bfloat16, in loops that become vectors. BFCVT would keep what is too
// small for a normal float, which round_to_bfloat16 and the other processors do not.
#pragma once

#include "eigenmlp/kernel/bfloat16.hpp"
#include "eigenmlp/kernel/pairs.hpp"

namespace eigenmlp::rounded::pairs::detail {

inline std::uint32_t rounded_bits(float x) {
  return std::bit_cast<std::uint32_t>(round_to_bfloat16(x));
}

// Two rows of 16 floats as 16 pairs, the first row's in the lower halves.
inline void round_two_rows(const float* even, const float* odd, float* to) {
  std::uint32_t pairs[line_pairs];
  for (Index j = 0; j < line_pairs; ++j)
    pairs[j] = rounded_bits(even[j]) >> 16 | rounded_bits(odd[j]);
  std::memcpy(to, pairs, sizeof pairs);
}

// The first `exist` of 16 floats and zeros as 8 pairs; zeros after them make `pairs`, 8 or 16.
inline void round_row(const float* from, Index exist, Index pairs, float* to) {
  std::uint32_t bits[line_terms] = {};
  for (Index j = 0; j < panel_width<float>; ++j) bits[j] = j < exist ? rounded_bits(from[j]) : 0;
  std::uint32_t both[line_pairs];
  for (Index j = 0; j < line_pairs; ++j) both[j] = bits[2 * j] >> 16 | bits[2 * j + 1];
  std::memcpy(to, both, static_cast<std::size_t>(pairs) * sizeof(float));
}

} // namespace eigenmlp::rounded::pairs::detail
