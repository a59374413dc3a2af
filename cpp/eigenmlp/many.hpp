// For programs: many networks trained at once, one thread each.
#pragma once

#include "eigenmlp/step/many.hpp" // IWYU pragma: export
