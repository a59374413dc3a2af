#pragma once

#include "eigenmlp/choice.hpp"

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
};

} // namespace eigenmlp
