// What holds an update back, beside the optimizer's rule: L1, a penalty on the squares of the
// weights, clipping by the gradient's global norm, and max-norm. Sums run by panels of columns, in
// an order that only the shapes set.
#pragma once

#include <vector>

#include "eigenmlp/step/run.hpp"
#include "eigenmlp/step/weights_phase.hpp"
#include "eigenmlp/threads/parallel.hpp"

namespace eigenmlp {

// A thread's panels of columns, through all layers: body(layer, panel, number of the panel).
template <class T, class Body>
void for_each_column_panel(const Network<T>& net, const Team& team, Body&& body) {
  Index total = 0;
  for (const auto& layer : net.layers()) total += layer.output_panels();
  Index number = 0;
  for (const auto& layer : net.layers())
    for (Index k = 0; k < layer.output_panels(); ++k, ++number)
      if (number >= team.begin(total) && number < team.end(total)) body(layer, k, number);
}

// Each panel's Σ g² of the final gradient, for a thread's panels; `squares` has one a panel.
template <class T>
void sum_squares(const Network<T>& net, const Team& team, T* gradient, const Rule<T>& rule,
                 double* squares) {
  constexpr Index p = panel_width<T>;
  for_each_column_panel(net, team, [&](const Layer<T>& layer, Index k, Index number) {
    const Panels<T> G = net.like_W(layer, gradient);
    alignas(cache_line) T g[p];
    Eigen::Array<double, p, 1> sum = Eigen::Array<double, p, 1>::Zero();
    for (Index d = 0; d <= layer.D; ++d) {
      rule.final_gradient(G.at(d, k), layer.W.at(d, k), d < layer.D, g);
      sum += line(static_cast<const T*>(g)).template cast<double>().square();
    }
    squares[number] = sum.sum();
  });
}

// PyTorch's clip_grad_norm_: what the gradient is multiplied by so that its norm is at most
// clip_norm.
inline double clip_factor(const std::vector<double>& squares, double clip_norm) {
  double sum = 0;
  for (const double square : squares) sum += square;
  return std::min(1.0, clip_norm / (std::sqrt(sum) + 1e-6));
}

// Scales each unit's incoming weights (a column of W) to a norm of at most max_norm.
template <class T>
void bound_columns(Network<T>& net, const Team& team, double max_norm) {
  constexpr Index p = panel_width<T>;
  for_each_column_panel(net, team, [&](const Layer<T>& layer, Index k, Index) {
    Eigen::Array<double, p, 1> sum = Eigen::Array<double, p, 1>::Zero();
    for (Index d = 0; d < layer.D; ++d)
      sum += line(layer.W.at(d, k)).template cast<double>().square();
    if (sum.maxCoeff() <= max_norm * max_norm) return;
    const Line<T> factor = (max_norm / sum.sqrt().max(max_norm)).template cast<T>();
    for (Index d = 0; d < layer.D; ++d) line(layer.W.at(d, k)) *= factor;
    refresh_blocks(layer, 0, layer.input_panels(), k, k + 1);
  });
}

} // namespace eigenmlp
