#pragma once

#include "eigenmlp/kernel/extremes.hpp"
#include "eigenmlp/losses/rows.hpp"

namespace eigenmlp {

// From logits:  l = Σₖ max(z, 0) - z t + log(1 + exp(-|z|)),  ∂l/∂z = 1 / (1 + exp(-z)) - t
struct SigmoidCrossEntropy {
  static constexpr const char* name = "sigmoid_cross_entropy";
  static constexpr bool takes_logits = true, takes_labels = false, classifies = true;
  static constexpr Targets targets = Targets::probabilities;

  // A row is right when every z > 0 goes with t > 1/2.
  template <class T>
  static Index rows(const LossRows<T>& a) {
    Index correct = 0;
    for (Index r = a.begin; r < a.end; ++r) {
      Line<T> sums = Line<T>::Zero();
      bool right = true;
      for (Index k = 0; k < a.K; ++k) {
        const Index c = k / panel_width<T>, j = k % panel_width<T>;
        right &= (a.Y.at(r, c)[j] > T(0)) == (a.dY.at(r, c)[j] > T(0.5));
      }
      a.for_each_panel(r, [&](auto z, auto t, const Line<T>& real, Index) {
        const Line<T> e = (-z.abs()).exp();
        sums += (larger(z, T(0)) - z * t + e.log1p()) * real;
        t = (T(1) / (T(1) + (-z).exp()) - t) * a.scale[r] * real;
      });
      a.row_loss[r] = sums.sum();
      correct += right;
    }
    return correct;
  }

  // ∂²l/∂z² = p (1 - p) = e / (1 + e)² with e = exp(-|z|)
  template <class T>
  static void second(const LossRows<T>& a, Panels<const T> RY, Panels<T> RdY) {
    for (Index r = a.begin; r < a.end; ++r)
      for (Index c = 0; c < panel_count<T>(a.K); ++c) {
        const Line<T> e = (-line(a.Y.at(r, c)).abs()).exp();
        line(RdY.at(r, c)) = e / (T(1) + e).square() * a.scale[r] * line(RY.at(r, c));
      }
  }

  // l' = (p - t) z'  and  p' = p (1 - p) z'
  template <class T>
  static void taylor(const LossSeries<T>& a) {
    const Series<T>&P = a.scratch[0], &G = a.scratch[1];
    a.for_each_panel([&](const Series<T>& z, auto t, const Line<T>& real, T* loss, Index) {
      const Line<T> e = (-z[0].abs()).exp();
      loss[0] += ((larger(z[0], T(0)) - z[0] * t + e.log1p()) * real).sum();
      logistic_coefficient(z, P, G, 0);
      for (Index k = 1; k <= a.order; ++k) {
        loss[k] += ((integral(P, z, k) - t * z[k]) * real).sum();
        logistic_coefficient(z, P, G, k);
      }
    });
  }
};

} // namespace eigenmlp
