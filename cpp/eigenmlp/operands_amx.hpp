// Operands rounded to bfloat16 in the order that AMX reads them (amx.hpp).
#pragma once

#include "eigenmlp/amx.hpp"
#include "eigenmlp/amx_permission.hpp"
#include "eigenmlp/product.hpp"

namespace eigenmlp::rounded {

inline constexpr bool hardware = true; // whether rounding makes the products faster
inline bool is_usable() { return amx_permission(); }
using Operand = amx::bfloat16;
using Operands = Panels<Operand>;
using ConstOperands = Panels<const Operand>;

// Sums over the batch read tiles of 32 rows, which are stored at once.
inline constexpr Index row_unit = amx::tile_terms;

inline Index tiles_of(Index terms) { return ceil_div(terms, amx::tile_terms); }
// Numbers in so many lines, and one more if need be: panels do not all fall on the same cache sets.
inline Index odd_lines(Index lines) { return (lines | 1) * amx::tile_terms; }

// A Left (rows, depth): [depth / 32][rows][32]. A Right (depth, columns): [columns / 16][depth / 2]
// [16][2], a line holds a pair of terms for 16 columns. Terms beyond the depth are zero in Rights.
inline Index left_panel(Index rows) { return odd_lines(rows); }
inline Index left_size(Index rows, Index depth) { return tiles_of(depth) * left_panel(rows); }
inline Index right_panel(Index depth) { return odd_lines(tiles_of(depth) * amx::tile_rows); }
inline Index right_size(Index depth, Index columns) {
  return panel_count<float>(columns) * right_panel(depth);
}
// For Xᵀ · dY, X (N, D) as the Left of Xᵀ: [N / 32][D][32], and dY (N, K) as a Right. Rows beyond N
// are zero.
inline Index inputs_panel(Index columns) {
  return odd_lines(panel_count<float>(columns) * amx::tile_rows);
}
inline Index inputs_size(Index rows, Index columns) {
  return tiles_of(rows) * inputs_panel(columns);
}
inline Index deltas_panel(Index rows) { return right_panel(rows); }
inline Index deltas_size(Index rows, Index columns) { return right_size(rows, columns); }

namespace detail {
// Two rows of 16 floats as 16 pairs.
inline __m512i pairs(__m512 even, __m512 odd) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even)));
}
// Row i of `count` at `from`, zeros after them.
inline __m512 row_or_zero(const float* from, Index i, Index count) {
  return i < count ? _mm512_load_ps(from + i * panel_width<float>) : _mm512_setzero_ps();
}
// Lines of pairs of rows, so many that `count` rows and zeros after them make whole tiles.
inline void store_pairs(const float* from, Index count, Index lines, Operand* to) {
  for (Index i = 0; i < lines; ++i)
    _mm512_store_si512(to + i * amx::tile_terms,
                       pairs(row_or_zero(from, 2 * i, count), row_or_zero(from, 2 * i + 1, count)));
}
} // namespace detail

// Rows row … row + count - 1 of panel c, which lie at `from`, of a Left with so many panels. An odd
// number of them leaves half a tile over: zeros, as what lay there before may be Inf, and Inf · 0
// is NaN.
inline void store_left(const float* from, Index row, Index count, Index c, Index panels,
                       Operands left) {
  constexpr Index p = panel_width<float>;
  const bool alone = c % 2 == 0 && c + 1 == panels;
  Operand* to = left.data + c / 2 * left.panel + row * amx::tile_terms + c % 2 * p;
  for (Index i = 0; i < count; ++i, from += p, to += amx::tile_terms) {
    const auto rounded = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_load_ps(from)));
    if (alone)
      _mm512_store_si512(to, _mm512_zextsi256_si512(rounded));
    else
      _mm256_store_si256(reinterpret_cast<__m256i*>(to), rounded);
  }
}

// `row` is a multiple of row_unit, and `count` is one but at the end of the batch.
inline void store_inputs_over_rows(const float* from, Index row, Index count, Index c,
                                   Operands to) {
  constexpr Index p = panel_width<float>;
  alignas(cache_line) Operand lines[amx::tile_size];
  for (Index i = 0; i < count; i += row_unit) {
    detail::store_pairs(from + i * p, count - i, amx::tile_rows, lines);
    Operand* const tile = to.data + (row + i) / row_unit * to.panel + c * amx::tile_size;
    transpose_block<float>(reinterpret_cast<const float*>(lines), p, reinterpret_cast<float*>(tile),
                           p);
  }
}
inline void store_deltas_over_rows(const float* from, Index row, Index count, Index c,
                                   Operands to) {
  detail::store_pairs(from, count, tiles_of(count) * amx::tile_rows,
                      to.data + c * to.panel + row / 2 * amx::tile_terms);
}

// The block of W in panel d of its rows and panel k of its columns (`rows` x `columns` of it exist)
// into the Right of W and, unless that is null, of Wᵀ.
inline void store_weights(const float* block, Index rows, Index, Index d, Index k, Operands W,
                          Operands Wt) {
  constexpr Index p = panel_width<float>, lines = p / 2;
  if (W.data)
    detail::store_pairs(block, rows, lines, W.data + k * W.panel + d * lines * amx::tile_terms);
  if (!Wt.data) return;
  alignas(cache_line) Operand pairs[p * amx::tile_terms]; // [p rows of W][16 pairs of columns]
  for (Index i = 0; i < p; ++i)
    _mm512_store_si512(pairs + i * amx::tile_terms,
                       _mm512_zextsi256_si512(reinterpret_cast<__m256i>(
                           _mm512_cvtneps_pbh(detail::row_or_zero(block, i, rows)))));
  Operand* const to = Wt.data + d * Wt.panel + k * lines * amx::tile_terms;
  transpose_block<float>(reinterpret_cast<const float*>(pairs), p, reinterpret_cast<float*>(to),
                         lines);
}

// out = init + left · right from row `row` of left and panel c of right; as `multiply` does it.
template <class Done>
void multiply_left(Index rows, Index depth, Index panels, ConstOperands left, Index row,
                   ConstOperands right, Index c, const float* init, Index init_panel,
                   Panels<float> out, Done&& done) {
  amx::multiply(rows, depth, panels, {left.data + row * amx::tile_terms, left.panel},
                {right.data + c * right.panel, right.panel}, init, init_panel, out, done);
}

// out (+)= Xᵀ · dY over n rows, for panels d … of X (`columns` columns) and k … k + C - 1 of dY.
inline void multiply_over_rows(Index n, Index columns, Index C, ConstOperands, ConstOperands X,
                               Index d, ConstOperands, ConstOperands dY, Index k, bool from_zero,
                               Panels<float> out) {
  amx::multiply(columns, n, C, {X.data + d * amx::tile_size, X.panel},
                {dY.data + k * dY.panel, dY.panel}, from_zero ? zero_row<float>() : out.data,
                from_zero ? 0 : out.panel, out, [](Index, Index) {});
}

} // namespace eigenmlp::rounded
