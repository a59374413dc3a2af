// Several processes, on one machine or many, that share the rows of every step: ranks 0 … R - 1,
// each with a network of its own that holds the same bits. A power of two of ranks takes aligned
// subtrees of the blocks' tree (blocks.hpp), and their parts of dW go on up the same tree, distance
// 1 first: a + b = b + a, so that partners have the same bits. How numbers get from rank to rank is
// the caller's; nothing here knows MPI.
#pragma once

#include <array>
#include <bit>
#include <functional>

#include "eigenmlp/kernel/types.hpp"

namespace eigenmlp {

// Sends bytes to a rank while it receives some from there; either may be none. False ends the run.
using Swap = std::function<bool(int rank, const void* out, std::size_t out_bytes, void* in,
                                std::size_t in_bytes)>;

struct Ranks {
  int index = 0, size = 1;
  bool own_rows = false; // a rank's rows are its own; else every rank can read all of them
  Swap swap;

  explicit operator bool() const { return size > 1; }
  // A power of two of ranks; the others get what these have summed.
  int sharing(Index pieces) const {
    const Index most = std::min<Index>(size, pieces);
    return static_cast<int>(std::bit_floor(static_cast<std::size_t>(std::max<Index>(most, 1))));
  }
};

namespace detail {
// Below so many bytes the number of messages counts, above it their length.
inline constexpr std::size_t short_message = 32768;

template <class T>
bool swap_with(const Ranks& ranks, int rank, const T* out, Index out_count, T* in, Index in_count) {
  return ranks.swap(rank, out, static_cast<std::size_t>(out_count) * sizeof(T), in,
                    static_cast<std::size_t>(in_count) * sizeof(T));
}

// All of it to each partner: log₂ R messages.
template <class T>
bool sum_whole(const Ranks& ranks, int sharing, T* numbers, T* memory, Index n) {
  for (int distance = 1; distance < sharing; distance *= 2) {
    if (!swap_with(ranks, ranks.index ^ distance, numbers, n, memory, n)) return false;
    Run<T>(numbers, n) += Run<T>(memory, n);
  }
  return true;
}

// Each partner adds a half, then a quarter, …, and the sums come back: 2 n (1 - 1 / R) numbers.
template <class T>
bool sum_halves(const Ranks& ranks, int sharing, T* numbers, T* memory, Index n) {
  constexpr Index per_line = static_cast<Index>(cache_line / sizeof(T));
  struct Half {
    Index begin, middle, end;
  };
  std::array<Half, 32> halves{};
  std::size_t depth = 0;
  Index begin = 0, end = n;
  for (int distance = 1; distance < sharing; distance *= 2) {
    const Index lines = (end - begin) / per_line; // borders lie where cache lines do
    const Index middle = begin + lines / 2 * per_line;
    halves[depth++] = {begin, middle, end};
    const bool upper = (ranks.index & distance) != 0;
    const Index from = upper ? middle : begin, to = upper ? end : middle;
    const Index other = upper ? begin : middle, other_end = upper ? middle : end;
    if (!swap_with(ranks, ranks.index ^ distance, numbers + other, other_end - other, memory,
                   to - from))
      return false;
    Run<T>(numbers + from, to - from) += Run<T>(memory, to - from);
    begin = from;
    end = to;
  }
  for (int distance = sharing / 2; distance > 0; distance /= 2) {
    const Half half = halves[--depth];
    const bool upper = (ranks.index & distance) != 0;
    const Index other = upper ? half.begin : half.middle;
    const Index other_end = upper ? half.middle : half.end;
    if (!swap_with(ranks, ranks.index ^ distance, numbers + begin, end - begin, numbers + other,
                   other_end - other))
      return false;
    begin = half.begin;
    end = half.end;
  }
  return true;
}
} // namespace detail

// numbers[i] = the sum over the first `sharing` ranks, a power of two (over all ranks, if they have
// rows of their own), of their numbers[i], in a
// binary tree, the same bits on all ranks. `memory` has room for n more; both are aligned. False if
// the run is to end.
template <class T>
bool sum_over_ranks(const Ranks& ranks, int sharing, T* numbers, T* memory, Index n) {
  const auto with = [&](int rank, Index out, T* in, Index in_count) {
    return detail::swap_with<T>(ranks, rank, numbers, out, in, in_count);
  };
  if (ranks.own_rows) { // the others have numbers too, which are added first
    if (ranks.index >= sharing && !with(ranks.index - sharing, n, nullptr, 0)) return false;
    if (ranks.index + sharing < ranks.size) {
      if (!with(ranks.index + sharing, 0, memory, n)) return false;
      Run<T>(numbers, n) += Run<T>(memory, n);
    }
  }
  if (ranks.index >= sharing) return with(ranks.index % sharing, 0, numbers, n);
  const bool is_short = static_cast<std::size_t>(n) * sizeof(T) <= detail::short_message;
  if (!(is_short ? detail::sum_whole(ranks, sharing, numbers, memory, n)
                 : detail::sum_halves(ranks, sharing, numbers, memory, n)))
    return false;
  for (int rank = ranks.index + sharing; rank < ranks.size; rank += sharing)
    if (!with(rank, n, nullptr, 0)) return false;
  return true;
}

} // namespace eigenmlp
