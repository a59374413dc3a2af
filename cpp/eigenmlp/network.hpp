// For programs: a network, its parameters.
#pragma once

#include "eigenmlp/network/network.hpp" // IWYU pragma: export
