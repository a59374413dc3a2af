#pragma once

#include "eigenmlp/types.hpp"

namespace eigenmlp {

// f(z) = z where z > 0, else z / 100;  f'(z) = 1 where z > 0, else 1 / 100
struct LeakyRelu {
  static constexpr const char* name = "leaky_relu";
  static constexpr bool needs_z = false;

  template <class T>
  static void value(Run<T> Y) {
    Y = Y.template max<Eigen::PropagateNaN>(Y * slope<T>);
  }
  template <class T>
  static void multiply_derivative(Run<T> dY, ConstRun<T> Y, ConstRun<T>) {
    T* d = dY.data();
    const T* y = Y.data();
    for (Index i = 0; i < Y.size(); ++i) d[i] = y[i] > T(0) ? d[i] : d[i] * slope<T>;
  }

private:
  template <class T>
  static constexpr T slope = T(0.01);
};

} // namespace eigenmlp
