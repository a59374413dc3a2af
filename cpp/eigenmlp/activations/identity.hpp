#pragma once

#include "eigenmlp/kernel/series.hpp"

namespace eigenmlp {

// f(z) = z,  f'(z) = 1
struct Identity {
  static constexpr const char* name = "identity";
  static constexpr bool needs_z = false;

  template <class T>
  static void value(Run<T>) {}
  template <class T>
  static void multiply_derivative(Run<T>, ConstRun<T>, ConstRun<T>) {}
  template <class T>
  static void multiply_second_derivative(Run<T> S, ConstRun<T>, ConstRun<T>) {
    S.setZero();
  }
  template <class T>
  static void taylor(const SeriesRow<T>& s) {
    for (Index k = 1; k <= s.order; ++k) s.Y[k] = s.Z[k];
  }
};

} // namespace eigenmlp
