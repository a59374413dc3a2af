// Outputs and losses of many rows: threads share chunks, each of which goes through all layers in
// two small buffers.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "eigenmlp/step/rows_phase.hpp"
#include "eigenmlp/threads/parallel.hpp"

namespace eigenmlp {

// Memory of one thread for forward passes: two buffers that the layers use in turn.
template <class T>
class ForwardMemory {
public:
  // Y[0] … Y[L] for up to `rows` rows; one row lies as a plain array does. Without Y[0], but with
  // room for so many numbers, if the inputs are `stored` ones.
  void reserve(const Network<T>& net, Index rows, std::optional<Index> stored_numbers = {}) {
    const Index panel = panel_stride<T>(rows);
    Index widest = stored_numbers ? 0 : panel_count<T>(net.inputs());
    stored = {};
    if (stored_numbers) stored = stored_memory_.reserve(net, rows, *stored_numbers, 0);
    for (const auto& layer : net.layers()) widest = std::max(widest, layer.output_panels());
    buffer_.reserve(2 * widest * panel);
    Y.resize(net.layers().size() + 1);
    Z.assign(Y.size(), {}); // nobody will ask for f'(Z)
    rounded.clear();
    if (net.rounds()) reserve_rounded(net, rows, widest);
    for (std::size_t l = 0; l < Y.size(); ++l)
      Y[l] = {buffer_.data() + (l % 2 == 0 ? 0 : widest * panel), panel};
  }
  std::vector<Panels<T>> Y, Z;
  RoundedBatch rounded;
  StoredRows<T> stored;

private:
  [[gnu::cold]] void reserve_rounded(const Network<T>& net, Index rows, Index widest) {
    using namespace rounded;
    const Index size = left_size(rows, widest * panel_width<T>);
    operands_.reserve(2 * size);
    rounded.set_columns(net);
    rounded.Yt.assign(Y.size(), {});
    rounded.Y.assign(Y.size(), {});
    for (std::size_t l = 0; l + 1 < Y.size(); ++l)
      rounded.Y[l] = {operands_.data() + (l % 2 == 0 ? 0 : size), left_panel(rows)};
  }

