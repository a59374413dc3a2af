#pragma once

#include "eigenmlp/kernel/extremes.hpp"
#include "eigenmlp/kernel/series.hpp"

namespace eigenmlp {

// f(z) = tanh(z),  f'(z) = 1 - y² with y = f(z)
struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr bool needs_z = false;

  template <class T>
  static void value(Run<T> Y) {
    if constexpr (std::is_same_v<T, float>) {
      Y = Y.tanh();
    } else {
      // Eigen 3.4 has no vectorised tanh for double: e / (e + 2) with e = exp(2z) - 1, whose
      // relative error stays small near 0; tanh(20) is 1 to the last bit.
      Y = smaller(larger(Y, T(-20)), T(20));
      Y = (T(2) * Y).expm1();
      Y = Y / (Y + T(2));
    }
  }
  template <class T>
  static void multiply_derivative(Run<T> dY, ConstRun<T> Y, ConstRun<T>) {
    dY *= T(1) - Y.square();
  }
  // f''(z) = -2 y (1 - y²)
  template <class T>
  static void multiply_second_derivative(Run<T> S, ConstRun<T> Y, ConstRun<T>) {
    S *= T(-2) * Y * (T(1) - Y.square());
  }
  // y' = (1 - y²) z'
  template <class T>
  static void taylor(const SeriesRow<T>& s) {
    const Series<T>&G = s.scratch[0], &Y = s.Y;
    G[0] = T(1) - Y[0].square();
    for (Index k = 1; k <= s.order; ++k) {
      Y[k] = integral(G, s.Z, k);
      G[k] = -product(Y, Y, k);
    }
  }
};

} // namespace eigenmlp
