// Gradients for the user: of the loss, and of any function of the outputs (vjp). Large inputs go
// through in blocks of rows; the sums over rows run on from block to block.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "eigenmlp/parallel.hpp"
#include "eigenmlp/weights_phase.hpp"

namespace eigenmlp {

namespace detail {
inline constexpr Index gradient_block = 1024; // rows

// Runs rows(first, begin, end, batch) for every block's share of rows, then sums the weights.
template <class T, class RowsPhase>
void sum_gradient(const Network<T>& net, Index N, bool input_gradient, T* gradient,
                  RowsPhase&& rows_of_block) {
  const Index block = std::min(N, gradient_block);
  Batch<T> batch;
  batch.reserve(net, block, input_gradient);
  const double work = 6.0 * static_cast<double>(net.parameter_count() * block);
  in_parallel(threads_for(work, lines_exchanged(net, block, false), 3), [&](const Team& team) {
    for (Index first = 0; first < N; first += gradient_block) {
      const Index rows = std::min(gradient_block, N - first);
      rows_of_block(team, first, rows, batch);
      team.wait();
      gradient_share(net, batch, rows, team, first == 0, gradient);
      team.wait();
    }
  });
}
} // namespace detail

// The loss over all rows; `gradient` is laid out like the parameters. Nothing if a number is not
// finite or a label no class.
template <class T>
std::optional<double> loss_and_gradient(const Network<T>& net, const Data& data, T* gradient) {
  const std::shared_lock lock(net.mutex());
  const double divisor = batch_divisor(net, data, nullptr, 0, data.X.rows);
  double loss = 0;
  std::atomic<bool> good{true};
  detail::sum_gradient(
      net, data.X.rows, false, gradient,
      [&](const Team& team, Index first, Index rows, Batch<T>& batch) {
        if (!rows_phase(net, data, nullptr, first, team.begin(rows), team.end(rows), divisor, batch)
                 .good)
          good = false;
        team.wait();
        if (team.index == 0) loss += batch_loss(batch, rows, divisor);
      });
  return good ? std::optional(loss) : std::nullopt;
}

// The first layer's Wᵀ in `memory`: training never needs it, so it is not kept.
template <class T>
Panels<T> transpose_first(const Network<T>& net, Buffer<T>& memory) {
  const Layer<T>& layer = net.layers().front();
  memory.reset(layer.input_panels() * layer.Wt.panel);
  const Panels<T> Wt{memory.data(), layer.Wt.panel};
  for (Index d = 0; d < layer.input_panels(); ++d)
    for (Index k = 0; k < layer.output_panels(); ++k) refresh_transposed_block(layer, Wt, d, k);
  return Wt;
}

// For rows X and dY (N, K), the derivatives of Σ dY · Y: by the parameters, and by X (N, D).
template <class T>
void vjp(const Network<T>& net, const Rows& X, const Rows& dY, T* gradient, T* dX) {
  const std::shared_lock lock(net.mutex());
  const Layer<T>& first_layer = net.layers().front();
  const Index D = net.inputs();
  Buffer<T> memory;
  const Panels<T> Wt = transpose_first(net, memory);
  detail::sum_gradient(
      net, X.rows, true, gradient, [&](const Team& team, Index first, Index rows, Batch<T>& batch) {
        const Index begin = team.begin(rows), end = team.end(rows);
        if (begin == end) return;
        gather_rows<T>(X, nullptr, first + begin, end - begin, net.input_scale(), batch.Y[0],
                       begin);
        gather_rows<T>(dY, nullptr, first + begin, end - begin, T(1), batch.dY.back(), begin);
        forward_rows(net, batch.Y, batch.Z, begin, end);
        backward_output(net, batch, begin, end);
        backward_rows(net, batch, begin, end);
        backward_layer<T>(net, batch, 1, Wt, {begin, end, 0, first_layer.input_panels()});
        scatter_rows<T>(batch.dY[0], begin, end - begin, D, dX + (first + begin) * D, D,
                        net.input_scale());
      });
}

} // namespace eigenmlp
