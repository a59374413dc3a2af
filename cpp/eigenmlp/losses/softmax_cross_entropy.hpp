#pragma once

#include "eigenmlp/activations/softmax.hpp"
#include "eigenmlp/losses/rows.hpp"

namespace eigenmlp {

// From logits:  l = log Σ exp(z) - Σₖ t z,  ∂l/∂z = p - t  with  p = softmax(z);
// t is a row of probabilities, or 1 at the row's label and 0 elsewhere.
struct SoftmaxCrossEntropy {
  static constexpr const char* name = "softmax_cross_entropy";
  static constexpr bool takes_logits = true, takes_labels = true, classifies = true;

  template <class T>
  static Index rows(const LossRows<T>& a) {
    return a.labels ? with_labels(a) : with_probabilities(a);
  }

private:
  template <class T>
  static Index with_labels(const LossRows<T>& a) {
    constexpr Index p = panel_width<T>;
    const Index panels = panel_count<T>(a.K);
    Index correct = 0;
    for (Index r = a.begin; r < a.end; ++r) {
      const Index label = static_cast<Index>(a.labels[r]);
      const auto [max, log_sum] =
          Softmax::row(a.Y.at(r, 0), a.Y.panel, a.dY.at(r, 0), a.dY.panel, panels);
      const T z = a.Y.at(r, label / p)[label % p];
      a.row_loss[r] = log_sum - (z - max);
      a.dY.at(r, label / p)[label % p] -= T(1);
      for (Index c = 0; c < panels; ++c) line(a.dY.at(r, c)) *= a.scale[r];
      correct += z == max && first_with(a, r, max) == label;
    }
    return correct;
  }

  template <class T>
  static Index with_probabilities(const LossRows<T>& a) {
    constexpr Index p = panel_width<T>;
    Index correct = 0;
    alignas(cache_line) T probabilities[p];
    for (Index r = a.begin; r < a.end; ++r) {
      // Σₖ t first: rows of probabilities add up to 1 only to rounding.
      T total = 0, most = -1;
      Index likeliest = 0;
      for (Index k = 0; k < a.K; ++k) {
        const T t = a.dY.at(r, k / p)[k % p];
        total += t;
        if (t > most) most = t, likeliest = k;
      }
      const auto [max, log_sum] = log_sum_exp(a, r, probabilities);
      Line<T> sums = Line<T>::Zero();
      a.for_each_panel(r, [&, max = max, log_sum = log_sum](auto z, auto t, const Line<T>& real) {
        const Line<T> shifted = z - max;
        sums += t * shifted * real;
        t = (total * (shifted - log_sum).exp() - t) * a.scale[r] * real;
      });
      a.row_loss[r] = total * log_sum - sums.sum();
      correct += first_with(a, r, max) == likeliest;
    }
    return correct;
  }

  template <class T>
  static std::pair<T, T> log_sum_exp(const LossRows<T>& a, Index r, T* scratch) {
    return Softmax::row(a.Y.at(r, 0), a.Y.panel, scratch, 0, panel_count<T>(a.K));
  }

  // The first column whose logit is `value`.
  template <class T>
  static Index first_with(const LossRows<T>& a, Index r, T value) {
    for (Index k = 0; k < a.K; ++k)
      if (a.Y.at(r, k / panel_width<T>)[k % panel_width<T>] == value) return k;
    return -1;
  }
};

} // namespace eigenmlp
