// What the user passed for a step, a run or a loss.
#pragma once

#include "eigenmlp/kernel/rows.hpp"

namespace eigenmlp {

// Rows, what they should give, and how much each counts.
struct Data {
  Rows X;                               // (N, D)
  const std::int64_t* labels = nullptr; // (N,), or
  Rows T;                               // (N, K)
  const double* weights = nullptr;      // (N,) or null: all 1
};

} // namespace eigenmlp
