// What a loss is given: some rows of a batch, with outputs and targets in panels.
#pragma once

#include "eigenmlp/kernel/series.hpp"

namespace eigenmlp {

// What targets may be: any number, one of at least 0, a probability, or rows of probabilities that
// add up to 1.
enum class Targets { any, counts, probabilities, distributions };

// 1 in the first `columns` places of a line, 0 in the others: one load, however many there are.
template <class T>
Line<T> real_columns(Index columns) {
  constexpr Index p = panel_width<T>;
  static constexpr auto falling = [] {
    std::array<T, 2 * p> places{};
    std::fill_n(places.begin(), p, T(1));
    return places;
  }();
  return Eigen::Map<const Line<T>>(falling.data() + p - std::min(p, columns));
}

template <class T>
struct LossRows {
  Panels<const T> Y;          // outputs (N, K); logits Z where the loss takes logits
  Panels<T> dY;               // in: targets (N, K), unless labels; out: scale · ∂l/∂Y, padding 0
  const std::int64_t* labels; // (N,) or null
  Index K, begin, end;        // outputs; rows begin … end - 1 are meant
  const T* scale;             // (N,) sample weight / total weight of the batch
  T* row_loss;                // (N,) out: each row's loss, without scale
  const T* parameters;        // of the loss, each a row of K numbers in panels
  const T* weights = nullptr; // of each output's loss, the same, in `loss_unit`s; null: all 1

  // Parameter i in the columns of a panel.
  auto parameter(Index i, Index panel) const {
    return line(parameters + (i * panel_count<T>(K) + panel) * panel_width<T>);
  }

  // Adds the losses of a panel's outputs to a row's.
  template <class Losses>
  void add(Line<T>& sums, const Losses& losses, Index panel) const {
    if (weights)
      sums += losses * line(weights + panel * panel_width<T>);
    else
      sums += losses;
  }

  // body(y, dy, real, panel) for every panel of a row; real is 1 in columns below K and 0 in
  // padding.
  template <class Body>
  void for_each_panel(Index row, Body&& body) const {
    for (Index c = 0; c < panel_count<T>(K); ++c)
      body(line(Y.at(row, c)), line(dY.at(row, c)), real_columns<T>(K - c * panel_width<T>), c);
  }
};

// A row of each of p networks (kernel/lanes.hpp), or p rows that were turned: a line holds one
// number of each.
template <class T>
struct LossLanes {
  Index K;
  const T* Y;      // K lines
  T* dY;           // K lines out: scale · ∂l/∂Y
  const T* labels; // a line, as numbers of T; one that is no class counts as none
  const T* scale;  // a line
  T* loss;         // a line out: without scale
  T* right;        // a line: 1 is added where the label is the first of the likeliest
};

// What the Taylor coefficients of rows 0 … rows - 1 of a loss are made from: those of the outputs.
template <class T>
struct LossSeries {
  SeriesPanels<T> Y;          // (order + 1, N, K)
  Panels<const T> targets;    // (N, K), unless labels
  const std::int64_t* labels; // (N,) or null
  Index K, rows, order;
  T* loss; // (N, order + 1) out
  std::array<Series<T>, 3> scratch;
  T* sums;                    // (order + 1,) scratch
  const T* parameters;        // as in LossRows
  const T* weights = nullptr; // as in LossRows

  // The sum over a panel's outputs of what each adds to a coefficient of its row's loss.
  template <class Losses>
  T sum(const Losses& losses, Index panel) const {
    return weights ? (losses * line(weights + panel * panel_width<T>)).sum() : losses.sum();
  }

  // body(y, t, real, loss, panel) for every panel of every row: the series y and targets t of p
  // outputs add to the row's coefficients, which start from 0; real as in LossRows.
  template <class Body>
  void for_each_panel(Body&& body) const {
    for (Index r = 0; r < rows; ++r) {
      T* row = loss + r * (order + 1);
      std::fill_n(row, order + 1, T(0));
      for (Index c = 0; c < panel_count<T>(K); ++c)
        body(Y.at(r, c), line(targets.at(r, c)), real_columns<T>(K - c * panel_width<T>), row, c);
    }
  }
};

} // namespace eigenmlp
