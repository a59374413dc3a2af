// Phase 1 of a step, rows: inputs in, forward through every layer, the loss, deltas back through
// every layer. No row needs another, so threads share rows and never wait for each other here.
#pragma once

#include <vector>

#include "eigenmlp/dropout.hpp"
#include "eigenmlp/parallel.hpp"
#include "eigenmlp/product.hpp"
#include "eigenmlp/rounded_batch.hpp"

namespace eigenmlp {

// What the user passed: rows, what they should give, and how much each counts.
struct Data {
  Rows X;                               // (N, D)
  const std::int64_t* labels = nullptr; // (N,), or
  Rows T;                               // (N, K)
  const double* weights = nullptr;      // (N,) or null: all 1
};

// What dropout adds to a batch; null in the layers without it.
template <class T>
struct Dropped {
  std::vector<Panels<T>> mask; // 0 or 1 / (1 - rate)
  std::vector<Panels<T>> Y;    // before it: what the activation's derivative needs
};

// Where the activations and deltas of a batch lie, for every layer.
template <class T>
struct BatchView {
  std::vector<Panels<T>> Y;  // Y[0] = X (N, D), …, Y[L] (N, K)
  std::vector<Panels<T>> dY; // like Y; dY[0] is null unless asked for
  std::vector<Panels<T>> Z;  // null where the activation's derivative can do without
  Dropped<T> dropped;
  RoundedBatch rounded;
  std::int64_t* labels = nullptr; // (N,)
  double* weight = nullptr;       // (N,)
  T* scale = nullptr;             // (N,) weight / total weight
  T* row_loss = nullptr;          // (N,)
};

// A batch and its memory, for up to `capacity` rows.
template <class T>
struct Batch : BatchView<T> {
  using BatchView<T>::Y, BatchView<T>::dY, BatchView<T>::Z, BatchView<T>::labels;
  using BatchView<T>::weight, BatchView<T>::scale, BatchView<T>::row_loss, BatchView<T>::dropped;
  using BatchView<T>::rounded;
  Index capacity = 0;

