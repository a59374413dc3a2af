// exp of numbers that are not positive, as a softmax needs it once the largest score is subtracted.
// Without overflow to care for it takes about half the time of Eigen's in double precision.
#pragma once

#include <array>
#include <bit>
#include <limits>
#include <numbers>

#include "eigenmlp/kernel/tile.hpp"

namespace eigenmlp {

namespace detail {

template <class T>
struct ExponentialOf;
template <>
struct ExponentialOf<double> {
  using Bits = std::uint64_t;
  static constexpr int degree = 11;                        // the rest is below 2⁻⁵⁸
  static constexpr double ln2_high = 0x1.62e42fefap-1;     // 36 bits: n ln2_high is exact
  static constexpr double ln2_low = 0x1.cf79abc9e3b3ap-40; // ln 2 = high + low
};
template <>
struct ExponentialOf<float> {
  using Bits = std::uint32_t;
  static constexpr int degree = 7; // the rest is below 2⁻³³
  static constexpr float ln2_high = 0x1.62ep-1F;
  static constexpr float ln2_low = 0x1.0bfbe8p-15F;
};

// Coefficients of a polynomial for exp on |r| ≤ h = ln 2 / 2: Taylor's of degree 15, 1 / k!, less
// multiples of the Chebyshev polynomials T_d(r / h) that take its highest terms away, d of them
// down to the degree wanted (Chebyshev economisation). Each moves it by |c_d| hᵈ / 2ᵈ⁻¹ at most.
template <class T>
inline constexpr auto exponential_coefficients = [] {
  constexpr std::size_t degree = ExponentialOf<T>::degree, top = 15;
  constexpr double h = std::numbers::ln2 / 2;
  using Polynomial = std::array<double, top + 1>;
  Polynomial c{1}, powers{1}; // powers of h
  std::array<Polynomial, top + 1> chebyshev{};
  chebyshev[0][0] = chebyshev[1][1] = 1;
  for (std::size_t k = 1; k <= top; ++k) {
    c[k] = c[k - 1] / static_cast<double>(k);
    powers[k] = powers[k - 1] * h;
    for (std::size_t i = 0; k > 1 && i <= k; ++i) // T_k = 2 x T_{k-1} - T_{k-2}
      chebyshev[k][i] = (i > 0 ? 2 * chebyshev[k - 1][i - 1] : 0) - chebyshev[k - 2][i];
  }
  for (std::size_t d = top; d > degree; --d) {
    const double factor = c[d] * powers[d] / chebyshev[d][d];
    for (std::size_t i = 0; i <= d; ++i) c[i] -= factor * chebyshev[d][i] / powers[i];
  }
  std::array<T, degree + 1> result{};
  for (std::size_t k = 0; k <= degree; ++k) result[k] = static_cast<T>(c[k]);
  return result;
}();

// y 2ⁿ where x ≥ least, else 0; n stands in the lowest bits of `exponents`. Eigen has no packet of
// such integers for every processor, the compilers have.
template <class T>
Packet<T> times_power_of_two(Packet<T> y, Packet<T> exponents, Packet<T> x, T least) {
  using Bits = typename ExponentialOf<T>::Bits;
  typedef Bits Integers __attribute__((vector_size(sizeof(Packet<T>))));
  typedef T Reals __attribute__((vector_size(sizeof(Packet<T>))));
  constexpr int mantissa = std::numeric_limits<T>::digits - 1;
  const Integers n = std::bit_cast<Integers>(exponents) << mantissa;
  const Integers product = std::bit_cast<Integers>(y) + n;
  return std::bit_cast<Packet<T>>(std::bit_cast<Reals>(x) >= least ? product : Integers{});
}

} // namespace detail

// With x = n ln 2 + r, |r| ≤ ln 2 / 2:  exp(x) = 2ⁿ exp(r),  to 1 unit in the last place; 0 where
// that is no normal number. For finite x ≤ 0.
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
  constexpr auto& c = detail::exponential_coefficients<T>;
  P sum = all(c.back());
  for (std::size_t k = c.size() - 1; k-- > 0;) sum = pmadd(sum, r, all(c[k]));
  constexpr T least = T(std::numeric_limits<T>::min_exponent - 1) * std::numbers::ln2_v<T>;
  return detail::times_power_of_two<T>(sum, shifted, x, least);
}

} // namespace eigenmlp
