// Gradients for the user: of the loss, and of any function of the outputs (vjp). Large inputs go
// through in blocks of rows; the sums over rows run on from block to block.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "eigenmlp/step/weights_phase.hpp"
#include "eigenmlp/threads/parallel.hpp"

namespace eigenmlp {

namespace detail {
inline constexpr Index gradient_block = 1024; // rows

// Runs rows(team, first, rows, batch) for every block of rows of X, then sums the weights. Threads
// that are interrupted still wait for each other until they have all seen it, between two barriers.
template <class T, class RowsPhase>
void sum_gradient(const Network<T>& net, const Rows& X, bool input_gradient, T* gradient,
                  Interruption* interruption, RowsPhase&& rows_of_block) {
  const Index N = X.rows, block = std::min(N, gradient_block);
  const bool stored = reads_stored(net, X);
  const Index numbers = stored ? most_stored(X, nullptr, 1, block) : 0;
  Batch<T> batch;
  const auto prepare = [&](int threads) {
    if (stored)
      batch.reserve_stored(net, block, numbers, threads, input_gradient);
    else
      batch.reserve(net, block, input_gradient);
  };
  bool interrupted = false; // written by thread 0
  const double passed =
      stored ? parameters_passed(net, X) : static_cast<double>(net.parameter_count());
  const double blocks = static_cast<double>(ceil_div(N, gradient_block));
  const Work work = work_of_net(net, 6.0 * passed * static_cast<double>(N),
                                blocks * lines_exchanged(net, block, false, stored),
                                static_cast<int>(std::min(3 * blocks, 1e9)));
  share_work(Kind::gradient, work, block, prepare, [&](const Team& team) {
    for (Index first = 0; first < N; first += gradient_block) {
      const Index rows = std::min(gradient_block, N - first);
      rows_of_block(team, first, rows, batch);
      if (team.index == 0) interrupted = interruption && interruption->stopped();
      team.wait();
      const bool over = interrupted;
      gradient_share(net, batch, Blocks{rows}, team, first == 0, gradient, interruption);
      team.wait();
      if (over) return;
    }
  });
}
} // namespace detail

// The loss over all rows; `gradient` is laid out like the parameters. Nothing if a number is not
// finite or a label no class, or if interrupted.
template <class T>
std::optional<double> loss_and_gradient(const Network<T>& net, const Data& data, T* gradient,
                                        Interruption* interruption = nullptr) {
  const std::shared_lock lock(net.mutex());
  const double divisor = batch_divisor(net, data, nullptr, 0, data.X.rows);
  double loss = 0;
  std::atomic<bool> good{true};
  detail::sum_gradient(net, data.X, false, gradient, interruption,
                       [&](const Team& team, Index first, Index rows, Batch<T>& batch) {
                         const auto [begin, end] = share_of_rows(net, rows, team);
                         if (!rows_phase(net, data, nullptr, first, begin, end, divisor, team,
                                         batch, nullptr, interruption)
                                  .good)
                           good = false;
                         team.wait();
                         if (team.index == 0) loss += batch_loss(net, batch, rows, divisor);
                       });
  return good ? std::optional(loss) : std::nullopt;
}

// The first layer with its Wᵀ: training never needs all of that, so the network does not keep it.
template <class T>
class FirstLayer {
public:
  explicit FirstLayer(const Network<T>& net) : layer_(net.layers().front()) {
    if (net.rounds()) {
      operands_.reset(rounded::right_size(layer_.K, layer_.D));
      layer_.rounded_W.data = nullptr; // the network has that
      layer_.rounded_Wt.data = operands_.data();
    } else {
      memory_.reset(layer_.input_panels() * layer_.Wt.panel);
      layer_.Wt.data = memory_.data();
    }
    refresh_blocks(layer_);
  }
  const Layer<T>& operator*() const { return layer_; }

private:
  Layer<T> layer_;
  Buffer<T> memory_;
  Buffer<rounded::Operand> operands_;
};

// For rows X and dY (N, K), the derivatives of Σ dY · Y: by the parameters, and by X (N, D); of no
// use if interrupted.
template <class T>
void vjp(const Network<T>& net, const Rows& X, const Rows& dY, T* gradient, T* dX,
         Interruption* interruption = nullptr) {
  const std::shared_lock lock(net.mutex());
  const Index D = net.inputs();
  const FirstLayer<T> first_layer(net);
  Data data;
  data.X = X;
  const auto rows_of_block = [&](const Team& team, Index first, Index rows, Batch<T>& batch) {
    const bool stored(batch.stored);
    const auto chunk = [&](Index from, Index to) {
      if (!stored) gather_inputs(net, data, nullptr, first, from, to - from, batch);
      gather_rows<T>(dY, nullptr, first + from, to - from, net.units().output_slopes(),
                     batch.dY.back(), from);
      forward_batch(net, batch, from, to);
      backward_output(net, batch, from, to);
      backward_rows(net, batch, from, to);
      backward_layer<T>(net, batch, 1, *first_layer, {from, to, 0, (*first_layer).input_panels()});
      scatter_rows<T>(batch.dY[0], from, to - from, D, dX + (first + from) * D, D,
                      net.units().inputs());
      return true;
    };
    const auto [begin, end] = share_of_rows(net, rows, team);
    if (stored)
      gather_stored_inputs(net, data, nullptr, first, begin, end, batch, team.index, team.size);
    in_chunks(net, begin, end, chunk, interruption); // dX is dense, whatever X is
  };
  detail::sum_gradient(net, X, true, gradient, interruption, rows_of_block);
}

} // namespace eigenmlp
