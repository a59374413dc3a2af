// The operands of a batch: what the products read of a network that rounds them to bfloat16.
#pragma once

#include <vector>

#include "eigenmlp/network/network.hpp"

namespace eigenmlp {

// Null where nothing reads them; empty in networks that do not round.
struct RoundedBatch {
  std::vector<Index> columns;         // of Y[l] and dY[l]
  std::vector<rounded::Operands> Y;   // the Left of Y[0] … Y[L - 1]
  std::vector<rounded::Operands> dY;  // the Left of dY[1] … dY[L]
  std::vector<rounded::Operands> Yt;  // for Xᵀ · dY
  std::vector<rounded::Operands> dYt; // for Xᵀ · dY

  // Room for `rows` rows in `buffer`.
  template <class T>
  [[gnu::cold]] void reserve(const Network<T>& net, Index rows, Buffer<rounded::Operand>& buffer) {
    using namespace rounded;
    const std::size_t L = net.layers().size();
    std::vector<std::pair<Operands*, Index>> places;
    Index size = 0;
    const auto place = [&](Operands& operands, Index panel, Index count) {
      if (count == 0) return;
      places.emplace_back(&operands, size);
      operands.panel = panel;
      size += count;
    };
    for (auto* operands : {&Y, &dY, &Yt, &dYt}) operands->assign(L + 1, {});
    set_columns(net);
    for (std::size_t l = 0; l <= L; ++l) {
      if (l < L) {
        place(Y[l], left_panel(rows), left_size(rows, columns[l]));
        place(Yt[l], inputs_panel(columns[l]), inputs_size(rows, columns[l]));
      }
      if (l > 0) {
        place(dY[l], left_panel(rows), left_size(rows, columns[l]));
        place(dYt[l], deltas_panel(rows), deltas_size(rows, columns[l]));
      }
    }
    buffer.reset(size);
    for (auto& [operands, offset] : places) operands->data = buffer.data() + offset;
  }

  template <class T>
  void set_columns(const Network<T>& net) {
    columns.assign(1, net.inputs());
    for (const auto& layer : net.layers()) columns.push_back(layer.K);
  }

  // The network does not round.
  bool empty() const { return columns.empty(); }
  void clear() { columns.clear(); }
  rounded::Operands left_Y(std::size_t l) const { return empty() ? rounded::Operands{} : Y[l]; }
  rounded::Operands left_dY(std::size_t l) const { return empty() ? rounded::Operands{} : dY[l]; }

  // Rows row … row + count - 1 of panel c of Y[l] or dY[l], which lie at `from`.
  template <class T>
  void store_Y(std::size_t l, const T* from, Index row, Index count, Index c) const {
    if constexpr (can_round<T>) {
      if (empty()) return;
      if (Y[l].data) rounded::store_left(from, row, count, c, columns[l], Y[l]);
      if (Yt[l].data) rounded::store_inputs_over_rows(from, row, count, c, Yt[l]);
    }
  }
  template <class T>
  void store_dY(std::size_t l, const T* from, Index row, Index count, Index c) const {
    if constexpr (can_round<T>) {
      if (empty()) return;
      rounded::store_left(from, row, count, c, columns[l], dY[l]);
      if (dYt[l].data) rounded::store_deltas_over_rows(from, row, count, c, dYt[l]);
    }
  }
  // Rows row … row + count - 1 of X.
  template <class T>
  void store_inputs(Panels<T> X, Index row, Index count) const {
    for (Index c = 0; !empty() && c < panel_count<T>(columns[0]); ++c)
      store_Y(0, X.at(row, c), row, count, c);
  }
};

// A factor of a product: in panels, and rounded, or null.
template <class T>
struct Factor {
  Panels<const T> plain;
  rounded::ConstOperands rounded;
};

// out = init + A · B from row `row` of A and panel c of B, as `multiply`; of what is rounded, if it
// is there.
template <class T, class Done>
void multiply_rows(Index rows, Index depth, Index panels, const Factor<T>& A, Index row,
                   const Factor<T>& B, Index c, const T* init, Index init_panel, Panels<T> out,
                   Done&& done) {
  if constexpr (can_round<T>)
    if (A.rounded.data) {
      rounded::multiply_left(rows, depth, panels, A.rounded, row, B.rounded, c, init, init_panel,
                             out, done);
      return;
    }
  multiply<T>(rows, depth, panels, {A.plain.at(row, 0), A.plain.panel},
              {B.plain.at(0, c), B.plain.panel}, init, init_panel, out, done);
}

// out (+)= Xᵀ · dY over n rows, for panels d … of layer l's inputs X (`columns` columns of them)
// and panels k … k + C - 1 of dY; of what is rounded, if it is there. `beside` as
// for multiply_transposed.
template <class T>
void multiply_over_rows(const RoundedBatch& r, std::size_t l, Index n, Index columns, Index C,
                        Panels<const T> X, Index d, Panels<const T> dY, Index k, bool from_zero,
                        Panels<T> out, std::span<const Beside<T>> beside) {
  if constexpr (can_round<T>)
    if (!r.empty()) {
      rounded::multiply_over_rows(n, columns, C, r.Y[l], r.Yt[l], d, r.dY[l + 1], r.dYt[l + 1], k,
                                  from_zero, out);
      return;
    }
  multiply_transposed<T>(n, columns, C, {X.at(0, d), X.panel}, {dY.at(0, k), dY.panel}, from_zero,
                         out, beside);
}

} // namespace eigenmlp
