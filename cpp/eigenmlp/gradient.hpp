// For programs: the loss's gradient, and vector-Jacobian products.
#pragma once

#include "eigenmlp/passes/gradient.hpp" // IWYU pragma: export
