// Inputs and outputs in the user's own units, which the layers do not see:
//
//   Y0 = (X − m) · s,   Y = YL · a + b        m, s (D,);  a, b (K,), a > 0
//
// Losses of values are computed from YL and (T − b) / a, so that targets of 10⁶ ± 1 keep their
// digits, and weighed output by output:  l(Y, T) = Σₖ aₖ^degree l(YL, (T − b) / a).  An optimizer
// is given the derivative without those weights, as if the user had scaled the targets: a learning
// rate means the same in every unit.
#pragma once

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "eigenmlp/losses/loss.hpp"

namespace eigenmlp {

// As the user gives them: each empty (none), or a number for every column.
struct UnitValues {
  std::vector<double> input_shift, input_scale, output_shift, output_scale;
};

template <class T>
class Units {
public:
  explicit Units(T input_scale) : factor_(input_scale) {}

  // Throws unless the values are those of D inputs, and of K outputs whose loss is of values.
  [[gnu::cold]] Units(const UnitValues& values, Index D, Index K, const Loss<T>& loss) {
    const auto& [m, s, b, a] = values;
    for (const auto* given : {&m, &s})
      if (!given->empty() && static_cast<Index>(given->size()) != D)
        throw std::invalid_argument("units: expected a number for each input");
    for (const auto* given : {&b, &a})
      if (!given->empty() && static_cast<Index>(given->size()) != K)
        throw std::invalid_argument("units: expected a number for each output");
    const auto itself = [](double x) { return x; };
    zeros_.reset(panel_count<T>(std::max(D, K)) * panel_width<T>);
    if (!m.empty() || !s.empty()) {
      fill(m_, m, D, 0, itself);
      fill(s_, s, D, 1, itself);
      for (const double shift : m) keeps_zeros_ &= shift == 0;
    }
    if (b.empty() && a.empty()) return;
    if (loss.degree == 0) throw std::invalid_argument("units: expected none of these outputs");
    for (const double scale : a)
      if (!(scale > 0)) throw std::invalid_argument("units: expected output scales above 0");
    fill(b_, b, K, 0, itself);
    fill(added_, b, K, 0, itself);
    fill(a_, a, K, 1, itself);
    fill(inverse_, a, K, 1, [](double x) { return 1 / x; });
    const auto power = [&](double x) { return loss.degree == 2 ? x * x : x; };
    fill(weights_, a, K, 1, power);
    const double largest = a.empty() ? 1 : *std::max_element(a.begin(), a.end());
    const double top = std::ldexp(1.0, std::ilogb(largest));
    fill(shares_, a, K, 1, [&](double x) { return power(x / top); });
    loss_unit_ = power(top);
  }

  Scaling<T> inputs() const { return {factor_, m_.data(), s_.data()}; }
  // Of a direction in which inputs move.
  Scaling<T> input_slopes() const { return {factor_, zeros(s_), s_.data()}; }
  // Of targets into the layers' unit, and of derivatives by outputs out of it.
  Scaling<T> targets() const { return {T(1), b_.data(), inverse_.data()}; }
  Scaling<T> output_slopes() const { return {T(1), zeros(a_), a_.data()}; }
  // Rows of K numbers in panels, or null: no unit.
  const T* a() const { return a_.data(); }
  const T* b() const { return added_.data(); }
  const T* weights() const { return weights_.data(); }
  // The same for sums of losses, which T could not hold: weights = shares · loss_unit, a power
  // of 2.
  const T* shares() const { return shares_.data(); }
  double loss_unit() const { return loss_unit_; }
  // Whether inputs that are 0 stay 0, as the zeros of sparse rows must.
  bool keeps_zeros() const { return keeps_zeros_; }

private:
  const double* zeros(const Buffer<T>& scale) const {
    return scale.data() ? zeros_.data() : nullptr;
  }
  // Padding is `none`, as every column is where nothing was given.
  template <class U, class Function>
  static void fill(Buffer<U>& to, const std::vector<double>& given, Index columns, double none,
                   Function&& f) {
    to.reset(panel_count<T>(columns) * panel_width<T>);
    std::fill_n(to.data(), to.size(), static_cast<U>(none));
    for (std::size_t i = 0; i < given.size(); ++i) to.data()[i] = static_cast<U>(f(given[i]));
  }

  T factor_ = T(1);
  double loss_unit_ = 1;
  bool keeps_zeros_ = true;
  Buffer<double> zeros_, m_, b_;
  Buffer<T> s_, a_, added_, inverse_, weights_, shares_;
};

} // namespace eigenmlp
