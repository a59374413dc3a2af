#pragma once

#include "eigenmlp/losses/rows.hpp"
#include "eigenmlp/names/choice.hpp"

namespace eigenmlp {

// The pinball loss, a q for every output:  l = Σₖ q d where d = t - y > 0, else (q - 1) d;
// ∂l/∂y = -q where d > 0, 1 - q where d < 0, 0 at 0
struct Quantile {
  static constexpr const char* name = "quantile";
  static constexpr bool takes_logits = false, takes_labels = false, classifies = false;
  static constexpr Targets targets = Targets::any;
  static constexpr int degree = 1;
  static constexpr const char* no_series = "its derivative jumps where y = t";
  static constexpr ParameterList parameters{{"q"}, {0.5}};

  template <class T>
  static Index rows(const LossRows<T>& a) {
    for (Index r = a.begin; r < a.end; ++r) {
      Line<T> sums = Line<T>::Zero();
      a.for_each_panel(r, [&](auto y, auto t, const Line<T>& real, Index panel) {
        const auto q = a.parameter(0, panel);
        const Line<T> d = (t - y) * real;
        // With s = sign(d), the slope is (q - 1/2 + s/2) s², and the loss that times d.
        const Line<T> s = d.sign();
        const Line<T> slope = (q - (T(1) - s) / T(2)) * s.square();
        a.add(sums, slope * d, panel);
        t = -a.scale[r] * slope;
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
