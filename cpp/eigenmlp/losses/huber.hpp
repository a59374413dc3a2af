#pragma once

#include "eigenmlp/kernel/extremes.hpp"
#include "eigenmlp/losses/rows.hpp"
#include "eigenmlp/names/choice.hpp"

namespace eigenmlp {

// l = Σₖ h(y - t) with h(d) = d²/2 where |d| <= δ, else δ (|d| - δ/2);
// ∂l/∂y = d, but not beyond ±δ
struct Huber {
  static constexpr const char* name = "huber";
  static constexpr bool takes_logits = false, takes_labels = false, classifies = false;
  static constexpr Targets targets = Targets::any;
  static constexpr int degree = 2;
  static constexpr const char* no_series = "its second derivative jumps where |y - t| = delta";
  static constexpr ParameterList parameters{{"delta"}, {1.0}};
  static constexpr bool parameters_have_unit = true;

  template <class T>
  static Index rows(const LossRows<T>& a) {
    for (Index r = a.begin; r < a.end; ++r) {
      Line<T> sums = Line<T>::Zero();
      a.for_each_panel(r, [&](auto y, auto t, const Line<T>& real, Index panel) {
        const auto delta = a.parameter(0, panel);
        const Line<T> d = (y - t) * real;
        const Line<T> slope = smaller(larger(d, -delta), delta);
        a.add(sums, slope * (d - slope / T(2)), panel); // both have the sign of d
        t = a.scale[r] * slope;
      });
      a.row_loss[r] = sums.sum();
    }
    return 0;
  }

  // ∂²l/∂y² = 1 where |y - t| <= δ, else 0
  template <class T>
  static void second(const LossRows<T>& a, Panels<const T> RY, Panels<T> RdY) {
    constexpr Index p = panel_width<T>;
    for (Index r = a.begin; r < a.end; ++r)
      for (Index c = 0; c < panel_count<T>(a.K); ++c)
        for (Index j = 0; j < p; ++j) {
          const T d = a.Y.at(r, c)[j] - a.dY.at(r, c)[j];
          const T delta = a.parameter(0, c)[j];
          RdY.at(r, c)[j] = std::abs(d) <= delta ? a.scale[r] * RY.at(r, c)[j] : T(0);
        }
  }
};

} // namespace eigenmlp
