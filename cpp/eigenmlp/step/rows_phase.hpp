// Phase 1 of a step, rows: inputs in, forward through every layer, the loss, deltas back through
// every layer. No row needs another, so threads share rows and never wait for each other here.
#pragma once

#include "eigenmlp/step/dropout.hpp"
#include "eigenmlp/step/gather.hpp"
#include "eigenmlp/step/shares.hpp"

namespace eigenmlp {

// Part of a layer's outputs (or inputs): rows begin … end - 1, panels c … c_end - 1.
struct Part {
  Index begin, end, c, c_end;
};

// Y = f(Z) for panels c … c + count - 1 of layer l's outputs `out` (l from 1), which hold Z; Z
// keeps a copy of them if the derivative needs it, unless it is null. A softmax is left to do.
template <class T>
void activate_panels(const Network<T>& net, Panels<T> out, Panels<T> Z, std::size_t l, Index rows,
                     Index c, Index count) {
  const Layer<T>& layer = net.layers()[l - 1];
  const Activation<T>& f = *layer.activation;
  if (!f.value) return;
  for (Index i = c; i < c + count; ++i)
    f.value(out.at(0, i), f.needs_z && Z.data ? Z.at(0, i) : nullptr, rows * panel_width<T>,
            layer.parameters.data());
}

// The product of panels part.c … part.c_end - 1 of `panels`, of whose last one narrow.hpp may take
// `narrow` columns, by the rows `narrow_B` of Bᵀ; else as multiply_rows.
template <class T, class Done>
void multiply_part(const Part& part, Index depth, Index panels, const Factor<T>& A,
                   const Factor<T>& B, const T* init, Index init_panel, Index narrow,
                   Panels<const T> narrow_B, Panels<T> out, Done&& done) {
  const Index rows = part.end - part.begin;
  const bool ends = narrow > 0 && !A.rounded.data && part.c < part.c_end && part.c_end == panels;
  const Index whole = part.c_end - part.c - ends;
  multiply_rows<T>(rows, depth, whole, A, part.begin, B, part.c, init, init_panel, out, done);
  if (!ends) return;
  multiply_narrow<T>(rows, depth, narrow, {A.plain.at(part.begin, 0), A.plain.panel}, narrow_B,
                     init + whole * init_panel, {out.at(0, whole), out.panel});
  done(whole, 1);
}

// Z = X · W + b and Y = f(Z) for a part of layer l's outputs (l from 1); a softmax is left to do.
// With dropout Y is then multiplied by its mask. With `rounded` the product reads operands from
// there, and Y's are put there. With `stored` the inputs are those.
template <class T>
void forward_layer(const Network<T>& net, const std::vector<Panels<T>>& Y,
                   const std::vector<Panels<T>>& Z, std::size_t l, const Part& part,
                   const Dropped<T>* dropped = nullptr, const RoundedBatch* rounded = nullptr,
                   const StoredRows<T>* stored = nullptr) {
  const Layer<T>& layer = net.layers()[l - 1];
  const Index rows = part.end - part.begin;
  const Panels<T> out{Y[l].at(part.begin, part.c), Y[l].panel};
  const Panels<T> Z_part{Z[l].data ? Z[l].at(part.begin, part.c) : nullptr, Z[l].panel};
  const auto done = [&](Index c, Index count) {
    activate_panels(net, out, Z_part, l, rows, c, count);
    for (Index i = c; i < c + count; ++i) {
      if (dropped && dropped->mask[l].data)
        drop(*dropped, l, part.begin, part.c + i, rows, out.at(0, i));
      if (rounded) rounded->store_Y(l, out.at(0, i), part.begin, rows, part.c + i);
    }
  };
  if (stored) {
    multiply_stored<T>(*stored, part.begin, part.end, part.c_end - part.c,
                       {layer.W.at(0, part.c), layer.W.panel}, layer.bias(part.c), out,
                       layer.narrow_outputs() > 0 && part.c_end == layer.output_panels(), done);
    return;
  }
  multiply_part<T>(part, layer.D, layer.output_panels(),
                   {Y[l - 1], rounded ? rounded->left_Y(l - 1) : rounded::Operands{}},
                   {layer.W, layer.rounded_W}, layer.bias(part.c), layer.W.panel,
                   layer.narrow_outputs(), layer.rows_of_outputs(), out, done);
}

// Keeps `rows` rows of a panel of Y, and multiplies them by their mask.
template <class T>
void drop(const Dropped<T>& dropped, std::size_t l, Index begin, Index panel, Index rows, T* Y) {
  const Index n = rows * panel_width<T>;
  Run<T>(dropped.Y[l].at(begin, panel), n) = Run<T>(Y, n);
  Run<T>(Y, n) *= Run<T>(dropped.mask[l].at(begin, panel), n);
}

// The masks of rows begin … end - 1 in all layers that have one.
template <class T>
void fill_masks(const Network<T>& net, const Dropout& dropout, const BatchView<T>& batch,
                Index begin, Index end) {
  for (std::size_t l = 1; l <= dropout.rates.size(); ++l)
    if (batch.dropped.mask[l].data)
      fill_mask(dropout, l, net.layers()[l - 1].K, begin, end, batch.dropped.mask[l]);
}

// Y[first] … Y[L] of rows begin … end - 1 from Y[first - 1], or from stored inputs.
template <class T>
void forward_rows(const Network<T>& net, const std::vector<Panels<T>>& Y,
                  const std::vector<Panels<T>>& Z, Index begin, Index end,
                  const Dropped<T>* dropped = nullptr, const RoundedBatch* rounded = nullptr,
                  std::size_t first = 1, const StoredRows<T>* stored = nullptr) {
  for (std::size_t l = first; l < Y.size(); ++l)
    forward_layer(net, Y, Z, l, {begin, end, 0, net.layers()[l - 1].output_panels()}, dropped,
                  rounded, l == 1 ? stored : nullptr);
  forward_softmax(net, Y, begin, end);
}

// The same for a batch whose inputs were gathered.
template <class T>
void forward_batch(const Network<T>& net, const BatchView<T>& batch, Index begin, Index end,
                   const Dropped<T>* dropped = nullptr) {
  forward_rows<T>(net, batch.Y, batch.Z, begin, end, dropped,
                  net.rounds() ? &batch.rounded : nullptr, 1,
                  batch.stored ? &batch.stored : nullptr);
}

// The output activation that goes over whole rows, if that is what the network has.
template <class T>
void forward_softmax(const Network<T>& net, const std::vector<Panels<T>>& Y, Index begin,
                     Index end) {
  const Layer<T>& last = net.layers().back();
  if (last.activation->is_softmax) Softmax::value(Y.back(), last.K, begin, end);
}

// dY ← dY ⊙ f'(Z): from the derivative by the outputs to that by the last layer's sums.
template <class T>
void backward_output(const Network<T>& net, const BatchView<T>& batch, Index begin, Index end) {
  const std::size_t L = net.layers().size();
  const Layer<T>& last = net.layers().back();
  const Activation<T>& f = *last.activation;
  if (f.is_softmax) Softmax::backward<T>(batch.dY[L], batch.Y[L], last.K, begin, end);
  for (Index c = 0; c < last.output_panels(); ++c) {
    T* const dY = batch.dY[L].at(begin, c);
    if (f.backward)
      f.backward(dY, batch.Y[L].at(begin, c), f.needs_z ? batch.Z[L].at(begin, c) : nullptr,
                 (end - begin) * panel_width<T>, last.parameters.data());
    batch.rounded.store_dY(L, dY, begin, end - begin, c);
  }
}

// dX = dY · Wᵀ for a part of layer l's inputs (l from 1), and dX ⊙ mask ⊙ f'(Z) of the layer below,
// if there is one. `layer` has its Wᵀ.
template <class T>
void backward_layer(const Network<T>& net, const BatchView<T>& batch, std::size_t l,
                    const Layer<T>& layer, const Part& part) {
  const Layer<T>* below = l > 1 ? &net.layers()[l - 2] : nullptr;
  const Index rows = part.end - part.begin;
  const Panels<T> dX{batch.dY[l - 1].at(part.begin, part.c), batch.dY[l - 1].panel};
  const Panels<T> mask = batch.dropped.mask[l - 1];
  const Panels<T> Y = mask.data ? batch.dropped.Y[l - 1] : batch.Y[l - 1];
  const auto done = [&](Index c, Index count) {
    if (!below) return;
    for (Index i = c; i < c + count; ++i) {
      const Index n = rows * panel_width<T>;
      if (mask.data) Run<T>(dX.at(0, i), n) *= Run<T>(mask.at(part.begin, part.c + i), n);
      const Activation<T>& f = *below->activation;
      if (f.backward)
        f.backward(dX.at(0, i), Y.at(part.begin, part.c + i),
                   f.needs_z ? batch.Z[l - 1].at(part.begin, part.c + i) : nullptr, n,
                   below->parameters.data());
      batch.rounded.store_dY(l - 1, dX.at(0, i), part.begin, rows, part.c + i);
    }
  };
  multiply_part<T>(part, layer.K, layer.input_panels(), {batch.dY[l], batch.rounded.left_dY(l)},
                   {layer.Wt, layer.rounded_Wt}, zero_row<T>(), 0, layer.narrow_inputs(),
                   layer.rows_of_inputs(), dX, done);
}

// Deltas of every layer after the first's inputs, from dY[L] = dL/dZ[L].
template <class T>
void backward_rows(const Network<T>& net, const BatchView<T>& batch, Index begin, Index end) {
  for (std::size_t l = net.layers().size(); l > 1; --l)
    backward_layer(net, batch, l, net.layers()[l - 1],
                   {begin, end, 0, net.layers()[l - 1].input_panels()});
}

struct RowsReport {
  Index correct = 0;
  // Inputs were finite, labels classes, and nobody interrupted it; if not, nothing after that was
  // done.
  bool good = true;
};

// What a loss is given of rows begin … end - 1.
template <class T>
LossRows<T> rows_for_loss(const Network<T>& net, const BatchView<T>& batch, bool labels,
                          Index begin, Index end) {
  return {batch.Y.back(),      batch.dY.back(), labels ? batch.labels : nullptr,
          net.outputs(),       begin,           end,
          batch.scale,         batch.row_loss,  net.loss_parameters(),
          net.units().shares()};
}

// dY ← dY ⊙ weights, a row of K numbers in panels; null: all 1.
template <class T>
void weigh_deltas(const Network<T>& net, const T* weights, Panels<T> dY, Index begin, Index end) {
  if (!weights) return;
  for (Index c = 0; c < net.layers().back().output_panels(); ++c)
    for (Index r = begin; r < end; ++r) line(dY.at(r, c)) *= line(weights + c * panel_width<T>);
}

// The loss of rows begin … end - 1, whose outputs are in Y[L]; dY[L] becomes scale · ∂l/∂Y, or what
// an optimizer is given instead (units.hpp).
template <class T>
Index loss_rows(const Network<T>& net, const BatchView<T>& batch, bool labels, Index begin,
                Index end) {
  const Index correct = net.loss().rows(rows_for_loss(net, batch, labels, begin, end));
  weigh_deltas(net, batch.trains ? net.training_weights() : net.units().weights(), batch.dY.back(),
               begin, end);
  return correct;
}

// All of phase 1 for rows begin … end - 1 of the batch order[first], order[first + 1], …: those of
// a thread of the team.
template <class T>
RowsReport rows_phase(const Network<T>& net, const Data& data, const std::int64_t* order,
                      Index first, Index begin, Index end, double divisor, const Team& team,
                      const BatchView<T>& batch, const Dropout* dropout = nullptr,
                      Interruption* interruption = nullptr) {
  RowsReport report;
  if (batch.stored &&
      !gather_stored_inputs(net, data, order, first, begin, end, batch, team.index, team.size))
    return {0, false};
  const auto chunk = [&](Index from, Index to) {
    if (!gather_batch(net, data, order, first, from, to - from, divisor, batch)) return false;
    if (dropout) fill_masks(net, *dropout, batch, from, to);
    forward_batch(net, batch, from, to, dropout ? &batch.dropped : nullptr);
    report.correct += loss_rows(net, batch, data.labels != nullptr, from, to);
    backward_output(net, batch, from, to);
    backward_rows(net, batch, from, to);
    return true;
  };
  report.good = in_chunks(net, begin, end, chunk, interruption, bool(batch.stored));
  return report;
}

// The batch's loss: Σ weight · row loss / divisor, added in an order that only `rows` sets; 0 where
// no row counts.
template <class T>
double batch_loss(const Network<T>& net, const BatchView<T>& batch, Index rows, double divisor) {
  if (divisor == 0) return 0;
  using Doubles = Eigen::Map<const Eigen::ArrayXd>;
  using Losses = Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>>;
  return (Losses(batch.row_loss, rows).template cast<double>() * Doubles(batch.weight, rows))
             .sum() /
         divisor * net.units().loss_unit();
}

} // namespace eigenmlp
