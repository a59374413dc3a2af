// Operands rounded to bfloat16 where the processor has no products for them: float panels for the
// float ones. A product of two such numbers is exact in a float.
#pragma once

#include "eigenmlp/kernel/bfloat16.hpp"
#include "eigenmlp/kernel/operand_types.hpp"
#include "eigenmlp/kernel/product.hpp"

namespace eigenmlp::rounded::floats {

inline bool has_products() { return false; } // of bfloat16, faster than those of floats
inline bool uses_tiles() { return false; }
inline void use_products(Bfloat16Products) {}
// What a step costs in float beside one with these.
inline double speedup() { return 1; }

inline constexpr Index most_per_float = 1; // operands in a float's place
inline Index per_float() { return most_per_float; }

// Rows that must be stored at once: threads share a batch in multiples of it.
inline Index row_unit() { return 1; }

// A Left (rows, depth): panels [depth / p][rows][p]. A Right: [columns / p][depth][p].
inline Index left_panel(Index rows) { return panel_stride<float>(rows); }
inline Index left_size(Index rows, Index depth) {
  return panel_count<float>(depth) * left_panel(rows);
}
inline Index right_panel(Index depth) { return panel_stride<float>(depth); }
inline Index right_size(Index depth, Index columns) {
  return panel_count<float>(columns) * right_panel(depth);
}
// What Xᵀ · dY reads is the Left, so there is no other form of a batch.
inline Index inputs_panel(Index) { return 0; }
inline Index inputs_size(Index, Index) { return 0; }
inline Index deltas_panel(Index) { return 0; }
inline Index deltas_size(Index, Index) { return 0; }

inline void round_rows(const float* from, Index count, float* to) {
  const Index n = count * panel_width<float>;
#pragma omp simd
  for (Index i = 0; i < n; ++i) to[i] = round_to_bfloat16(from[i]);
}

// Rows row … row + count - 1 of panel c, which lie at `from`.
inline void store_left(const float* from, Index row, Index count, Index c, Index, Operands left) {
  round_rows(from, count, left.at(row, c));
}
inline void store_inputs_over_rows(const float*, Index, Index, Index, Operands) {}
inline void store_deltas_over_rows(const float*, Index, Index, Index, Operands) {}

// The block of W in panel d of its rows and panel k of its columns (`rows` x `columns` of it exist)
// into the Right of W and, unless that is null, of Wᵀ.
inline void store_weights(const float* block, Index rows, Index columns, Index d, Index k,
                          Operands W, Operands Wt) {
  constexpr Index p = panel_width<float>;
  alignas(cache_line) float memory[p * p];
  float* const to = W.data ? W.at(d * p, k) : memory;
  round_rows(block, rows, to);
  if (Wt.data) transpose_block<float>(to, rows, Wt.at(k * p, d), columns);
}

// out = init + left · right from row `row` of left and panel c of right; as `multiply` does it.
template <class Done>
void multiply_left(Index rows, Index depth, Index panels, ConstOperands left, Index row,
                   ConstOperands right, Index c, const float* init, Index init_panel,
                   Panels<float> out, Done&& done) {
  multiply<float>(rows, depth, panels, {left.at(row, 0), left.panel}, {right.at(0, c), right.panel},
                  init, init_panel, out, done);
}

// out (+)= Xᵀ · dY over n rows, for panels d … of X (`columns` columns) and k … k + C - 1 of dY.
inline void multiply_over_rows(Index n, Index columns, Index C, ConstOperands X, ConstOperands,
                               Index d, ConstOperands dY, ConstOperands, Index k, bool from_zero,
                               Panels<float> out) {
  multiply_transposed<float>(n, columns, C, {X.at(0, d), X.panel}, {dY.at(0, k), dY.panel},
                             from_zero, out);
}

} // namespace eigenmlp::rounded::floats
