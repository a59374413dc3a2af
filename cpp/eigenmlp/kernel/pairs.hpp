// Pairs of bfloat16, each in the place of a float: what a line of a panel and a tile hold of them.
#pragma once

#include "eigenmlp/kernel/tile.hpp"

namespace eigenmlp::rounded {

inline constexpr Index line_pairs = panel_width<float>;
inline constexpr Index line_terms = 2 * line_pairs;
inline constexpr Index tile_lines = 16; // of an AMX tile: rows of A and of sums, pairs of B
inline constexpr Index tile_size = tile_lines * line_pairs;

} // namespace eigenmlp::rounded
