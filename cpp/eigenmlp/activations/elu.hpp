#pragma once

#include "eigenmlp/activations/sides.hpp"
#include "eigenmlp/kernel/extremes.hpp"
#include "eigenmlp/names/choice.hpp"

namespace eigenmlp {

// f(z) = z where z > 0, else α (exp(z) - 1);  f'(z) = 1 where z > 0, else y + α with y = f(z)
struct Elu {
  static constexpr const char* name = "elu";
  static constexpr ParameterList parameters{{"alpha"}, {1.0}};
  static constexpr bool needs_z = false;
  static constexpr const char* no_series = "its second derivative jumps at 0";

  template <class T>
  static void value(Run<T> Y, const T* parameter) {
    const T alpha = parameter[0];
    Y = larger(Y, T(0)) + alpha * smaller(Y, T(0)).expm1();
  }
  template <class T>
  static void multiply_derivative(Run<T> dY, ConstRun<T> Y, ConstRun<T>, const T* parameter) {
    using namespace Eigen::internal;
    const auto alpha = pset1<Packet<T>>(parameter[0]), one = pset1<Packet<T>>(T(1));
    multiply_by_side<T>(dY, Y, [&](Index, auto y) { return std::pair(padd(y, alpha), one); });
  }
  // f''(z) = 0 where z > 0, else y + α
  template <class T>
  static void multiply_second_derivative(Run<T> S, ConstRun<T> Y, ConstRun<T>, const T* parameter) {
    using namespace Eigen::internal;
    const auto alpha = pset1<Packet<T>>(parameter[0]), zero = pset1<Packet<T>>(T(0));
    multiply_by_side<T>(S, Y, [&](Index, auto y) { return std::pair(padd(y, alpha), zero); });
  }
};

} // namespace eigenmlp
