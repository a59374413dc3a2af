// Layouts and conversions: the only file that knows where an element lies.
//
// A matrix of N rows and D columns lives in panels of p columns, [D / p][rows][p]: a row of a panel
// is one cache line, and every product streams whole lines. Panels may lie further apart than their
// rows need (an odd number of lines), so that they do not all fall on the same cache sets.
// Columns beyond D in the last panel are padding; it is zero in weights, inputs and deltas.
#pragma once

#include <algorithm>
#include <cmath>

#include "eigenmlp/kernel/rows.hpp"
#include "eigenmlp/kernel/tile.hpp"
#include "eigenmlp/kernel/types.hpp"

namespace eigenmlp {

template <class T>
struct Panels {
  T* data = nullptr;
  Index panel = 0; // scalars from a panel to the next

  T* at(Index row, Index panel_index) const {
    return data + panel_index * panel + row * panel_width<T>;
  }
  operator Panels<const T>() const { return {data, panel}; }
};

// One row of one panel, and Eigen's view of it where it lies.
template <class T>
using Line = Eigen::Array<T, panel_width<T>, 1>;
template <class T>
auto line(T* row) {
  return Eigen::Map<Line<T>, Eigen::Aligned64>(row);
}
template <class T>
auto line(const T* row) {
  return Eigen::Map<const Line<T>, Eigen::Aligned64>(row);
}

template <class T>
constexpr Index panel_count(Index columns) {
  return ceil_div(columns, panel_width<std::remove_const_t<T>>);
}

// Scalars from a panel of so many rows to the next: an odd number of cache lines, but for a single
// row, whose panels follow each other as a plain array does.
template <class T>
constexpr Index panel_stride(Index rows) {
  return (rows | 1) * panel_width<T>;
}

// Calls body with a null pointer of the rows' scalar type.
template <class Body>
decltype(auto) with_scalar(Scalar scalar, Body&& body) {
  switch (scalar) {
  case Scalar::float32:
    return body(static_cast<const float*>(nullptr));
  case Scalar::float64:
    return body(static_cast<const double*>(nullptr));
  default:
    return body(static_cast<const std::uint8_t*>(nullptr));
  }
}

// What numbers become on their way into panels: x · factor; or, by columns, (x − shift) · scale,
// where the difference is taken in double, so that 10⁶ ± 1 keeps its digits.
template <class T>
struct Scaling {
  T factor = T(1);
  const double* shift = nullptr; // (columns,) both or neither
  const T* scale = nullptr;      // (columns,)

