// Dropout: which units of a batch count, drawn anew for every update from a counter-based
// generator, so that neither threads nor the order of the work can change it; its twin is
// reference/dropout.py.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "eigenmlp/network/network.hpp"

namespace eigenmlp {

// Of one batch: row r of it is row first_row + r of its update.
struct Dropout {
  const std::vector<double>& rates; // one a hidden layer, in [0, 1); empty: none is dropped
  std::uint64_t key;
  std::uint64_t step; // updates before this one
  Index first_row;
};

inline constexpr Index philox_lanes = 16;
using PhiloxWords = std::array<std::array<std::uint32_t, philox_lanes>, 4>;

// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, SC 2011) of the counters (c + lane, c1, c2, c3):
// word w of lane i is words[w][i].
inline void philox(std::uint64_t key, const std::array<std::uint32_t, 4>& counter,
                   PhiloxWords& words) {
#pragma omp simd
  for (Index lane = 0; lane < philox_lanes; ++lane) {
    std::uint32_t x0 = counter[0] + static_cast<std::uint32_t>(lane);
    std::uint32_t x1 = counter[1], x2 = counter[2], x3 = counter[3];
    std::uint32_t k0 = static_cast<std::uint32_t>(key);
    std::uint32_t k1 = static_cast<std::uint32_t>(key >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t a = std::uint64_t{0xD2511F53} * x0, b = std::uint64_t{0xCD9E8D57} * x2;
      const auto high_a = static_cast<std::uint32_t>(a >> 32),
                 low_a = static_cast<std::uint32_t>(a);
      const auto high_b = static_cast<std::uint32_t>(b >> 32),
                 low_b = static_cast<std::uint32_t>(b);
      x0 = high_b ^ x1 ^ k0;
      x1 = low_b;
      x2 = high_a ^ x3 ^ k1;
      x3 = low_a;
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    words[0][static_cast<std::size_t>(lane)] = x0;
    words[1][static_cast<std::size_t>(lane)] = x1;
    words[2][static_cast<std::size_t>(lane)] = x2;
    words[3][static_cast<std::size_t>(lane)] = x3;
  }
}

// Rows begin … end - 1 of layer l's mask (l from 1), in panels: 1 / (1 - rate) for the units that
// count, 0 for the others. Unit 64 g + 16 w + i of a row is dropped if word w of the counter
// (16 g + i, row, step mod 2³², l + 2¹⁶ · ⌊step / 2³²⌋) is below rate · 2³².
template <class T>
void fill_mask(const Dropout& drop, std::size_t l, Index columns, Index begin, Index end,
               Panels<T> mask) {
  constexpr Index p = panel_width<T>, per_word = philox_lanes / p;
  const double rate = drop.rates[l - 1];
  const auto below = static_cast<std::uint32_t>(std::min(rate * 0x1p32, 0x1p32 - 1));
  const T keep = static_cast<T>(1 / (1 - rate));
  const Index panels = panel_count<T>(columns);
  alignas(cache_line) PhiloxWords words;
  for (Index r = begin; r < end; ++r)
    for (Index c = 0; c < panels; c += 4 * per_word) {
      philox(drop.key,
             {static_cast<std::uint32_t>(c / (4 * per_word) * philox_lanes),
              static_cast<std::uint32_t>(drop.first_row + r), static_cast<std::uint32_t>(drop.step),
              static_cast<std::uint32_t>(l + (drop.step >> 32 << 16))},
             words);
      const std::uint32_t* word = words[0].data();
      for (Index i = c; i < std::min(c + 4 * per_word, panels); ++i, word += p) {
        T* m = mask.at(r, i);
#pragma omp simd
        for (Index j = 0; j < p; ++j) m[j] = word[j] < below ? T(0) : keep;
      }
    }
}

} // namespace eigenmlp
