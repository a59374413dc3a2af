#pragma once

#include "eigenmlp/types.hpp"

namespace eigenmlp {

// f(z) = z,  f'(z) = 1
struct Identity {
  static constexpr const char* name = "identity";
  static constexpr bool needs_z = false;

  template <class T>
  static void value(Run<T>) {}
  template <class T>
  static void multiply_derivative(Run<T>, ConstRun<T>, ConstRun<T>) {}
};

} // namespace eigenmlp
