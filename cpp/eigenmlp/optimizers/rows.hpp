// What an optimizer is given: a run of weights (or biases) with the gradient that was just summed.
#pragma once

#include <array>

#include "eigenmlp/kernel/types.hpp"

namespace eigenmlp {

inline constexpr int most_hyper = 8;
inline constexpr int most_states = 3;
inline constexpr int most_numbers = 8;

// What an optimizer makes of its hyperparameters, the learning rate and the update's number, once
// an update: `numbers(hyper, lr, t)`, with t from 1. In double, for 1 - βᵗ is lost in float32.
using Numbers = std::array<double, most_numbers>;

template <class T>
struct UpdateRows {
  T* W;                              // weights or biases
  const T* G;                        // their gradient
  std::array<T*, most_states> state; // the optimizer's memory, laid out like W
  Index n;
  bool decays;      // weights do, biases do not
  const T* numbers; // the optimizer's, rounded
};

} // namespace eigenmlp
