// How products of operands rounded to bfloat16 are computed. No Eigen: the bindings ask for one.
#pragma once

namespace eigenmlp {

// By float products, by the processor's of pairs, by AMX's tiles: each includes those before it.
enum class Bfloat16Products { floats, pairs, tiles };

} // namespace eigenmlp
