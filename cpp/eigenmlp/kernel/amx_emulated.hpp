// AMX's instructions without AMX, for tests on processors that lack it (EIGENMLP_EMULATE_AMX): each
// thread's eight tiles in its memory, products by AVX-512-BF16. What the processor answers with a
// fault ends the program: shapes that it does not take, tiles that were not configured, factors
// that do not fit.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace eigenmlp::amx::emulated {

inline constexpr int tile_count = 8, most_rows = 16, most_bytes = 64;

struct Shapes { // as _tile_loadconfig reads it
  std::uint8_t palette, start_row, reserved[14];
  std::uint16_t row_bytes[16];
  std::uint8_t rows[16];
};
static_assert(sizeof(Shapes) == 64);

struct State {
  Shapes shapes = {};
  alignas(64) std::uint8_t lines[tile_count][most_rows][most_bytes] = {};
};
inline thread_local State state;

inline void expect(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "AMX, emulated: expected %s\n", what);
  std::abort();
}

inline void load_config(const void* memory) {
  Shapes shapes;
  std::memcpy(&shapes, memory, sizeof shapes);
  state = {};
  if (shapes.palette == 0) return;
  expect(shapes.palette == 1 && shapes.start_row == 0, "palette 1 from row 0");
  for (const std::uint8_t byte : shapes.reserved) expect(byte == 0, "zeros where it is reserved");
  for (int tile = 0; tile < most_rows; ++tile) {
    const int rows = shapes.rows[tile], bytes = shapes.row_bytes[tile];
    const int most = tile < tile_count ? most_rows : 0;
    expect(rows <= most && bytes <= 4 * most && (rows == 0) == (bytes == 0),
           "up to 16 rows of up to 64 bytes in tiles 0 to 7");
  }
  state.shapes = shapes;
}
inline void store_config(void* memory) { std::memcpy(memory, &state.shapes, sizeof(Shapes)); }
inline void release() { state = {}; }

inline const Shapes& configured(int tile) {
  expect(state.shapes.palette == 1 && state.shapes.rows[tile] > 0, "a configured tile");
  return state.shapes;
}

inline void load(int tile, const void* from, std::int64_t stride) {
  const Shapes& shapes = configured(tile);
  std::memset(state.lines[tile], 0, sizeof state.lines[tile]);
  for (int r = 0; r < shapes.rows[tile]; ++r)
    std::memcpy(state.lines[tile][r], static_cast<const char*>(from) + r * stride,
                shapes.row_bytes[tile]);
}
inline void store(int tile, void* to, std::int64_t stride) {
  const Shapes& shapes = configured(tile);
  for (int r = 0; r < shapes.rows[tile]; ++r)
    std::memcpy(static_cast<char*>(to) + r * stride, state.lines[tile][r], shapes.row_bytes[tile]);
}

// sums (rows x 16 floats) += A (rows x pairs) · B (pairs x 16 columns of pairs)
inline void multiply_add(int sums, int A, int B) {
  const Shapes& shapes = configured(sums);
  expect(configured(A).rows[A] == shapes.rows[sums] && configured(B).row_bytes[B] == most_bytes &&
             shapes.row_bytes[sums] == most_bytes && shapes.row_bytes[A] == 4 * shapes.rows[B],
         "factors whose shapes fit");
  for (int r = 0; r < shapes.rows[sums]; ++r) {
    __m512 sum = _mm512_load_ps(state.lines[sums][r]);
    for (int k = 0; k < shapes.rows[B]; ++k) {
      std::int32_t pair = 0;
      std::memcpy(&pair, state.lines[A][r] + 4 * k, sizeof pair);
      sum = _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair)),
                             reinterpret_cast<__m512bh>(_mm512_load_si512(state.lines[B][k])));
    }
    _mm512_store_ps(state.lines[sums][r], sum);
  }
}

} // namespace eigenmlp::amx::emulated

// GCC and Clang have some of them as macros, others as functions.
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig(shapes) emulated::load_config(shapes)
#define _tile_storeconfig(shapes) amx::emulated::store_config(shapes)
#define _tile_release() emulated::release()
#define _tile_loadd(tile, from, stride) emulated::load(tile, from, stride)
#define _tile_stored(tile, to, stride) emulated::store(tile, to, stride)
#define _tile_dpbf16ps(sums, A, B) emulated::multiply_add(sums, A, B)
