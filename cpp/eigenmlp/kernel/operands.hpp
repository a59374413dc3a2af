// What the products of a network with compute_dtype="bfloat16" read: operands rounded to bfloat16,
// in copies beside the float panels. Sums, biases, losses and parameters stay float.
//
// Three kinds of products, and the forms that their operands have here:
//
//   X · W    dY · Wᵀ    a Left (rows, depth) times a Right (depth, columns)
//   Xᵀ · dY             sums over the batch: an OverRows of X times one of dY
//
// Where the processor multiplies bfloat16, operands are pairs of them (operands_pairs.hpp);
// elsewhere they are floats with the same values, in ordinary panels, for the ordinary products.
#pragma once

#if defined(__AVX512BF16__) || defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#include "eigenmlp/kernel/operands_pairs.hpp"
#else
#include "eigenmlp/kernel/operands_float.hpp"
#endif
