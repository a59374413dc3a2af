#pragma once

#include "eigenmlp/losses/rows.hpp"

namespace eigenmlp {

// l = Σₖ (y - t)²,  ∂l/∂y = 2 (y - t)
struct SquaredError {
  static constexpr const char* name = "squared_error";
  static constexpr bool takes_logits = false, takes_labels = false, classifies = false;
  static constexpr Targets targets = Targets::any;
  static constexpr int degree = 2;

  template <class T>
  static Index rows(const LossRows<T>& a) {
    for (Index r = a.begin; r < a.end; ++r) {
      Line<T> sums = Line<T>::Zero();
      a.for_each_panel(r, [&](auto y, auto t, const Line<T>& real, Index panel) {
        const Line<T> difference = (y - t) * real;
        a.add(sums, difference.square(), panel);
        t = T(2) * a.scale[r] * difference;
      });
      a.row_loss[r] = sums.sum();
    }
    return 0;
  }

  // ∂²l/∂y² = 2
  template <class T>
  static void second(const LossRows<T>& a, Panels<const T> RY, Panels<T> RdY) {
    for (Index r = a.begin; r < a.end; ++r)
      for (Index c = 0; c < panel_count<T>(a.K); ++c)
        line(RdY.at(r, c)) = T(2) * a.scale[r] * line(RY.at(r, c));
  }

  template <class T>
  static void taylor(const LossSeries<T>& a) {
    const Series<T>& E = a.scratch[0]; // y - t
    a.for_each_panel([&](const Series<T>& y, auto t, const Line<T>& real, T* loss, Index panel) {
      E[0] = (y[0] - t) * real;
      for (Index k = 1; k <= a.order; ++k) E[k] = y[k] * real;
      for (Index k = 0; k <= a.order; ++k) loss[k] += a.sum(product(E, E, k), panel);
    });
  }
};

} // namespace eigenmlp
