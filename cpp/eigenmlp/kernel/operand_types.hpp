// What operands rounded to bfloat16 lie in, and who multiplies them (operands.hpp).
#pragma once

#include "eigenmlp/kernel/bfloat16_products.hpp"
#include "eigenmlp/kernel/panels.hpp"

namespace eigenmlp::rounded {

using Operand = float; // or the bits of a pair
using Operands = Panels<Operand>;
using ConstOperands = Panels<const Operand>;

} // namespace eigenmlp::rounded
