// Losses: value, derivatives and Taylor series of whole rows. A new one is a file in losses/ and a
// line in the table below; its twin is reference/losses/NAME.py.
#pragma once

#include "eigenmlp/activations/activation.hpp"
#include "eigenmlp/losses/absolute_error.hpp"
#include "eigenmlp/losses/half_squared_error.hpp"
#include "eigenmlp/losses/huber.hpp"
#include "eigenmlp/losses/poisson.hpp"
#include "eigenmlp/losses/quantile.hpp"
#include "eigenmlp/losses/sigmoid_cross_entropy.hpp"
#include "eigenmlp/losses/softmax_cross_entropy.hpp"
#include "eigenmlp/losses/squared_error.hpp"

namespace eigenmlp {

template <class T>
struct Loss {
  const char* name;
  Index (*rows)(const LossRows<T>&); // returns how many rows were classified right
  // The same of labels for a row of each of p networks, to the same bits, where it suits K outputs
  // and these parameters; null where a loss has none.
  void (*lanes)(const LossLanes<T>&);
  bool (*suits_lanes)(Index K, const T* parameters);
  // RdY = scale · the derivative of ∂l/∂Y along RY; before `rows` turns the targets in dY into it.
  void (*second)(const LossRows<T>&, Panels<const T> RY, Panels<T> RdY);
  // The Taylor coefficients of each row's loss; null where there are none, and then `no_series`
  // says why.
  void (*taylor)(const LossSeries<T>&);
  const char* no_series;
  bool takes_logits; // brings its own output activation
  bool takes_labels; // integer labels (N,) as well as targets (N, K)
  bool classifies;
  Targets targets;
  ParameterList parameters;
  // l(c y, c t) = c^degree l(y, t), where its parameters, if they have the outputs' unit, are
  // multiplied too; 0: outputs have no unit.
  int degree;
  bool parameters_have_unit;
};

namespace detail {
template <class T, class L>
constexpr auto loss_series() -> void (*)(const LossSeries<T>&) {
  if constexpr (requires { L::no_series; })
    return nullptr;
  else
    return &L::template taylor<T>;
}

template <class T, class L>
constexpr auto lanes_of() -> void (*)(const LossLanes<T>&) {
  if constexpr (requires { &L::template lanes<T>; })
    return &L::template lanes<T>;
  else
    return nullptr;
}
template <class T, class L>
constexpr auto suits_lanes_of() -> bool (*)(Index, const T*) {
  if constexpr (requires { &L::template lanes<T>; })
    return &L::template suits_lanes<T>;
  else
    return nullptr;
}

template <class L>
constexpr int degree_of() {
  if constexpr (requires { L::degree; })
    return L::degree;
  else
    return 0;
}
template <class T, class L>
constexpr Loss<T> loss_entry() {
  return {L::name,
          &L::template rows<T>,
          lanes_of<T, L>(),
          suits_lanes_of<T, L>(),
          &L::template second<T>,
          loss_series<T, L>(),
          why_no_series<L>(),
          L::takes_logits,
          L::takes_labels,
          L::classifies,
          L::targets,
          parameters_of<L>(),
          degree_of<L>(),
          requires { L::parameters_have_unit; }};
}
} // namespace detail

template <class T>
inline constexpr std::array loss_table = {
    detail::loss_entry<T, SoftmaxCrossEntropy>(),
    detail::loss_entry<T, SigmoidCrossEntropy>(),
    detail::loss_entry<T, SquaredError>(),
    detail::loss_entry<T, HalfSquaredError>(),
    detail::loss_entry<T, AbsoluteError>(),
    detail::loss_entry<T, Huber>(),
    detail::loss_entry<T, Quantile>(),
    detail::loss_entry<T, Poisson>(),
};

} // namespace eigenmlp
