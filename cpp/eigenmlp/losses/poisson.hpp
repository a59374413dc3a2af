#pragma once

#include "eigenmlp/losses/rows.hpp"

namespace eigenmlp {

// Counts t whose rate is exp(z):  l = Σₖ exp(z) - t z,  ∂l/∂z = exp(z) - t; log t! is left out
struct Poisson {
  static constexpr const char* name = "poisson";
  static constexpr bool takes_logits = true, takes_labels = false, classifies = false;
  static constexpr Targets targets = Targets::counts;

  template <class T>
  static Index rows(const LossRows<T>& a) {
    for (Index r = a.begin; r < a.end; ++r) {
      Line<T> sums = Line<T>::Zero();
      a.for_each_panel(r, [&](auto z, auto t, const Line<T>& real, Index) {
        const Line<T> e = rate<T>(z);
        sums += (e - t * z) * real;
        t = (e - t) * a.scale[r] * real;
      });
      a.row_loss[r] = sums.sum();
    }
    return 0;
  }

  // ∂²l/∂z² = exp(z)
  template <class T>
  static void second(const LossRows<T>& a, Panels<const T> RY, Panels<T> RdY) {
    for (Index r = a.begin; r < a.end; ++r)
      for (Index c = 0; c < panel_count<T>(a.K); ++c)
        line(RdY.at(r, c)) = rate<T>(line(a.Y.at(r, c))) * a.scale[r] * line(RY.at(r, c));
  }

  // The series of e = exp(z) solves e' = e z'.
  template <class T>
  static void taylor(const LossSeries<T>& a) {
    const Series<T>& E = a.scratch[0];
    a.for_each_panel([&](const Series<T>& z, auto t, const Line<T>& real, T* loss, Index) {
      E[0] = rate<T>(z[0]);
      for (Index k = 1; k <= a.order; ++k) E[k] = integral(E, z, k);
      for (Index k = 0; k <= a.order; ++k) loss[k] += ((E[k] - t * z[k]) * real).sum();
    });
  }

private:
  // Eigen's exp stops at the largest number; a square becomes infinite, as it should.
  template <class T>
  static Line<T> rate(const Line<T>& z) {
    return (z / T(2)).exp().square();
  }
};

} // namespace eigenmlp
