// The register tile: R rows x C panels of a product, summed in the vector registers.
//
//   out[r, :] = init[r, :] + Σ_k A(r, k) · B[k, :]
//
// Every element is one chain of multiply-adds over k in rising order, whatever R and C are, so
// neither the tile's shape nor the number of threads can change a bit of the result.
//
// A is read in one of these ways:
//   Sum::over_columns   A(r, k) = A[k / p][r][k % p]    X · W and dY · Wᵀ: sums over a row
//   Sum::over_pairs     the same, but every float is a pair of bfloat16: two terms of the sum
//   Sum::over_plain     A(r, k) = A[r · A_row + k]      the same for the user's own array
//   Sum::over_rows      A(r, k) = A[k][r]               Xᵀ · dY: sums over the batch
#pragma once

#include <algorithm>
#include <array>

#include "eigenmlp/kernel/types.hpp"

namespace eigenmlp {

template <class T>
using Packet = typename Eigen::internal::packet_traits<T>::type;
template <class T>
inline constexpr int packet_size = Eigen::internal::unpacket_traits<Packet<T>>::size;

// A panel is as wide as a cache line: 16 floats or 8 doubles, one to four packets.
template <class T>
inline constexpr Index panel_width = static_cast<Index>(cache_line / sizeof(T));
template <class T>
inline constexpr int packets_per_panel = static_cast<int>(panel_width<T>) / packet_size<T>;

enum class Sum { over_columns, over_pairs, over_plain, over_rows };
constexpr bool reads_lines(Sum direction) {
  return direction == Sum::over_columns || direction == Sum::over_pairs;
}

// What lies beside a result of Xᵀ · dY and is read and written with it once it is there: rows of C
// panels, and p rows further on the same again.
template <class T>
struct Beside {
  const T* at;
  Index panel, block; // from a panel to the next, from p rows to the next p
};
inline constexpr int most_beside = 5;

template <class T>
struct Tile {
  const T* A;
  Index A_panel; // distance from a panel of A to the next (over_columns, over_pairs)
  Index A_row;   // distance from a row of A to the next (over_plain only)
  const T* B;    // [C][depth][p]
  Index B_panel;
  const T* init; // [C][R][p]; init_row = 0 repeats one row (a bias, or zeros)
  Index init_panel;
  Index init_row;
  T* out; // [C][R][p]
  Index out_panel;
  Index depth;     // terms of the sum
  const T* next;   // what the tiles after this one read of B, as far apart as B's panels:
  Index next_rows; // so many rows of it come into L2 with every p terms
  // over_rows only: what lies beside `out`, `beside_rows` rows of it, some with every p terms.
  const Beside<T>* beside;
  int besides;
  Index beside_rows, beside_each;
};

inline constexpr int vector_registers =
#if defined(__AVX512F__) || defined(__aarch64__)
    32;
#else
    16;
#endif

inline constexpr int most_panels = 8; // C at most
inline constexpr int most_rows = 16;  // R at most

// Rows that fit the vector registers beside C panels of B and one broadcast of A.
template <class T>
constexpr int rows_that_fit(int C) {
  const int packets = C * packets_per_panel<T>;
  const int rows = (vector_registers - 1 - packets) / packets;
  return rows < 1 ? (C == 1 ? 1 : 0) : (rows > most_rows ? most_rows : rows);
}

// Rows of a tile: as many as fit, but for a plain array no more than there are registers to hold
// where its rows begin, and of Xᵀ · dY no more than a panel of X has columns.
template <class T, Sum direction>
constexpr int tile_rows(int C) {
  const int rows = rows_that_fit<T>(C);
  const int most = direction == Sum::over_plain  ? 9
                   : direction == Sum::over_rows ? static_cast<int>(panel_width<T>)
                                                 : most_rows;
  return rows < most ? rows : most;
}

// Panels of a tile, where there are many rows: the C measured fastest on large layers (with
// AVX-512, 172 of 213 GF/s for 9 x 3, 163 for 14 x 2).
template <class T>
inline constexpr int usual_panels = packets_per_panel<T> == 1 ? 3 : 1;

// Panels of a tile at most: more than usual only for sums over the columns of a few rows.
template <class T, Sum direction>
inline constexpr int widest_tile = reads_lines(direction) ? most_panels : usual_panels<T>;

// Panels of a tile: the widest C with which all `rows` fit one tile, if they do.
template <class T, Sum direction>
constexpr int panels_for(Index rows) {
  constexpr int usual = usual_panels<T>;
  const Index wanted = rows < rows_that_fit<T>(usual) ? rows : rows_that_fit<T>(usual);
  for (int C = widest_tile<T, direction>; C > usual; --C)
    if (rows_that_fit<T>(C) >= wanted) return C;
  return usual;
}

// sum + two products in each float's place.
#if defined(__AVX512BF16__)
inline __m512 add_pairs(__m512 a, __m512 b, __m512 sum) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}
#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
inline float32x4_t add_pairs(float32x4_t a, float32x4_t b, float32x4_t sum) {
  return vbfdotq_f32(sum, vreinterpretq_bf16_f32(a), vreinterpretq_bf16_f32(b));
}
#endif

