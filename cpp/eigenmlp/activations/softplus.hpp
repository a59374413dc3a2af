#pragma once

#include "eigenmlp/kernel/extremes.hpp"
#include "eigenmlp/kernel/series.hpp"

namespace eigenmlp {

// f(z) = log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)),  f'(z) = 1 / (1 + exp(-z))
struct Softplus {
  static constexpr const char* name = "softplus";
  static constexpr bool needs_z = true;

  template <class T>
  static void value(Run<T> Y) {
    Y = larger(Y, T(0)) + (-Y.abs()).exp().log1p();
  }
  template <class T>
  static void multiply_derivative(Run<T> dY, ConstRun<T>, ConstRun<T> Z) {
    dY /= T(1) + (-Z).exp();
  }
  // f''(z) = e / (1 + e)² with e = exp(-|z|)
  template <class T>
  static void multiply_second_derivative(Run<T> S, ConstRun<T>, ConstRun<T> Z) {
    S *= (-Z.abs()).exp() / (T(1) + (-Z.abs()).exp()).square();
  }
  // y' = p z' with p = 1 / (1 + exp(-z))
  template <class T>
  static void taylor(const SeriesRow<T>& s) {
    const Series<T>&P = s.scratch[0], &G = s.scratch[1];
    logistic_coefficient(s.Z, P, G, 0);
    for (Index k = 1; k <= s.order; ++k) {
      s.Y[k] = integral(P, s.Z, k);
      logistic_coefficient(s.Z, P, G, k);
    }
  }
};

} // namespace eigenmlp
