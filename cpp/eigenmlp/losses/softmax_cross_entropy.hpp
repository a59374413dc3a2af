#pragma once

#include <cmath>
#include <limits>

#include "eigenmlp/activations/softmax.hpp"
#include "eigenmlp/kernel/extremes.hpp"
#include "eigenmlp/losses/rows.hpp"
#include "eigenmlp/names/choice.hpp"

namespace eigenmlp {

// From logits:  l = log Σ exp(z) - Σₖ t z,  ∂l/∂z = p - t  with  p = softmax(z);
// t is a row of probabilities, or 1 at the row's label and 0 elsewhere; label smoothing ε makes it
// (1 - ε) t + ε / K.
struct SoftmaxCrossEntropy {
  static constexpr const char* name = "softmax_cross_entropy";
  static constexpr bool takes_logits = true, takes_labels = true, classifies = true;
  static constexpr ParameterList parameters{{"label_smoothing"}, {0.0}};
  static constexpr Targets targets = Targets::distributions;

  template <class T>
  static Index rows(const LossRows<T>& a) {
    const T smoothing = a.parameters[0];
    if (a.labels && smoothing == T(0)) return with_labels(a);
    if (smoothing != T(0)) smooth(a, smoothing);
    return with_probabilities(a);
  }

  // The derivative of ∂l/∂z along RY: Σₖ t · p ⊙ (RY - Σ p RY)
  template <class T>
  static void second(const LossRows<T>& a, Panels<const T> RY, Panels<T> RdY) {
    const Index panels = panel_count<T>(a.K);
    for (Index r = a.begin; r < a.end; ++r) {
      const T sum =
          Softmax::exponentials(a.Y.at(r, 0), a.Y.panel, RdY.at(r, 0), RdY.panel, panels).second;
      Line<T> dots = Line<T>::Zero(), totals = Line<T>::Zero();
      for (Index c = 0; c < panels; ++c) {
        auto P = line(RdY.at(r, c));
        P /= sum;
        dots += P * line(RY.at(r, c));
        if (!a.labels) totals += line(a.dY.at(r, c));
      }
      const T dot = dots.sum(), total = a.labels ? T(1) : totals.sum();
      const T scale = (total + a.parameters[0] * (T(1) - total)) * a.scale[r];
      for (Index c = 0; c < panels; ++c) {
        auto P = line(RdY.at(r, c));
        P *= scale * (line(RY.at(r, c)) - dot);
      }
    }
  }

  // l = log Σ exp(z) Σₖ t - Σₖ t z, and with s = Σ exp(z):  s (log s)' = s'
  template <class T>
  static void taylor(const LossSeries<T>& a) {
    const Index panels = panel_count<T>(a.K);
    const T smoothing = a.parameters[0];
    T* s = a.sums;
    for (Index r = 0; r < a.rows; ++r) {
      const T max = Softmax::row_maximum(a.Y.panels.at(r, 0), a.Y.panels.panel, panels);
      Softmax::exponential_series(a.Y, r, a.K, a.order, max, s,
                                  [&](Index) { return a.scratch[0]; });
      T* loss = a.loss + r * (a.order + 1);
      loss[0] = std::log(s[0]);
      for (Index k = 1; k <= a.order; ++k) {
        T rest = static_cast<T>(k) * s[k];
        for (Index j = 1; j < k; ++j) rest -= static_cast<T>(j) * loss[j] * s[k - j];
        loss[k] = rest / (static_cast<T>(k) * s[0]);
      }
      const auto given = [&](Index c) -> Line<T> {
        if (!a.labels) return line(a.targets.at(r, c));
        const Index j = static_cast<Index>(a.labels[r]) - c * panel_width<T>;
        return j >= 0 && j < panel_width<T> ? line(one_hot<T>[j]) : Line<T>(Line<T>::Zero());
      };
      const auto target = [&](Index c) {
        Line<T> t = given(c);
        for (Index j = 0;
             smoothing != T(0) && j < std::min(panel_width<T>, a.K - c * panel_width<T>); ++j)
          t[j] = smoothed(t[j], smoothing, a.K);
        return t;
      };
      T total = 0;
      for (Index c = 0; c < panels; ++c) total += target(c).sum();
      for (Index k = 0; k <= a.order; ++k) loss[k] *= total;
      for (Index c = 0; c < panels; ++c) {
        const Series<T> z = a.Y.at(r, c);
        const Line<T> t = target(c);
        // Padding logits are so low that max is infinitely above them.
        const Line<T> shifted = larger(z[0] - max, std::numeric_limits<T>::lowest());
        loss[0] -= (t * shifted).sum();
        for (Index k = 1; k <= a.order; ++k) loss[k] -= (t * z[k]).sum();
      }
    }
  }

