// The two ways the register tile walks a matrix. Loops are ordered so that what is read most often
// stays in the nearest cache: a block of B (128 terms x 3 panels, 24 KiB) for all rows of a chunk.
#pragma once

#include <algorithm>
#include <span>

#include "eigenmlp/kernel/panels.hpp"
#include "eigenmlp/kernel/tile.hpp"

namespace eigenmlp {

// Terms of a sum that are added before the next rows come.
template <class T>
inline constexpr Index depth_block = static_cast<Index>(128 * sizeof(float) / sizeof(T));

// `rows` rows of B from `next` come after this block: each of n tiles reads ahead its share of
// them, and the first is told so. For a few tiles that would take longer than their products.
// Returns how far the next tile's share is.
template <class T>
Index read_ahead(Tile<T>& t, const T* next, Index rows, Index n) {
  constexpr Index p = panel_width<T>;
  const Index share = ceil_div(rows, n);
  t.next = next;
  t.next_rows = n >= 4 ? ceil_div(share, ceil_div(t.depth, p)) : 0;
  return share * p;
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
  // Even blocks of the sum; a last one of a line or less is shared by the others.
  const Index lines = ceil_div(depth, p);
  const Index blocks = std::max<Index>(1, ceil_div((lines - 1) * p, depth_block<T>));
  for (Index s = 0; s < strips; ++s) {
    const Index c = share_begin(panels, strips, s);
    const Index C = share_begin(panels, strips, s + 1) - c;
    const auto& tiles = tile_table<T, direction>[static_cast<std::size_t>(C - 1)];
    const Index groups = ceil_div(rows, tile_rows<T, direction>(static_cast<int>(C)));
    const Index each = groups == 1 ? rows : rows / groups, more = rows - groups * each;
    Tile<T> t{};
    t.A_panel = A.panel;
    t.A_row = A_row;
    t.B_panel = B.panel;
    t.out_panel = out.panel;
    for (Index k = 0, block = 0; k < depth; k += t.depth, ++block) {
      t.depth = std::min(depth, share_begin(lines, blocks, block + 1) * p) - k;
      t.B = B.at(k, c);
      Index ahead = 0;
      t.next_rows = 0;
      if (const Index K = k + t.depth; K < depth)
        ahead = read_ahead(t, B.at(K, c), std::min(depth - K, depth_block<T>), groups);
      else if (s + 1 < strips)
        ahead = read_ahead(t, B.at(0, c + C), std::min(depth, depth_block<T>), groups);
      for (Index g = 0, r = 0; g < groups; ++g, t.next += ahead) {
        const Index R = each + (g < more);
        t.A = direction == Sum::over_plain ? A.data + r * A_row + k : A.at(r, k / p);
        t.out = out.at(r, c);
        const bool starts = k == 0 && init != out.data;
        t.init = starts ? init + c * init_panel : t.out;
        t.init_panel = starts ? init_panel : out.panel;
        t.init_row = starts ? 0 : p;
        tiles[static_cast<std::size_t>(R - 1)](t);
        r += R;
      }
    }
    done(c, C);
  }
}

// out[d, :] (+)= Σ_n A[n, d] · B[n, :] for the first `columns` columns d of A, and C panels of B;
// the sum goes on from `out` unless `from_zero`. dW = Xᵀ · dY:  A = X, B = dY.
// What lies `beside` row 0 of `out`, and on, comes into L2 meanwhile.
template <class T>
void multiply_transposed(Index n, Index columns, Index C, Panels<const T> A, Panels<const T> B,
                         bool from_zero, Panels<T> out, std::span<const Beside<T>> beside = {}) {
  constexpr Index p = panel_width<T>;
  const auto& tiles = tile_table<T, Sum::over_rows>[static_cast<std::size_t>(C - 1)];
  const Index fit = rows_that_fit<T>(static_cast<int>(C));
  Tile<T> t{};
  t.B_panel = B.panel;
  t.out_panel = out.panel;
  t.besides = static_cast<int>(beside.size());
  // A tile's rows of what lies beside are shared by the blocks of its sum.
  const bool any = !beside.empty();
  const Index rows_beside = any ? ceil_div(fit, ceil_div(n, depth_block<T>)) : 0;
  std::array<Beside<T>, most_beside> near; // the tile's
  t.beside = near.data();
  Index first_beside = 0;
  for (Index k = 0; k < n; k += depth_block<T>, first_beside += rows_beside) {
    t.depth = std::min(n - k, depth_block<T>);
    t.B = B.at(k, 0);
    const bool zero = from_zero && k == 0, ends = k + t.depth == n;
    const T* next = ends ? B.at(0, C) : B.at(k + t.depth, 0); // after the end, the next strip
    const Index next_rows = std::min(ends ? n : n - k - t.depth, depth_block<T>);
    t.beside_each = any ? ceil_div(rows_beside, std::max<Index>(1, t.depth / p - 1)) : 0;
    const Index share = read_ahead(t, next, next_rows, panel_count<T>(columns) * ceil_div(p, fit));
    for (Index d = 0; d < columns; d += p) {
      const Index width = std::min(p, columns - d), groups = ceil_div(width, fit);
      const Index each = groups == 1 ? width : width / groups, more = width - groups * each;
      for (Index g = 0, r = 0; g < groups; ++g, t.next += share) {
        const Index R = each + (g < more);
        t.beside_rows = std::min(rows_beside, R - first_beside);
        for (std::size_t i = 0; i < beside.size(); ++i)
          near[i] = {beside[i].at + d / p * beside[i].block + (r + first_beside) * p,
                     beside[i].panel, 0};
        t.A = A.at(k, d / p) + r;
        t.out = out.at(d + r, 0);
        t.init = zero ? zero_row<T>() : t.out;
        t.init_panel = zero ? 0 : out.panel;
        t.init_row = zero ? 0 : p;
        tiles[static_cast<std::size_t>(R - 1)](t);
        r += R;
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
