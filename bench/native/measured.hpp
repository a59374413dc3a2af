// What the native benchmarks measure with: seconds, and the processor's multiply-add limit.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "eigenmlp/kernel/tile.hpp"

namespace eigenmlp::bench {

// Keeps the compiler from knowing what is in memory.
inline void forget(const void* p) { asm volatile("" : : "r"(p) : "memory"); }

template <class Body>
double seconds(long calls, Body&& body) {
  const auto start = std::chrono::steady_clock::now();
  for (long i = 0; i < calls; ++i) body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Operations a second of independent chains of multiply-adds that never leave the registers.
template <class T>
double fma_limit() {
  using namespace Eigen::internal;
  constexpr int chains = vector_registers == 32 ? 24 : 12;
  constexpr Index rounds = 100'000;
  alignas(cache_line) T numbers[panel_width<T>];
  for (Index i = 0; i < panel_width<T>; ++i) numbers[i] = T(0.7) + static_cast<T>(i) / T(100);
  Packet<T> sum[chains];
  forget(numbers);
  const Packet<T> a = pload<Packet<T>>(numbers), b = pload<Packet<T>>(numbers);
#pragma GCC unroll 32
  for (int i = 0; i < chains; ++i) sum[i] = a;
  // No call of `seconds`: the chains would be in memory.
  const auto start = std::chrono::steady_clock::now();
  for (Index k = 0; k < rounds; ++k) {
#pragma GCC unroll 32
    for (int i = 0; i < chains; ++i) sum[i] = pmadd(sum[i], a, b);
  }
  for (int i = 1; i < chains; ++i) sum[0] = padd(sum[0], sum[i]);
  pstore(numbers, sum[0]);
  forget(numbers);
  const double time =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return 2.0 * chains * packet_size<T> * rounds / time;
}

} // namespace eigenmlp::bench