  explicit operator bool() const { return scale != nullptr; }
  T of(double x, Index d) const {
    return scale ? static_cast<T>(x - shift[d]) * scale[d] : static_cast<T>(x) * factor;
  }
  bool is_identity() const { return !scale && factor == T(1); }
  // What a derivative by the numbers is multiplied by.
  T slope(Index d) const { return scale ? scale[d] : factor; }
};

namespace detail {
// y = h numbers from s, which stand in columns d … d + h - 1. A loop and not Eigen's expressions,
// of which every h and S would have types of their own: a fifth of the time to compile. Clang
// writes it out before it looks at the pragma, and then has vectors only where y lies apart from
// the rest.
template <Index h, bool by_columns, class T, class S>
void move(const S* s, const Scaling<T>& scaling, Index d, T* __restrict y) {
  [[maybe_unused]] const double* const shift = by_columns ? scaling.shift + d : nullptr;
  [[maybe_unused]] const T* const scale = by_columns ? scaling.scale + d : nullptr;
  [[maybe_unused]] const T factor = scaling.factor;
#pragma omp simd
  for (Index j = 0; j < h; ++j) {
    if constexpr (by_columns)
      y[j] = static_cast<T>(static_cast<double>(s[j]) - shift[j]) * scale[j];
    else
      y[j] = static_cast<T>(s[j]) * factor;
  }
}

// y = `width` numbers from s, fewer than 2 h: two moves of h numbers, which may overlap, or of
// fewer.
template <Index h, bool by_columns, class T, class S>
void gather_part(const S* s, Index width, const Scaling<T>& scaling, Index d, T* y) {
  if (width >= h) {
    for (const Index at : {Index{0}, width - h})
      move<h, by_columns>(s + at, scaling, d + at, y + at);
  } else if constexpr (h > 1) {
    gather_part<h / 2, by_columns>(s, width, scaling, d, y);
  }
}

#ifdef __AVX512F__
// A line with the first numbers of s, of which `mask` has a bit each, times a factor, and zeros: in
// one move, without a look at what is behind them.
inline Packet<float> masked_line(const float* s, unsigned mask, float factor) {
  const auto m = static_cast<__mmask16>(mask);
  return _mm512_maskz_mul_ps(m, _mm512_maskz_loadu_ps(m, s), _mm512_set1_ps(factor));
}
inline Packet<double> masked_line(const double* s, unsigned mask, double factor) {
  const auto m = static_cast<__mmask8>(mask);
  return _mm512_maskz_mul_pd(m, _mm512_maskz_loadu_pd(m, s), _mm512_set1_pd(factor));
}
constexpr bool has_masks = true;
#else
template <class T>
Packet<T> masked_line(const T*, unsigned, T) {
  return Packet<T>(); // never called
}
constexpr bool has_masks = false;
#endif

template <class T, class S, bool by_columns>
bool gather(const Rows& X, const std::int64_t* order, Index first, Index count,
            const Scaling<T>& scaling, Panels<T> out, Index out_row) {
  constexpr Index p = panel_width<T>;
  const bool packed = X.column_stride == static_cast<Index>(sizeof(S));
  const Index panels = panel_count<T>(X.columns), whole = packed ? X.columns / p : 0;
  const auto row_of = [&](Index i) {
    return static_cast<const char*>(X.data) +
           (order ? static_cast<Index>(order[first + i]) : first + i) * X.row_stride;
  };
  Line<T> not_finite = Line<T>::Zero(); // x · 0 is NaN for NaN and Inf
  // Columns that fill no line (2-3-2: a step takes 10 % less).
  constexpr bool takes_masks = has_masks && std::is_same_v<S, T> && !by_columns;
  const bool in_one_move = takes_masks && packed && whole < panels;
  const unsigned mask = (1U << (X.columns % p)) - 1U;
  for (Index i = 0; i < count; ++i) {
    const char* x = row_of(i);
    const char* next = row_of(i + 1 < count ? i + 1 : i);
    for (Index c = 0; c < whole; ++c) {
      const S* s = reinterpret_cast<const S*>(x) + c * p;
      T* y = out.at(out_row + i, c);
      __builtin_prefetch(reinterpret_cast<const S*>(next) + c * p);
      move<p, by_columns>(s, scaling, c * p, y);
      if constexpr (!std::is_integral_v<S>) not_finite += line(y) * T(0);
    }
    if constexpr (takes_masks)
      if (in_one_move) {
        T* y = out.at(out_row + i, whole);
        Eigen::internal::pstore(
            y, masked_line(reinterpret_cast<const S*>(x) + whole * p, mask, scaling.factor));
        not_finite += line(y) * T(0);
        continue;
      }
    for (Index c = whole; c < panels; ++c) {
      const Index d = c * p, width = std::min(p, X.columns - d);
      T* y = out.at(out_row + i, c);
      line(y) = T(0);
      if (packed) {
        gather_part<p / 2, by_columns>(reinterpret_cast<const S*>(x) + d, width, scaling, d, y);
        continue;
      }
      for (Index j = 0; j < width; ++j)
        y[j] = scaling.of(
            static_cast<double>(*reinterpret_cast<const S*>(x + (d + j) * X.column_stride)), d + j);
    }
  }
  // Lines written in parts are read again only now: a read right behind such writes would wait.
  for (Index c = whole; !std::is_integral_v<S> && !in_one_move && c < panels; ++c)
    for (Index i = 0; i < count; ++i) not_finite += line(out.at(out_row + i, c)) * T(0);
  return !std::isnan(static_cast<double>(not_finite.sum()));
}

// The same of sparse rows, whose places are of type I; those that come twice add up.
template <class T, class S, class I>
bool gather_sparse(const Rows& X, const std::int64_t* order, Index first, Index count,
                   const Scaling<T>& scaling, Panels<T> out, Index out_row) {
  constexpr auto p = static_cast<std::uint64_t>(panel_width<T>);
  const auto* starts = static_cast<const I*>(X.starts);
  const auto* places = static_cast<const I*>(X.places);
  const auto* values = static_cast<const S*>(X.data);
  T not_finite = 0;
  for (Index i = 0; i < count; ++i) {
    const Index row = order ? static_cast<Index>(order[first + i]) : first + i;
    const auto begin = static_cast<Index>(starts[row]), end = static_cast<Index>(starts[row + 1]);
    if (begin < 0 || begin > end || end > X.stored) return false;
    for (Index c = 0; c < panel_count<T>(X.columns); ++c)
      line(out.at(out_row + i, c)) = Line<T>::Zero();
    for (Index d = 0; scaling && d < X.columns; ++d)
      out.at(out_row + i, d / panel_width<T>)[d % panel_width<T>] = scaling.of(0, d);
    for (Index j = begin; j < end; ++j) {
      const auto d = static_cast<std::uint64_t>(places[j]);
      if (d >= static_cast<std::uint64_t>(X.columns)) return false;
      const T x = static_cast<T>(values[j]) * scaling.slope(static_cast<Index>(d));
      out.at(out_row + i, static_cast<Index>(d / p))[d % p] += x;
      not_finite += x * T(0);
    }
  }
  return !std::isnan(not_finite);
}
} // namespace detail

// out[out_row + i] = X[order[first + i]], scaled, for i < count (order null: rows as they come).
// False if a number is not finite, or if sparse rows do not hold together.
template <class T>
bool gather_rows(const Rows& X, const std::int64_t* order, Index first, Index count,
                 const Scaling<T>& scaling, Panels<T> out, Index out_row) {
  return with_scalar(X.scalar, [&](auto* s) {
    using S = std::remove_const_t<std::remove_pointer_t<decltype(s)>>;
    if (X.starts)
      return (X.wide ? detail::gather_sparse<T, S, std::int64_t>
                     : detail::gather_sparse<T, S, std::int32_t>)(X, order, first, count, scaling,
                                                                  out, out_row);
    return (scaling ? detail::gather<T, S, true>
                    : detail::gather<T, S, false>)(X, order, first, count, scaling, out, out_row);
  });
}

// to[i, :] = rows of panels, columns of them, times the scaling's slopes; `to` is C-order with
// `to_stride` scalars a row.
template <class T>
void scatter_rows(Panels<const T> from, Index from_row, Index count, Index columns, T* to,
                  Index to_stride, const Scaling<T>& scaling = {}) {
  constexpr Index p = panel_width<T>;
  for (Index i = 0; i < count; ++i)
    for (Index d = 0, c = 0; d < columns; d += p, ++c) {
      const Index width = std::min(p, columns - d);
      const T* x = from.at(from_row + i, c);
      T* y = to + i * to_stride + d;
      if (scaling)
        for (Index j = 0; j < width; ++j) y[j] = x[j] * scaling.scale[d + j];
      else
        for (Index j = 0; j < width; ++j) y[j] = x[j] * scaling.factor;
    }
}

// A C-order (rows, columns) array into panels; padding columns are 0, also where training that
// diverged has left NaN.
template <class T>
void pack(const T* from, Index rows, Index columns, Panels<T> to) {
  constexpr Index p = panel_width<T>;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) to.at(i, j / p)[j % p] = from[i * columns + j];
    for (Index j = columns; j % p != 0; ++j) to.at(i, j / p)[j % p] = T(0);
  }
}

