// What a loss is given: some rows of a batch, with outputs and targets in panels.
#pragma once

#include "eigenmlp/panels.hpp"

namespace eigenmlp {

template <class T>
struct LossRows {
  Panels<const T> Y;          // outputs (N, K); logits Z where the loss takes logits
  Panels<T> dY;               // in: targets (N, K), unless labels; out: scale · ∂l/∂Y, padding 0
  const std::int64_t* labels; // (N,) or null
  Index K, begin, end;        // outputs; rows begin … end - 1 are meant
  const T* scale;             // (N,) sample weight / total weight of the batch
  T* row_loss;                // (N,) out: each row's loss, without scale

  // body(y, dy, real) for every panel of a row; real is 1 in columns below K and 0 in padding.
  template <class Body>
  void for_each_panel(Index row, Body&& body) const {
    constexpr Index p = panel_width<T>;
    const Index panels = panel_count<T>(K);
    Line<T> real = Line<T>::Ones();
    for (Index c = 0; c < panels; ++c) {
      if (c == panels - 1)
        for (Index j = K - c * p; j < p; ++j) real[j] = T(0);
      body(line(Y.at(row, c)), line(dY.at(row, c)), real);
    }
  }
};

} // namespace eigenmlp
