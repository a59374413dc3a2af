#pragma once

#include "eigenmlp/types.hpp"

namespace eigenmlp {

// f(z) = log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)),  f'(z) = 1 / (1 + exp(-z))
struct Softplus {
  static constexpr const char* name = "softplus";
  static constexpr bool needs_z = true;

  template <class T>
  static void value(Run<T> Y) {
    Y = Y.template max<Eigen::PropagateNaN>(T(0)) + (-Y.abs()).exp().log1p();
  }
  template <class T>
  static void multiply_derivative(Run<T> dY, ConstRun<T>, ConstRun<T> Z) {
    dY /= T(1) + (-Z).exp();
  }
};

} // namespace eigenmlp
