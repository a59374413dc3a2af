// For programs: a network, and the trainer that fits it.
#pragma once

#include "eigenmlp/step/trainer.hpp" // IWYU pragma: export
