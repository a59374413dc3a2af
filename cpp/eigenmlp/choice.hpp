// A name with parameters, as users write them and model files keep them: "relu",
// "sigmoid(slope=2.0)", "quantile(q=[0.1, 0.9], reduction='sum')".
#pragma once

#include <array>
#include <locale>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "eigenmlp/types.hpp"

namespace eigenmlp {

struct Choice {
  std::string name;
  std::map<std::string, std::vector<double>> numbers; // a single number is a list of one
  std::map<std::string, std::string> words;
};

inline Choice parse_choice(const std::string& text) {
  const std::size_t open = text.find('(');
  Choice choice{text.substr(0, open), {}, {}};
  if (open == std::string::npos) return choice;
  std::istringstream in(text.substr(open + 1));
  in.imbue(std::locale::classic());
  const auto refuse_unless = [&](bool good) {
    if (!good) throw std::invalid_argument("expected NAME or NAME(KEY=VALUE, …), got " + text);
  };
  char next = 0;
  do {
    std::string key;
    refuse_unless(static_cast<bool>(std::getline(in >> std::ws, key, '=')));
    in >> std::ws;
    if (in.peek() == '\'') {
      in.get();
      std::getline(in, choice.words[key], '\'');
      in >> next;
      continue;
    }
    const bool list = in.peek() == '[';
    if (list) in.get();
    do {
      double number = 0;
      refuse_unless(static_cast<bool>(in >> number));
      choice.numbers[key].push_back(number);
    } while (in >> next && list && next == ',');
    refuse_unless(!list || next == ']');
    if (list) in >> next;
  } while (in && next == ',');
  refuse_unless(in && next == ')');
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
inline std::vector<std::vector<double>> parameter_values(const ParameterList& declared,
                                                         const Choice& choice) {
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