  // Whether it lies elsewhere now: views of it are then of no use any more.
  bool reserve(const Network<T>& net, Index rows, bool input_gradient = false,
               const std::vector<double>& dropout = {}) {
    if (rows <= capacity && (!input_gradient || dY[0].data)) return false;
    capacity = 0; // stays so if memory runs out below
    const Index panel = panel_stride<T>(rows);
    Index size = 0;
    std::vector<std::pair<Panels<T>*, Index>> places;
    const std::size_t L = net.layers().size();
    Y.assign(L + 1, {});
    dY.assign(L + 1, {});
    Z.assign(L + 1, {});
    dropped.mask.assign(L + 1, {});
    dropped.Y.assign(L + 1, {});
    const auto place = [&](Panels<T>& panels, Index columns) {
      places.emplace_back(&panels, size);
      panels.panel = panel;
      size += panel_count<T>(columns) * panel;
    };
    place(Y[0], net.inputs());
    if (input_gradient) place(dY[0], net.inputs());
    for (std::size_t l = 1; l <= L; ++l) {
      place(Y[l], net.layers()[l - 1].K);
      place(dY[l], net.layers()[l - 1].K);
      if (net.layers()[l - 1].activation->needs_z) place(Z[l], net.layers()[l - 1].K);
    }
    for (std::size_t l = 1; l <= dropout.size(); ++l) {
      if (dropout[l - 1] == 0) continue;
      place(dropped.mask[l], net.layers()[l - 1].K);
      place(dropped.Y[l], net.layers()[l - 1].K);
    }
    buffer_.reset(size);
    for (auto& [panels, offset] : places) panels->data = buffer_.data() + offset;
    if (net.rounds()) rounded.reserve(net, rows, operands_);
    row_buffer_.reset(2 * rows);
    scale = row_buffer_.data();
    row_loss = scale + rows;
    weight_buffer_.reset(rows);
    weight = weight_buffer_.data();
    label_buffer_.reset(rows);
    labels = label_buffer_.data();
    capacity = rows;
    return true;
  }

private:
  Buffer<T> buffer_, row_buffer_;
  Buffer<rounded::Operand> operands_;
  Buffer<double> weight_buffer_;
  Buffer<std::int64_t> label_buffer_;
};

// Cache lines of the weights, and of the activations of `rows` rows.
template <class T>
Index weight_lines(const Network<T>& net) {
  Index lines = 0;
  for (const auto& layer : net.layers()) lines += layer.D * layer.output_panels();
  return lines;
}
template <class T>
Index activation_lines(const Network<T>& net, Index rows) {
  Index lines = rows * panel_count<T>(net.inputs());
  for (const auto& layer : net.layers()) lines += rows * layer.output_panels();
  return lines;
}

// Whether moving activations between threads costs less than moving weights: phase 1 then goes by
// columns (columns_phase.hpp), not by rows.
template <class T>
bool weights_outweigh(const Network<T>& net, Index rows) {
  return weight_lines(net) > activation_lines(net, rows);
}

// Cache lines of a step that one thread writes and the others read.
template <class T>
double lines_exchanged(const Network<T>& net, Index rows, bool by_columns) {
  const Index lines = 2 * activation_lines(net, rows) + (by_columns ? 0 : weight_lines(net));
  return static_cast<double>(lines);
}

// How many threads are worth their while: `threads_for` by a network's own speed. Rounded operands
// are half the size where their products are faster: half the traffic.
template <class T>
int threads_for_net(const Network<T>& net, double operations, double lines, int barriers) {
  const double speedup = net.rounds() ? rounded::speedup() : 1;
  return threads_for(as_float32<T>(operations) / speedup, speedup > 1 ? lines / 2 : lines,
                     barriers);
}

// Rows that a thread takes through all layers at once, so that a layer's inputs stay in L2.
template <class T>
Index chunk_rows(const Network<T>& net) {
  constexpr Index budget = Index{1} << 20; // bytes, about half of an L2
  Index widest = net.inputs();
  for (const auto& layer : net.layers()) widest = std::max(widest, layer.K);
  return std::max<Index>(16, budget / (widest * static_cast<Index>(sizeof(T))));
}

// Calls body(from, to) for chunks of rows begin … end - 1 until it returns false, which is
// returned.
template <class T, class Body>
bool in_chunks(const Network<T>& net, Index begin, Index end, Body&& body) {
  const Index unit = net.row_unit(), units = ceil_div(end - begin, unit);
  const Index chunks = ceil_div(units, std::max<Index>(1, chunk_rows(net) / unit));
  const auto border = [&](Index i) {
    return std::min(end, begin + share_begin(units, chunks, i) * unit);
  };
  for (Index i = 0; i < chunks; ++i)
    if (!body(border(i), border(i + 1))) return false;
  return true;
}

// A thread's part of `rows` rows: begin, end.
template <class T>
std::pair<Index, Index> share_of_rows(const Network<T>& net, Index rows, const Team& team) {
  const Index unit = net.row_unit(), units = ceil_div(rows, unit);
  return {std::min(rows, team.begin(units) * unit), std::min(rows, team.end(units) * unit)};
}

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

// Z = X · W + b and Y = f(Z) for a part of layer l's outputs (l from 1); a softmax is left to do.
// With dropout Y is then multiplied by its mask. With `rounded` the product reads operands from
// there, and Y's are put there.
template <class T>
void forward_layer(const Network<T>& net, const std::vector<Panels<T>>& Y,
                   const std::vector<Panels<T>>& Z, std::size_t l, const Part& part,
                   const Dropped<T>* dropped = nullptr, const RoundedBatch* rounded = nullptr) {
  const Layer<T>& layer = net.layers()[l - 1];
  const Index rows = part.end - part.begin;
  const Panels<const T> X{Y[l - 1].at(part.begin, 0), Y[l - 1].panel};
  const Panels<const T> W{layer.W.at(0, part.c), layer.W.panel};
  const Panels<T> out{Y[l].at(part.begin, part.c), Y[l].panel};
  const Panels<T> Z_part{Z[l].data ? Z[l].at(part.begin, part.c) : nullptr, Z[l].panel};
  const auto done = [&](Index c, Index count) {
    activate_panels(net, out, Z_part, l, rows, c, count);
    for (Index i = c; i < c + count; ++i) {
      if (dropped && dropped->mask[l].data)
        drop(*dropped, l, part.begin, part.c + i, rows, out.at(0, i));
      if constexpr (can_round<T>)
        if (rounded) rounded->store_Y(l, out.at(0, i), part.begin, rows, part.c + i);
    }
  };
  if constexpr (can_round<T>)
    if (rounded) {
      rounded::multiply_left(rows, layer.D, part.c_end - part.c, rounded->Y[l - 1], part.begin,
                             layer.rounded_W, part.c, layer.bias(part.c), layer.W.panel, out, done);
      return;
    }
  multiply<T>(rows, layer.D, part.c_end - part.c, X, W, layer.bias(part.c), layer.W.panel, out,
              done);
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

// Y[first] … Y[L] of rows begin … end - 1 from Y[first - 1].
template <class T>
void forward_rows(const Network<T>& net, const std::vector<Panels<T>>& Y,
                  const std::vector<Panels<T>>& Z, Index begin, Index end,
                  const Dropped<T>* dropped = nullptr, const RoundedBatch* rounded = nullptr,
                  std::size_t first = 1) {
  for (std::size_t l = first; l < Y.size(); ++l)
    forward_layer(net, Y, Z, l, {begin, end, 0, net.layers()[l - 1].output_panels()}, dropped,
                  rounded);
  forward_softmax(net, Y, begin, end);
}

// The same for a batch whose inputs were gathered.
template <class T>
void forward_batch(const Network<T>& net, const BatchView<T>& batch, Index begin, Index end,
                   const Dropped<T>* dropped = nullptr) {
  forward_rows(net, batch.Y, batch.Z, begin, end, dropped, net.rounds() ? &batch.rounded : nullptr);
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
    if constexpr (can_round<T>)
      if (net.rounds()) batch.rounded.store_dY(L, dY, begin, end - begin, c);
  }
}

// dX = dY · Wᵀ for a part of layer l's inputs (l from 1), and dX ⊙ mask ⊙ f'(Z) of the layer below,
// if there is one. `layer` has its Wᵀ.
template <class T>
void backward_layer(const Network<T>& net, const BatchView<T>& batch, std::size_t l,
                    const Layer<T>& layer, const Part& part) {
  const Layer<T>* below = l > 1 ? &net.layers()[l - 2] : nullptr;
  const Index rows = part.end - part.begin;
  const Panels<const T> dY{batch.dY[l].at(part.begin, 0), batch.dY[l].panel};
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
      if constexpr (can_round<T>)
        if (net.rounds()) batch.rounded.store_dY(l - 1, dX.at(0, i), part.begin, rows, part.c + i);
    }
  };
  if constexpr (can_round<T>)
    if (net.rounds()) {
      rounded::multiply_left(rows, layer.K, part.c_end - part.c, batch.rounded.dY[l], part.begin,
                             layer.rounded_Wt, part.c, zero_row<T>(), 0, dX, done);
      return;
    }
  multiply<T>(rows, layer.K, part.c_end - part.c, dY, {layer.Wt.at(0, part.c), layer.Wt.panel},
              zero_row<T>(), 0, dX, done);
}

