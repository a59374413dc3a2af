// Taylor coefficients, to any order, of outputs and loss along a direction: the network's own
// arithmetic on truncated power series in t (series.hpp). With W + t V and X + t RX, layer by layer
//
//   Zₖ = Yₖ · W + Yₖ₋₁ · V   (+ b for k = 0, + V's row D for k = 1),   Y = f(Z) by its recurrence
#pragma once

#include "eigenmlp/derivatives/tangent.hpp"

namespace eigenmlp {

// Memory of one thread: series of two layers' sums and outputs, which all layers use in turn.
template <class T>
struct TaylorMemory {
  SeriesPanels<T> Z, Y;
  std::array<Series<T>, 3> scratch;
  T *loss = nullptr, *sums = nullptr; // (rows, order + 1), (order + 1,)
  Batch<T> batch;                     // labels, targets, weights; and Z₀ where f needs it

  [[gnu::noinline]] void reserve(const Network<T>& net, Index rows, Index order) {
    constexpr Index p = panel_width<T>;
    Index widest = panel_count<T>(net.inputs());
    for (const auto& layer : net.layers()) widest = std::max(widest, layer.output_panels());
    const Index panel = panel_stride<T>((order + 1) * rows);
    batch.reserve(net, rows);
    buffer_.reset(2 * widest * panel + 3 * (order + 1) * p + (rows + 1) * (order + 1));
    T* next = buffer_.data();
    for (SeriesPanels<T>* series : {&Z, &Y}) {
      series->panels = {next, panel};
      next += widest * panel;
    }
    for (Series<T>& series : scratch) {
      series = {next, p};
      next += (order + 1) * p;
    }
    sums = next;
    loss = next + order + 1;
  }

private:
  Buffer<T> buffer_;
};

namespace detail {
// Series Z of a layer's sums from the first `count` coefficients of Y, which are all that are not
// zero; returns how many of Z are not. All rows of all coefficients are one product.
template <class T>
Index multiply_series(const Layer<T>& layer, const Layer<T>* V, Index order, Index rows,
                      Index count, TaylorMemory<T>& memory) {
  const Index panels = layer.output_panels();
  const SeriesPanels<T>&Y = memory.Y, &Z = memory.Z;
  const Index more = std::min(order + 1, count + (V ? 1 : 0));
  const auto product = [&](Index of, Index coefficients, Panels<T> W, const T* init,
                           Index init_panel, Index to) {
    if (coefficients > 0)
      multiply<T>(coefficients * rows, layer.D, panels, Y.coefficient(of), W, init, init_panel,
                  Z.coefficient(to), nothing_to_do);
  };
  product(0, 1, layer.W, layer.bias(), layer.W.panel, 0);
  product(1, count - 1, layer.W, zero_row<T>(), 0, 1);
  for (Index k = count; k <= order; ++k)
    for (Index c = 0; c < panels; ++c)
      Run<T>(Z.coefficient(k).at(0, c), rows * panel_width<T>).setZero();
  if (!V || order == 0) return more;
  product(0, more - 1, V->W, Z.coefficient(1).data, 0, 1);
  for (Index c = 0; c < panels; ++c)
    for (Index r = 0; r < rows; ++r) line(Z.coefficient(1).at(r, c)) += line(V->bias(c));
  return more;
}

// Series Y = f(Z) of a layer.
template <class T>
void activate_series(const Layer<T>& layer, Index order, Index rows, TaylorMemory<T>& memory) {
  constexpr Index p = panel_width<T>;
  const Activation<T>& f = *layer.activation;
  for (Index c = 0; c < layer.output_panels(); ++c) {
    T *Z0 = memory.Z.panels.at(0, c), *Y0 = memory.Y.panels.at(0, c);
    Run<T>(Y0, rows * p) = Run<T>(Z0, rows * p);
    if (f.value) f.value(Y0, Z0, rows * p, layer.parameters.data()); // Z0 keeps what it holds
    for (Index r = 0; r < rows; ++r)
      f.taylor(
          {order, memory.Z.at(r, c), memory.Y.at(r, c), memory.scratch, layer.parameters.data()});
  }
}

// Rows that a thread takes at once, so that their series stay in L2.
template <class T>
Index taylor_chunk(const Network<T>& net, Index N, Index order) {
  return std::min<Index>({N, 128, std::max<Index>(8, chunk_rows(net) / (2 * (order + 1)))});
}

// body(memory, index, first, rows) for every chunk, until one is false; also false if interrupted.
template <class T, class Body>
bool taylor_chunks(const Network<T>& net, Index N, Index order, Interruption* interruption,
                   Body&& body) {
  const Index chunk = taylor_chunk(net, N, order), chunks = ceil_div(N, chunk);
  const double terms = static_cast<double>(order + 1), passes = 2.0 * terms * terms;
  const double P = static_cast<double>(net.parameter_count());
  const double work = 2.0 * passes * P * static_cast<double>(N);
  const int threads = threads_for(as_float32<T>(work), 0, 2, chunks);
  std::vector<TaylorMemory<T>> memories(static_cast<std::size_t>(threads));
  for (auto& memory : memories) memory.reserve(net, chunk, order);
  std::atomic<bool> good{true};
  in_parallel(threads, [&](const Team& team) {
    TaylorMemory<T>& memory = memories[static_cast<std::size_t>(team.index)];
    for (Index i = team.begin(chunks); i < team.end(chunks) && good; ++i) {
      const Index first = share_begin(N, chunks, i), rows = share_begin(N, chunks, i + 1) - first;
      memory.Y.rows = memory.Z.rows = rows;
      if (stops(interruption) || !body(memory, i, first, rows)) good = false;
    }
  });
  return good;
}
} // namespace detail

// Why this network's outputs (or, with_loss, its loss) have no Taylor series; empty if they have.
template <class T>
std::string no_series(const Network<T>& net, bool with_loss) {
  for (const auto& layer : net.layers())
    if (layer.activation->no_series)
      return std::string("activation: expected one with a Taylor series, got '") +
             layer.activation->name + "': " + layer.activation->no_series;
  if (with_loss && net.loss().no_series)
    return std::string("loss: expected one with a Taylor series, got '") + net.loss().name +
           "': " + net.loss().no_series;
  return {};
}

// Series Y of the outputs of `rows` rows, from Y[0] (and, if the inputs move, Y[1]) of the inputs.
template <class T>
void taylor_rows(const Network<T>& net, const Direction<T>* direction, bool inputs_move,
                 Index order, Index rows, TaylorMemory<T>& memory) {
  Index count = std::min<Index>(order, inputs_move ? 1 : 0) + 1; // coefficients of X not zero
  for (std::size_t l = 0; l < net.layers().size(); ++l) {
    const Layer<T>& layer = net.layers()[l];
    count = detail::multiply_series(layer, direction ? &direction->layers()[l] : nullptr, order,
                                    rows, count, memory);
    if (layer.activation->is_softmax)
      Softmax::taylor(memory.Z, memory.Y, layer.K, order, rows, memory.sums);
    else
      detail::activate_series(layer, order, rows, memory);
    if (layer.activation->backward || layer.activation->is_softmax) count = order + 1;
  }
}

// coefficients (order + 1,) of tᵏ of the loss over all rows, at parameters + t · direction. False
// if a number is not finite or a label no class, or if interrupted.
template <class T>
bool taylor(const Network<T>& net, const Data& data, const T* d_parameters, Index order,
            double* coefficients, Interruption* interruption = nullptr) {
  const std::shared_lock lock(net.mutex());
  const Direction<T> direction(net, d_parameters, false);
  const double divisor = batch_divisor(net, data, nullptr, 0, data.X.rows);
  const Index chunk = detail::taylor_chunk(net, data.X.rows, order);
  std::vector<double> parts(
      static_cast<std::size_t>(ceil_div(data.X.rows, chunk) * (order + 1))); // added in order below
  const bool good = detail::taylor_chunks(
      net, data.X.rows, order, interruption,
      [&](TaylorMemory<T>& memory, Index chunk_index, Index first, Index rows) {
        Batch<T>& batch = memory.batch;
        if (!gather_batch<T>(net, data, nullptr, first, 0, rows, divisor, batch)) return false;
        for (Index c = 0; c < panel_count<T>(net.inputs()); ++c)
          Run<T>(memory.Y.panels.at(0, c), rows * panel_width<T>) =
              Run<T>(batch.Y[0].at(0, c), rows * panel_width<T>);
        taylor_rows(net, &direction, false, order, rows, memory);
        net.loss().taylor({memory.Y, batch.dY.back(), data.labels ? batch.labels : nullptr,
                           net.outputs(), rows, order, memory.loss, memory.scratch, memory.sums,
                           net.loss_parameters(), net.units().shares()});
        double* part = parts.data() + chunk_index * (order + 1);
        for (Index r = 0; r < rows; ++r)
          for (Index k = 0; k <= order; ++k)
            part[k] += batch.weight[r] * static_cast<double>(memory.loss[r * (order + 1) + k]);
        return true;
      });
  std::fill_n(coefficients, order + 1, 0.0);
  for (std::size_t i = 0; i < parts.size(); ++i)
    coefficients[static_cast<Index>(i) % (order + 1)] +=
        divisor > 0 ? parts[i] / divisor * net.units().loss_unit() : 0;
  return good;
}

// outputs (order + 1, N, K): coefficients of tᵏ of the outputs, at parameters + t · d_parameters
// and X + t · dX; either may be null. False if a number is not finite, or if interrupted.
template <class T>
bool taylor_outputs(const Network<T>& net, const Rows& X, const Rows& dX, const T* d_parameters,
                    Index order, T* outputs, Interruption* interruption = nullptr) {
  const std::shared_lock lock(net.mutex());
  Direction<T> direction;
  if (d_parameters) direction.set(net, d_parameters, false);
  const Index N = X.rows, K = net.outputs();
  return detail::taylor_chunks(
      net, N, order, interruption, [&](TaylorMemory<T>& memory, Index, Index first, Index rows) {
        bool good = gather_rows<T>(X, nullptr, first, rows, net.units().inputs(),
                                   memory.Y.coefficient(0), 0);
        if (dX.data && order > 0)
          good &= gather_rows<T>(dX, nullptr, first, rows, net.units().input_slopes(),
                                 memory.Y.coefficient(1), 0);
        taylor_rows(net, d_parameters ? &direction : nullptr, dX.data != nullptr, order, rows,
                    memory);
        net.to_units(memory.Y.coefficient(0), 0, rows);
        for (Index k = 0; k <= order; ++k)
          scatter_rows<T>(memory.Y.coefficient(k), 0, rows, K, outputs + (k * N + first) * K, K,
                          k > 0 ? net.units().output_slopes() : Scaling<T>{});
        return good;
      });
}

} // namespace eigenmlp
