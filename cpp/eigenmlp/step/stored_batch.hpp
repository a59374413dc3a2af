// A batch of sparse rows as its stored numbers, row by row for the forward pass and by the rows of
// W that they belong to for dW; and which rows are read so.
#pragma once

#include <limits>
#include <vector>

#include "eigenmlp/kernel/stored.hpp"
#include "eigenmlp/network/network.hpp"

namespace eigenmlp {

// A stored number takes the first layer as long as so many zeros that lie in panels: measured for
// 64 to 128 outputs and 200 to 20,000 columns, 6 to 9 in a step and 3 to 8 in predictions.
inline constexpr Index zeros_per_number = 8;

// Stored numbers of row `row`; of rows that do not hold together, some number of those there are.
inline Index stored_in_row(const Rows& X, Index row) {
  const auto count = [&](auto* starts) {
    return std::clamp<Index>(stored_between(starts[row], starts[row + 1]), 0, X.stored);
  };
  return X.wide ? count(static_cast<const std::int64_t*>(X.starts))
                : count(static_cast<const std::int32_t*>(X.starts));
}
// Of `count` rows order[first], … of them (order null: as they come).
inline Index stored_in_rows(const Rows& X, const std::int64_t* order, Index first, Index count) {
  Index sum = 0;
  for (Index i = first; i < first + count; ++i)
    sum += stored_in_row(X, order ? static_cast<Index>(order[i]) : i);
  return sum;
}
// The most that a batch of `size` rows has, of epochs over all rows, each in an order of its own.
inline Index most_stored(const Rows& X, const std::int64_t* orders, Index epochs, Index size) {
  Index most = 0;
  for (Index e = 0; e < (orders ? epochs : 1); ++e)
    for (Index first = 0; first < X.rows; first += size)
      most = std::max(most, stored_in_rows(X, orders ? orders + e * X.rows : nullptr, first,
                                           std::min(size, X.rows - first)));
  return most;
}
// Of so many chunks of rows, as even as they go.
inline Index most_stored_in_chunks(const Rows& X, Index chunks) {
  Index most = 0;
  for (Index i = 0; i < chunks; ++i) {
    const Index first = share_begin(X.rows, chunks, i);
    const Index rows = share_begin(X.rows, chunks, i + 1) - first;
    most = std::max(most, stored_in_rows(X, nullptr, first, rows));
  }
  return most;
}
inline double stored_per_row(const Rows& X) {
  return static_cast<double>(X.stored) / static_cast<double>(X.rows);
}

// Whether the first layer reads rows X by their stored numbers: by their density alone. Operands
// that are rounded lie in panels.
template <class T>
bool reads_stored(const Network<T>& net, const Rows& X) {
  return X.starts && !net.rounds() && net.units().keeps_zeros() &&
         X.columns <= std::numeric_limits<std::int32_t>::max() &&
         stored_per_row(X) * zeros_per_number <= static_cast<double>(X.columns);
}

// Parameters that a row of them goes through, a stored number of the first layer being as many as
// take that long: what a forward pass takes is two operations for each.
template <class T>
double parameters_passed(const Network<T>& net, const Rows& X) {
  const double K = static_cast<double>(net.layers().front().K);
  return static_cast<double>(net.parameter_count()) +
         K * (stored_per_row(X) * zeros_per_number - static_cast<double>(X.columns));
}

// What a batch of such rows is; null where X is dense.
template <class T>
struct StoredBatch : StoredRows<T> {
  using StoredRows<T>::numbers, StoredRows<T>::begin, StoredRows<T>::end, StoredRows<T>::capacity;
  SortedNumber<T>* sorted = nullptr;
  Index* tables = nullptr;  // thread t's numbers of panel d of W's rows lie from
  Index panels = 0;         // tables[t · (panels + 1) + d] to [… + d + 1] in `sorted`
  int* sorted_by = nullptr; // so many threads

  // A thread's rows, whose numbers were gathered, by panels of W's rows; within those as they came.
  void sort(Index first_row, Index last_row, int thread, int threads) const {
    constexpr Index p = panel_width<T>;
    if (thread == 0) *sorted_by = threads;
    Index* table = tables + thread * (panels + 1);
    std::fill_n(table, panels + 1, Index{0});
    for (Index r = first_row; r < last_row; ++r)
      for (Index j = begin[r]; j < end[r]; ++j) ++table[numbers[j].place / p + 1];
    table[0] = first_row < last_row ? begin[first_row] : 0;
    Index before = table[0];
    for (Index d = 1; d <= panels; ++d) before += std::exchange(table[d], before);
    for (Index r = first_row; r < last_row; ++r)
      for (Index j = begin[r]; j < end[r]; ++j) {
        const auto [value, place] = numbers[j];
        Index& at = table[place / p + 1]; // becomes where the panel ends
        if (at < capacity) sorted[at++] = {value, static_cast<std::int32_t>(r), place};
      }
  }

  // Calls body(from, to) for the numbers in panels d … d_end - 1, which come in the batch's order
  // of rows within each panel, whoever sorted them.
  template <class Body>
  void for_each_part(Index d, Index d_end, Body&& body) const {
    for (int t = 0; t < *sorted_by; ++t) {
      const Index* table = tables + t * (panels + 1);
      body(sorted + table[d], sorted + table[d_end]);
    }
  }

  // Calls body(from, to) for runs of panels d … d_end - 1 that have numbers, and for the first of
  // all, which the bias goes with.
  template <class Body>
  void for_each_run(Index d, Index d_end, Body&& body) const {
    const auto has_numbers = [&](Index i) {
      bool any = i == 0;
      for_each_part(i, i + 1, [&](auto* from, auto* to) { any |= from != to; });
      return any;
    };
    for (Index from = d; from < d_end;) {
      Index to = from;
      while (to < d_end && has_numbers(to)) ++to;
      if (from < to) body(from, to);
      from = to + 1; // panel `to` has none
    }
  }
};

template <class T>
class StoredMemory {
public:
  // Room for `rows` rows with so many numbers, to be sorted by up to so many threads.
  StoredBatch<T> reserve(const Network<T>& net, Index rows, Index count, int threads) {
    StoredBatch<T> batch;
    batch.capacity = std::max<Index>(count, 1);
    batch.panels = panel_count<T>(net.inputs());
    numbers_.reserve(batch.capacity);
    bounds_.reserve(2 * rows);
    batch.numbers = numbers_.data();
    batch.begin = bounds_.data();
    batch.end = bounds_.data() + rows;
    if (threads == 0) return batch;
    sorted_.reserve(batch.capacity);
    tables_.reserve(threads * (batch.panels + 1));
    batch.sorted = sorted_.data();
    batch.tables = tables_.data();
    batch.sorted_by = &sorted_by_;
    return batch;
  }

private:
  Buffer<StoredNumber<T>> numbers_;
  Buffer<SortedNumber<T>> sorted_;
  Buffer<Index> bounds_, tables_;
  int sorted_by_ = 0;
};

} // namespace eigenmlp