  StoredMemory<T> stored_memory_;
  Buffer<T> buffer_;
  Buffer<rounded::Operand> operands_;
};

// Memory for a team that is started by the calling thread, which keeps it. Made before the team
// starts: nothing may throw in it.
template <class T>
std::vector<ForwardMemory<T>>& forward_memory(const Network<T>& net, int threads, Index rows,
                                              std::optional<Index> stored) {
  thread_local std::vector<ForwardMemory<T>> memory;
  if (memory.size() < static_cast<std::size_t>(threads))
    memory.resize(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) memory[static_cast<std::size_t>(i)].reserve(net, rows, stored);
  return memory;
}

// Whether the first layer can read rows where they are: many rows of the network's own numbers,
// unscaled, whose columns follow each other.
template <class T>
bool reads_plainly(const Network<T>& net, const Rows& X) {
  constexpr Index size = sizeof(T);
  return X.rows >= most_rows && !X.starts &&
         X.scalar == (size == sizeof(float) ? Scalar::float32 : Scalar::float64) &&
         X.column_stride == size && X.row_stride % size == 0 &&
         net.units().inputs().is_identity() && !net.rounds();
}

// Y[1] of rows from … of X, read where they are. NaN or Inf among the inputs makes every sum of its
// row NaN or Inf, so it shows in one column: false if a sum there is not finite.
template <class T>
bool forward_plain(const Network<T>& net, const Rows& X, Index from, Index rows,
                   const ForwardMemory<T>& memory) {
  const Layer<T>& layer = net.layers().front();
  const Panels<T> out = memory.Y[1];
  const auto* x =
      reinterpret_cast<const T*>(static_cast<const char*>(X.data) + from * X.row_stride);
  const Index row = X.row_stride / static_cast<Index>(sizeof(T)), narrow = layer.narrow_outputs();
  const Index whole = layer.output_panels() - (narrow > 0);
  T sum = 0;
  const auto done = [&](Index c, Index count) {
    if (c == 0)
      for (Index i = 0; i < rows; ++i) sum += *out.at(i, 0) * T(0);
    activate_panels(net, out, memory.Z[1], 1, rows, c, count);
  };
  multiply<T, Sum::over_plain>(rows, layer.D, whole, {x, 0}, layer.W, layer.bias(), layer.W.panel,
                               out, done, row);
  if (narrow > 0) {
    multiply_narrow<T>(rows, layer.D, narrow, {x, 0}, layer.rows_of_outputs(), layer.bias(whole),
                       {out.at(0, whole), out.panel}, row);
    done(whole, 1);
  }
  return sum == T(0);
}

// The work of a forward pass of rows X.
template <class T>
Work work_of_pass(const Network<T>& net, const Rows& X) {
  const double passed =
      reads_stored(net, X) ? parameters_passed(net, X) : static_cast<double>(net.parameter_count());
  return work_of_net(net, 2.0 * passed * static_cast<double>(X.rows), 0, 2);
}

// Rows that a thread takes through all layers at once: 128. For AMX only as many as fill its tiles,
// if L2 holds the operands of all weights: what a layer writes is then read from L1.
template <class T>
Index rows_at_once(const Network<T>& net, bool stored = false) {
  constexpr Index near = 3 << 18, tile_rows = 32; // operands: three quarters of an L2 of 2 MiB
  const bool fill = rounded::uses_tiles() && net.rounds() && net.parameter_count() <= near;
  return fill ? tile_rows : std::min<Index>(128, chunk_rows(net, stored, near_bytes()));
}

// out (N, K), C-order, from rows X; false if a number in X is not finite. No allocation and no
// thread region for one row, after the first. What is in `out` is of no use if interrupted.
template <class T>
bool predict(const Network<T>& net, const Rows& X, T* out, bool all_or_nothing = false,
             Interruption* interruption = nullptr) {
  const std::shared_lock lock(net.mutex());
  const bool stored = reads_stored(net, X);
  const Index chunk = rows_at_once(net, stored);
  const Index chunks = ceil_div(X.rows, chunk), K = net.outputs();
  const Work work = work_of_pass(net, X);
  std::atomic<bool> finite{true};
  const bool plain = reads_plainly(net, X);
  std::optional<Index> numbers;
  if (stored) numbers = most_stored_in_chunks(X, chunks);
  ForwardMemory<T>* memories = nullptr;
  const auto prepare = [&](int threads) {
    memories = forward_memory(net, threads, std::min(X.rows, chunk), numbers).data();
  };
  share_work(Kind::forward, work, chunks, prepare, [&](const Team& team) {
    ForwardMemory<T>& memory = memories[team.index];
    const auto each_chunk = [&](auto&& body) {
      const Index begin = team.begin(chunks);
      for (Index i = begin; i < team.end(chunks) && finite; ++i) {
        if (i > begin && stops(interruption)) return;
        const Index from = share_begin(X.rows, chunks, i);
        const Index rows = share_begin(X.rows, chunks, i + 1) - from;
        memory.reserve(net, rows, numbers); // no more than before: allocates nothing
        if (!body(from, rows)) finite = false;
      }
    };
    const auto gather = [&](Index from, Index rows) {
      if (stored)
        return gather_stored<T>(X, nullptr, from, 0, rows, net.units().inputs(), memory.stored);
      return gather_rows<T>(X, nullptr, from, rows, net.units().inputs(), memory.Y[0], 0);
    };
    if (all_or_nothing && chunks > 1) {
      each_chunk(gather);
      team.wait();
    }
    each_chunk([&](Index from, Index rows) {
      if (plain && rows >= packet_size<T> && forward_plain(net, X, from, rows, memory)) {
        forward_rows<T>(net, memory.Y, memory.Z, 0, rows, nullptr, nullptr, 2);
      } else {
        if (!gather(from, rows)) return false;
        memory.rounded.store_inputs(memory.Y[0], 0, rows);
        forward_rows<T>(net, memory.Y, memory.Z, 0, rows, nullptr,
                        net.rounds() ? &memory.rounded : nullptr, 1,
                        stored ? &memory.stored : nullptr);
      }
      net.to_units(memory.Y.back(), 0, rows);
      scatter_rows<T>(memory.Y.back(), 0, rows, K, out + from * K, K);
      return true;
    });
  });
  return finite;
}

struct Evaluation {
  double loss;
  std::int64_t correct;
};
// Of chunks of rows: each one's share of the mean loss, to be added in their order.
struct EvaluationParts {
  std::vector<double> losses;
  std::int64_t correct;

