#pragma once

#include "eigenmlp/kernel/extremes.hpp"
#include "eigenmlp/kernel/series.hpp"

namespace eigenmlp {

// y = exp(z - max z) / Σ exp(z - max z), row by row; an output activation.
// Padding columns hold a very negative z (Network gives them such a bias), so their y is 0.
struct Softmax {
  static constexpr const char* name = "softmax";

  template <class T>
  static T row_maximum(const T* z, Index z_panel, Index panels) {
    Line<T> most = line(z);
    for (Index c = 1; c < panels; ++c) most = larger(most, line(z + c * z_panel));
    return most.template maxCoeff<Eigen::PropagateNaN>();
  }

  // e = exp(z - max z) of one row; returns max z and Σ e. A `e_panel` of 0 keeps the last panel
  // only.
  template <class T>
  static std::pair<T, T> exponentials(const T* z, Index z_panel, T* e, Index e_panel,
                                      Index panels) {
    const T max = row_maximum(z, z_panel, panels);
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
    if (panels == 1) return value_of_few(Y, columns, begin, end);
    for (Index r = begin; r < end; ++r) {
      const T sum = exponentials(Y.at(r, 0), Y.panel, Y.at(r, 0), Y.panel, panels).second;
      for (Index c = 0; c < panels; ++c) line(Y.at(r, c)) *= T(1) / sum;
    }
  }

  // One panel of columns: p rows at a time, turned so that a line holds a column of p rows and
  // nothing is added up across a line.
  template <class T>
  static void value_of_few(Panels<T> Y, Index columns, Index begin, Index end) {
    constexpr Index p = panel_width<T>;
    alignas(cache_line) T E[p * p]; // [column][row]
    for (Index first = begin; first < end; first += p) {
      const Index count = std::min(p, end - first);
      transpose_block<T>(Y.at(first, 0), count, E, columns);
      Line<T> max = line(E), sum = Line<T>::Zero();
      for (Index k = 1; k < columns; ++k) max = larger(max, line(E + k * p));
      for (Index k = 0; k < columns; ++k) {
        line(E + k * p) = (line(E + k * p) - max).exp();
        sum += line(E + k * p);
      }
      for (Index k = 0; k < columns; ++k) line(E + k * p) /= sum;
      transpose_block<T>(E, columns, Y.at(first, 0), count);
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

  // dZ as above and its derivative RdZ along a direction in which Y moves by RY and dY by RdY:
  // RdZ = Ry ⊙ (dY - Σ dY y) + y ⊙ (RdY - Σ (RdY y + dY Ry)).
  template <class T>
  static void backward_tangent(Panels<T> dY, Panels<T> RdY, Panels<const T> Y, Panels<const T> RY,
                               Index columns, Index begin, Index end) {
    const Index panels = panel_count<T>(columns);
    for (Index r = begin; r < end; ++r) {
      Line<T> sums = Line<T>::Zero(), tangent_sums = Line<T>::Zero();
      for (Index c = 0; c < panels; ++c) {
        const auto y = line(Y.at(r, c)), Ry = line(RY.at(r, c));
        const auto g = line(dY.at(r, c)), Rg = line(RdY.at(r, c));
        sums += g * y;
        tangent_sums += Rg * y + g * Ry;
      }
      const T dot = sums.sum(), tangent_dot = tangent_sums.sum();
      for (Index c = 0; c < panels; ++c) {
        const auto y = line(Y.at(r, c)), Ry = line(RY.at(r, c));
        auto g = line(dY.at(r, c)), Rg = line(RdY.at(r, c));
        Rg = Ry * (g - dot) + y * (Rg - tangent_dot);
        g = y * (g - dot);
      }
    }
  }

  // E = exp(z - max z₀) as a series, panel after panel: body(c, E) when a panel's is complete.
  // The sums over the row are put into `sums`, one a coefficient.
  template <class T, class Body>
  static void exponential_series(const SeriesPanels<T>& Z, Index row, Index columns, Index order,
                                 T max, T* sums, Body&& body) {
    std::fill_n(sums, order + 1, T(0));
    for (Index c = 0; c < panel_count<T>(columns); ++c) {
      const Series<T> z = Z.at(row, c), E = body(c);
      E[0] = (z[0] - max).exp();
      for (Index k = 1; k <= order; ++k) E[k] = integral(E, z, k);
      for (Index k = 0; k <= order; ++k) sums[k] += E[k].sum();
    }
  }

  // y Σ e = e, solved for y coefficient by coefficient.
  template <class T>
  static void taylor(const SeriesPanels<T>& Z, const SeriesPanels<T>& Y, Index columns, Index order,
                     Index rows, T* sums) {
    for (Index r = 0; r < rows; ++r) {
      const T max = row_maximum(Z.panels.at(r, 0), Z.panels.panel, panel_count<T>(columns));
      exponential_series(Z, r, columns, order, max, sums, [&](Index c) { return Y.at(r, c); });
      for (Index c = 0; c < panel_count<T>(columns); ++c) {
        const Series<T> y = Y.at(r, c);
        for (Index k = 0; k <= order; ++k) {
          Line<T> rest = y[k];
          for (Index j = 1; j <= k; ++j) rest -= sums[j] * y[k - j];
          y[k] = rest / sums[0];
        }
      }
    }
  }
};

} // namespace eigenmlp
