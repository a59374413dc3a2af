// AMX: tiles of 16 rows x 64 bytes that the processor multiplies in bfloat16, summing in float.
//
//   out[r, :] = init[r, :] + Σ_k A(r, k) · B(k, :)
//
// Pairs of terms lie in the places of floats (operands_pairs.hpp), so that any tile is 16 lines of
// a panel: of A 16 rows x 16 pairs, of B 16 pairs x 16 columns, of sums 16 rows x 16 columns. Every
// sum takes one tile of 16 pairs after the other, whatever the number of rows and panels, so that
// neither changes a bit of it, as with the float tiles (kernel.hpp).
#pragma once

#include <immintrin.h>

#include "eigenmlp/kernel/pairs.hpp"
#include "eigenmlp/kernel/panels.hpp"
#if defined(EIGENMLP_EMULATE_AMX)
#include "eigenmlp/kernel/amx_emulated.hpp"
#endif

namespace eigenmlp::amx {

using rounded::line_pairs, rounded::tile_lines, rounded::tile_size;
inline constexpr Index line_bytes = 64;

// Tiles of B that are added before the next rows come: two panels then take 16 KiB of the L1.
inline constexpr Index depth_block = 8;

// Before tiles or their shapes are read from memory: GCC's intrinsics do not tell the compiler how
// much they read, so that it may leave out what was written there, or write it later.
inline void finish_writes(const void* memory) { asm volatile("" : : "r"(memory) : "memory"); }

// Tells the processor the tiles' shapes while it lives. Tiles 0, 1: sums of the first 16 rows, in
// two panels; 2, 3: of the `second` rows after them; 4, 5: A; 6, 7: B.
class Tiles {
public:
  Tiles() = default;
  ~Tiles() {
    if (first_ > 0) _tile_release();
  }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  void configure(Index first, Index second) {
    if (first == first_ && second == second_) return;
    first_ = first;
    second_ = second;
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } shapes;
    const auto set = [&](int tile, Index rows) {
      shapes.row_bytes[tile] = line_bytes;
      shapes.rows[tile] = static_cast<std::uint8_t>(rows);
    };
    for (const int tile : {0, 1, 4}) set(tile, first);
    for (const int tile : {2, 3, 5}) set(tile, std::max<Index>(second, 1));
    for (const int tile : {6, 7}) set(tile, tile_lines);
    finish_writes(&shapes);
    _tile_loadconfig(&shapes);
  }

private:
  Index first_ = 0, second_ = 0;
};

struct Block {
  const float* A; // [steps][rows][16 pairs]
  Index A_panel;
  const float* B; // [C][steps][16][16 pairs]
  Index B_panel;
  const float* init; // as in Tile
  Index init_panel, init_row;
  float* out;
  Index out_panel;
  Index steps;       // tiles of A and of B
  const float* next; // the block of B that comes after this one: so many lines of each of its
  Index next_lines;  // panels come into L2 with every step
};

// Up to 32 rows (R = 2) x 32 columns (C = 2).
template <int R, int C>
[[gnu::noinline]] void multiply_block(const Block& t) {
  const Index init_bytes = t.init_row * static_cast<Index>(sizeof(float));
  const float* const below = t.init + tile_lines * t.init_row;
  finish_writes(t.A);
  _tile_loadd(0, t.init, init_bytes);
  if constexpr (C > 1) _tile_loadd(1, t.init + t.init_panel, init_bytes);
  if constexpr (R > 1) _tile_loadd(2, below, init_bytes);
  if constexpr (R > 1 && C > 1) _tile_loadd(3, below + t.init_panel, init_bytes);
  const float *a = t.A, *b = t.B;
  const float* next = t.next;
  for (Index i = 0; i < t.steps; ++i, a += t.A_panel, b += tile_size) {
    for (Index j = 0; j < t.next_lines; ++j, next += line_pairs)
      for (int c = 0; c < C; ++c) __builtin_prefetch(next + c * t.B_panel, 0, 2);
    _tile_loadd(6, b, line_bytes);
    _tile_loadd(4, a, line_bytes);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (C > 1) {
      _tile_loadd(7, b + t.B_panel, line_bytes);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (R > 1) {
      _tile_loadd(5, a + tile_size, line_bytes);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (C > 1) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, t.out, line_bytes);
  if constexpr (C > 1) _tile_stored(1, t.out + t.out_panel, line_bytes);
  if constexpr (R > 1) _tile_stored(2, t.out + tile_size, line_bytes);
  if constexpr (R > 1 && C > 1) _tile_stored(3, t.out + t.out_panel + tile_size, line_bytes);
}

// Groups of rows share the lines of the next block of B. For a few of them, to read them would take
// longer than the products.
inline Index lines_ahead(Index groups) { return groups < 4 ? 0 : ceil_div(tile_lines, groups); }

// out = init + A · B for `panels` panels, over `steps` tiles of pairs; an `init` of out.data goes
// on from what is there. `done(c, count)` as in `multiply`.
template <class Done>
void multiply(Index rows, Index steps, Index panels, Panels<const float> A, Panels<const float> B,
              const float* init, Index init_panel, Panels<float> out, Done&& done) {
  constexpr Index most = 2 * tile_lines;
  const Index ahead = lines_ahead(ceil_div(rows, most));
  Tiles tiles;
  for (Index c = 0; c < panels; c += 2) {
    const Index C = std::min<Index>(2, panels - c);
    for (Index k = 0; k < steps; k += depth_block) {
      Block t{};
      t.steps = std::min(steps - k, depth_block);
      t.A_panel = A.panel;
      t.B_panel = B.panel;
      t.out_panel = out.panel;
      t.B = B.at(k * tile_lines, c);
      const bool starts = k == 0 && init != out.data;
      const bool ends = k + depth_block >= steps;
      const float* next = ends ? B.at(0, c + C) : B.at((k + depth_block) * tile_lines, c);
      t.next_lines = ends && c + C >= panels ? 0 : ahead;
      for (Index r = 0; r < rows; r += most) {
        const Index R = std::min(rows - r, most);
        tiles.configure(std::min(R, tile_lines), std::max<Index>(R - tile_lines, 0));
        t.A = A.at(r, k);
        t.next = next + r / most * t.steps * t.next_lines * line_pairs;
        t.out = out.at(r, c);
        t.init = starts ? init + c * init_panel : t.out;
        t.init_panel = starts ? init_panel : out.panel;
        t.init_row = starts ? 0 : line_pairs;
        if (R > tile_lines)
          C > 1 ? multiply_block<2, 2>(t) : multiply_block<2, 1>(t);
        else
          C > 1 ? multiply_block<1, 2>(t) : multiply_block<1, 1>(t);
      }
    }
    done(c, C);
  }
}

} // namespace eigenmlp::amx
