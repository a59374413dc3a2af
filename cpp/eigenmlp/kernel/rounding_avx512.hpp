// Rows of a panel, rounded to bfloat16, by AVX-512-BF16.
#pragma once

#include "eigenmlp/kernel/pairs.hpp"

namespace eigenmlp::rounded::pairs::detail {

// Two rows of 16 floats as 16 pairs, the first row's in the lower halves.
inline void round_two_rows(const float* even, const float* odd, float* to) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const auto rows = _mm512_cvtne2ps_pbh(_mm512_load_ps(odd), _mm512_load_ps(even));
  _mm512_store_si512(to, _mm512_permutexvar_epi16(order, reinterpret_cast<__m512i>(rows)));
}

// The first `exist` of 16 floats, the others of which are not read, and zeros as 8 pairs; zeros
// after them make `pairs`, 8 or 16.
inline void round_row(const float* from, Index exist, Index pairs, float* to) {
  const auto mask = static_cast<__mmask16>((1U << exist) - 1);
  const auto rounded =
      reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_maskz_load_ps(mask, from)));
  if (pairs == line_pairs)
    _mm512_store_si512(to, _mm512_zextsi256_si512(rounded));
  else
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), rounded);
}

} // namespace eigenmlp::rounded::pairs::detail
