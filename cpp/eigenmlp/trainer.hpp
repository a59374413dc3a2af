// The step and the epoch: one thread region for a whole run, two phases a step.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <mutex>
#include <span>

#include "eigenmlp/parallel.hpp"
#include "eigenmlp/weights_phase.hpp"

namespace eigenmlp {

struct Epochs {
  Index count = 1, batch_size = 1;
  const std::int64_t* order = nullptr;    // (count, N) rows in the order of use; null: as they come
  std::span<const double> learning_rates; // one for all steps, or one a step
};

struct EpochResult {
  double loss = 0, seconds = 0;
  std::int64_t correct = 0;
};

// diverged: a loss was not finite (that step changed nothing), or an update made a parameter
// infinite (its loss is reported as infinite). refused: a number of the data was not finite, or a
// label no class; that step changed nothing. interrupted: `stop` said so.
enum class Outcome { finished, diverged, refused, interrupted };

struct RunResult {
  Outcome outcome = Outcome::finished;
  double loss = 0;             // of the step that diverged
  Index epochs = 0, steps = 0; // whole ones that were done
};

template <class T>
class Trainer {
public:
  Trainer(Network<T>& net, const std::string& optimizer, const std::vector<double>& hyper)
      : net_(net), optimizer_(find_by_name(optimizer_table<T>, optimizer, "optimizer")) {
    std::copy_n(hyper.begin(), std::min(hyper.size(), hyper_.size()), hyper_.begin());
    states_used_ = static_cast<std::size_t>(optimizer_.states_used(hyper_.data()));
    for (std::size_t i = 0; i < states_used_; ++i) state_[i].reset(net.panel_size());
  }

  const Optimizer<T>& optimizer() const { return optimizer_; }
  std::size_t states_used() const { return states_used_; }
  // Updates done so far; optimizers that correct for a young state count them.
  Index steps() const { return steps_; }
  void set_steps(Index steps) {
    const std::lock_guard busy(busy_);
    steps_ = steps;
  }
  // The flat form of one of the optimizer's memories, and back; i < states_used().
  void get_state(std::size_t i, T* flat) {
    const std::lock_guard busy(busy_);
    net_.unpack(state_[i].data(), flat);
  }
  void set_state(std::size_t i, const T* flat) {
    const std::lock_guard busy(busy_);
    net_.pack(flat, state_[i].data());
  }

  // Whole epochs over the data; `results` has room for epochs.count. `stop` is asked now and then,
  // between two steps. Memory is allocated only before the first step.
  RunResult run(const Data& data, const Epochs& epochs, std::span<EpochResult> results,
                const std::function<bool()>& stop) {
    const std::lock_guard busy(busy_);
    const Index N = data.X.rows, size = std::min(epochs.batch_size, N);
    const int threads = prepare(size);
    RunResult result;
    std::unique_lock lock(net_.mutex());
    in_parallel(threads, [&](const Team& team) {
      Index step = 0;
      for (Index epoch = 0; epoch < epochs.count; ++epoch) {
        EpochResult sum;
        double total_weight = 0;
        const std::int64_t* order = epochs.order ? epochs.order + epoch * N : nullptr;
        for (Index first = 0; first < N; first += size, ++step) {
          const Index rows = std::min(size, N - first);
          const double weight = batch_weight(data, order, first, rows);
          const auto& lr = epochs.learning_rates;
          const StepResult done =
              this->step(team, data, order, first, rows, weight,
                         lr[lr.size() == 1 ? 0 : static_cast<std::size_t>(step)]);
          sum.loss += done.loss * weight;
          sum.correct += done.correct;
          total_weight += weight;
          if (done.outcome != Outcome::finished) {
            if (team.index == 0) {
              result.outcome = done.outcome;
              result.loss = done.loss;
            }
            return;
          }
          if (team.index == 0) {
            result.steps = step + 1;
            if (first + size >= N) {
              sum.loss = total_weight > 0 ? sum.loss / total_weight : 0;
              sum.seconds = seconds_since_epoch_began();
              results[static_cast<std::size_t>(epoch)] = sum;
              result.epochs = epoch + 1;
            }
          }
          if (pause_between_steps(team, lock, stop)) {
            if (team.index == 0) result.outcome = Outcome::interrupted;
            return;
          }
        }
      }
    });
    return result;
  }

  // One step on all rows of the data.
  struct StepResult {
    Outcome outcome;
    double loss;
    Index correct;
  };
  StepResult step(const Data& data, double lr) {
    const std::lock_guard busy(busy_);
    const Index rows = data.X.rows;
    const int threads = prepare(rows);
    StepResult result{};
    const std::unique_lock lock(net_.mutex());
    in_parallel(threads, [&](const Team& team) {
      const StepResult done =
          step(team, data, nullptr, 0, rows, batch_weight(data, nullptr, 0, rows), lr);
      if (team.index == 0) result = done;
    });
    return result;
  }