  // Rows of p networks, where that is what `rows` does too.
  template <class T>
  static bool suits_lanes(Index K, const T* parameters) {
    return panel_count<T>(K) <= few_panels && parameters[0] == T(0);
  }
  template <class T>
  static void lanes(const LossLanes<T>& a) {
    few_labels(a);
  }

private:
  template <class T>
  static T smoothed(T t, T smoothing, Index K) {
    return (T(1) - smoothing) * t + smoothing / static_cast<T>(K);
  }

  // dY ← (1 - ε) t + ε / K
  template <class T>
  static void smooth(const LossRows<T>& a, T smoothing) {
    constexpr Index p = panel_width<T>;
    for (Index r = a.begin; r < a.end; ++r) {
      if (a.labels) {
        for (Index c = 0; c < panel_count<T>(a.K); ++c) line(a.dY.at(r, c)) = T(0);
        const Index label = static_cast<Index>(a.labels[r]);
        a.dY.at(r, label / p)[label % p] = T(1);
      }
      a.for_each_panel(r, [&](auto, auto t, const Line<T>& real, Index) {
        for (Index j = 0; j < p; ++j) t[j] = smoothed(t[j], smoothing, a.K) * real[j];
      });
    }
  }

  template <class T>
  static Index with_labels(const LossRows<T>& a) {
    constexpr Index p = panel_width<T>;
    const Index panels = panel_count<T>(a.K);
    if (panels <= few_panels) return with_few_labels(a);
    Index correct = 0;
    // p rows at a time, so that their logarithms are one operation.
    for (Index first = a.begin; first < a.end; first += p) {
      const Index last = std::min(first + p, a.end);
      Line<T> sums = Line<T>::Ones(), shifts = Line<T>::Zero();
      for (Index r = first; r < last; ++r) {
        const Index label = static_cast<Index>(a.labels[r]);
        const auto [max, sum] =
            Softmax::exponentials(a.Y.at(r, 0), a.Y.panel, a.dY.at(r, 0), a.dY.panel, panels);
        const T z = a.Y.at(r, label / p)[label % p];
        sums[r - first] = sum;
        shifts[r - first] = max - z;
        const T scale = a.scale[r], over_sum = T(1) / sum;
        for (Index c = 0; c < panels; ++c) {
          auto dY = line(a.dY.at(r, c));
          if (c == label / p)
            dY = (dY * over_sum - line(one_hot<T>[label % p])) * scale;
          else
            dY = dY * over_sum * scale;
        }
        correct += z == max && first_with(a, r, max) == label;
      }
      const Line<T> losses = sums.log() + shifts;
      for (Index r = first; r < last; ++r) a.row_loss[r] = losses[r - first];
    }
    return correct;
  }

  // Few classes: p rows at a time, turned so that a line holds a class of p rows and nothing is
  // added up across a line (64-50-10: a step takes 8 % less).
  static constexpr Index few_panels = 2;
  template <class T>
  static Index with_few_labels(const LossRows<T>& a) {
    constexpr Index p = panel_width<T>, most_classes = few_panels * p;
    alignas(cache_line) T Z[most_classes * p], E[most_classes * p]; // [class][row]
    Index correct = 0;
    for (Index first = a.begin; first < a.end; first += p) {
      const Index count = std::min(p, a.end - first);
      for (Index k = 0; k < a.K; k += p)
        transpose_block<T>(a.Y.at(first, k / p), count, Z + k * p, std::min(p, a.K - k));
      alignas(cache_line) T scale[p] = {}, label[p], losses[p], right[p] = {};
      std::fill_n(label, p, T(-2)); // no row's, and no class
      std::copy_n(a.scale + first, count, scale);
      for (Index i = 0; i < count; ++i) label[i] = static_cast<T>(a.labels[first + i]);
      few_labels<T>({a.K, Z, E, label, scale, losses, right});
      for (Index k = 0; k < a.K; k += p)
        transpose_block<T>(E + k * p, std::min(p, a.K - k), a.dY.at(first, k / p), count);
      std::copy_n(losses, count, a.row_loss + first);
      for (Index i = 0; i < p; ++i) correct += right[i] != T(0);
    }
    return correct;
  }