template <class T, int R, int C, Sum direction>
void tile(const Tile<T>& t) {
  using namespace Eigen::internal;
  constexpr Index p = panel_width<T>;
  constexpr int packets = C * packets_per_panel<T>, per_panel = packets_per_panel<T>;
  const Index row_step = reads_lines(direction) ? p : direction == Sum::over_plain ? t.A_row : 1;
  constexpr Index k_step = direction == Sum::over_rows ? p : 1;

  Packet<T> sum[R][packets];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
    for (int c = 0; c < packets; ++c)
      sum[r][c] = pload<Packet<T>>(t.init + r * t.init_row + (c / per_panel) * t.init_panel +
                                   (c % per_panel) * packet_size<T>);

  const T* b = t.B;
  // Clang would call it, and keep the sums in memory for that.
  const auto accumulate = [&](const T* a, Index terms) __attribute__((always_inline)) {
#ifdef __clang__ // with two turns at once it keeps sums on the stack (tools/spills.py)
#pragma GCC unroll 1
#else
#pragma GCC unroll 2
#endif
    for (Index k = 0; k < terms; ++k, a += k_step, b += p) {
      Packet<T> B[packets];
#pragma GCC unroll 32
      for (int c = 0; c < packets; ++c)
        B[c] = pload<Packet<T>>(b + (c / per_panel) * t.B_panel + (c % per_panel) * packet_size<T>);
#pragma GCC unroll 32
      for (int r = 0; r < R; ++r) {
        const Packet<T> A = pset1<Packet<T>>(a[r * row_step]);
#pragma GCC unroll 32
        for (int c = 0; c < packets; ++c) {
          if constexpr (direction == Sum::over_pairs)
            sum[r][c] = add_pairs(A, B[c], sum[r][c]);
          else
            sum[r][c] = pmadd(A, B[c], sum[r][c]);
        }
      }
    }
  };
  const T* a = t.A;
  const T* next = t.next;
  Index row_beside = 0;
  const auto prefetch = [&] {
    if constexpr (direction == Sum::over_rows) {
      const Index end = std::min(t.beside_rows, row_beside + t.beside_each);
      for (; row_beside < end; ++row_beside)
        for (int i = 0; i < t.besides; ++i)
#pragma GCC unroll 32
          for (int c = 0; c < C; ++c)
            __builtin_prefetch(t.beside[i].at + row_beside * p + c * t.beside[i].panel, 1, 2);
    }
    if constexpr (direction != Sum::over_rows) { // the rows below, which the next tile reads
#pragma GCC unroll 32
      for (int r = 0; r < R; ++r) __builtin_prefetch(a + (R + r) * row_step);
    }
    for (Index i = 0; i < t.next_rows; ++i, next += p)
#pragma GCC unroll 32
      for (int c = 0; c < C; ++c) __builtin_prefetch(next + c * t.B_panel, 0, 2);
  };
  const Index step = reads_lines(direction) ? t.A_panel : direction == Sum::over_plain ? p : p * p;
  for (Index left = t.depth; left > 0; left -= p, a += step) { // the last terms are fewer
    if (left > p) prefetch();
    accumulate(a, std::min(left, p));
  }

#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 32
    for (int c = 0; c < packets; ++c)
      pstore(t.out + r * p + (c / per_panel) * t.out_panel + (c % per_panel) * packet_size<T>,
             sum[r][c]);
}

// tile_table<T, direction>[C - 1][R - 1]
template <class T>
using TileFunction = void (*)(const Tile<T>&);

namespace detail {
template <class T, Sum direction, int C, int R = tile_rows<T, direction>(C)>
constexpr void fill_rows(std::array<TileFunction<T>, most_rows>& row) {
  if constexpr (R >= 1) {
    row[R - 1] = &tile<T, R, C, direction>;
    fill_rows<T, direction, C, R - 1>(row);
  }
}
template <class T, Sum direction, int C = widest_tile<T, direction>>
constexpr void fill(std::array<std::array<TileFunction<T>, most_rows>, most_panels>& table) {
  if constexpr (C >= 1) {
    fill_rows<T, direction, C>(table[C - 1]);
    fill<T, direction, C - 1>(table);
  }
}
template <class T, Sum direction>
constexpr auto make_tile_table() {
  std::array<std::array<TileFunction<T>, most_rows>, most_panels> table{};
  fill<T, direction>(table);
  return table;
}
} // namespace detail

template <class T, Sum direction>
inline constexpr auto tile_table = detail::make_tile_table<T, direction>();

} // namespace eigenmlp
