// Softmax over segments behind the interface.
#pragma once

#include "variants/interface.hpp"

namespace eigenmlp::variants {

template <class T>
Ended softmax(const SegmentedScores& a, const T* z, T* p) noexcept;
template <class T>
Ended softmax_vjp(const SegmentedScores& a, const T* p, const T* dp, T* dz) noexcept;
template <class T>
Ended cross_entropy(const SegmentedScores& a, const ChosenPlaces& places, const T* z, T* dz,
                    double* loss) noexcept;

} // namespace eigenmlp::variants
