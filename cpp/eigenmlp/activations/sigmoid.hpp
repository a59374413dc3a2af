#pragma once

#include "eigenmlp/kernel/series.hpp"
#include "eigenmlp/names/choice.hpp"

namespace eigenmlp {

// f(z) = 1 / (1 + exp(-β z)),  f'(z) = β y (1 - y) with y = f(z); β is the slope
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static constexpr ParameterList parameters{{"slope"}, {1.0}};
  static constexpr bool needs_z = false;

  template <class T>
  static void value(Run<T> Y, const T* parameter) {
    Y = T(1) / (T(1) + (Y * -parameter[0]).exp());
  }
  template <class T>
  static void multiply_derivative(Run<T> dY, ConstRun<T> Y, ConstRun<T>, const T* parameter) {
    dY *= parameter[0] * Y * (T(1) - Y);
  }
  // f''(z) = β² y (1 - y) (1 - 2 y)
  template <class T>
  static void multiply_second_derivative(Run<T> S, ConstRun<T> Y, ConstRun<T>, const T* parameter) {
    S *= parameter[0] * parameter[0] * Y * (T(1) - Y) * (T(1) - T(2) * Y);
  }
  // y' = β y (1 - y) z'
  template <class T>
  static void taylor(const SeriesRow<T>& s) {
    const Series<T>&G = s.scratch[0], &Y = s.Y;
    const T slope = s.parameters[0];
    G[0] = slope * Y[0] * (T(1) - Y[0]);
    for (Index k = 1; k <= s.order; ++k) {
      Y[k] = integral(G, s.Z, k);
      G[k] = slope * (Y[k] - product(Y, Y, k));
    }
  }
};

} // namespace eigenmlp
