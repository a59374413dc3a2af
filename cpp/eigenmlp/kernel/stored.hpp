// Rows of which only a few numbers are stored, the others being zero: what a first layer needs of
// them, which never meets the zeros.
//
//   X · W    rows of W, times a row's numbers, added up in their order
//   Xᵀ · dY  rows of dY, times the numbers, added to the rows of W that the numbers stand in
//
// Every element is one chain of multiply-adds, as a register tile's (tile.hpp), or a tree of chains
// (narrow.hpp), without those by zero: rows whose places rise give the bits of the dense products.
#pragma once

#include <cstdint>

#include "eigenmlp/kernel/narrow.hpp"
#include "eigenmlp/kernel/panels.hpp"

namespace eigenmlp {

// A number of a row, in column `place`.
template <class T>
struct StoredNumber {
  T value;
  std::int32_t place;
};
// The same of row `row`, where numbers lie by their places.
template <class T>
struct SortedNumber {
  T value;
  std::int32_t row, place;
};

// A batch's stored numbers: row r has numbers[begin[r]] … numbers[end[r] - 1]. Null: X is dense.
template <class T>
struct StoredRows {
  StoredNumber<T>* numbers = nullptr;
  Index *begin = nullptr, *end = nullptr;
  Index capacity = 0; // of numbers

