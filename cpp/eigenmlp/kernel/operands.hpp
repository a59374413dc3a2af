// What the products of a network with compute_dtype="bfloat16" read: operands rounded to bfloat16,
// in copies beside the float panels. Sums, biases, losses and parameters stay float.
//
// Three kinds of products, and the forms that their operands have here:
//
//   X · W    dY · Wᵀ    a Left (rows, depth) times a Right (depth, columns)
//   Xᵀ · dY             sums over the batch: an OverRows of X times one of dY
//
// Where the processor multiplies bfloat16, operands are pairs of them (operands_pairs.hpp);
// elsewhere they are floats with the same values, in ordinary panels, for the ordinary products
// (operands_floats.hpp). What is compiled for both kinds of processors, with
// EIGENMLP_MAY_LACK_BFLOAT16, is told at its start which it runs on (operands_either.hpp).
#pragma once

#if defined(__AVX512BF16__) || defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#include "eigenmlp/kernel/operands_pairs.hpp"
#ifdef EIGENMLP_MAY_LACK_BFLOAT16
#include "eigenmlp/kernel/operands_either.hpp"
#else
namespace eigenmlp::rounded {
using namespace pairs;
}
#endif
#else
#include "eigenmlp/kernel/operands_floats.hpp"
namespace eigenmlp::rounded {
using namespace floats;
}
#endif
