// Shuffles with NumPy's bit generators, without Python's lock.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "gil.hpp"

namespace eigenmlp::bindings {

// What the capsule of a bit generator points to: numpy/random/bitgen.h, which is NumPy's interface
// for other languages.
struct BitGenerator {
  void* state;
  std::uint64_t (*next_uint64)(void*);
  std::uint32_t (*next_uint32)(void*);
  double (*next_double)(void*);
  std::uint64_t (*next_raw)(void*);
};

// As RandomState.shuffle and Generator.shuffle: place i is exchanged with one of 0 … i, for which
// bits are drawn until they are no more than that; whether they are is a choice of the place, not a
// branch that nobody can foresee.
inline void shuffle(BitGenerator& bits, std::int64_t* places, Index count) {
  for (auto i = static_cast<std::size_t>(std::max<Index>(count, 1) - 1); i > 0;) {
    const std::uint64_t mask = ~std::uint64_t{0} >> std::countl_zero(i);
    const auto next = [&] {
      return mask &
             (mask > 0xffffffff ? bits.next_uint64(bits.state) : bits.next_uint32(bits.state));
    };
    while (i > mask / 2) {
      const std::uint64_t drawn = next();
      const bool taken = drawn <= i;
      std::swap(places[i], places[taken ? drawn : i]);
      i -= taken;
    }
  }
}

inline BitGenerator* bits_of(py::handle bit_generator) {
  const py::object capsule = bit_generator.attr("capsule");
  auto* const bits =
      static_cast<BitGenerator*>(PyCapsule_GetPointer(capsule.ptr(), "BitGenerator"));
  if (!bits) throw py::error_already_set();
  return bits;
}

// Each of `orders` (E, N) becomes the one before it, at first `order` (N,), shuffled as
// RandomState.shuffle does with this bit generator, whose lock the caller holds.
inline void shuffle_orders(py::handle bit_generator, const Array<std::int64_t>& order,
                           Array<std::int64_t>& orders) {
  BitGenerator* const bits = bits_of(bit_generator);
  if (order.ndim() != 1 || orders.ndim() != 2 || orders.shape(1) != order.size())
    throw py::value_error("orders must be (E, N), order (N,)");
  const Index E = orders.shape(0), N = order.size();
  const std::int64_t* before = order.data();
  std::int64_t* row = orders.mutable_data();
  std::vector<std::int64_t> places(static_cast<std::size_t>(N));
  const WithoutGil without_gil;
  for (Index e = 0; e < E; ++e, before = row, row += N) {
    std::iota(places.begin(), places.end(), std::int64_t{0});
    shuffle(*bits, places.data(), N);
    for (Index i = 0; i < N; ++i) row[i] = before[places[static_cast<std::size_t>(i)]];
  }
}

// Each of `orders` (E, N) becomes what Generator.permutation(N) gives with this bit generator,
// whose lock the caller holds.
inline void permutations(py::handle bit_generator, Array<std::int64_t>& orders) {
  BitGenerator* const bits = bits_of(bit_generator);
  if (orders.ndim() != 2) throw py::value_error("orders must be (E, N)");
  const Index E = orders.shape(0), N = orders.shape(1);
  std::int64_t* order = orders.mutable_data();
  const WithoutGil without_gil;
  for (Index e = 0; e < E; ++e, order += N) {
    std::iota(order, order + N, std::int64_t{0});
    shuffle(*bits, order, N);
  }
}

} // namespace eigenmlp::bindings
