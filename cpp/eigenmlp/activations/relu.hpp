#pragma once

#include "eigenmlp/kernel/extremes.hpp"
#include "eigenmlp/kernel/types.hpp"

namespace eigenmlp {

// f(z) = max(z, 0),  f'(z) = 1 where z > 0, else 0. NaN stays NaN.
struct Relu {
  static constexpr const char* name = "relu";
  static constexpr bool needs_z = false;
  static constexpr const char* no_series = "its derivative jumps at 0";

  template <class T>
  static void value(Run<T> Y) {
    Y = larger(Y, T(0));
  }
  template <class T>
  static void multiply_derivative(Run<T> dY, ConstRun<T> Y, ConstRun<T>) {
    T* d = dY.data();
    const T* y = Y.data();
    for (Index i = 0; i < Y.size(); ++i) d[i] = y[i] > T(0) ? d[i] : T(0);
  }
  template <class T>
  static void multiply_second_derivative(Run<T> S, ConstRun<T>, ConstRun<T>) {
    S.setZero();
  }
};

} // namespace eigenmlp
