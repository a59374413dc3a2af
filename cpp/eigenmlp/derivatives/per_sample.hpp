// Gradients of single rows: by the inputs, and by the parameters.
#pragma once

#include "eigenmlp/derivatives/tangent.hpp"

namespace eigenmlp {

namespace detail {
// Forward, loss and deltas of all rows, chunk by chunk: done(batch, first, rows). A row's loss
// counts by its weight / divisor; `output` as above.
template <class T, class Done>
bool backward_chunks(const Network<T>& net, const Data& data, double divisor, bool by_inputs,
                     Index output, Interruption* interruption, Done&& done) {
  constexpr Index p = panel_width<T>;
  const auto [chunk, threads] = chunks_of(net, data.X.rows, 3);
  std::vector<Batch<T>> batches(static_cast<std::size_t>(threads));
  for (auto& batch : batches) batch.reserve(net, chunk, by_inputs);
  std::atomic<bool> good{true};
  for_each_row_chunk(data.X.rows, chunk, threads, [&](std::size_t thread, Index first, Index rows) {
    Batch<T>& batch = batches[thread];
    if (stops(interruption) ||
        !gather_batch<T>(net, data, nullptr, first, 0, rows, divisor, batch)) {
      good = false;
      return;
    }
    forward_batch(net, batch, 0, rows);
    if (output < 0) {
      loss_rows(net, batch, data.labels != nullptr, 0, rows);
    } else {
      const Panels<T> dY = batch.dY.back();
      for (Index r = 0; r < rows; ++r)
        for (Index c = 0; c < panel_count<T>(net.outputs()); ++c) {
          line(dY.at(r, c)).setZero();
          if (c == output / p) dY.at(r, c)[output % p] = net.units().output_slopes().slope(output);
        }
    }
    backward_output(net, batch, 0, rows);
    backward_rows(net, batch, 0, rows);
    done(batch, first, rows);
  });
  return good;
}

// One row's dW = xᵀ · dz and db = dz of every layer, as a flat vector (P,).
template <class T>
void outer_products(const Network<T>& net, const Batch<T>& batch, Index row, T* flat) {
  constexpr Index p = panel_width<T>;
  for (std::size_t l = 1; l <= net.layers().size(); ++l) {
    const Layer<T>& layer = net.layers()[l - 1];
    for (Index d = 0; d < layer.D; ++d, flat += layer.K)
      scatter_rows<T>(batch.dY[l], row, 1, layer.K, flat, layer.K,
                      {batch.Y[l - 1].at(row, d / p)[d % p]});
    if (!net.has_bias()) continue;
    scatter_rows<T>(batch.dY[l], row, 1, layer.K, flat, layer.K);
    flat += layer.K;
  }
}
} // namespace detail

// dX (N, D): of each row's own loss, or of output `output` where that is not negative. False if a
// number is not finite or a label no class, or if interrupted.
template <class T>
bool input_gradient(const Network<T>& net, const Data& data, Index output, T* dX,
                    Interruption* interruption = nullptr) {
  const std::shared_lock lock(net.mutex());
  const FirstLayer<T> first_layer(net);
  const Index D = net.inputs();
  return detail::backward_chunks(
      net, data, 1.0, true, output, interruption,
      [&](const Batch<T>& batch, Index first, Index rows) {
        backward_layer<T>(net, batch, 1, *first_layer, {0, rows, 0, (*first_layer).input_panels()});
        scatter_rows<T>(batch.dY[0], 0, rows, D, dX + first * D, D, net.units().inputs());
      });
}

// gradients (N, P), whose mean is the gradient of the loss. False as above.
template <class T>
bool per_sample_gradients(const Network<T>& net, const Data& data, T* gradients,
                          Interruption* interruption = nullptr) {
  const std::shared_lock lock(net.mutex());
  const Index N = data.X.rows, P = net.parameter_count();
  const double mean_weight = batch_divisor(net, data, nullptr, 0, N) / static_cast<double>(N);
  const Index asks = std::max<Index>(1, (1 << 16) / P); // rows between two looks at the clock
  const bool good = detail::backward_chunks(
      net, data, mean_weight, false, -1, interruption,
      [&](const Batch<T>& batch, Index first, Index rows) {
        for (Index r = 0; r < rows && !(r % asks == 0 && stops(interruption)); ++r)
          detail::outer_products(net, batch, r, gradients + (first + r) * P);
      });
  return good && !(interruption && interruption->stopped());
}

} // namespace eigenmlp
