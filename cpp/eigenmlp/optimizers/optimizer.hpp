// Optimizers: a rule applied to a run of weights while their gradient is at hand. A new one is a
// file in optimizers/ and a line in the table below; its twin is reference/optimizers/NAME.py.
#pragma once

#include "eigenmlp/optimizers/adam.hpp"
#include "eigenmlp/optimizers/adamw.hpp"
#include "eigenmlp/optimizers/rmsprop.hpp"
#include "eigenmlp/optimizers/sgd.hpp"

namespace eigenmlp {

template <class T>
struct Optimizer {
  const char* name;
  void (*update)(const UpdateRows<T>&);
  Numbers (*numbers)(const double* hyper, double lr, double t);
  int (*states_used)(const double* hyper);
  bool (*rests)(const double* hyper); // a gradient of 0 leaves a weight and its states as they are
  std::array<const char*, most_hyper> hyper;  // names, null beyond the last
  std::array<const char*, most_states> state; // names, null beyond the last
};

namespace detail {
template <class T, class O>
constexpr Optimizer<T> optimizer_entry() {
  Optimizer<T> entry{O::name, &O::template update<T>, &O::numbers, &O::states_used, &O::rests, {},
                     {}};
  for (std::size_t i = 0; i < O::hyper.size(); ++i) entry.hyper[i] = O::hyper[i];
  for (std::size_t i = 0; i < O::state.size(); ++i) entry.state[i] = O::state[i];
  return entry;
}
} // namespace detail

template <class T>
inline constexpr std::array optimizer_table = {
    detail::optimizer_entry<T, Sgd>(),
    detail::optimizer_entry<T, Adam>(),
    detail::optimizer_entry<T, AdamW>(),
    detail::optimizer_entry<T, RmsProp>(),
};

} // namespace eigenmlp
