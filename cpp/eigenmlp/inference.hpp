// For programs: a network's outputs and losses over many rows.
#pragma once

#include "eigenmlp/passes/inference.hpp" // IWYU pragma: export
