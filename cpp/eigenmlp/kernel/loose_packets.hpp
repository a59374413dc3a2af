// Packets on runs of scalars that begin anywhere and end anywhere.
//
// A run's last packet reads and writes beyond the run where there is room for that: whoever uses it
// masks what was read, and writes again what it overwrote. Without room it is cut off.
#pragma once

#include <algorithm>
#include <bit>
#include <limits>

#include "eigenmlp/kernel/tile.hpp"

namespace eigenmlp {

// body(i, n) for every packet of the run begin … end - 1: at i, with n scalars of the run.
template <class T, class Body>
void for_each_packet(Index begin, Index end, Body&& body) {
  constexpr Index p = packet_size<T>;
  Index i = begin;
  for (; i + p <= end; i += p) body(i, p);
  if (i < end) body(i, end - i);
}

// n scalars, of a packet if there is `room` for one.
template <class T>
Packet<T> read(const T* from, Index n, Index room) {
  constexpr Index p = packet_size<T>;
  if (n == p || room >= p) return Eigen::internal::ploadu<Packet<T>>(from);
  alignas(cache_line) T scalars[p] = {};
  std::copy_n(from, n, scalars);
  return Eigen::internal::pload<Packet<T>>(scalars);
}

template <class T>
void write(Packet<T> x, T* to, Index n, Index room) {
  constexpr Index p = packet_size<T>;
  if (n == p || room >= p) return Eigen::internal::pstoreu(to, x);
  alignas(cache_line) T scalars[p];
  Eigen::internal::pstore(scalars, x);
  std::copy_n(scalars, n, to);
}

namespace detail {
// All bits set in a packet's lanes, then none in as many.
template <class T>
struct LaneMasks {
  T masks[2 * packet_size<T>] = {};
  constexpr LaneMasks() {
    using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
    for (Index i = 0; i < packet_size<T>; ++i) masks[i] = std::bit_cast<T>(~Bits{0});
  }
};
template <class T>
alignas(cache_line) inline constexpr LaneMasks<T> lane_masks{};
} // namespace detail

// All bits set in the first n lanes.
template <class T>
Packet<T> first_mask(Index n) {
  return Eigen::internal::ploadu<Packet<T>>(detail::lane_masks<T>.masks + packet_size<T> - n);
}

// x in the first n lanes, `others` in the rest.
template <class T>
Packet<T> first_lanes(Index n, Packet<T> x, Packet<T> others) {
  if (n == packet_size<T>) return x;
  return Eigen::internal::pselect(first_mask<T>(n), x, others);
}

} // namespace eigenmlp