// Deltas of every layer after the first's inputs, from dY[L] = dL/dZ[L].
template <class T>
void backward_rows(const Network<T>& net, const BatchView<T>& batch, Index begin, Index end) {
  for (std::size_t l = net.layers().size(); l > 1; --l)
    backward_layer(net, batch, l, net.layers()[l - 1],
                   {begin, end, 0, net.layers()[l - 1].input_panels()});
}

// Whether targets are what the loss takes; all are finite.
template <class T>
bool are_targets(Panels<const T> targets, Index K, Targets kind, Index begin, Index end) {
  if (kind == Targets::any) return true;
  bool good = true;
  for (Index r = begin; r < end; ++r) {
    Line<T> sums = Line<T>::Zero();
    for (Index c = 0; c < panel_count<T>(K); ++c) { // padding is 0
      const auto t = line(targets.at(r, c));
      good &= t.minCoeff() >= T(0) && (kind == Targets::counts || t.maxCoeff() <= T(1));
      sums += t;
    }
    good &= kind != Targets::distributions || std::abs(sums.sum() - T(1)) <= T(1.1e-3);
  }
  return good;
}

// Inputs of `count` rows of a batch, by the shuffled index. False if a number is not finite.
template <class T>
bool gather_inputs(const Network<T>& net, const Data& data, const std::int64_t* order, Index first,
                   Index begin, Index count, const BatchView<T>& batch) {
  const bool good =
      gather_rows<T>(data.X, order, first + begin, count, net.input_scale(), batch.Y[0], begin);
  if constexpr (can_round<T>)
    if (net.rounds())
      for (Index c = 0; c < panel_count<T>(net.inputs()); ++c)
        batch.rounded.store_Y(0, batch.Y[0].at(begin, c), begin, count, c);
  return good;
}

