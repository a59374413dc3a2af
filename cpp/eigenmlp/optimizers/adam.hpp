#pragma once

#include <array>
#include <cmath>

#include "eigenmlp/optimizers/rows.hpp"

namespace eigenmlp {

// PyTorch's Adam, in update t = 1, 2, …:  g ← G + weight_decay · W;
// m ← β₁ m + (1 - β₁) g;  v ← β₂ v + (1 - β₂) g²;
// W ← W - lr · (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + eps). State: both moments m and v.
// With raw_eps, eps stands beside the uncorrected root:  (√v + eps) / √(1 - β₂ᵗ).
struct Adam {
  static constexpr const char* name = "adam";
  static constexpr std::array hyper = {"beta1", "beta2", "eps", "weight_decay", "raw_eps"};
  static constexpr std::array state = {"mean", "mean_square"};

  static int states_used(const double*) { return 2; }
  static bool rests(const double*) { return false; }

  static Numbers numbers(const double* h, double lr, double t) {
    const auto [rate, root] = corrections(h, lr, t);
    return {1 - h[0], h[1], 1 - h[1], rate, root, h[4] != 0 ? h[2] * root : h[2], h[3]};
  }

  template <class T>
  static void update(const UpdateRows<T>& u) {
    step(u, u.decays ? u.numbers[6] : T(0), T(1));
  }

  // lr / (1 - β₁ᵗ) and 1 / √(1 - β₂ᵗ).
  static std::array<double, 2> corrections(const double* h, double lr, double t) {
    return {lr / (1 - power(h[0], t)), 1 / std::sqrt(1 - power(h[1], t))};
  }
  // βᵗ, or 0 where 1 - βᵗ is 1 to rounding: βᵗ ≤ exp(-(1 - β) t) < 2⁻⁵⁴. A tiny step would spend a
  // twentieth of its time on it.
  static double power(double beta, double t) {
    return (1 - beta) * t > 38 ? 0.0 : std::pow(beta, t);
  }

  // Also AdamW's: W is multiplied by `keep` first, and g ← G + decay · W.
  template <class T>
  static void step(const UpdateRows<T>& u, T decay, T keep) {
    const T b1 = u.numbers[0], beta2 = u.numbers[1], b2 = u.numbers[2];
    const T rate = u.numbers[3], root = u.numbers[4], eps = u.numbers[5];
    T* W = u.W;
    T* m = u.state[0];
    T* v = u.state[1];
    const T* G = u.G;
#pragma omp simd
    for (Index i = 0; i < u.n; ++i) {
      const T w = keep * W[i], g = G[i] + decay * w;
      m[i] += b1 * (g - m[i]);
      v[i] = beta2 * v[i] + b2 * (g * g);
      W[i] = w - rate * m[i] / (std::sqrt(v[i]) * root + eps);
    }
  }
};

} // namespace eigenmlp
