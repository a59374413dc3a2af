#pragma once

#include "eigenmlp/types.hpp"

namespace eigenmlp {

// f(z) = 1 / (1 + exp(-z)),  f'(z) = y (1 - y) with y = f(z)
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static constexpr bool needs_z = false;

  template <class T>
  static void value(Run<T> Y) {
    Y = T(1) / (T(1) + (-Y).exp());
  }
  template <class T>
  static void multiply_derivative(Run<T> dY, ConstRun<T> Y, ConstRun<T>) {
    dY *= Y * (T(1) - Y);
  }
};

} // namespace eigenmlp
