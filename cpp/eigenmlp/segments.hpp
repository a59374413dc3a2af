// Softmax over segments of different lengths: rows of M scores, cut into S segments by offsets.
//
//   p = exp(z - max z) / Σ exp(z - max z)      over the segment
//   l = -log p at the segment's chosen place,  ∂l/∂z = p, less 1 at that place
//
// Threads share blocks of whole segments, which are cut by the offsets alone, so that results have
// the same bits for every number of threads. A segment of up to 8 packets stays in registers. Its
// last packet runs over into the next segment, whose own turn comes later (see loose_packets.hpp).
#pragma once

#include <atomic>
#include <optional>

#include "eigenmlp/kernel/exponential.hpp"
#include "eigenmlp/kernel/loose_packets.hpp"
#include "eigenmlp/threads/work.hpp"

namespace eigenmlp {

struct Segments {
  const std::int64_t* offsets; // (S + 1,), rising from 0 to M
  Index S, R, M;               // segments, rows, scores in a row

  bool cover() const {
    bool rising = true;
    for (Index s = 0; s < S; ++s) rising &= offsets[s] < offsets[s + 1];
    return S > 0 && rising && offsets[0] == 0 && offsets[S] == M;
  }
  // Stays within 0 … M even if somebody changes the offsets after `cover`.
  Index begin(Index s) const { return std::clamp(static_cast<Index>(offsets[s]), Index{0}, M); }
};

// What was chosen from each segment, and what that weighs in the loss.
struct Choices {
  const std::int64_t* chosen; // (S,) or (R, S): places in a row of scores
  Index row_stride;           // 0 or S
  const double* weights;      // (S,), or null: 1 each
  double total;               // divides the weighted sum of losses

  double share(Index s) const { return weights ? weights[s] / total : 1 / total; }
};

namespace detail {

inline constexpr Index segment_block = 1024; // scores
inline constexpr int most_in_registers = 8;  // packets of a segment

// Segments first … last - 1 of a row: those that begin among the same `segment_block` scores.
struct SegmentBlock {
  const Segments& segments;
  Index row, number; // number counts the blocks of all rows
  Index first, last;

  Index begin() const { return segments.begin(first); }
  Index end() const { return segments.begin(last); }

