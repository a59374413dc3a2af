#pragma once

#include "eigenmlp/activations/sides.hpp"
#include "eigenmlp/kernel/extremes.hpp"
#include "eigenmlp/names/choice.hpp"

namespace eigenmlp {

// f(z) = z where z > 0, else s z;  f'(z) = 1 where z > 0, else s; s >= 0 is the negative slope
struct LeakyRelu {
  static constexpr const char* name = "leaky_relu";
  static constexpr ParameterList parameters{{"negative_slope"}, {0.01}};
  static constexpr bool needs_z = false;
  static constexpr const char* no_series = "its derivative jumps at 0";

  template <class T>
  static void value(Run<T> Y, const T* parameter) {
    const T s = parameter[0];
    Y = larger(Y, T(0)) + s * smaller(Y, T(0));
  }
  template <class T>
  static void multiply_derivative(Run<T> dY, ConstRun<T> Y, ConstRun<T>, const T* parameter) {
    using namespace Eigen::internal;
    const auto s = pset1<Packet<T>>(parameter[0]), one = pset1<Packet<T>>(T(1));
    multiply_by_side<T>(dY, Y, [&](Index, auto) { return std::pair(s, one); });
  }
  template <class T>
  static void multiply_second_derivative(Run<T> S, ConstRun<T>, ConstRun<T>, const T*) {
    S.setZero();
  }
};

} // namespace eigenmlp
