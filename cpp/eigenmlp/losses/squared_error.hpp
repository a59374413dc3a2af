#pragma once

#include "eigenmlp/losses/rows.hpp"

namespace eigenmlp {

// l = Σₖ (y - t)²,  ∂l/∂y = 2 (y - t)
struct SquaredError {
  static constexpr const char* name = "squared_error";
  static constexpr bool takes_logits = false, takes_labels = false, classifies = false;

  template <class T>
  static Index rows(const LossRows<T>& a) {
    for (Index r = a.begin; r < a.end; ++r) {
      Line<T> sums = Line<T>::Zero();
      a.for_each_panel(r, [&](auto y, auto t, const Line<T>& real) {
        const Line<T> difference = (y - t) * real;
        sums += difference.square();
        t = T(2) * a.scale[r] * difference;
      });
      a.row_loss[r] = sums.sum();
    }
    return 0;
  }
};

} // namespace eigenmlp
