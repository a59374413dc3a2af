// Operands rounded to bfloat16 for processors with products of them and for those without, by what
// the program is told at its start. Code compiled for both has these instructions in functions
// under `pairs` alone, none of which is called, or made a part of others, before that is known.
#pragma once

#include <atomic>

#include "eigenmlp/kernel/operands_floats.hpp"
#include "eigenmlp/kernel/operands_pairs.hpp"

namespace eigenmlp::rounded {

namespace detail {
inline std::atomic<bool> allows_pairs{false};
} // namespace detail

inline bool has_products() { return detail::allows_pairs.load(std::memory_order_relaxed); }
inline bool uses_tiles() { return has_products() && pairs::uses_tiles(); }
// Before there are networks that round: their operands lie as these products want them.
inline void use_products(Bfloat16Products allowed) {
  detail::allows_pairs = allowed != Bfloat16Products::floats;
  if (has_products()) pairs::use_products(allowed);
}
inline double speedup() { return has_products() ? pairs::speedup() : floats::speedup(); }
using pairs::most_per_float;
inline Index per_float() { return has_products() ? pairs::per_float() : floats::per_float(); }
inline Index row_unit() { return has_products() ? pairs::row_unit() : floats::row_unit(); }

inline Index left_panel(Index rows) {
  return has_products() ? pairs::left_panel(rows) : floats::left_panel(rows);
}
inline Index left_size(Index rows, Index depth) {
  return has_products() ? pairs::left_size(rows, depth) : floats::left_size(rows, depth);
}
inline Index right_panel(Index depth) {
  return has_products() ? pairs::right_panel(depth) : floats::right_panel(depth);
}
inline Index right_size(Index depth, Index columns) {
  return has_products() ? pairs::right_size(depth, columns) : floats::right_size(depth, columns);
}
inline Index inputs_panel(Index columns) {
  return has_products() ? pairs::inputs_panel(columns) : floats::inputs_panel(columns);
}
inline Index inputs_size(Index rows, Index columns) {
  return has_products() ? pairs::inputs_size(rows, columns) : floats::inputs_size(rows, columns);
}
inline Index deltas_panel(Index rows) {
  return has_products() ? pairs::deltas_panel(rows) : floats::deltas_panel(rows);
}
inline Index deltas_size(Index rows, Index columns) {
  return has_products() ? pairs::deltas_size(rows, columns) : floats::deltas_size(rows, columns);
}

inline void store_left(const float* from, Index row, Index count, Index c, Index columns,
                       Operands left) {
  const auto store = has_products() ? pairs::store_left : floats::store_left;
  store(from, row, count, c, columns, left);
}
inline void store_inputs_over_rows(const float* from, Index row, Index count, Index c,
                                   Operands to) {
  if (has_products()) pairs::store_inputs_over_rows(from, row, count, c, to);
}
inline void store_deltas_over_rows(const float* from, Index row, Index count, Index c,
                                   Operands to) {
  if (has_products()) pairs::store_deltas_over_rows(from, row, count, c, to);
}
inline void store_weights(const float* block, Index rows, Index columns, Index d, Index k,
                          Operands W, Operands Wt) {
  const auto store = has_products() ? pairs::store_weights : floats::store_weights;
  store(block, rows, columns, d, k, W, Wt);
}

template <class Done>
void multiply_left(Index rows, Index depth, Index panels, ConstOperands left, Index row,
                   ConstOperands right, Index c, const float* init, Index init_panel,
                   Panels<float> out, Done&& done) {
  if (has_products())
    pairs::multiply_left(rows, depth, panels, left, row, right, c, init, init_panel, out, done);
  else
    floats::multiply_left(rows, depth, panels, left, row, right, c, init, init_panel, out, done);
}
inline void multiply_over_rows(Index n, Index columns, Index C, ConstOperands X, ConstOperands Xt,
                               Index d, ConstOperands dY, ConstOperands dYt, Index k,
                               bool from_zero, Panels<float> out) {
  const auto multiply = has_products() ? pairs::multiply_over_rows : floats::multiply_over_rows;
  multiply(n, columns, C, X, Xt, d, dY, dYt, k, from_zero, out);
}

} // namespace eigenmlp::rounded
