#pragma once

#include "eigenmlp/panels.hpp"

namespace eigenmlp {

// y = exp(z - max z) / Σ exp(z - max z), row by row; an output activation.
// Padding columns hold a very negative z (Network gives them such a bias), so their y is 0.
struct Softmax {
  static constexpr const char* name = "softmax";

  // e = exp(z - max z) of one row; returns max z and Σ e. A `e_panel` of 0 keeps the last panel
  // only.
  template <class T>
  static std::pair<T, T> exponentials(const T* z, Index z_panel, T* e, Index e_panel,
                                      Index panels) {
    Line<T> most = line(z);
    for (Index c = 1; c < panels; ++c)
      most = most.template max<Eigen::PropagateNaN>(line(z + c * z_panel));
    const T max = most.template maxCoeff<Eigen::PropagateNaN>();
    Line<T> sums = Line<T>::Zero();
    for (Index c = 0; c < panels; ++c) {
      const Line<T> exponential = (line(z + c * z_panel) - max).exp();
      sums += exponential;
      line(e + c * e_panel) = exponential;
    }
    return {max, sums.sum()};
  }

  template <class T>
  static void value(Panels<T> Y, Index columns, Index begin, Index end) {
    const Index panels = panel_count<T>(columns);
    for (Index r = begin; r < end; ++r) {
      const T sum = exponentials(Y.at(r, 0), Y.panel, Y.at(r, 0), Y.panel, panels).second;
      for (Index c = 0; c < panels; ++c) line(Y.at(r, c)) *= T(1) / sum;
    }
  }

  // dZ = y ⊙ (dY - Σ dY y), the exact Jacobian-vector product.
  template <class T>
  static void backward(Panels<T> dY, Panels<const T> Y, Index columns, Index begin, Index end) {
    const Index panels = panel_count<T>(columns);
    for (Index r = begin; r < end; ++r) {
      const auto y = [&](Index c) { return line(Y.at(r, c)); };
      const auto g = [&](Index c) { return line(dY.at(r, c)); };
      Line<T> sums = Line<T>::Zero();
      for (Index c = 0; c < panels; ++c) sums += g(c) * y(c);
      const T dot = sums.sum();
      for (Index c = 0; c < panels; ++c) g(c) = y(c) * (g(c) - dot);
    }
  }
};

} // namespace eigenmlp
