// Activations: value, derivatives and Taylor series on runs of panel rows. A new one is a file in
// activations/ and a line in the table below; its twin is reference/activations/NAME.py.
#pragma once

#include <array>
#include <stdexcept>
#include <string>

#include "eigenmlp/activations/elu.hpp"
#include "eigenmlp/activations/gelu.hpp"
#include "eigenmlp/activations/identity.hpp"
#include "eigenmlp/activations/leaky_relu.hpp"
#include "eigenmlp/activations/relu.hpp"
#include "eigenmlp/activations/sigmoid.hpp"
#include "eigenmlp/activations/silu.hpp"
#include "eigenmlp/activations/softmax.hpp"
#include "eigenmlp/activations/softplus.hpp"
#include "eigenmlp/activations/tanh.hpp"
#include "eigenmlp/names/choice.hpp"

namespace eigenmlp {

template <class T>
struct Activation {
  const char* name;
  // Y holds Z = X W + b and becomes f(Z); `Z` keeps a copy of Z if the derivative needs it, unless
  // it is null.
  void (*value)(T* Y, T* Z, Index n, const T* parameters);
  // dY, the derivative by Y, becomes the derivative by Z: dY ⊙ f'(Z). Null: f'(z) = 1.
  void (*backward)(T* dY, const T* Y, const T* Z, Index n, const T* parameters);
  // S becomes S ⊙ f''(Z), with f'' = 0 where f' jumps. Null: f''(z) = 0.
  void (*second)(T* S, const T* Y, const T* Z, Index n, const T* parameters);
  // The Taylor coefficients of f(Z) from those of Z, but for the first; null where there are none,
  // and then `no_series` says why.
  void (*taylor)(const SeriesRow<T>& s);
  const char* no_series;
  ParameterList parameters;
  bool needs_z;
  // Not element by element but over a whole row, so only for outputs.
  bool is_softmax;
};

namespace detail {
// A file's functions take its parameters last, if it has any.
template <class T, class F>
void activation_value(T* Y, T* Z, Index n, const T* parameters) {
  if (F::needs_z && Z) Run<T>(Z, n) = Run<T>(Y, n);
  if constexpr (has_parameters<F>)
    F::template value<T>(Run<T>(Y, n), parameters);
  else
    F::template value<T>(Run<T>(Y, n));
}
template <class T, class F>
void activation_backward(T* dY, const T* Y, const T* Z, Index n, const T* parameters) {
  const ConstRun<T> z(Z, F::needs_z ? n : 0);
  if constexpr (has_parameters<F>)
    F::template multiply_derivative<T>(Run<T>(dY, n), ConstRun<T>(Y, n), z, parameters);
  else
    F::template multiply_derivative<T>(Run<T>(dY, n), ConstRun<T>(Y, n), z);
}

template <class T, class F>
void activation_second(T* S, const T* Y, const T* Z, Index n, const T* parameters) {
  const ConstRun<T> z(Z, F::needs_z ? n : 0);
  if constexpr (has_parameters<F>)
    F::template multiply_second_derivative<T>(Run<T>(S, n), ConstRun<T>(Y, n), z, parameters);
  else
    F::template multiply_second_derivative<T>(Run<T>(S, n), ConstRun<T>(Y, n), z);
}

// The parts of an entry that say what its Taylor series is, or why it has none.
template <class T, class F>
constexpr auto series_of() -> void (*)(const SeriesRow<T>&) {
  if constexpr (requires { F::no_series; })
    return nullptr;
  else
    return &F::template taylor<T>;
}
template <class F>
constexpr const char* why_no_series() {
  if constexpr (requires { F::no_series; })
    return F::no_series;
  else
    return nullptr;
}

template <class T, class F>
constexpr Activation<T> element_wise() {
  constexpr bool is_identity = std::is_same_v<F, Identity>;
  return {F::name,
          is_identity ? nullptr : &activation_value<T, F>,
          is_identity ? nullptr : &activation_backward<T, F>,
          is_identity ? nullptr : &activation_second<T, F>,
          series_of<T, F>(),
          why_no_series<F>(),
          parameters_of<F>(),
          F::needs_z,
          false};
}
} // namespace detail

template <class T>
inline constexpr std::array activation_table = {
    detail::element_wise<T, Identity>(),
    detail::element_wise<T, Relu>(),
    detail::element_wise<T, LeakyRelu>(),
    detail::element_wise<T, Sigmoid>(),
    detail::element_wise<T, Tanh>(),
    detail::element_wise<T, Softplus>(),
    detail::element_wise<T, Elu>(),
    detail::element_wise<T, Gelu>(),
    detail::element_wise<T, Silu>(),
    Activation<T>{Softmax::name, nullptr, nullptr, nullptr, nullptr, nullptr, {}, false, true},
};

[[noreturn, gnu::cold]] inline void refuse_name(const char* what, const std::string& name,
                                                const std::string& known) {
  throw std::invalid_argument(std::string("unknown ") + what + " '" + name + "'; known: " + known);
}

// The entry of a table that has this name.
template <class Table>
[[gnu::cold]] const auto& find_by_name(const Table& table, const std::string& name,
                                       const char* what) {
  for (const auto& entry : table)
    if (name == entry.name) return entry;
  std::string known;
  for (const auto& entry : table) known.append(known.empty() ? "" : ", ").append(entry.name);
  refuse_name(what, name, known);
}

} // namespace eigenmlp
