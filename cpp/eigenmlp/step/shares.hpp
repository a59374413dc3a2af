// Who does what: how many threads a step is worth, by rows or by columns, and which rows are whose.
#pragma once

#include "eigenmlp/kernel/cache.hpp"
#include "eigenmlp/network/network.hpp"
#include "eigenmlp/threads/interruption.hpp"
#include "eigenmlp/threads/work.hpp"

namespace eigenmlp {

// Cache lines of the weights, and of the activations of `rows` rows.
template <class T>
Index weight_lines(const Network<T>& net) {
  Index lines = 0;
  for (const auto& layer : net.layers()) lines += layer.D * layer.output_panels();
  return lines;
}
// `stored`, here and below: inputs are stored numbers (stored_batch.hpp), few beside all others.
template <class T>
Index activation_lines(const Network<T>& net, Index rows, bool stored = false) {
  Index lines = stored ? 0 : rows * panel_count<T>(net.inputs());
  for (const auto& layer : net.layers()) lines += rows * layer.output_panels();
  return lines;
}

// Whether moving activations between threads costs less than moving weights: phase 1 then goes by
// columns (columns_phase.hpp), not by rows.
template <class T>
bool weights_outweigh(const Network<T>& net, Index rows, bool stored = false) {
  return weight_lines(net) > activation_lines(net, rows, stored);
}

// Cache lines of a step that one thread writes and the others read.
template <class T>
double lines_exchanged(const Network<T>& net, Index rows, bool by_columns, bool stored = false) {
  const Index lines =
      2 * activation_lines(net, rows, stored) + (by_columns ? 0 : weight_lines(net));
  return static_cast<double>(lines);
}

// Work by a network's own speed. Rounded operands are half the size where their products are
// faster: half the traffic.
template <class T>
Work work_of_net(const Network<T>& net, double operations, double lines, int barriers) {
  const double speedup = net.rounds() ? rounded::speedup() : 1;
  return {as_float32<T>(operations) / speedup, speedup > 1 ? lines / 2 : lines, barriers};
}

// Rows that a thread takes through all layers at once, so that a layer's inputs are within a
// `budget` of bytes: the same on every machine where results are added by chunks, this machine's
// near_bytes() elsewhere.
template <class T>
Index chunk_rows(const Network<T>& net, bool stored = false, Index budget = Index{1} << 20) {
  Index widest = stored ? 0 : net.inputs();
  for (const auto& layer : net.layers()) widest = std::max(widest, layer.K);
  const Index fit = budget / (widest * static_cast<Index>(sizeof(T)));
  return std::max<Index>(16, net.rounds() ? fit * rounded::per_float() : fit);
}

// Calls body(from, to) for chunks of rows begin … end - 1 until it returns false, which is
// returned; also false if interrupted.
template <class T, class Body>
bool in_chunks(const Network<T>& net, Index begin, Index end, Body&& body,
               Interruption* interruption = nullptr, bool stored = false) {
  const Index unit = net.row_unit(), units = ceil_div(end - begin, unit);
  const Index fit = std::max<Index>(1, chunk_rows(net, stored, near_bytes()) / unit);
  const Index chunks = ceil_div(units, fit);
  const auto border = [&](Index i) {
    return std::min(end, begin + share_begin(units, chunks, i) * unit);
  };
  for (Index i = 0; i < chunks; ++i)
    if (stops(interruption) || !body(border(i), border(i + 1))) return false;
  return true;
}

// A thread's part of `rows` rows: begin, end.
template <class T>
std::pair<Index, Index> share_of_rows(const Network<T>& net, Index rows, const Team& team) {
  const Index unit = net.row_unit(), units = ceil_div(rows, unit);
  return {std::min(rows, team.begin(units) * unit), std::min(rows, team.end(units) * unit)};
}

} // namespace eigenmlp
