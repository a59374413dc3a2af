// The two ways the register tile walks a matrix. Loops are ordered so that what is read most often
// stays in the nearest cache: a block of B (128 terms x 3 panels, 24 KiB) for all rows of a chunk.
#pragma once

#include <algorithm>

#include "eigenmlp/kernel/panels.hpp"
#include "eigenmlp/kernel/tile.hpp"

namespace eigenmlp {

// Terms of a sum that are added before the next rows come.
template <class T>
inline constexpr Index depth_block = static_cast<Index>(128 * sizeof(float) / sizeof(T));

// Tile i of n reads ahead its share of the block of B that comes after this one: `rows` rows from
// `next`. For a few tiles that would take longer than their products.
template <class T>
void read_ahead(Tile<T>& t, const T* next, Index rows, Index i, Index n) {
  constexpr Index p = panel_width<T>;
  t.next = next + share_begin(rows, n, i) * p;
  t.next_rows = n >= 4 ? ceil_div(ceil_div(rows, n), ceil_div(t.depth, p)) : 0;
}

// One row of zeros, for sums that start at zero.
template <class T>
inline const T* zero_row() {
  alignas(cache_line) static constexpr T zeros[panel_width<T>] = {};
  return zeros;
}

// out[r, :] = init + Σ_k A[r, k] · B[k, :] for r < rows, all `panels` of out.
// `done(c, count)` is called when panels c … c + count - 1 of out are complete, and still near.
// An `init` of out.data means that the sum goes on from what is in `out`.
// X · W + b:  A = X, B = W, init = b.     dY · Wᵀ:  A = dY, B = Wᵀ, init = 0.
// A lies in panels, or plainly, `A_row` scalars from a row to the next.
template <class T, Sum direction = Sum::over_columns, class Done>
void multiply(Index rows, Index depth, Index panels, Panels<const T> A, Panels<const T> B,
              const T* init, Index init_panel, Panels<T> out, Done&& done, Index A_row = 0) {
  constexpr Index p = panel_width<T>;
  const Index widest = panels_for<T, direction>(rows);
  const Index strips = ceil_div(panels, widest);
  for (Index s = 0; s < strips; ++s) {
    const Index c = share_begin(panels, strips, s);
    const Index C = share_begin(panels, strips, s + 1) - c;
    const auto& tiles = tile_table<T, direction>[static_cast<std::size_t>(C - 1)];
    const Index groups = ceil_div(rows, tile_rows<T, direction>(static_cast<int>(C)));
    Tile<T> t{};
    t.A_panel = A.panel;
    t.A_row = A_row;
    t.B_panel = B.panel;
    t.out_panel = out.panel;
    for (Index k = 0; k < depth; k += depth_block<T>) {
      t.depth = std::min(depth - k, depth_block<T>);
      t.B = B.at(k, c);
      for (Index g = 0; g < groups; ++g) {
        const Index r = share_begin(rows, groups, g);
        const Index R = share_begin(rows, groups, g + 1) - r;
        t.A = direction == Sum::over_plain ? A.data + r * A_row + k : A.at(r, k / p);
        t.out = out.at(r, c);
        const bool starts = k == 0 && init != out.data;
        t.init = starts ? init + c * init_panel : t.out;
        t.init_panel = starts ? init_panel : out.panel;
        t.init_row = starts ? 0 : p;
        if (const Index K = k + t.depth; K < depth)
          read_ahead(t, B.at(K, c), std::min(depth - K, depth_block<T>), g, groups);
        else if (s + 1 < strips)
          read_ahead(t, B.at(0, c + C), std::min(depth, depth_block<T>), g, groups);
        else
          t.next_rows = 0;
        tiles[static_cast<std::size_t>(R - 1)](t);
      }
    }
    done(c, C);
  }
}

// out[d, :] (+)= Σ_n A[n, d] · B[n, :] for the first `columns` columns d of A, and C panels of B;
// the sum goes on from `out` unless `from_zero`. dW = Xᵀ · dY:  A = X, B = dY.
template <class T>
void multiply_transposed(Index n, Index columns, Index C, Panels<const T> A, Panels<const T> B,
                         bool from_zero, Panels<T> out) {
  constexpr Index p = panel_width<T>;
  const auto& tiles = tile_table<T, Sum::over_rows>[static_cast<std::size_t>(C - 1)];
  const Index fit = rows_that_fit<T>(static_cast<int>(C));
  Tile<T> t{};
  t.B_panel = B.panel;
  t.out_panel = out.panel;
  for (Index k = 0; k < n; k += depth_block<T>) {
    t.depth = std::min(n - k, depth_block<T>);
    t.B = B.at(k, 0);
    const bool zero = from_zero && k == 0, ends = k + t.depth == n;
    const T* next = ends ? B.at(0, C) : B.at(k + t.depth, 0); // after the end, the next strip
    const Index next_rows = std::min(ends ? n : n - k - t.depth, depth_block<T>);
    const Index tiles_a_panel = ceil_div(p, fit);
    for (Index d = 0; d < columns; d += p) {
      const Index width = std::min(p, columns - d), groups = ceil_div(width, fit);
      for (Index g = 0; g < groups; ++g) {
        const Index r = share_begin(width, groups, g);
        const Index R = share_begin(width, groups, g + 1) - r;
        t.A = A.at(k, d / p) + r;
        read_ahead(t, next, next_rows, d / p * tiles_a_panel + g,
                   panel_count<T>(columns) * tiles_a_panel);
        t.out = out.at(d + r, 0);
        t.init = zero ? zero_row<T>() : t.out;
        t.init_panel = zero ? 0 : out.panel;
        t.init_row = zero ? 0 : p;
        tiles[static_cast<std::size_t>(R - 1)](t);
      }
    }
  }
}

// out[0, :] (+)= Σ_n B[n, :]: the bias's gradient, for C panels.
template <class T>
void sum_rows(Index n, Index C, Panels<const T> B, bool from_zero, Panels<T> out) {
  constexpr Index p = panel_width<T>;
  for (Index c = 0; c < C; ++c) {
    Line<T> sum = Line<T>::Zero();
    if (!from_zero) sum = line(out.at(0, c));
    const T* b = B.at(0, c);
    for (Index i = 0; i < n; ++i, b += p) sum += line(b);
    line(out.at(0, c)) = sum;
  }
}

} // namespace eigenmlp
