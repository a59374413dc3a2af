// Activations f(z) = z P(z), where P is the distribution function of a symmetric density q, so that
// P(-z) = 1 - P(z). With a = |z| and the tail Q = P(-a), both of which keep their relative
// accuracy:
//
//   f(z) = max(z, 0) - a Q,   f'(z) = g where z < 0, else 1 - g, with g = Q - a q
#pragma once

#include "eigenmlp/activations/sides.hpp"
#include "eigenmlp/kernel/extremes.hpp"
#include "eigenmlp/kernel/series.hpp"

namespace eigenmlp {

// Y ← f(Y); tail(a) gives {Q, q} of a line.
template <class T, class Tail>
void gate_value(Run<T> Y, Tail&& tail) {
  for (Index i = 0; i < Y.size(); i += panel_width<T>) {
    auto y = line(Y.data() + i);
    const Line<T> a = y.abs();
    y = larger(y, T(0)) - a * tail(a).first;
  }
}

// dY ← dY ⊙ f'(Z)
template <class T, class Tail>
void gate_derivative(Run<T> dY, ConstRun<T> Z, Tail&& tail) {
  using namespace Eigen::internal;
  constexpr Index p = panel_width<T>;
  const Packet<T> one = pset1<Packet<T>>(T(1));
  for (Index i = 0; i < Z.size(); i += p) {
    const Line<T> a = line(Z.data() + i).abs();
    const auto [Q, q] = tail(a);
    const Line<T> g = Q - a * q;
    multiply_by_side<T>(Run<T>(dY.data() + i, p), ConstRun<T>(Z.data() + i, p), [&](Index j, auto) {
      const Packet<T> left = pload<Packet<T>>(g.data() + j);
      return std::pair(left, psub(one, left));
    });
  }
}

} // namespace eigenmlp
