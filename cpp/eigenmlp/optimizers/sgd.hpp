#pragma once

#include <array>

#include "eigenmlp/optimizers/rows.hpp"

namespace eigenmlp {

// PyTorch's SGD:  g ← G + weight_decay · W;  v ← μ v + g;  W ← W - lr · v,
// with Nesterov  W ← W - lr · (g + μ v). State: the velocity v, where μ > 0.
// With lr_in_velocity (Sutskever et al. 2013)  v ← μ v + lr · g;  W ← W - v  or  W - (lr · g + μ
// v): the same while lr stays.
struct Sgd {
  static constexpr const char* name = "sgd";
  static constexpr std::array hyper = {"momentum", "nesterov", "weight_decay", "lr_in_velocity"};
  static constexpr std::array state = {"velocity"};

  static int states_used(const double* h) { return h[0] != 0 ? 1 : 0; }
  static bool rests(const double* h) { return h[0] == 0 && h[2] == 0; }

  // Of a gradient's way into the velocity, and of the velocity's into W.
  static Numbers numbers(const double* h, double lr, double) {
    const bool in_velocity = h[3] != 0;
    return {in_velocity ? 1 : lr, h[0], h[1], h[2], in_velocity ? lr : 1};
  }

  template <class T>
  static void update(const UpdateRows<T>& u) {
    const T out = u.numbers[0], mu = u.numbers[1], decay = u.decays ? u.numbers[3] : T(0);
    const T in = u.numbers[4];
    const bool nesterov = u.numbers[2] != T(0);
    T* W = u.W;
    T* v = u.state[0];
    const T* G = u.G;
    if (mu == T(0)) {
#pragma omp simd
      for (Index i = 0; i < u.n; ++i) W[i] -= out * (in * (G[i] + decay * W[i]));
    } else if (nesterov) {
#pragma omp simd
      for (Index i = 0; i < u.n; ++i) {
        const T g = in * (G[i] + decay * W[i]);
        v[i] = mu * v[i] + g;
        W[i] -= out * (g + mu * v[i]);
      }
    } else {
#pragma omp simd
      for (Index i = 0; i < u.n; ++i) {
        v[i] = mu * v[i] + in * (G[i] + decay * W[i]);
        W[i] -= out * v[i];
      }
    }
  }
};

} // namespace eigenmlp
