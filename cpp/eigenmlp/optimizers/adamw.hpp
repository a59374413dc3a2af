#pragma once

#include "eigenmlp/optimizers/adam.hpp"

namespace eigenmlp {

// PyTorch's AdamW:  W ← (1 - lr · weight_decay) W, and then Adam's update by G alone.
struct AdamW {
  static constexpr const char* name = "adamw";
  static constexpr std::array hyper = Adam::hyper;
  static constexpr std::array state = Adam::state;

  static int states_used(const double*) { return 2; }
  static bool rests(const double*) { return false; }

  static Numbers numbers(const double* h, double lr, double t) {
    Numbers result = Adam::numbers(h, lr, t);
    result[6] = 1 - lr * h[3];
    return result;
  }

  template <class T>
  static void update(const UpdateRows<T>& u) {
    Adam::step(u, T(0), u.decays ? u.numbers[6] : T(1));
  }
};

} // namespace eigenmlp
