// Phase 1 of a step where the weights outweigh the rows: threads share each layer's columns
// instead. A thread then reads the same columns of W in the forward pass as it writes in the
// weights' phase, so that they stay in its own cache; what goes from thread to thread is
// activations only, layer by layer; the inputs, which all threads need, each gathers for itself.
// The sums are those of the rows' phase, bit for bit.
#pragma once

#include "eigenmlp/step/rows_phase.hpp"

namespace eigenmlp {

// Whether there are panels enough for all threads; otherwise they share rows.
inline bool shares_panels(Index panels, const Team& team) { return panels >= 2 * team.size; }

// A thread's part of `panels` panels of a batch, in chunks of rows: body(part).
template <class T, class Body>
void for_each_chunk(const Network<T>& net, Index rows, Index panels, const Team& team, bool stored,
                    Body&& body) {
  const bool wide = shares_panels(panels, team);
  const auto [begin, end] = wide ? std::pair(Index{0}, rows) : share_of_rows(net, rows, team);
  const auto part = [&](Index from, Index to) {
    body(Part{from, to, wide ? team.begin(panels) : 0, wide ? team.end(panels) : panels});
    return true;
  };
  in_chunks(net, begin, end, part, nullptr, stored);
}

// All of phase 1 for the batch order[first], order[first + 1], … of `rows` rows; `batch` has inputs
// of the thread's own, unless the network rounds or they are stored numbers: these are gathered by
// all threads.
template <class T>
RowsReport columns_phase(const Network<T>& net, const Data& data, const std::int64_t* order,
                         Index first, Index rows, double divisor, const Team& team,
                         const BatchView<T>& batch, const Dropout* dropout = nullptr) {
  const auto [begin, end] = share_of_rows(net, rows, team);
  const std::size_t L = net.layers().size();
  const bool stored(batch.stored);
  bool good = stored ? gather_stored_inputs(net, data, order, first, begin, end, batch, team.index,
                                            team.size)
              : net.rounds() ? gather_inputs(net, data, order, first, begin, end - begin, batch)
                             : gather_inputs(net, data, order, first, 0, rows, batch);
  good &= gather_targets(net, data, order, first, begin, end - begin, divisor, batch);
  if (dropout) fill_masks(net, *dropout, batch, begin, end);
  if (dropout || net.rounds() || stored) team.wait();
  for (std::size_t l = 1; l <= L; ++l) {
    const Index panels = net.layers()[l - 1].output_panels();
    for_each_chunk(net, rows, panels, team, stored, [&](const Part& part) {
      forward_layer<T>(net, batch.Y, batch.Z, l, part, dropout ? &batch.dropped : nullptr,
                       net.rounds() ? &batch.rounded : nullptr,
                       stored && l == 1 ? &batch.stored : nullptr);
    });
    team.wait();
  }
  forward_softmax(net, batch.Y, begin, end);
  const Index correct = good ? loss_rows(net, batch, data.labels != nullptr, begin, end) : 0;
  backward_output(net, batch, begin, end);
  for (std::size_t l = L; l > 1; --l) {
    team.wait();
    const Index panels = net.layers()[l - 1].input_panels();
    for_each_chunk(net, rows, panels, team, stored, [&](const Part& part) {
      backward_layer(net, batch, l, net.layers()[l - 1], part);
    });
  }
  return {correct, good};
}

} // namespace eigenmlp
