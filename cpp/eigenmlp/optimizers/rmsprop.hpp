#pragma once

#include <array>
#include <cmath>

#include "eigenmlp/optimizers/rows.hpp"

namespace eigenmlp {

// PyTorch's RMSprop:  g ← G + weight_decay · W;  s ← α s + (1 - α) g²;
// r = g / (√s + eps), centered  r = g / (√(s - a²) + eps)  with  a ← α a + (1 - α) g;
// W ← W - lr · r, with momentum  v ← μ v + r;  W ← W - lr · v.
// State: s, and v and a where they are used. s - a² counts as 0 where rounding made it negative.
struct RmsProp {
  static constexpr const char* name = "rmsprop";
  static constexpr std::array hyper = {"alpha", "eps", "weight_decay", "momentum", "centered"};
  static constexpr std::array state = {"mean_square", "velocity", "mean"};

  static int states_used(const double* h) { return h[4] != 0 ? 3 : h[3] != 0 ? 2 : 1; }
  static bool rests(const double*) { return false; }

  static Numbers numbers(const double* h, double lr, double) {
    return {lr, h[0], 1 - h[0], h[1], h[2], h[3], h[4]};
  }

  template <class T>
  static void update(const UpdateRows<T>& u) {
    const bool has_velocity = u.numbers[5] != T(0), centered = u.numbers[6] != T(0);
    if (centered)
      has_velocity ? update<T, true, true>(u) : update<T, true, false>(u);
    else
      has_velocity ? update<T, false, true>(u) : update<T, false, false>(u);
  }

private:
  template <class T, bool centered, bool has_velocity>
  static void update(const UpdateRows<T>& u) {
    const T lr = u.numbers[0], alpha = u.numbers[1], rest = u.numbers[2], eps = u.numbers[3];
    const T decay = u.decays ? u.numbers[4] : T(0), mu = u.numbers[5];
    T* W = u.W;
    T* s = u.state[0];
    T* v = u.state[1];
    T* a = u.state[2];
    const T* G = u.G;
#pragma omp simd
    for (Index i = 0; i < u.n; ++i) {
      const T g = G[i] + decay * W[i];
      s[i] = alpha * s[i] + rest * (g * g);
      T square = s[i];
      if constexpr (centered) {
        a[i] += rest * (g - a[i]);
        square -= a[i] * a[i];
        square = square > T(0) ? square : T(0);
      }
      T r = g / (std::sqrt(square) + eps);
      if constexpr (has_velocity) r = v[i] = mu * v[i] + r;
      W[i] -= lr * r;
    }
  }
};

} // namespace eigenmlp
