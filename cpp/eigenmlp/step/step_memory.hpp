// Where a step's numbers lie: the batch, and what each thread has of its own.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "eigenmlp/step/blocks.hpp"
#include "eigenmlp/step/rows_phase.hpp"

namespace eigenmlp {

template <class T>
class StepMemory {
public:
  // For batches of up to `rows` rows, shared by up to so many threads; of `stored` numbers at most,
  // if their rows are read so. Ranks that share steps tell each other up to so many numbers beside
  // dW (exchange.hpp).
  void reserve(const Network<T>& net, Index rows, std::optional<Index> stored,
               const std::vector<double>& dropout, std::size_t threads, Index told = 0) {
    batch_.trains = true;
    const bool moved = stored ? batch_.reserve_stored(net, rows, *stored, static_cast<int>(threads),
                                                      false, dropout)
                              : batch_.reserve(net, rows, false, dropout);
    if (moved) by_columns_.clear();
    reports_.resize(threads);
    constexpr Index per_line = static_cast<Index>(cache_line / sizeof(T));
    message_size_ = ceil_div(net.panel_size() + told, per_line) * per_line;
    if (told > 0) message_.reserve(2 * message_size_);
    if (threads == 1 || stored) return;
    const Blocks blocks = blocks_of(net, rows);
    if (threads_share_blocks(net, blocks))
      reserve_parts(net, std::min(threads, static_cast<std::size_t>(blocks.total)));
    if (weights_outweigh(net, rows) && !net.rounds()) reserve_inputs(net, threads);
  }

  // The batch; by columns every thread has inputs of its own, unless the network rounds or they are
  // stored numbers.
  const BatchView<T>& batch(bool by_columns, int thread) const {
    const auto i = static_cast<std::size_t>(thread);
    return by_columns && !batch_.stored && i < by_columns_.size() ? by_columns_[i] : batch_;
  }
  // Parts of dW, laid out like the parameters: the first `threads` threads'.
  std::span<T* const> parts(int threads) const {
    return {parts_.data(), static_cast<std::size_t>(threads)};
  }
  // A message of dW, laid out like the parameters, and what is told behind it; and the partner's.
  T* message() { return message_.data(); }
  T* other_message() { return message_.data() + message_size_; }
  RowsReport& report(int thread) { return reports_[static_cast<std::size_t>(thread)]; }

private:
  [[gnu::cold]] void reserve_parts(const Network<T>& net, std::size_t threads) {
    while (parts_.size() < threads) {
      part_memory_.emplace_back(net.panel_size());
      parts_.push_back(part_memory_.back().data());
    }
  }
  [[gnu::cold]] void reserve_inputs(const Network<T>& net, std::size_t threads) {
    if (by_columns_.size() >= threads) return;
    by_columns_.clear(); // stays so if memory runs out below
    inputs_.resize(threads);
    for (std::size_t i = 1; i < threads; ++i)
      inputs_[i].reserve(panel_count<T>(net.inputs()) * batch_.Y[0].panel);
    by_columns_.assign(threads, batch_);
    for (std::size_t i = 1; i < threads; ++i) by_columns_[i].Y[0].data = inputs_[i].data();
  }

  Batch<T> batch_;
  std::vector<Buffer<T>> inputs_;        // a thread's own, from thread 1
  std::vector<BatchView<T>> by_columns_; // the batch with the thread's own inputs
  std::vector<Buffer<T>> part_memory_;
  std::vector<T*> parts_;
  std::vector<RowsReport> reports_;
  Buffer<T> message_;
  Index message_size_ = 0;
};

} // namespace eigenmlp
