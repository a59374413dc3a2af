// Products of several matrices at once, number by number: p matrices of one shape lie so that a
// line of p numbers holds the same element of each, a lane for every matrix.
//
//   out(i, j) = init(i, j) + Σ_k A(i, k) · B(k, j)    all of them lines
//
// Every element is one chain of multiply-adds over k in rising order, as in tile.hpp, or a tree of
// chains, as in narrow.hpp: the bits are those that each matrix has alone. Where matrices are a few
// numbers wide, most of a panel would be padding; here no lane is empty.
#pragma once

#include "eigenmlp/kernel/narrow.hpp"
#include "eigenmlp/kernel/panels.hpp"

namespace eigenmlp {

// Element (i, j) is the line at data + (i · row + j · column) · p.
template <class T>
struct Lanes {
  T* data = nullptr;
  Index row = 0, column = 1;

  T* at(Index i, Index j) const { return data + (i * row + j * column) * panel_width<T>; }
  Lanes transposed() const { return {data, column, row}; }
  operator Lanes<const T>() const { return {data, row, column}; }
};

namespace detail {
// Rows and columns of a block whose sums stay in registers beside what they are made of.
inline constexpr Index lanes_block = vector_registers >= 32 ? 4 : 3;

template <class T, int R, int C>
void lanes_tile(Index depth, Lanes<const T> A, Lanes<const T> B, Lanes<const T> init,
                Lanes<T> out) {
  using namespace Eigen::internal;
  constexpr Index p = panel_width<T>;
  for (Index q = 0; q < p; q += packet_size<T>) {
    Packet<T> sum[R][C];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[r][c] = pload<Packet<T>>(init.at(r, c) + q);
    const T* a = A.data + q;
    const T* b = B.data + q;
    for (Index k = 0; k < depth; ++k, a += A.column * p, b += B.row * p) {
      Packet<T> B_k[C];
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) B_k[c] = pload<Packet<T>>(b + c * B.column * p);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const Packet<T> A_k = pload<Packet<T>>(a + r * A.row * p);
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) sum[r][c] = pmadd(A_k, B_k[c], sum[r][c]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) pstore(out.at(r, c) + q, sum[r][c]);
  }
}

template <class T>
using LanesTile = void (*)(Index, Lanes<const T>, Lanes<const T>, Lanes<const T>, Lanes<T>);

// [R - 1][C - 1]
template <class T>
inline constexpr auto lanes_tiles = [] {
  std::array<std::array<LanesTile<T>, lanes_block>, lanes_block> table{};
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    constexpr auto n = static_cast<std::size_t>(lanes_block);
    ((table[i / n][i % n] =
          &lanes_tile<T, static_cast<int>(i / n) + 1, static_cast<int>(i % n) + 1>),
     ...);
  }(std::make_index_sequence<static_cast<std::size_t>(lanes_block * lanes_block)>());
  return table;
}();
} // namespace detail

// For I rows and J columns of out; an `init` of row and column 0 is one line for all.
template <class T>
void multiply_lanes(Index I, Index J, Index depth, Lanes<const T> A, Lanes<const T> B,
                    Lanes<const T> init, Lanes<T> out) {
  constexpr Index most = detail::lanes_block;
  for (Index j = 0; j < J; j += most)
    for (Index i = 0; i < I; i += most) {
      const auto r = static_cast<std::size_t>(std::min(most, I - i) - 1),
                 c = static_cast<std::size_t>(std::min(most, J - j) - 1);
      detail::lanes_tiles<T>[r][c](
          depth, {A.at(i, 0), A.row, A.column}, {B.at(0, j), B.row, B.column},
          {init.at(i, j), init.row, init.column}, {out.at(i, j), out.row, out.column});
    }
}

namespace detail {
// Two rows and two columns added as multiply_narrow does: packet_size sums of every such many
// terms, of which a few stay in registers at a time, and then their tree.
template <class T>
void narrow_lanes(Index depth, Lanes<const T> A, Lanes<const T> B, Lanes<const T> init,
                  Lanes<T> out) {
  using namespace Eigen::internal;
  constexpr Index p = panel_width<T>;
  constexpr int R = 2, C = 2, n = packet_size<T>, few = std::min(n, vector_registers >= 32 ? 4 : 2);
  for (Index q = 0; q < p; q += n) {
    Packet<T> sum[R][C][n / few];
    for (int group = 0; group < n / few; ++group) {
      Packet<T> chain[R][C][few];
#pragma GCC unroll 16
      for (int i = 0; i < R * C * few; ++i)
        chain[i / few / C][i / few % C][i % few] = pset1<Packet<T>>(T(0));
      const auto add = [&](Index k, int s) __attribute__((always_inline)) {
        Packet<T> B_k[C];
#pragma GCC unroll 2
        for (int c = 0; c < C; ++c) B_k[c] = pload<Packet<T>>(B.at(k, c) + q);
#pragma GCC unroll 2
        for (int r = 0; r < R; ++r) {
          const Packet<T> A_k = pload<Packet<T>>(A.at(r, k) + q);
#pragma GCC unroll 2
          for (int c = 0; c < C; ++c) chain[r][c][s] = pmadd(A_k, B_k[c], chain[r][c][s]);
        }
      };
      Index k = group * few;
      for (; k + few <= depth; k += n)
#pragma GCC unroll 4
        for (int s = 0; s < few; ++s) add(k + s, s);
#pragma GCC unroll 4
      for (int s = 0; s < few; ++s)
        if (k + s < depth) add(k + s, s);
#pragma GCC unroll 2
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
        for (int c = 0; c < C; ++c)
          sum[r][c][group] = sum_tree<few>(static_cast<const Packet<T>*>(chain[r][c]));
    }
    for (int r = 0; r < R; ++r)
      for (int c = 0; c < C; ++c)
        pstore(out.at(r, c) + q, padd(sum_tree<n / few>(static_cast<const Packet<T>*>(sum[r][c])),
                                      pload<Packet<T>>(init.at(r, c) + q)));
  }
}
} // namespace detail

// The same with the last `narrow` columns added as multiply_narrow does.
template <class T>
void multiply_lanes(Index I, Index J, Index depth, Lanes<const T> A, Lanes<const T> B,
                    Lanes<const T> init, Lanes<T> out, Index narrow) {
  multiply_lanes(I, J - narrow, depth, A, B, init, out);
  for (Index j = J - narrow; j < J; j += 2)
    for (Index i = 0; i < I; i += 2) {
      // Where there is no second one, the first stands in for it.
      const Index row = I - i > 1, column = J - j > 1;
      detail::narrow_lanes<T>(depth, {A.at(i, 0), row * A.row, A.column},
                              {B.at(0, j), B.row, column * B.column},
                              {init.at(i, j), row * init.row, column * init.column},
                              {out.at(i, j), row * out.row, column * out.column});
    }
}

// out(0, j) = init(0, j) + Σ_i A(i, j): a bias's gradient, added as sum_rows does.
template <class T>
void sum_lanes(Index I, Index J, Lanes<const T> A, Lanes<const T> init, Lanes<T> out) {
  for (Index j = 0; j < J; ++j) {
    Line<T> sum = line(init.at(0, j));
    for (Index i = 0; i < I; ++i) sum += line(A.at(i, j));
    line(out.at(0, j)) = sum;
  }
}

} // namespace eigenmlp