  // One optimizer step with a gradient laid out like the parameters.
  // False if that made a parameter infinite.
  bool apply(const T* gradient, double lr) {
    bool finite = true;
    const std::lock_guard busy(busy_);
    const std::unique_lock lock(net_.mutex());
    const Rule<T> rule = this->rule(lr);
    for (const auto& layer : net_.layers())
      for (Index k = 0; k < layer.output_panels(); ++k) {
        const Index at = layer.W.at(0, k) - net_.parameters();
        finite &= update_rows<T>(net_, layer, 0, layer.D, k, gradient + at, rule);
        if (net_.has_bias())
          finite &= update_rows<T>(net_, layer, layer.D, 1, k,
                                   gradient + at + layer.D * panel_width<T>, rule);
      }
    net_.refresh_transposed();
    steps_ += finite;
    return finite;
  }

private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds pause_every{10};

  // Memory for batches of `rows`, and how many threads are worth their while on them.
  int prepare(Index rows) {
    batch_.reserve(net_, rows);
    const int threads = threads_for(6.0 * static_cast<double>(net_.parameter_count() * rows),
                                    lines_exchanged(net_, rows, weights_outweigh(net_, rows)), 3);
    reports_.resize(static_cast<std::size_t>(threads));
    epoch_began_ = paused_at_ = Clock::now();
    overflowed_ = refused_ = false;
    return threads;
  }

  // Two phases, and a barrier after each.
  StepResult step(const Team& team, const Data& data, const std::int64_t* order, Index first,
                  Index rows, double weight, double lr) {
    const bool by_columns = team.size > 1 && weights_outweigh(net_, rows);
    reports_[static_cast<std::size_t>(team.index)] =
        by_columns ? columns_phase(net_, data, order, first, rows, weight, team, refused_, batch_)
                   : rows_phase(net_, data, order, first, team.begin(rows), team.end(rows), weight,
                                batch_);
    team.wait();
    StepResult result{Outcome::finished, 0, 0};
    for (int i = 0; i < team.size; ++i) {
      const RowsReport& report = reports_[static_cast<std::size_t>(i)];
      if (!report.good) return {Outcome::refused, 0, 0};
      result.correct += report.correct;
    }
    result.loss = mean_loss(batch_, rows, weight);
    if (!std::isfinite(result.loss)) return {Outcome::diverged, result.loss, 0};
    if (!update_share(net_, batch_, rows, team, by_columns, rule(lr))) overflowed_ = true;
    if (team.index == 0) pause_ = Clock::now() - paused_at_ > pause_every;
    team.wait();
    if (overflowed_) return {Outcome::diverged, std::numeric_limits<double>::infinity(), 0};
    if (team.index == 0) ++steps_;
    return result;
  }

  double seconds_since_epoch_began() {
    const auto began = std::exchange(epoch_began_, Clock::now());
    return std::chrono::duration<double>(epoch_began_ - began).count();
  }

  // Every 10 ms, between two steps: lets waiting readers of the parameters in, and asks `stop`.
  // True if the run is to end.
  bool pause_between_steps(const Team& team, std::unique_lock<ParameterLock>& lock,
                           const std::function<bool()>& stop) {
    if (!pause_) return false;
    if (team.index == 0) {
      lock.unlock();
      stopped_ = stop && stop();
      lock.lock();
      paused_at_ = Clock::now();
    }
    team.wait();
    return stopped_;
  }

  // Of the update that comes next.
  Rule<T> rule(double lr) {
    Rule<T> rule{&optimizer_, {}, {}};
    const Numbers numbers = optimizer_.numbers(hyper_.data(), lr, static_cast<double>(steps_) + 1);
    std::transform(numbers.begin(), numbers.end(), rule.numbers.begin(),
                   [](double x) { return static_cast<T>(x); });
    for (std::size_t i = 0; i < states_used_; ++i) rule.state[i] = state_[i].data();
    return rule;
  }

  Network<T>& net_;
  OneAtATime busy_;
  const Optimizer<T>& optimizer_;
  std::array<double, most_hyper> hyper_{};
  std::array<Buffer<T>, most_states> state_;
  std::size_t states_used_ = 0;
  Index steps_ = 0; // written by thread 0 when the others have used it
  Batch<T> batch_;
  std::vector<RowsReport> reports_;
  // Written by thread 0 between two barriers.
  bool pause_ = false, stopped_ = false;
  std::atomic<bool> refused_{false};
  std::atomic<bool> overflowed_{false}; // an update made a parameter infinite
  Clock::time_point paused_at_, epoch_began_;
};

} // namespace eigenmlp
