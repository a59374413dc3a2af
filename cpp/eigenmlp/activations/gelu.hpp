#pragma once

#include "eigenmlp/activations/gate.hpp"

namespace eigenmlp {

// f(z) = z P(z),  f'(z) = P(z) + z q(z)  with the normal distribution P, and its density q; exact,
// not the formula with tanh
struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr bool needs_z = true;

  template <class T>
  static void value(Run<T> Y) {
    gate_value<T>(Y, tail<T>);
  }
  template <class T>
  static void multiply_derivative(Run<T> dY, ConstRun<T>, ConstRun<T> Z) {
    gate_derivative<T>(dY, Z, tail<T>);
  }
  // f''(z) = q(z) (2 - z²)
  template <class T>
  static void multiply_second_derivative(Run<T> S, ConstRun<T>, ConstRun<T> Z) {
    for (Index i = 0; i < Z.size(); i += panel_width<T>) {
      const Line<T> a = line(Z.data() + i).abs();
      line(S.data() + i) *= density<T>(a) * (T(2) - a.square());
    }
  }
  // y = z P,  P' = q z',  q' = q w' with w = -z²/2
  template <class T>
  static void taylor(const SeriesRow<T>& s) {
    const Series<T>&Z = s.Z, &P = s.scratch[0], &Q = s.scratch[1], &W = s.scratch[2];
    const Line<T> a = Z[0].abs();
    const Line<T> lower = tail<T>(a).first;
    Q[0] = density<T>(a);
    for (Index j = 0; j < panel_width<T>; ++j)
      P[0][j] = Z[0][j] > T(0) ? T(1) - lower[j] : lower[j];
    for (Index k = 1; k <= s.order; ++k) {
      W[k] = T(-0.5) * product(Z, Z, k);
      Q[k] = integral(Q, W, k);
      P[k] = integral(Q, Z, k);
      s.Y[k] = product(Z, P, k);
    }
  }

private:
  // (1 + √2 a) exp(a²/2) Q(a) is close to 1/2 for every a >= 0, and smooth in t = (a - k) / (a + k)
  // (Shepherd and Laframboise 1981): the polynomials in t that meet it at the Chebyshev points.
  // They are off by 4e-8 (float) and 3e-17 (double), relatively.
  template <class T>
  static constexpr T k = std::is_same_v<T, float> ? T(3) : T(5);
  static constexpr std::array coefficients_float = {
      0.6370539697f,    -0.05101461506f, -0.07428025986f, 0.08301208261f,
      -0.03468095208f,  4.475612159e-4f, 4.643031324e-3f, -3.853002332e-4f,
      -7.346524186e-4f, 3.506070354e-5f, 9.367083417e-5f};
  static constexpr std::array coefficients_double = {
      0.620820926494837226,      -0.0700524136206178181,   -0.00419370817828272926,
      0.0476486613389361444,     -0.0571590489719736262,   0.0443988613290415559,
      -0.0251785548358220219,    0.0102088513895997164,    -0.00246126513065931007,
      -0.0000446002807427233856, 0.000282889282460893738,  -0.0000762108623667767422,
      -0.0000167473264585896737, 0.0000133389000927441846, 1.79952580213723174e-7,
      -1.9503310776268202e-6,    1.49206939511225518e-7,   2.94432197507459326e-7,
      -3.29192039759859717e-8,   -4.66246431623633017e-8,  4.5467610081195099e-9,
      6.69414402057306991e-9,    -3.47300459903739326e-10, -5.90685449566643654e-10};

  template <class T>
  static constexpr auto coefficients() {
    if constexpr (std::is_same_v<T, float>)
      return coefficients_float;
    else
      return coefficients_double;
  }

  template <class T>
  static Line<T> density(const Line<T>& z) {
    return (z.square() * T(-0.5)).exp() * T(0.39894228040143267794);
  }

  template <class T>
  static std::pair<Line<T>, Line<T>> tail(const Line<T>& a) {
    constexpr auto c = coefficients<T>();
    const Line<T> t = (a - k<T>) / (a + k<T>);
    Line<T> sum = Line<T>::Constant(c.back());
    for (std::size_t i = c.size() - 1; i-- > 0;) sum = sum * t + c[i];
    const Line<T> e = (a.square() * T(-0.5)).exp();
    return {e * sum / (T(1) + T(1.4142135623730950488) * a), e * T(0.39894228040143267794)};
  }
};

} // namespace eigenmlp