  Evaluation sum() const {
    double loss = 0;
    for (const double l : losses) loss += l;
    return {loss, correct};
  }
};

// Rows of a chunk of an evaluation, and how many chunks rows X have.
template <class T>
Index evaluation_chunk(const Network<T>& net, const Rows& X) {
  return std::min<Index>(128, chunk_rows(net, reads_stored(net, X)));
}
template <class T>
Index evaluation_chunks(const Network<T>& net, const Rows& X) {
  return ceil_div(X.rows, evaluation_chunk(net, X));
}

// Losses of all rows by chunks, of which only part `part` of `parts` is computed, the others being
// 0, and how many rows of that were classified right; nothing if a number is not finite or a label
// no class, or if interrupted.
template <class T>
std::optional<EvaluationParts> evaluate_part(const Network<T>& net, const Data& data, Index part,
                                             Index parts, Interruption* interruption = nullptr) {
  const std::shared_lock lock(net.mutex());
  const bool stored = reads_stored(net, data.X);
  const Index N = data.X.rows, chunk = evaluation_chunk(net, data.X);
  const Index chunks = evaluation_chunks(net, data.X);
  const double divisor = batch_divisor(net, data, nullptr, 0, N);
  const Work work = work_of_pass(net, data.X);
  const Index numbers = stored ? most_stored_in_chunks(data.X, chunks) : 0;
  const Index first = share_begin(chunks, parts, part);
  const Index count = share_begin(chunks, parts, part + 1) - first;
  std::vector<double> losses(static_cast<std::size_t>(chunks));
  std::vector<Batch<T>> batches;
  const auto prepare = [&](int threads) {
    batches.resize(static_cast<std::size_t>(threads));
    for (auto& batch : batches)
      if (stored)
        batch.reserve_stored(net, std::min(N, chunk), numbers, 0);
      else
        batch.reserve(net, std::min(N, chunk));
  };
  std::atomic<std::int64_t> correct{0};
  std::atomic<bool> good{true};
  share_work(Kind::evaluation, work, std::max<Index>(count, 1), prepare, [&](const Team& team) {
    Batch<T>& batch = batches[static_cast<std::size_t>(team.index)];
    for (Index i = first + team.begin(count); i < first + team.end(count); ++i) {
      const Index from = share_begin(N, chunks, i);
      const Index rows = share_begin(N, chunks, i + 1) - from;
      if (stops(interruption) ||
          (stored &&
           !gather_stored<T>(data.X, nullptr, from, 0, rows, net.units().inputs(), batch.stored)) ||
          !gather_batch<T>(net, data, nullptr, from, 0, rows, divisor, batch)) {
        good = false;
        return;
      }
      forward_batch(net, batch, 0, rows);
      correct += loss_rows(net, batch, data.labels != nullptr, 0, rows);
      losses[static_cast<std::size_t>(i)] = batch_loss(net, batch, rows, divisor);
    }
  });
  if (!good) return std::nullopt;
  return EvaluationParts{std::move(losses), correct};
}

// The loss over all rows, and how many were classified right; nothing as above.
template <class T>
std::optional<Evaluation> evaluate(const Network<T>& net, const Data& data,
                                   Interruption* interruption = nullptr) {
  const auto parts = evaluate_part(net, data, 0, 1, interruption);
  return parts ? std::optional(parts->sum()) : std::nullopt;
}

} // namespace eigenmlp
