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
