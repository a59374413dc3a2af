#include "variants/functions.hpp"

namespace eigenmlp::variants {

extern const Functions<double> float64_functions;
constexpr Functions<double> float64_functions = make_functions<double>();

} // namespace eigenmlp::variants