  explicit operator bool() const { return numbers != nullptr; }
};

// Stored numbers of a row whose `starts` are these; of rows that do not hold together, whatever
// comes out: starts are the user's, and may be any numbers.
inline Index stored_between(std::int64_t begin, std::int64_t end) {
  return static_cast<Index>(static_cast<std::uint64_t>(end) - static_cast<std::uint64_t>(begin));
}

namespace detail {
template <class T, class S, class I>
bool gather_numbers(const Rows& X, const std::int64_t* order, Index first, Index begin, Index end,
                    const Scaling<T>& scaling, const StoredRows<T>& to) {
  const auto* starts = static_cast<const I*>(X.starts);
  const auto* places = static_cast<const I*>(X.places);
  const auto* values = static_cast<const S*>(X.data);
  const auto row_of = [&](Index i) {
    return starts + (order ? static_cast<Index>(order[first + i]) : first + i);
  };
  Index at = 0; // never before what the rows of another thread are given, whatever `starts` say
  for (Index i = 0; i < begin; ++i) {
    const I* row = row_of(i);
    const Index count = stored_between(row[0], row[1]);
    at = std::min(at + std::clamp<Index>(count, 0, to.capacity), to.capacity);
  }
  bool good = true;
  T not_finite = 0; // x · 0 is NaN for NaN and Inf
  for (Index i = begin; i < end; ++i) {
    const I* row = row_of(i);
    const auto from = static_cast<Index>(row[0]), count = stored_between(row[0], row[1]);
    to.begin[i] = to.end[i] = at;
    const bool fits = from >= 0 && from <= X.stored && count >= 0 && count <= X.stored - from &&
                      at >= 0 && count <= to.capacity - at;
    good &= fits;
    if (!fits) continue; // stays without numbers
    std::uint64_t furthest = 0;
    for (Index j = 0; j < count; ++j) {
      const auto place = static_cast<std::uint64_t>(places[from + j]);
      const bool is_column = place < static_cast<std::uint64_t>(X.columns);
      const T slope = is_column ? scaling.slope(static_cast<Index>(place)) : T(1);
      const T x = static_cast<T>(values[from + j]) * slope;
      furthest = std::max(furthest, place);
      to.numbers[at + j] = {x, static_cast<std::int32_t>(place)};
      not_finite += x * T(0);
    }
    good &= furthest < static_cast<std::uint64_t>(X.columns);
    if (!good) continue;
    at += count;
    to.end[i] = at;
  }
  return good && !std::isnan(not_finite);
}

} // namespace detail

// The stored numbers of rows begin … end - 1 of a batch, times the scaling's slopes: a shift would
// make numbers of the zeros too. All rows before them have theirs before them. False if a number is
// not finite, or if rows do not hold together: those are left without numbers.
template <class T>
bool gather_stored(const Rows& X, const std::int64_t* order, Index first, Index begin, Index end,
                   const Scaling<T>& scaling, const StoredRows<T>& to) {
  return with_scalar(X.scalar, [&](auto* s) {
    using S = std::remove_const_t<std::remove_pointer_t<decltype(s)>>;
    return (X.wide ? detail::gather_numbers<T, S, std::int64_t>
                   : detail::gather_numbers<T, S, std::int32_t>)(X, order, first, begin, end,
                                                                 scaling, to);
  });
}

// Panels that are summed together over a row's numbers: as many chains as keep the units busy.
template <class T>
inline constexpr int stored_strip = packets_per_panel<T> >= 8 ? 1 : 8 / packets_per_panel<T>;

namespace detail {
// Calls body with the integral constant n, 1 ≤ n ≤ most.
template <int most, class Body>
void with_constant(Index n, Body&& body) {
  if constexpr (most > 1)
    if (n < most) return with_constant<most - 1>(n, body);
  body(std::integral_constant<int, most>{});
}

template <class T, int C>
void multiply_stored(const StoredRows<T>& X, Index begin, Index end, Panels<const T> W,
                     const T* init, Panels<T> out) {
  using namespace Eigen::internal;
  constexpr Index p = panel_width<T>;
  constexpr int packets = packets_per_panel<T>;
  for (Index r = begin; r < end; ++r) {
    Packet<T> sum[C][packets];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
      for (int v = 0; v < packets; ++v)
        sum[c][v] = pload<Packet<T>>(init + c * W.panel + v * packet_size<T>);
    const StoredNumber<T>*x = X.numbers + X.begin[r], *last = X.numbers + X.end[r];
    for (; x != last; ++x) {
      const T* w = W.data + x->place * p;
      const Packet<T> value = pset1<Packet<T>>(x->value);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
        for (int v = 0; v < packets; ++v)
          sum[c][v] =
              pmadd(value, pload<Packet<T>>(w + c * W.panel + v * packet_size<T>), sum[c][v]);
    }
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
      for (int v = 0; v < packets; ++v)
        pstore(out.at(r - begin, c) + v * packet_size<T>, sum[c][v]);
  }
}

// One panel, as narrow.hpp adds its columns.
template <class T>
void multiply_stored_narrow(const StoredRows<T>& X, Index begin, Index end, const T* W,
                            const T* init, Panels<T> out) {
  using namespace Eigen::internal;
  constexpr int packets = packets_per_panel<T>, n = packet_size<T>;
  for (Index r = begin; r < end; ++r) {
    Packet<T> sum[packets][n];
    for (auto& lanes : sum)
      for (auto& lane : lanes) lane = pset1<Packet<T>>(T(0));
    const StoredNumber<T>* last = X.numbers + X.end[r];
    for (const StoredNumber<T>* x = X.numbers + X.begin[r]; x != last; ++x)
      for (int v = 0; v < packets; ++v) {
        Packet<T>& lane = sum[v][x->place % n];
        lane = pmadd(pset1<Packet<T>>(x->value),
                     pload<Packet<T>>(W + x->place * panel_width<T> + v * n), lane);
      }
    for (int v = 0; v < packets; ++v)
      pstore(out.at(r - begin, 0) + v * n, padd(sum_tree<n>(static_cast<const Packet<T>*>(sum[v])),
                                                pload<Packet<T>>(init + v * n)));
  }
}

template <class T, int C>
void add_stored(const SortedNumber<T>* x, const SortedNumber<T>* end, Index d, Index rows,
                Panels<const T> dY, Panels<T> out) {
  using namespace Eigen::internal;
  constexpr int packets = packets_per_panel<T>;
  for (; x < end; ++x) {
    const Index place = x->place - d;
    if (static_cast<std::size_t>(place) >= static_cast<std::size_t>(rows)) continue;
    const Packet<T> value = pset1<Packet<T>>(x->value);
    const T* dy = dY.at(x->row, 0);
    T* to = out.at(place, 0);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
      for (int v = 0; v < packets; ++v) {
        const Index at = v * packet_size<T>;
        pstore(to + c * out.panel + at, pmadd(value, pload<Packet<T>>(dy + c * dY.panel + at),
                                              pload<Packet<T>>(to + c * out.panel + at)));
      }
  }
}
} // namespace detail

// out[r - begin, :] = init + Σ_j x_j · W[place_j, :] for rows begin … end - 1, all `panels` of out;
// init (a bias) and W have panels equally far apart; the last one's columns may be narrow.hpp's.
// done(c, count) as in `multiply`.
template <class T, class Done>
void multiply_stored(const StoredRows<T>& X, Index begin, Index end, Index panels,
                     Panels<const T> W, const T* init, Panels<T> out, bool narrow, Done&& done) {
  const Index whole = panels - narrow, strips = ceil_div(whole, stored_strip<T>);
  for (Index s = 0; s < strips; ++s) {
    const Index c = share_begin(whole, strips, s), C = share_begin(whole, strips, s + 1) - c;
    detail::with_constant<stored_strip<T>>(C, [&](auto count) {
      detail::multiply_stored<T, count>(X, begin, end, {W.at(0, c), W.panel}, init + c * W.panel,
                                        {out.at(0, c), out.panel});
    });
    done(c, C);
  }
  if (!narrow) return;
  detail::multiply_stored_narrow<T>(X, begin, end, W.at(0, whole), init + whole * W.panel,
                                    {out.at(0, whole), out.panel});
  done(whole, 1);
}

// out[place - d, :] += x · dY[row, :] for numbers whose places are d … d + rows - 1, and C panels,
// at most `usual_panels`.
template <class T>
void add_stored(const SortedNumber<T>* begin, const SortedNumber<T>* end, Index d, Index rows,
                Index C, Panels<const T> dY, Panels<T> out) {
  detail::with_constant<usual_panels<T>>(
      C, [&](auto count) { detail::add_stored<T, count>(begin, end, d, rows, dY, out); });
}

} // namespace eigenmlp
