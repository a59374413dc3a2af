// Softmax over segments: each entry returns None for arrays that it cannot take as they are.
#pragma once

#include "arrays.hpp"
#include "gil.hpp"

namespace eigenmlp::bindings {

using Scores = OrNone<py::array>; // like the argument

// Scores (M,) or (R, M) of a scalar type, aligned and in C order.
template <class T>
bool is_scores(py::handle object) {
  if (!is_array<T>(object)) return false;
  const auto dimensions = py::reinterpret_borrow<py::array>(object).ndim();
  return dimensions == 1 || dimensions == 2;
}

template <class T>
Array<T> like(const py::array& array) {
  return Array<T>(std::vector<Index>(array.shape(), array.shape() + array.ndim()));
}

inline std::optional<variants::SegmentedScores> segments_of(const py::array& scores,
                                                            py::handle offsets) {
  if (!is_array<std::int64_t>(offsets)) return std::nullopt;
  const auto array = py::reinterpret_borrow<Array<std::int64_t>>(offsets);
  if (array.ndim() != 1 || array.size() < 2 || scores.size() == 0) return std::nullopt;
  const Index M = scores.shape(scores.ndim() - 1);
  return variants::SegmentedScores{array.data(), array.size() - 1, scores.size() / M, M};
}

template <class T>
py::object softmax(py::handle z, py::handle offsets) {
  const auto scores = py::reinterpret_borrow<Array<T>>(z);
  const auto segments = segments_of(scores, offsets);
  if (!segments) return py::none();
  Array<T> p = like<T>(scores);
  const T* const from = scores.data();
  T* const to = p.mutable_data();
  bool done;
  {
    const WithoutGil without_gil;
    done = ended_well(functions<T>().segment_softmax(*segments, from, to));
  }
  return done ? py::object(std::move(p)) : py::none();
}

template <class T>
py::object softmax_vjp(py::handle p, py::handle dp, py::handle offsets) {
  const auto scores = py::reinterpret_borrow<Array<T>>(p);
  const auto segments = segments_of(scores, offsets);
  if (!segments || !is_scores<T>(dp)) return py::none();
  const auto slopes = py::reinterpret_borrow<Array<T>>(dp);
  if (slopes.ndim() != scores.ndim() ||
      !std::equal(slopes.shape(), slopes.shape() + slopes.ndim(), scores.shape()))
    return py::none();
  Array<T> dz = like<T>(scores);
  const T *const from = scores.data(), *const slopes_from = slopes.data();
  T* const to = dz.mutable_data();
  bool done;
  {
    const WithoutGil without_gil;
    done = ended_well(functions<T>().segment_softmax_vjp(*segments, from, slopes_from, to));
  }
  return done ? py::object(std::move(dz)) : py::none();
}

template <class T>
py::object cross_entropy(py::handle z, py::handle offsets, py::handle chosen, bool mean,
                         py::handle weights) {
  const auto scores = py::reinterpret_borrow<Array<T>>(z);
  const auto segments = segments_of(scores, offsets);
  if (!segments || !is_array<std::int64_t>(chosen)) return py::none();
  const auto [offset_data, S, R, M] = *segments;
  variants::ChosenPlaces places{nullptr, 0, nullptr, mean};
  const auto places_chosen = py::reinterpret_borrow<Array<std::int64_t>>(chosen);
  if (places_chosen.ndim() == 2 && scores.ndim() == 2 && places_chosen.shape(0) == R &&
      places_chosen.shape(1) == S)
    places.row_stride = S;
  else if (places_chosen.ndim() != 1 || places_chosen.shape(0) != S)
    return py::none();
  places.chosen = places_chosen.data();
  if (!weights.is_none()) {
    if (!is_array<double>(weights)) return py::none();
    const auto array = py::reinterpret_borrow<Array<double>>(weights);
    if (array.ndim() != 1 || array.shape(0) != S) return py::none();
    places.weights = array.data();
  }
  Array<T> dz = like<T>(scores);
  const T* const from = scores.data();
  T* const to = dz.mutable_data();
  double loss = 0;
  bool done;
  {
    const WithoutGil without_gil;
    done = ended_well(functions<T>().segment_cross_entropy(*segments, places, from, to, &loss));
  }
  return done ? py::object(py::make_tuple(loss, dz)) : py::none();
}

inline void register_segments(py::module_& m) {
  m.def(
      "segment_softmax",
      [](py::handle z, py::handle offsets) -> Scores {
        if (is_scores<double>(z)) return softmax<double>(z, offsets);
        if (is_scores<float>(z)) return softmax<float>(z, offsets);
        return py::none();
      },
      py::arg("z"), py::arg("offsets"));
  m.def(
      "segment_softmax_vjp",
      [](py::handle p, py::handle dp, py::handle offsets) -> Scores {
        if (is_scores<double>(p)) return softmax_vjp<double>(p, dp, offsets);
        if (is_scores<float>(p)) return softmax_vjp<float>(p, dp, offsets);
        return py::none();
      },
      py::arg("p"), py::arg("dp"), py::arg("offsets"));
  m.def(
      "segment_cross_entropy",
      [](py::handle z, py::handle offsets, py::handle chosen, bool mean,
         py::handle weights) -> OrNone<py::typing::Tuple<double, py::array>> {
        if (is_scores<double>(z)) return cross_entropy<double>(z, offsets, chosen, mean, weights);
        if (is_scores<float>(z)) return cross_entropy<float>(z, offsets, chosen, mean, weights);
        return py::none();
      },
      py::arg("z"), py::arg("offsets"), py::arg("chosen"), py::arg("mean"), py::arg("weights"));
}

} // namespace eigenmlp::bindings