  // body(s, begin, end)
  template <class Body>
  void for_each(Body&& body) const {
    Index at = begin();
    for (Index s = first; s < last; ++s) {
      const Index end = std::max(at, segments.begin(s + 1));
      if (at < end) body(s, at, end);
      at = end;
    }
  }
};

inline Index segment_blocks(const Segments& a) { return a.R * ceil_div(a.M, segment_block); }

// body(block) in several threads; `operations` for each score.
template <class Body>
void for_each_block(const Segments& a, double operations, Body&& body) {
  const Index count = segment_blocks(a), in_row = ceil_div(a.M, segment_block);
  const auto first = [&](Index block) -> Index {
    return std::lower_bound(a.offsets, a.offsets + a.S, block * segment_block) - a.offsets;
  };
  const double all = operations * static_cast<double>(a.R) * static_cast<double>(a.M);
  in_parallel_apart(threads_for(all, 0, 1, count), [&](Team team) {
    for (Index i = team.begin(count); i < team.end(count); ++i) {
      const SegmentBlock block{a, i / in_row, i, first(i % in_row), first(i % in_row + 1)};
      if (block.first < block.last) body(block);
    }
  });
}

template <class T>
struct MaxAndSum {
  T max, sum;
  bool finite; // whether the scores are; if not, the rest is of no use
};

// op over K packets, by pairs.
template <int K, class P, class Op>
P all_of(const P* x, Op&& op) {
  if constexpr (K == 1)
    return x[0];
  else
    return op(all_of<K / 2>(x, op), all_of<K - K / 2>(x + K / 2, op));
}

// y = numerator · exp(z - max) / sum, over a segment of n scores: K packets, the last of which may
// run over. They stay in registers.
template <int K, class T>
MaxAndSum<T> short_segment(const T* z, T* y, Index n, T numerator) {
  using namespace Eigen::internal;
  using P = Packet<T>;
  constexpr Index p = packet_size<T>;
  const P mask = first_mask<T>(n - (K - 1) * p);
  P x[K], zeros = pset1<P>(T(0)); // Σ 0 z is NaN as soon as one z is not finite
  for (int k = 0; k < K; ++k) {
    x[k] = ploadu<P>(z + k * p);
    zeros = pmadd(x[k], pset1<P>(T(0)), zeros);
  }
  x[K - 1] = pselect(mask, x[K - 1], pset1<P>(z[0]));
  const T max = predux_max(all_of<K>(x, [](P a, P b) { return pmax(a, b); }));
  for (int k = 0; k < K; ++k) x[k] = exp_nonpositive<T>(psub(x[k], pset1<P>(max)));
  x[K - 1] = pand(mask, x[K - 1]);
  const T sum = predux(all_of<K>(x, [](P a, P b) { return padd(a, b); }));
  for (int k = 0; k < K; ++k) pstoreu(y + k * p, pmul(x[k], pset1<P>(numerator / sum)));
  return {max, sum, predux(zeros) == T(0)};
}

// The same for any n, where so many scores of z may be read from here, and of y written.
template <class T>
MaxAndSum<T> long_segment(const T* z, T* y, Index n, Index readable, Index writable, T numerator) {
  using namespace Eigen::internal;
  using P = Packet<T>;
  P most = pset1<P>(z[0]), sums = pset1<P>(T(0)), zeros = sums;
  for_each_packet<T>(0, n, [&](Index i, Index lanes) {
    const P x = read(z + i, lanes, readable - i);
    zeros = pmadd(x, pset1<P>(T(0)), zeros);
    most = pmax(most, first_lanes<T>(lanes, x, most));
  });
  const T max = predux_max(most);
  for_each_packet<T>(0, n, [&](Index i, Index lanes) {
    const P x = read(z + i, lanes, readable - i);
    const P e = exp_nonpositive<T>(psub(x, pset1<P>(max)));
    sums = padd(sums, first_lanes<T>(lanes, e, pset1<P>(T(0))));
    write<T>(e, y + i, lanes, writable - i);
  });
  const T sum = predux(sums);
  for_each_packet<T>(0, n, [&](Index i, Index lanes) {
    const P e = read(y + i, lanes, writable - i);
    write<T>(pmul(e, pset1<P>(numerator / sum)), y + i, lanes, writable - i);
  });
  return {max, sum, predux(zeros) == T(0)};
}

// Either of them: a segment of K packets or more.
template <int K = 1, class T>
MaxAndSum<T> segment(const T* z, T* y, Index n, Index readable, Index writable, T numerator) {
  if constexpr (K <= most_in_registers) {
    constexpr Index size = K * packet_size<T>;
    if (n <= size && size <= readable && size <= writable)
      return short_segment<K>(z, y, n, numerator);
    if (n > size) return segment<K + 1>(z, y, n, readable, writable, numerator);
  }
  return long_segment(z, y, n, readable, writable, numerator);
}

// What the cross-entropy needs of each segment: what was chosen, and where to put (S of the block,)
// Σ exp(z - max) and z - max at the chosen place.
template <class T>
struct Chosen {
  Choices choices;
  T *sums, *shifted;
};

// y = p of a block's segments or, with `choice`, the cross-entropy's gradient. False, and y of no
// use, if a z is not finite or a choice is not in its segment. One function for both, since a
// segment's takes 27 kB, and is slower by a fifth where it is called for each.
template <class T>
[[gnu::noinline, gnu::flatten]] bool normalize(const SegmentBlock& block, const T* z, T* y,
                                               const Chosen<T>* choice) {
  const Segments a = block.segments;
  const T* const x = z + block.row * a.M;
  y += block.row * a.M;
  const Chosen<T> to = choice ? *choice : Chosen<T>{};
  const std::int64_t* const chosen =
      choice ? to.choices.chosen + block.row * to.choices.row_stride : nullptr;
  const Index first = block.first, block_end = block.end();
  bool usable = true;
  block.for_each([&](Index s, Index begin, Index end) {
    const T share = chosen ? static_cast<T>(to.choices.share(s)) : T(1);
    const auto result =
        segment(x + begin, y + begin, end - begin, a.M - begin, block_end - begin, share);
    usable &= result.finite;
    if (!chosen) return;
    const Index at = static_cast<Index>(chosen[s]);
    usable &= (begin <= at) & (at < end);
    if (!usable) return;
    y[at] -= share;
    to.sums[s - first] = result.sum;
    to.shifted[s - first] = x[at] - result.max;
  });
  return usable;
}

} // namespace detail

// p from z, both (R, M); false, and p of no use, if a z is not finite.
template <class T>
bool segment_softmax(const Segments& a, const T* z, T* p) {
  std::atomic<bool> finite{true};
  detail::for_each_block(a, 40, [&](const detail::SegmentBlock& block) {
    if (!detail::normalize<T>(block, z, p, nullptr)) finite = false;
  });
  return finite;
}

// dz = p ⊙ (dp - Σ dp p), the exact Jacobian-vector product; all (R, M). False if a p or dp is not
// finite.
template <class T>
bool segment_softmax_vjp(const Segments& a, const T* p, const T* dp, T* dz) {
  using namespace Eigen::internal;
  using P = Packet<T>;
  std::atomic<bool> finite{true};
  detail::for_each_block(a, 12, [&](const detail::SegmentBlock& block) __attribute__((flatten)) {
    const T *const y = p + block.row * a.M, *const dy = dp + block.row * a.M;
    T* const to = dz + block.row * a.M;
    const Index block_end = block.end();
    P zeros = pset1<P>(T(0));
    block.for_each([&](Index, Index begin, Index end) {
      P sums = pset1<P>(T(0));
      for_each_packet<T>(begin, end, [&](Index i, Index n) {
        const P products = pmul(read(y + i, n, a.M - i), read(dy + i, n, a.M - i));
        zeros = pmadd(products, pset1<P>(T(0)), zeros);
        sums = padd(sums, first_lanes<T>(n, products, pset1<P>(T(0))));
      });
      const P dot = pset1<P>(predux(sums));
      for_each_packet<T>(begin, end, [&](Index i, Index n) {
        const P difference = psub(read(dy + i, n, a.M - i), dot);
        write<T>(pmul(read(y + i, n, a.M - i), difference), to + i, n, block_end - i);
      });
    });
    if (!(predux(zeros) == T(0))) finite = false;
  });
  return finite;
}

// Σ w l / total over rows and segments, and its gradient dz (R, M); nothing if a z is not finite or
// a choice is not in its segment.
template <class T>
std::optional<double> segment_cross_entropy(const Segments& a, const Choices& choices, const T* z,
                                            T* dz) {
  Buffer<double> losses(detail::segment_blocks(a)); // added up in order at the end
  std::atomic<bool> fine{true};
  detail::for_each_block(a, 45, [&](const detail::SegmentBlock& block) __attribute__((flatten)) {
    const Index first = block.first, count = block.last - first;
    // l = log sum - (z - max) at the chosen place
    alignas(cache_line) T sums[detail::segment_block], shifted[detail::segment_block];
    const detail::Chosen<T> chosen{choices, sums, shifted};
    if (!detail::normalize<T>(block, z, dz, &chosen)) {
      fine = false;
      return;
    }
    Run<T> logarithms(sums, count);
    logarithms = logarithms.log();
    double loss = 0;
    for (Index s = 0; s < count; ++s)
      loss += choices.share(first + s) *
              (static_cast<double>(sums[s]) - static_cast<double>(shifted[s]));
    losses.data()[block.number] = loss;
  });
  if (!fine) return std::nullopt;
  double loss = 0;
  for (Index i = 0; i < losses.size(); ++i) loss += losses.data()[i];
  return loss;
}

} // namespace eigenmlp
