// The last columns of a product, where they would fill a small part of a panel: a network's only
// output, or the last 4 of its 100 units. A tile would multiply a whole panel, most of it padding;
// here lanes go along the sum instead, over lines of A and of Bᵀ:
//
//   out[r, j] = (Σ_i s_i) + init[j],   s_i = Σ A(r, k) · B(k, j) over k = i, i + n, i + 2 n, …
//
// where n lanes are a packet, and their sums s_i are added as a binary tree. Rows do not look at
// each other: a row's bits are the same wherever it stands.
#pragma once

#include "eigenmlp/kernel/panels.hpp"

namespace eigenmlp {

template <class T>
inline constexpr Index most_narrow = packet_size<T> < 4 ? packet_size<T> : 4;

// How many of the `columns` of a product over `depth` terms are taken so: those beyond whole
// panels, if they are few, and the terms so many that adding lanes up is worth it.
template <class T>
constexpr Index narrow_columns(Index columns, Index depth) {
  const Index beyond = columns % panel_width<T>;
  return beyond <= most_narrow<T> && depth >= 12 * (beyond + 1) ? beyond : 0;
}

// x[0] + … + x[n - 1], neighbours first; of packets or of scalars.
template <int n, class P>
P sum_tree(const P* x) {
  if constexpr (n == 1)
    return x[0];
  else
    return Eigen::internal::padd(sum_tree<n / 2>(x), sum_tree<n / 2>(x + n / 2));
}

namespace detail {
// The lanes' sums of n rows from `a`, `row` scalars apart, for a column whose terms are at b,
// b + b_panel, …; terms beyond whole lines are in the lines at `tail`, of which the mask takes
// them.
template <int n, class T>
EIGEN_ALWAYS_INLINE void add_narrow(const T* a, Index row, Index a_panel, Index depth,
                                    const T* tail, const T* mask, const T* b, Index b_panel,
                                    Packet<T>* sum) {
  using namespace Eigen::internal;
  constexpr Index p = panel_width<T>;
#pragma GCC unroll 16
  for (int i = 0; i < n; ++i) sum[i] = pset1<Packet<T>>(T(0));
  const T* four[(n + 3) / 4]; // rows 0, 4, 8, …: the processor adds up to three rows by itself
#pragma GCC unroll 4
  for (int i = 0; i < n; i += 4) four[i / 4] = a + i * row;
  for (Index c = depth / p; c > 0; --c, b += b_panel) {
    for (Index q = 0; q < p; q += packet_size<T>) {
      const Packet<T> B = pload<Packet<T>>(b + q);
#pragma GCC unroll 16
      for (int i = 0; i < n; ++i)
        sum[i] = pmadd(ploadu<Packet<T>>(four[i / 4] + i % 4 * row + q), B, sum[i]);
    }
#pragma GCC unroll 4
    for (const T*& rows : four) rows += a_panel;
  }
  for (Index q = 0; q < depth % p; q += packet_size<T>) {
    const Packet<T> B = pload<Packet<T>>(b + q), terms = pload<Packet<T>>(mask + q);
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i)
      sum[i] = pmadd(pand(pload<Packet<T>>(tail + i * p + q), terms), B, sum[i]);
  }
}
} // namespace detail

// out[r, j] for r < rows and the first `columns` columns of a panel, at most most_narrow; the
// others become `init`. Bᵀ.at(j, c) holds terms c · p … of column j, and zeros where there are no
// more. A lies in panels, where what a line has behind the terms may be no number; or, a packet's
// rows and more, plainly: A.panel is 0, `A_row` scalars are from a row to the next, whatever their
// sign.
template <class T>
void multiply_narrow(Index rows, Index depth, Index columns, Panels<const T> A, Panels<const T> Bt,
                     const T* init, Panels<T> out, Index A_row = 0) {
  using namespace Eigen::internal;
  constexpr Index p = panel_width<T>;
  constexpr int n = packet_size<T>;
  const Index beyond = depth % p;
  alignas(cache_line) T mask[p];
  std::memset(mask, 0, sizeof mask);
  std::memset(mask, 0xff, static_cast<std::size_t>(beyond) * sizeof(T));
  if (rows < n) { // one by one
    for (Index r = 0; r < rows; ++r) {
      T* const y = out.at(r, 0);
      line(y) = line(init);
      for (Index j = 0; j < columns; ++j) {
        alignas(cache_line) T lanes[n];
        Packet<T> sum;
        detail::add_narrow<1>(A.at(r, 0), p, A.panel, depth, A.at(r, depth / p), mask, Bt.at(j, 0),
                              Bt.panel, &sum);
        pstore(lanes, sum);
        y[j] = sum_tree<n>(static_cast<const T*>(lanes)) + init[j];
      }
    }
    return;
  }
  const bool plain = A.panel == 0;
  const Index row = plain ? A_row : p, panel = plain ? p : A.panel;
  alignas(cache_line) T ends[n * p]; // lines of plain rows' last terms: nothing behind may be read
  for (Index group = 0; group < ceil_div(rows, Index{n}); ++group) {
    const Index r = std::min(group * n, rows - n); // the last ones once more, if need be
    const T* last = plain ? ends : A.at(r, depth / p);
    for (Index i = 0; i < n && plain; ++i)
      std::copy_n(A.data + (r + i) * row + (depth - beyond), beyond, ends + i * p);
    PacketBlock<Packet<T>, n> Y;
#pragma GCC unroll 16
    for (int j = 0; j < n; ++j) Y.packet[j] = pset1<Packet<T>>(init[j]);
    for (Index j = 0; j < columns; ++j) {
      PacketBlock<Packet<T>, n> sum;
      detail::add_narrow<n>(A.data + r * row, row, panel, depth, last, mask, Bt.at(j, 0), Bt.panel,
                            sum.packet);
      ptranspose(sum);
      Y.packet[j] = padd(sum_tree<n>(sum.packet), Y.packet[j]);
    }
    ptranspose(Y);
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) {
      T* const y = out.at(r + i, 0);
      pstore(y, Y.packet[i]);
      for (Index q = n; q < p; q += n) pstore(y + q, pload<Packet<T>>(init + q));
    }
  }
}

} // namespace eigenmlp
