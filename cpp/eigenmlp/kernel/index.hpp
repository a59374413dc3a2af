// Indices, and how things are shared. No Eigen: it takes a second to compile.
#pragma once

#include <cstddef>

namespace eigenmlp {

using Index = std::ptrdiff_t;

inline constexpr std::size_t cache_line = 64; // bytes; the width of a panel's row

constexpr Index ceil_div(Index a, Index b) { return a <= b ? (a > 0) : (a + b - 1) / b; }

// First element of part `i` when `n` things are shared among `parts` as evenly as they go; fewer
// than 2³¹ parts, or things.
constexpr Index share_begin(Index n, Index parts, Index i) {
  constexpr Index half = Index{1} << (4 * sizeof(Index) - 1); // n · i may not fit beyond it
  if (parts == 1) return n * i; // a division takes as long as a row of a small layer
  return n < half ? n * i / parts : n / parts * i + n % parts * i / parts;
}

} // namespace eigenmlp
