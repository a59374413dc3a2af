#pragma once

#include "eigenmlp/losses/rows.hpp"

namespace eigenmlp {

// l = Σₖ |y - t|,  ∂l/∂y = sign(y - t), 0 at 0
struct AbsoluteError {
  static constexpr const char* name = "absolute_error";
  static constexpr bool takes_logits = false, takes_labels = false, classifies = false;
  static constexpr Targets targets = Targets::any;
  static constexpr int degree = 1;
  static constexpr const char* no_series = "its derivative jumps where y = t";

  template <class T>
  static Index rows(const LossRows<T>& a) {
    for (Index r = a.begin; r < a.end; ++r) {
      Line<T> sums = Line<T>::Zero();
      a.for_each_panel(r, [&](auto y, auto t, const Line<T>& real, Index panel) {
        const Line<T> difference = (y - t) * real;
        a.add(sums, difference.abs(), panel);
        t = a.scale[r] * difference.sign();
      });
      a.row_loss[r] = sums.sum();
    }
    return 0;
  }

  // ∂²l/∂y² = 0, also where the slope jumps
  template <class T>
  static void second(const LossRows<T>& a, Panels<const T>, Panels<T> RdY) {
    for (Index r = a.begin; r < a.end; ++r)
      for (Index c = 0; c < panel_count<T>(a.K); ++c) line(RdY.at(r, c)).setZero();
  }
};

} // namespace eigenmlp
