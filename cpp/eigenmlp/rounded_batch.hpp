// The operands of a batch: what the products read of a network that rounds them to bfloat16.
#pragma once

#include <vector>

#include "eigenmlp/network.hpp"

namespace eigenmlp {

// Null where nothing reads them, and in networks that do not round.
struct RoundedBatch {
  std::vector<Index> panels;          // of Y[l] and dY[l]
  std::vector<rounded::Operands> Y;   // the Left of Y[0] … Y[L - 1]
  std::vector<rounded::Operands> dY;  // the Left of dY[1] … dY[L]
  std::vector<rounded::Operands> Yt;  // for Xᵀ · dY
  std::vector<rounded::Operands> dYt; // for Xᵀ · dY

  // Room for `rows` rows in `buffer`.
  template <class T>
  void reserve(const Network<T>& net, Index rows, Buffer<rounded::Operand>& buffer) {
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
    count_panels(net);
    for (std::size_t l = 0; l <= L; ++l) {
      const Index columns = l == 0 ? net.inputs() : net.layers()[l - 1].K;
      if (l < L) {
        place(Y[l], left_panel(rows), left_size(rows, columns));
        place(Yt[l], inputs_panel(columns), inputs_size(rows, columns));
      }
      if (l > 0) {
        place(dY[l], left_panel(rows), left_size(rows, columns));
        place(dYt[l], deltas_panel(rows), deltas_size(rows, columns));
      }
    }
    buffer.reset(size);
    for (auto& [operands, offset] : places) operands->data = buffer.data() + offset;
  }

  template <class T>
  void count_panels(const Network<T>& net) {
    panels.assign(1, panel_count<T>(net.inputs()));
    for (const auto& layer : net.layers()) panels.push_back(layer.output_panels());
  }

  // Rows row … row + count - 1 of panel c of Y[l] or dY[l], which lie at `from`.
  void store_Y(std::size_t l, const float* from, Index row, Index count, Index c) const {
    if (Y[l].data) rounded::store_left(from, row, count, c, panels[l], Y[l]);
    if (Yt[l].data) rounded::store_inputs_over_rows(from, row, count, c, Yt[l]);
  }
  void store_dY(std::size_t l, const float* from, Index row, Index count, Index c) const {
    rounded::store_left(from, row, count, c, panels[l], dY[l]);
    if (dYt[l].data) rounded::store_deltas_over_rows(from, row, count, c, dYt[l]);
  }
};

} // namespace eigenmlp
