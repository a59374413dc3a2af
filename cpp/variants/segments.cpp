#include "variants/segments.hpp"

#include <numeric>

#include "eigenmlp/segments.hpp"
#include "variants/failure.hpp"

namespace eigenmlp::variants {

namespace {

Segments segments_of(const SegmentedScores& a) { return {a.offsets, a.S, a.R, a.M}; }

Ended good(bool is) { return is ? Ended::well : Ended::refused; }

} // namespace

template <class T>
Ended softmax(const SegmentedScores& a, const T* z, T* p) noexcept {
  return guarded([&] {
    const Segments segments = segments_of(a);
    return good(segments.cover() && segment_softmax(segments, z, p));
  });
}

template <class T>
Ended softmax_vjp(const SegmentedScores& a, const T* p, const T* dp, T* dz) noexcept {
  return guarded([&] {
    const Segments segments = segments_of(a);
    return good(segments.cover() && segment_softmax_vjp(segments, p, dp, dz));
  });
}

template <class T>
Ended cross_entropy(const SegmentedScores& a, const ChosenPlaces& places, const T* z, T* dz,
                    double* loss) noexcept {
  return guarded([&] {
    const Segments segments = segments_of(a);
    Choices choices{places.chosen, places.row_stride, places.weights, 1.0};
    if (places.mean) {
      const double* w = places.weights;
      const double total = w ? std::accumulate(w, w + a.S, 0.0) : static_cast<double>(a.S);
      choices.total = total * static_cast<double>(a.R);
    }
    if (!segments.cover()) return Ended::refused;
    const auto result = segment_cross_entropy(segments, choices, z, dz);
    *loss = result.value_or(0);
    return good(result.has_value());
  });
}

template Ended softmax<float>(const SegmentedScores&, const float*, float*) noexcept;
template Ended softmax<double>(const SegmentedScores&, const double*, double*) noexcept;
template Ended softmax_vjp<float>(const SegmentedScores&, const float*, const float*,
                                  float*) noexcept;
template Ended softmax_vjp<double>(const SegmentedScores&, const double*, const double*,
                                   double*) noexcept;
template Ended cross_entropy<float>(const SegmentedScores&, const ChosenPlaces&, const float*,
                                    float*, double*) noexcept;
template Ended cross_entropy<double>(const SegmentedScores&, const ChosenPlaces&, const double*,
                                     double*, double*) noexcept;

} // namespace eigenmlp::variants
