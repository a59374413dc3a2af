// Operands rounded to bfloat16 in pairs: two neighbouring terms of a sum in the place of a float,
// as the processor's products of bfloat16 want them. A panel's line, as wide as 16 floats, then
// holds 32 terms of a row of a left factor, or two terms for each of 16 columns of a right one: to
// a product these are ordinary float panels whose depth is counted in pairs.
//
// The products are AMX's (amx.hpp) where the operating system lets the process use it, else those
// of AVX-512-BF16, or NEON's BFDOT (tile.hpp, Sum::over_pairs).
#pragma once

#include <atomic>

#include "eigenmlp/kernel/amx_permission.hpp"
#include "eigenmlp/kernel/operand_types.hpp"
#include "eigenmlp/kernel/pairs.hpp"
#include "eigenmlp/kernel/product.hpp"
#if defined(__AVX512BF16__)
#include "eigenmlp/kernel/rounding_avx512.hpp"
#else
#include "eigenmlp/kernel/rounding_neon.hpp"
#endif
#if defined(__AMX_BF16__)
#include "eigenmlp/kernel/amx.hpp"
#endif

namespace eigenmlp::rounded::pairs {

inline constexpr Index most_per_float = 2; // operands in a float's place: so many more fit a cache
inline Index per_float() { return most_per_float; }

// Depths are filled up to whole tiles of AMX (pairs.hpp). Sums over the batch read tiles of 32
// rows, which are stored at once.
inline Index row_unit() { return line_terms; }

inline bool has_products() { return true; } // of bfloat16, faster than those of floats

#if defined(__AMX_BF16__)
inline constexpr bool has_tiles = true;
#else
inline constexpr bool has_tiles = false;
#endif
namespace detail {
inline std::atomic<bool>& tiles() {
  static std::atomic<bool> used{has_tiles && amx_permission()};
  return used;
}
} // namespace detail
// Whether products run on AMX's tiles. Forbidding them is for programs that compare.
inline bool uses_tiles() { return detail::tiles().load(std::memory_order_relaxed); }
inline void use_products(Bfloat16Products allowed) {
  detail::tiles() = allowed == Bfloat16Products::tiles && has_tiles && amx_permission();
}

// What a step costs in float beside one with these.
inline double speedup() { return uses_tiles() ? 4 : 1.5; }

inline Index tiles_of(Index terms) { return ceil_div(terms, line_terms); }

// A Left (rows, depth): [depth / 32][rows][16 pairs]. A Right (depth, columns):
// [columns / 16][depth / 2][16 pairs]. Terms beyond the depth are zero in Rights.
inline Index left_panel(Index rows) { return panel_stride<float>(rows); }
inline Index left_size(Index rows, Index depth) { return tiles_of(depth) * left_panel(rows); }
inline Index right_panel(Index depth) { return panel_stride<float>(tiles_of(depth) * tile_lines); }
inline Index right_size(Index depth, Index columns) {
  return panel_count<float>(columns) * right_panel(depth);
}
// For Xᵀ · dY, X (N, D) as the Left of Xᵀ: [N / 32][D][16 pairs], and dY (N, K) as a Right. Rows
// beyond N are zero.
inline Index inputs_panel(Index columns) {
  return panel_stride<float>(panel_count<float>(columns) * tile_lines);
}
inline Index inputs_size(Index rows, Index columns) {
  return tiles_of(rows) * inputs_panel(columns);
}
inline Index deltas_panel(Index rows) { return right_panel(rows); }
inline Index deltas_size(Index rows, Index columns) { return right_size(rows, columns); }

namespace detail {
// Lines of pairs of rows, so many that `count` rows and zeros after them make whole tiles.
inline void store_pairs(const float* from, Index count, Index lines, Operand* to) {
  alignas(cache_line) static constexpr float zeros[panel_width<float>] = {};
  const auto row = [&](Index i) { return i < count ? from + i * panel_width<float> : zeros; };
  for (Index i = 0; i < lines; ++i) round_two_rows(row(2 * i), row(2 * i + 1), to + i * line_pairs);
}
} // namespace detail

// Rows row … row + count - 1 of panel c, which lie at `from`, of a Left with so many columns. What
// is beyond them in the last line becomes zero: it may be Inf or NaN (padding sums Inf · 0), or
// have been so in another batch, and these times the zeros of a Right are NaN.
[[gnu::noinline]] inline void store_left(const float* from, Index row, Index count, Index c,
                                         Index columns, Operands left) {
  constexpr Index p = panel_width<float>;
  const bool alone = c % 2 == 0 && c + 1 == panel_count<float>(columns);
  const Index exist = std::min(p, columns - c * p);
  Operand* to = left.at(row, c / 2) + c % 2 * (line_pairs / 2);
  for (Index i = 0; i < count; ++i, from += p, to += line_pairs)
    detail::round_row(from, exist, alone ? line_pairs : line_pairs / 2, to);
}

// `row` is a multiple of row_unit(), and `count` is one but at the end of the batch.
[[gnu::noinline]] inline void store_inputs_over_rows(const float* from, Index row, Index count,
                                                     Index c, Operands to) {
  constexpr Index p = panel_width<float>;
  alignas(cache_line) Operand lines[tile_size];
  for (Index i = 0; i < count; i += line_terms) {
    detail::store_pairs(from + i * p, count - i, tile_lines, lines);
    transpose_block<float>(lines, p, to.at(c * tile_lines, (row + i) / line_terms), p);
  }
}
[[gnu::noinline]] inline void store_deltas_over_rows(const float* from, Index row, Index count,
                                                     Index c, Operands to) {
  detail::store_pairs(from, count, tiles_of(count) * tile_lines, to.at(row / 2, c));
}

// The block of W in panel d of its rows and panel k of its columns (`rows` x `columns` of it exist)
// into the Right of W and, unless that is null, of Wᵀ.
[[gnu::noinline]] inline void store_weights(const float* block, Index rows, Index, Index d, Index k,
                                            Operands W, Operands Wt) {
  constexpr Index p = panel_width<float>, lines = p / 2;
  if (W.data) detail::store_pairs(block, rows, lines, W.at(d * lines, k));
  if (!Wt.data) return;
  alignas(cache_line) Operand pairs[p * line_pairs]; // [p rows of W][8 pairs of columns, zeros]
  for (Index i = 0; i < p; ++i)
    detail::round_row(block + i * p, i < rows ? p : 0, line_pairs, pairs + i * line_pairs);
  transpose_block<float>(pairs, p, Wt.at(k * lines, d), lines);
}

// out = init + A · B over so many terms; as `multiply` (product.hpp).
template <class Done>
void multiply_pairs(Index rows, Index terms, Index panels, ConstOperands A, ConstOperands B,
                    const float* init, Index init_panel, Panels<float> out, Done&& done) {
#if defined(__AMX_BF16__)
  if (uses_tiles()) {
    amx::multiply(rows, tiles_of(terms), panels, A, B, init, init_panel, out, done);
    return;
  }
#endif
  multiply<float, Sum::over_pairs>(rows, ceil_div(terms, Index{2}), panels, A, B, init, init_panel,
                                   out, done);
}

// out = init + left · right from row `row` of left and panel c of right; as `multiply` does it.
template <class Done>
void multiply_left(Index rows, Index depth, Index panels, ConstOperands left, Index row,
                   ConstOperands right, Index c, const float* init, Index init_panel,
                   Panels<float> out, Done&& done) {
  multiply_pairs(rows, depth, panels, {left.at(row, 0), left.panel}, {right.at(0, c), right.panel},
                 init, init_panel, out, done);
}

// out (+)= Xᵀ · dY over n rows, for panels d … of X (`columns` columns) and k … k + C - 1 of dY.
inline void multiply_over_rows(Index n, Index columns, Index C, ConstOperands, ConstOperands X,
                               Index d, ConstOperands, ConstOperands dY, Index k, bool from_zero,
                               Panels<float> out) {
  multiply_pairs(columns, n, C, {X.at(d * tile_lines, 0), X.panel}, {dY.at(0, k), dY.panel},
                 from_zero ? zero_row<float>() : out.data, from_zero ? 0 : out.panel, out,
                 [](Index, Index) {});
}

} // namespace eigenmlp::rounded::pairs