  template <class T>
  static EIGEN_DONT_INLINE void few_labels(const LossLanes<T>& a) {
    constexpr Index p = panel_width<T>;
    alignas(cache_line) T z[p] = {}, best[p];
    std::fill_n(best, p, T(-1));
    const T *const label = a.labels, *const scale = a.scale;
    Line<T> max = line(a.Y);
    for (Index k = 1; k < a.K; ++k) max = larger(max, line(a.Y + k * p));
    Line<T> sum = Line<T>::Zero();
    for (Index k = a.K - 1; k >= 0; --k) {
      const T* const z_k = a.Y + k * p;
      const T number = static_cast<T>(k);
#pragma omp simd
      for (Index i = 0; i < p; ++i) {
        best[i] = z_k[i] == max[i] ? number : best[i];
        z[i] = label[i] == number ? z_k[i] : z[i];
      }
      auto e = line(a.dY + k * p);
      e = (line(z_k) - max).exp();
      sum += e;
    }
    line(a.loss) = sum.log() + (max - line(static_cast<const T*>(z)));
    const Line<T> factor = line(scale) / sum;
    for (Index k = 0; k < a.K; ++k) {
      T* const e = a.dY + k * p;
      const T number = static_cast<T>(k);
#pragma omp simd
      for (Index i = 0; i < p; ++i)
        e[i] = e[i] * factor[i] - (label[i] == number ? scale[i] : T(0));
    }
#pragma omp simd
    for (Index i = 0; i < p; ++i) a.right[i] += best[i] == label[i] ? T(1) : T(0);
  }

  template <class T>
  static Index with_probabilities(const LossRows<T>& a) {
    constexpr Index p = panel_width<T>;
    Index correct = 0;
    alignas(cache_line) T exponentials[p];
    for (Index r = a.begin; r < a.end; ++r) {
      // Σₖ t first: rows of probabilities add up to 1 only to rounding.
      T total = 0, most = -1;
      Index likeliest = 0;
      for (Index k = 0; k < a.K; ++k) {
        const T t = a.dY.at(r, k / p)[k % p];
        total += t;
        if (t > most) most = t, likeliest = k;
      }
      const auto [max, sum] =
          Softmax::exponentials(a.Y.at(r, 0), a.Y.panel, exponentials, 0, panel_count<T>(a.K));
      const T log_sum = std::log(sum);
      Line<T> sums = Line<T>::Zero();
      a.for_each_panel(r, [&, max = max](auto z, auto t, const Line<T>& real, Index) {
        const Line<T> shifted = larger(z - max, std::numeric_limits<T>::lowest());
        sums += t * shifted * real;
        t = (total * (shifted - log_sum).exp() - t) * a.scale[r] * real;
      });
      a.row_loss[r] = total * log_sum - sums.sum();
      correct += first_with(a, r, max) == likeliest;
    }
    return correct;
  }

  // Row j has 1 in column j.
  template <class T>
  struct OneHot {
    alignas(cache_line) T rows[panel_width<T>][panel_width<T>] = {};
    constexpr OneHot() {
      for (Index j = 0; j < panel_width<T>; ++j) rows[j][j] = T(1);
    }
    constexpr const T* operator[](Index j) const { return rows[j]; }
  };
  template <class T>
  static constexpr OneHot<T> one_hot{};

  // The first column whose logit is `value`.
  template <class T>
  static Index first_with(const LossRows<T>& a, Index r, T value) {
    for (Index k = 0; k < a.K; ++k)
      if (a.Y.at(r, k / panel_width<T>)[k % panel_width<T>] == value) return k;
    return -1;
  }
};

} // namespace eigenmlp
