// Activations: value and derivative on runs of panel rows. A new one is a file in activations/ and
// a line in the table below; its twin is reference/activations/NAME.py.
#pragma once

#include <array>
#include <stdexcept>
#include <string>

#include "eigenmlp/activations/identity.hpp"
#include "eigenmlp/activations/leaky_relu.hpp"
#include "eigenmlp/activations/relu.hpp"
#include "eigenmlp/activations/sigmoid.hpp"
#include "eigenmlp/activations/softmax.hpp"
#include "eigenmlp/activations/tanh.hpp"

namespace eigenmlp {

template <class T>
struct Activation {
  const char* name;
  // Y holds Z = X W + b and becomes f(Z); `Z` keeps a copy of Z if the derivative needs it.
  void (*value)(T* Y, T* Z, Index n);
  // dY, the derivative by Y, becomes the derivative by Z: dY ⊙ f'(Z). Null: f'(z) = 1.
  void (*backward)(T* dY, const T* Y, const T* Z, Index n);
  bool needs_z;
  // Not element by element but over a whole row, so only for outputs.
  bool is_softmax;
};

namespace detail {
template <class T, class F>
constexpr Activation<T> element_wise() {
  constexpr bool is_identity = std::is_same_v<F, Identity>;
  return {F::name,
          is_identity ? nullptr
                      : +[](T* Y, T* Z, Index n) {
                          if constexpr (F::needs_z) Run<T>(Z, n) = Run<T>(Y, n);
                          F::template value<T>(Run<T>(Y, n));
                        },
          is_identity ? nullptr
                      : +[](T* dY, const T* Y, const T* Z, Index n) {
                          F::template multiply_derivative<T>(Run<T>(dY, n), ConstRun<T>(Y, n),
                                                             ConstRun<T>(Z, F::needs_z ? n : 0));
                        },
          F::needs_z, false};
}
} // namespace detail

template <class T>
inline constexpr std::array activation_table = {
    detail::element_wise<T, Identity>(),
    detail::element_wise<T, Relu>(),
    detail::element_wise<T, LeakyRelu>(),
    detail::element_wise<T, Sigmoid>(),
    detail::element_wise<T, Tanh>(),
    Activation<T>{Softmax::name, nullptr, nullptr, false, true},
};

// The entry of a table that has this name.
template <class Table>
const auto& find_by_name(const Table& table, const std::string& name, const char* what) {
  std::string known;
  for (const auto& entry : table) {
    if (name == entry.name) return entry;
    known += std::string(known.empty() ? "" : ", ") + entry.name;
  }
  throw std::invalid_argument(std::string("unknown ") + what + " '" + name + "'; known: " + known);
}

} // namespace eigenmlp
