#include "variants/functions.hpp"

namespace eigenmlp::variants {

extern const Functions<float> float32_functions;
constexpr Functions<float> float32_functions = make_functions<float>();

} // namespace eigenmlp::variants
