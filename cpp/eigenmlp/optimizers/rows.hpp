// What an optimizer is given: a run of weights (or biases) with the gradient that was just summed.
#pragma once

#include <array>

#include "eigenmlp/types.hpp"

namespace eigenmlp {

inline constexpr int most_hyper = 8;
inline constexpr int most_states = 2;

template <class T>
struct UpdateRows {
  T* W;                              // weights or biases
  const T* G;                        // their gradient
  std::array<T*, most_states> state; // the optimizer's memory, laid out like W
  Index n;
  bool decays; // weights do, biases do not
  T lr;
  const T* hyper; // in the order of the optimizer's `hyper` names
};

} // namespace eigenmlp
