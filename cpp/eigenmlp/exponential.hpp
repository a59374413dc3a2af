// exp of numbers that are not positive, as a softmax needs it once the largest score is subtracted.
// Without overflow to care for it takes about half the time of Eigen's in double precision.
#pragma once

#include <array>
#include <bit>
#include <limits>
#include <numbers>

#include "eigenmlp/kernel.hpp"

namespace eigenmlp {

namespace detail {

template <class T>
struct ExponentialOf;
template <>
struct ExponentialOf<double> {
  using Bits = std::uint64_t;
  static constexpr int degree = 13;                        // (ln 2 / 2)¹⁴ / 14! < 2⁻⁵⁷
  static constexpr double ln2_high = 0x1.62e42fefap-1;     // 36 bits: n ln2_high is exact
  static constexpr double ln2_low = 0x1.cf79abc9e3b3ap-40; // ln 2 = high + low
};
template <>
struct ExponentialOf<float> {
  using Bits = std::uint32_t;
  static constexpr int degree = 7; // (ln 2 / 2)⁸ / 8! < 2⁻²⁷
  static constexpr float ln2_high = 0x1.62ep-1F;
  static constexpr float ln2_low = 0x1.0bfbe8p-15F;
};

// 1 / k!
template <class T>
inline constexpr auto reciprocal_factorials = [] {
  std::array<T, ExponentialOf<T>::degree + 1> c{};
  double factorial = 1;
  for (std::size_t k = 0; k < c.size(); ++k) {
    if (k > 0) factorial *= static_cast<double>(k);
    c[k] = static_cast<T>(1 / factorial);
  }
  return c;
}();

// The numbers of a packet times 2ⁿ, where n stands in the lowest bits of `exponents`. Eigen has no
// packet of such integers for every processor, the compilers have.
template <class T>
Packet<T> times_power_of_two(Packet<T> x, Packet<T> exponents) {
  using Bits = typename ExponentialOf<T>::Bits;
  typedef Bits Integers __attribute__((vector_size(sizeof(Packet<T>))));
  constexpr int mantissa = std::numeric_limits<T>::digits - 1;
  const Integers n = std::bit_cast<Integers>(exponents) << mantissa;
  return std::bit_cast<Packet<T>>(std::bit_cast<Integers>(x) + n);
}

} // namespace detail

// With x = n ln 2 + r, |r| ≤ ln 2 / 2:  exp(x) = 2ⁿ Σ rᵏ / k!,  to 1 unit in the last place; 0
// where that is no normal number. For finite x ≤ 0.
template <class T>
Packet<T> exp_nonpositive(Packet<T> x) {
  using namespace Eigen::internal;
  using P = Packet<T>;
  using Of = detail::ExponentialOf<T>;
  const auto all = [](T value) { return pset1<P>(value); };
  // Adding 1.5 · 2^mantissa rounds to an integer, and leaves it in the lowest bits.
  constexpr T shift = T(3) / (2 * std::numeric_limits<T>::epsilon());
  const P shifted = pmadd(x, all(std::numbers::log2e_v<T>), all(shift));
  const P n = psub(shifted, all(shift));
  const P r = pmadd(n, all(-Of::ln2_low), pmadd(n, all(-Of::ln2_high), x));
  constexpr auto& c = detail::reciprocal_factorials<T>;
  P sum = all(c.back());
  for (std::size_t k = c.size() - 1; k-- > 0;) sum = pmadd(sum, r, all(c[k]));
  constexpr T least = T(std::numeric_limits<T>::min_exponent - 1) * std::numbers::ln2_v<T>;
  return pand(pcmp_le(all(least), x), detail::times_power_of_two<T>(sum, shifted));
}

} // namespace eigenmlp
