// Truncated power series in t: coefficients 0 … order, each a line of p columns of one row.
//
// The recurrences are those of Griewank and Walther, Evaluating Derivatives, 2nd edition (SIAM
// 2008), chapter 13: a function f with f' = g is solved from y' = g(z) z', order by order.
#pragma once

#include <array>

#include "eigenmlp/kernel/panels.hpp"

namespace eigenmlp {

template <class T>
struct Series {
  T* data;
  Index stride; // scalars from a coefficient to the next
  auto operator[](Index k) const { return line(data + k * stride); }
};

// (a b)ₖ = Σ aⱼ bₖ₋ⱼ for j = 0 … k
template <class T>
Line<T> product(const Series<T>& a, const Series<T>& b, Index k) {
  Line<T> sum = a[0] * b[k];
  for (Index j = 1; j <= k; ++j) sum += a[j] * b[k - j];
  return sum;
}

// yₖ of the y with y' = g z':  Σ (j / k) zⱼ gₖ₋ⱼ for j = 1 … k
template <class T>
Line<T> integral(const Series<T>& g, const Series<T>& z, Index k) {
  Line<T> sum = z[1] * g[k - 1];
  for (Index j = 2; j <= k; ++j) sum += (static_cast<T>(j) * z[j]) * g[k - j];
  return sum * (T(1) / static_cast<T>(k));
}

// p and its slope p (1 - p) for p = 1 / (1 + exp(-z)), coefficient k after those before it.
template <class T>
void logistic_coefficient(const Series<T>& z, const Series<T>& P, const Series<T>& G, Index k) {
  if (k == 0) {
    const Line<T> e = (-z[0].abs()).exp(), q = T(1) / (T(1) + e);
    P[0] = T(1) / (T(1) + (-z[0]).exp());
    G[0] = e * q * q;
    return;
  }
  P[k] = integral(G, z, k);
  G[k] = P[k] - product(P, P, k);
}

// What an activation makes Y = f(Z) from; Y[0] is there already.
template <class T>
struct SeriesRow {
  Index order;
  Series<T> Z, Y;
  std::array<Series<T>, 3> scratch;
  const T* parameters;
};

// Series of a layer's rows and columns: coefficient k of row r is row k · rows + r of the panels.
template <class T>
struct SeriesPanels {
  Panels<T> panels;
  Index rows = 0;
  Series<T> at(Index row, Index panel_index) const {
    return {panels.at(row, panel_index), rows * panel_width<T>};
  }
  Panels<T> coefficient(Index k) const { return {panels.at(k * rows, 0), panels.panel}; }
};

} // namespace eigenmlp
