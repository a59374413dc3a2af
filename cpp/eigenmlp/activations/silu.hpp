#pragma once

#include "eigenmlp/activations/gate.hpp"

namespace eigenmlp {

// f(z) = z P(z),  f'(z) = P(z) + z P(z) (1 - P(z))  with  P(z) = 1 / (1 + exp(-z))
struct Silu {
  static constexpr const char* name = "silu";
  static constexpr bool needs_z = true;

  template <class T>
  static void value(Run<T> Y) {
    gate_value<T>(Y, tail<T>);
  }
  template <class T>
  static void multiply_derivative(Run<T> dY, ConstRun<T>, ConstRun<T> Z) {
    gate_derivative<T>(dY, Z, tail<T>);
  }
  // f''(z) = g (2 + z (1 - 2 p)) with p = 1 / (1 + exp(-z)), g = p (1 - p); all are even
  template <class T>
  static void multiply_second_derivative(Run<T> S, ConstRun<T>, ConstRun<T> Z) {
    for (Index i = 0; i < Z.size(); i += panel_width<T>) {
      const Line<T> a = line(Z.data() + i).abs();
      const auto [Q, g] = tail<T>(a); // Q = 1 - p(a)
      line(S.data() + i) *= g * (T(2) - a * (T(1) - T(2) * Q));
    }
  }
  template <class T>
  static void taylor(const SeriesRow<T>& s) {
    const Series<T>&P = s.scratch[0], &G = s.scratch[1];
    for (Index k = 0; k <= s.order; ++k) {
      logistic_coefficient(s.Z, P, G, k);
      if (k > 0) s.Y[k] = product(s.Z, P, k);
    }
  }

private:
  // Q = e / (1 + e) and q = Q / (1 + e) with e = exp(-a)
  template <class T>
  static std::pair<Line<T>, Line<T>> tail(const Line<T>& a) {
    const Line<T> e = (-a).exp();
    const Line<T> p = T(1) / (T(1) + e);
    return {e * p, e * p * p};
  }
};

} // namespace eigenmlp