// Labels or targets, and weights, of `count` rows of a batch. False if a number is not finite, a
// label is not a class, or a target is none.
template <class T>
bool gather_targets(const Network<T>& net, const Data& data, const std::int64_t* order, Index first,
                    Index begin, Index count, double divisor, const BatchView<T>& batch) {
  bool good = true;
  const auto source = [&](Index i) {
    return order ? static_cast<Index>(order[first + i]) : first + i;
  };
  if (data.labels) {
    const auto K = static_cast<std::uint64_t>(net.outputs());
    for (Index i = begin; i < begin + count; ++i) {
      batch.labels[i] = data.labels[source(i)];
      if (static_cast<std::uint64_t>(batch.labels[i]) >= K) good = false;
    }
  } else if (data.T.data) {
    good &= gather_rows<T>(data.T, order, first + begin, count, T(1), batch.dY.back(), begin);
  }
  if (data.T.data)
    good &=
        are_targets<T>(batch.dY.back(), net.outputs(), net.loss().targets, begin, begin + count);
  for (Index i = begin; i < begin + count; ++i) {
    batch.weight[i] = data.weights ? data.weights[source(i)] : 1.0;
    batch.scale[i] = divisor > 0 ? static_cast<T>(batch.weight[i] / divisor) : T(0);
  }
  return good;
}

// What a batch's loss and gradient are divided by: Σ weights, which every thread adds in one order;
// 1 where the loss is a sum over rows.
template <class T>
double batch_divisor(const Network<T>& net, const Data& data, const std::int64_t* order,
                     Index first, Index rows) {
  if (net.sums()) return 1.0;
  if (!data.weights) return static_cast<double>(rows);
  double total = 0;
  for (Index i = first; i < first + rows; ++i) total += data.weights[order ? order[i] : i];
  return total;
}

// Both.
template <class T>
bool gather_batch(const Network<T>& net, const Data& data, const std::int64_t* order, Index first,
                  Index begin, Index count, double divisor, const BatchView<T>& batch) {
  const bool good = gather_inputs(net, data, order, first, begin, count, batch);
  return gather_targets(net, data, order, first, begin, count, divisor, batch) && good;
}

struct RowsReport {
  Index correct = 0;
  bool good = true; // inputs were finite and labels classes; if not, nothing after that was done
};

// What a loss is given of rows begin … end - 1.
template <class T>
LossRows<T> rows_for_loss(const Network<T>& net, const BatchView<T>& batch, bool labels,
                          Index begin, Index end) {
  return {batch.Y.back(), batch.dY.back(), labels ? batch.labels : nullptr,
          net.outputs(),  begin,           end,
          batch.scale,    batch.row_loss,  net.loss_parameters()};
}

// The loss of rows begin … end - 1, whose outputs are in Y[L]; dY[L] becomes scale · ∂l/∂Y.
template <class T>
Index loss_rows(const Network<T>& net, const BatchView<T>& batch, bool labels, Index begin,
                Index end) {
  return net.loss().rows(rows_for_loss(net, batch, labels, begin, end));
}

// All of phase 1 for rows begin … end - 1 of the batch order[first], order[first + 1], …
template <class T>
RowsReport rows_phase(const Network<T>& net, const Data& data, const std::int64_t* order,
                      Index first, Index begin, Index end, double divisor,
                      const BatchView<T>& batch, const Dropout* dropout = nullptr) {
  RowsReport report;
  report.good = in_chunks(net, begin, end, [&](Index from, Index to) {
    if (!gather_batch(net, data, order, first, from, to - from, divisor, batch)) return false;
    if (dropout) fill_masks(net, *dropout, batch, from, to);
    forward_batch(net, batch, from, to, dropout ? &batch.dropped : nullptr);
    report.correct += loss_rows(net, batch, data.labels != nullptr, from, to);
    backward_output(net, batch, from, to);
    backward_rows(net, batch, from, to);
    return true;
  });
  return report;
}

// The batch's loss: Σ weight · row loss / divisor, added in an order that only `rows` sets; 0 where
// no row counts.
template <class T>
double batch_loss(const BatchView<T>& batch, Index rows, double divisor) {
  if (divisor == 0) return 0;
  using Doubles = Eigen::Map<const Eigen::ArrayXd>;
  using Losses = Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>>;
  return (Losses(batch.row_loss, rows).template cast<double>() * Doubles(batch.weight, rows))
             .sum() /
         divisor;
}

} // namespace eigenmlp