// to[c, :] = from[:, c] for one block of p x p: `rows` of `from` exist (the others count as zero),
// `columns` rows of `to`.
template <class T>
void transpose_block(const T* from, Index rows, T* to, Index columns) {
  using namespace Eigen::internal;
  constexpr Index p = panel_width<T>;
  constexpr int n = packet_size<T>;
  alignas(cache_line) T padded[p * p];
  if (rows < p) {
    std::memset(padded, 0, sizeof padded);
    std::memcpy(padded, from, static_cast<std::size_t>(rows * p) * sizeof(T));
    from = padded;
  }
  for (Index j = 0; j < columns; j += n)
    for (Index i = 0; i < p; i += n) {
      PacketBlock<Packet<T>, n> block;
#pragma GCC unroll 16
      for (int k = 0; k < n; ++k) block.packet[k] = pload<Packet<T>>(from + (i + k) * p + j);
      if constexpr (n > 1) ptranspose(block);
      if (columns - j >= n) {
#pragma GCC unroll 16
        for (int k = 0; k < n; ++k) pstore(to + (j + k) * p + i, block.packet[k]);
      } else {
#pragma GCC unroll 16
        for (int k = 0; k + 1 < n; ++k) // compilers see that no packet is beyond the block
          if (k < columns - j) pstore(to + (j + k) * p + i, block.packet[k]);
      }
    }
}

} // namespace eigenmlp
