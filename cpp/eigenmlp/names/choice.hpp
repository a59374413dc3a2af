// A name with parameters, as users write them and model files keep them: "relu",
// "sigmoid(slope=2.0)", "quantile(q=[0.1, 0.9], reduction='sum')".
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#ifdef _WIN32
#include <charconv>
#else
#include <locale.h>
#include <stdlib.h>
#if __has_include(<xlocale.h>) // Apple, BSD
#include <xlocale.h>
#endif
#endif

#include "eigenmlp/kernel/types.hpp"

namespace eigenmlp {

struct Choice {
  std::string name;
  std::map<std::string, std::vector<double>> numbers; // a single number is a list of one
  std::map<std::string, std::string> words;
};

// The number at the start of `text`, which is removed from it; with a point in every locale. No
// streams: their locales fail once a process loads a second C++ library beside ours, as with
// SciPy's or Matplotlib's. std::from_chars brings 24 kB of tables into each variant.
[[gnu::cold]] inline bool take_number(std::string_view& text, double& number) {
#ifdef _WIN32
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
#else
  static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
  const std::string copy(text.substr(0, text.find_first_not_of("0123456789.eE+-")));
  char* end = nullptr;
  number = strtod_l(copy.c_str(), &end, plain);
  if (end == copy.c_str() || !std::isfinite(number)) return false;
  text.remove_prefix(static_cast<std::size_t>(end - copy.c_str()));
#endif
  return true;
}

[[gnu::cold]] inline Choice parse_choice(const std::string& text) {
  const std::size_t open = text.find('(');
  Choice choice{text.substr(0, open), {}, {}};
  if (open == std::string::npos) return choice;
  std::string_view left = std::string_view(text).substr(open + 1);
  const auto refuse_unless = [&](bool good) {
    if (!good) throw std::invalid_argument("expected NAME or NAME(KEY=VALUE, …), got " + text);
  };
  const auto skip_spaces = [&] {
    left.remove_prefix(std::min(left.find_first_not_of(' '), left.size()));
  };
  const auto take = [&](char wanted) { // whether it comes next
    skip_spaces();
    const bool is_next = !left.empty() && left.front() == wanted;
    if (is_next) left.remove_prefix(1);
    return is_next;
  };
  const auto take_until = [&](char end) {
    const std::size_t length = left.find(end);
    refuse_unless(length != std::string_view::npos);
    const std::string_view taken = left.substr(0, length);
    left.remove_prefix(length + 1);
    return std::string(taken);
  };
  do {
    skip_spaces();
    const std::string key = take_until('=');
    if (take('\'')) {
      choice.words[key] = take_until('\'');
      continue;
    }
    const bool list = take('[');
    do {
      double number = 0;
      skip_spaces();
      refuse_unless(take_number(left, number));
      choice.numbers[key].push_back(number);
    } while (list && take(','));
    refuse_unless(!list || take(']'));
  } while (take(','));
  refuse_unless(take(')'));
  return choice;
}

// The parameters that an activation or a loss declares: their names, null beyond the last, and
// the values of those that a choice leaves out.
inline constexpr int most_parameters = 2;
struct ParameterList {
  std::array<const char*, most_parameters> names{};
  std::array<double, most_parameters> defaults{};
};

template <class F>
concept has_parameters = requires { F::parameters; };

// F::parameters, or none if F declares none.
template <class F>
constexpr ParameterList parameters_of() {
  if constexpr (has_parameters<F>)
    return F::parameters;
  else
    return {};
}

// The values that `choice` gives to the declared parameters, in their order.
[[gnu::cold]] inline std::vector<std::vector<double>>
parameter_values(const ParameterList& declared, const Choice& choice) {
  std::vector<std::vector<double>> values;
  std::size_t used = 0;
  for (std::size_t i = 0; i < most_parameters && declared.names[i]; ++i) {
    const auto given = choice.numbers.find(declared.names[i]);
    const bool left_out = given == choice.numbers.end();
    values.push_back(left_out ? std::vector<double>{declared.defaults[i]} : given->second);
    used += left_out ? 0 : 1;
  }
  if (used < choice.numbers.size())
    throw std::invalid_argument("a parameter of " + choice.name + " is unknown");
  return values;
}

} // namespace eigenmlp
