// The step and the epoch: one thread region for a whole run, two phases a step.
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>

#include "eigenmlp/step/pace.hpp"
#include "eigenmlp/step/run.hpp"
#include "eigenmlp/step/weight_squares.hpp"

namespace eigenmlp {

// How many threads are worth their while on a step of so many rows.
template <class T>
int threads_for_step(const Network<T>& net, Index rows) {
  return threads_for_net(net, 6.0 * static_cast<double>(net.parameter_count() * rows),
                         lines_exchanged(net, rows, weights_outweigh(net, rows)), 3);
}

template <class T>
class Trainer {
public:
  Trainer(Network<T>& net, const std::string& optimizer, const std::vector<double>& hyper,
          const Settings& settings = {})
      : net_(net), optimizer_(find_by_name(optimizer_table<T>, optimizer, "optimizer")),
        settings_(settings) {
    const std::vector<double>& rates = settings.dropout;
    if (!rates.empty() && rates.size() + 1 != net.layers().size())
      throw std::invalid_argument("dropout needs a rate for each hidden layer");
    for (const double rate : rates)
      if (!(rate >= 0 && rate < 1)) throw std::invalid_argument("dropout must be in [0, 1)");
    drops_ = std::any_of(rates.begin(), rates.end(), [](double rate) { return rate > 0; });
    if (!drops_) settings_.dropout.clear();
    gathers_ = settings.accumulate > 1 || settings.limits.clips();
    if (gathers_) gradient_.reset(net.panel_size());
    Index panels = 0;
    for (const auto& layer : net.layers()) panels += layer.output_panels();
    squares_.resize(static_cast<std::size_t>(panels));
    std::copy_n(hyper.begin(), std::min(hyper.size(), hyper_.size()), hyper_.begin());
    states_used_ = static_cast<std::size_t>(optimizer_.states_used(hyper_.data()));
    for (std::size_t i = 0; i < states_used_; ++i) state_[i].reset(net.panel_size());
    if (settings.limits.penalty > 0) squares_of_weights_.emplace(net);
  }

  const Optimizer<T>& optimizer() const { return optimizer_; }
  const Settings& settings() const { return settings_; }
  std::size_t states_used() const { return states_used_; }
  // Updates done so far (optimizers that correct for a young state count them), and the gradient
  // gathered for the next one; `flat` may be null.
  const Progress& progress() const { return progress_; }
  void get_gathered(T* flat) {
    const std::lock_guard busy(busy_);
    if (gathers_) net_.unpack(gradient_.data(), flat);
  }
  void set_progress(const Progress& progress, const T* flat) {
    const std::lock_guard busy(busy_);
    progress_ = progress;
    if (gathers_ && flat) net_.pack(flat, gradient_.data());
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
    const Progress before = progress_;
    const Watch watch(*this, epochs.penalties != nullptr);
    goes_on_ = epochs.goes_on;
    in_parallel(threads, [&](const Team& team) {
      Progress progress = before;
      for (Index epoch = 0; epoch < epochs.count; ++epoch) {
        EpochResult sum;
        double total = 0; // of the divisors
        const std::int64_t* order = epochs.order ? epochs.order + epoch * N : nullptr;
        for (Index first = 0; first < N; first += size) {
          const Index rows = std::min(size, N - first);
          const double divisor = batch_divisor(net_, data, order, first, rows);
          const auto& lr = epochs.learning_rates;
          const auto update = static_cast<std::size_t>(progress.steps - before.steps);
          const bool last = epochs.whole && first + size >= N;
          const StepResult done = this->step(team, data, {order, first, rows, divisor, last},
                                             lr[lr.size() == 1 ? 0 : update], progress);
          if (team.index == 0) {
            const Index batch = epoch * ceil_div(N, size) + first / size;
            if (epochs.losses) epochs.losses[batch] = done.loss;
            if (epochs.penalties) epochs.penalties[batch] = penalty_;
          }
          sum.loss += done.loss * divisor;
          sum.correct += done.correct;
          total += divisor;
          if (done.outcome != Outcome::finished) {
            if (team.index == 0) {
              result.outcome = done.outcome;
              result.loss = done.loss;
            }
            return;
          }
          if (team.index == 0) {
            result.steps = progress.steps - before.steps;
            if (first + size >= N) {
              if (!net_.sums()) sum.loss = total > 0 ? sum.loss / total : 0;
              sum.seconds = pace_.seconds_of_epoch();
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
    const Progress before = progress_;
    in_parallel(threads, [&](const Team& team) {
      Progress progress = before;
      const double divisor = batch_divisor(net_, data, nullptr, 0, rows);
      const StepResult done = step(team, data, {nullptr, 0, rows, divisor, false}, lr, progress);
      if (team.index == 0) result = done;
    });
    return result;
  }

  // The update by what was gathered so far, if that is anything. False if it made a parameter
  // infinite.
  bool flush(double lr) {
    const std::lock_guard busy(busy_);
    const std::unique_lock lock(net_.mutex());
    if (progress_.batches == 0) return true;
    const FlushDenormals flush;
    overflowed_ = false;
    Progress progress = progress_;
    update_from(Team{0, 1, nullptr}, gradient_.data(), lr, progress);
    progress_ = progress;
    return !overflowed_;
  }

  // One optimizer step with a gradient laid out like the parameters, which is changed; what was
  // gathered stays so. False if that made a parameter infinite.
  bool apply(T* gradient, double lr) {
    const std::lock_guard busy(busy_);
    const std::unique_lock lock(net_.mutex());
    const FlushDenormals flush;
    overflowed_ = false;
    Progress progress{.steps = progress_.steps};
    update_from(Team{0, 1, nullptr}, gradient, lr, progress);
    progress_.steps = progress.steps;
    return !overflowed_;
  }

private:
  // Memory for batches of up to `rows`, and how threads share them, also a shorter last one.
  int prepare(Index rows) {
    if (batch_.reserve(net_, rows, false, settings_.dropout)) by_columns_.clear();
    int threads = threads_for_step(net_, rows);
    shares_columns_ = threads > 1 && weights_outweigh(net_, rows);
    if (const Blocks blocks = blocks_of(net_, rows); blocks.total > 1) {
      threads = threads_sharing(blocks, threads);
      if (threads > 1) own_parts(static_cast<std::size_t>(threads));
    }
    if (shares_columns_ && !net_.rounds()) own_inputs(static_cast<std::size_t>(threads));
    reports_.resize(static_cast<std::size_t>(threads));
    pace_ = {};
    overflowed_ = goes_on_ = false;
    return threads;
  }

  // A power of two of threads share blocks; the others wait.
  static int threads_sharing(const Blocks& blocks, int threads) {
    const Index most = std::min<Index>(threads, blocks.total);
    return static_cast<int>(std::bit_floor(static_cast<std::size_t>(most)));
  }
  // Memory for every thread's part of dW, laid out like the parameters.
  void own_parts(std::size_t threads) {
    for (std::size_t i = part_memory_.size(); i < threads; ++i) {
      part_memory_.emplace_back(net_.panel_size());
      parts_.push_back(part_memory_.back().data());
    }
  }

  // Views of the batch as it lies now, in which every thread has inputs of its own.
  void own_inputs(std::size_t threads) {
    if (by_columns_.size() == threads) return;
    by_columns_.clear(); // stays so if memory runs out below
    inputs_.resize(threads);
    for (std::size_t i = 1; i < threads; ++i)
      inputs_[i].reserve(panel_count<T>(net_.inputs()) * batch_.Y[0].panel);
    by_columns_.assign(threads, batch_);
    for (std::size_t i = 1; i < threads; ++i) by_columns_[i].Y[0].data = inputs_[i].data();
  }

  // A batch: order[first], order[first + 1], …; `last`: the last one that its update waits for.
  struct BatchRows {
    const std::int64_t* order;
    Index first, count;
    double divisor;
    bool last;
  };

  // Two phases, and a barrier after each. Every thread has a `progress` of its own; thread 0's is
  // the trainer's.
  StepResult step(const Team& team, const Data& data, const BatchRows& batch, double lr,
                  Progress& progress) {
    const Index rows = batch.count;
    if (team.index == 0 && watches_) penalty_ = penalty(batch.divisor);
    const bool by_columns = shares_columns_ && team.size > 1;
    const BatchView<T>& view =
        by_columns && !net_.rounds() ? by_columns_[static_cast<std::size_t>(team.index)] : batch_;
    const bool one_of_many = settings_.accumulate > 1; // their sum is divided at the end
    const double divisor = one_of_many ? 1.0 : batch.divisor;
    const Dropout dropout{settings_.dropout, settings_.dropout_key,
                          static_cast<std::uint64_t>(progress.steps), progress.rows};
    const Dropout* drop = drops_ ? &dropout : nullptr;
    const Blocks blocks = blocks_of(net_, rows);
    const bool by_blocks = blocks.total > 1 && team.size > 1;
    const int sharing = by_blocks ? threads_sharing(blocks, team.size) : team.size;
    const Blocks own = blocks.part(sharing, std::min(team.index, sharing - 1));
    auto [begin, end] =
        by_blocks ? std::pair(own.begin(), own.end()) : share_of_rows(net_, rows, team);
    if (team.index >= sharing) begin = end;
    RowsReport& report = reports_[static_cast<std::size_t>(team.index)];
    report =
        by_columns
            ? columns_phase(net_, data, batch.order, batch.first, rows, divisor, team, view, drop)
            : rows_phase(net_, data, batch.order, batch.first, begin, end, divisor, view, drop);
    if (by_blocks && begin < end && report.good)
      gradient_share(net_, view, own, Team{0, 1, nullptr}, true,
                     parts_[static_cast<std::size_t>(team.index)]);
    const std::span<T* const> parts{parts_.data(), static_cast<std::size_t>(sharing)};
    team.wait();
    StepResult result{Outcome::finished, 0, 0};
    for (int i = 0; i < team.size; ++i) {
      const RowsReport& report = reports_[static_cast<std::size_t>(i)];
      if (!report.good) return {Outcome::refused, 0, 0};
      result.correct += report.correct;
    }
    result.loss = batch_loss(batch_, rows, batch.divisor);
    if (!std::isfinite(result.loss) && !goes_on_) return {Outcome::diverged, result.loss, 0};
    if (team.index == 0) pause_ = pace_.is_time_to_pause();
    if (gathers_) {
      const bool starts = progress.batches == 0;
      if (by_blocks)
        add_share(net_, team, parts, starts, gradient_.data());
      else
        gradient_share(net_, view, blocks, team, starts, gradient_.data());
      progress.batches += 1;
      progress.rows += rows;
      progress.weight += batch.divisor;
      team.wait();
      if (progress.batches >= settings_.accumulate || batch.last)
        update_from(team, gradient_.data(), lr, progress);
    } else {
      Rule<T> rule = this->rule(lr, progress);
      rule.l2 = share_of_penalty(batch.divisor);
      const bool finite = by_blocks ? update_share_from(net_, team, parts, rule)
                                    : update_share(net_, view, blocks, team, by_columns, rule);
      if (!finite) overflowed_ = true;
      team.wait();
      finish_update(team, progress);
    }
    if (team.index == 0) progress_ = progress;
    if (overflowed_ && !goes_on_)
      return {Outcome::diverged, std::numeric_limits<double>::infinity(), 0};
    return result;
  }

  // The update by a gradient that lies there, by all threads.
  void update_from(const Team& team, T* gradient, double lr, Progress& progress) {
    Rule<T> rule = this->rule(lr, progress);
    if (settings_.accumulate > 1 && progress.batches > 0 && !net_.sums())
      rule.scale = progress.weight > 0 ? static_cast<T>(1 / progress.weight) : T(0);
    if (progress.batches > 0) rule.l2 = share_of_penalty(net_.sums() ? 1 : progress.weight);
    if (settings_.limits.clips()) {
      sum_squares(net_, team, gradient, rule, squares_.data());
      team.wait();
      rule.clip = static_cast<T>(clip_factor(squares_, settings_.limits.clip_norm));
    }
    if (!update_share_from<T>(net_, team, {&gradient, 1}, rule)) overflowed_ = true;
    team.wait();
    finish_update(team, progress);
  }

  // What comes after an update, when all threads have done their part of it.
  void finish_update(const Team& team, Progress& progress) {
    if (overflowed_ && !goes_on_) return;
    progress = {.steps = progress.steps + 1};
    if (settings_.limits.bounds_columns()) {
      bound_columns(net_, team, settings_.limits.max_norm);
      team.wait();
    }
  }

  // What a batch's penalty ½ penalty Σ W² / divisor has as its derivative, divided by W.
  T share_of_penalty(double divisor) const {
    return divisor > 0 ? static_cast<T>(settings_.limits.penalty / divisor) : T(0);
  }

  // ½ penalty Σ W² / divisor of the next batch.
  double penalty(double divisor) {
    if (settings_.limits.bounds_columns()) squares_of_weights_->renew();
    const double factor = settings_.limits.penalty;
    return divisor > 0 ? 0.5 * factor / divisor * squares_of_weights_->sum() : 0.0;
  }
  // While it lives, if `wanted` and there is a factor, the penalty of each batch is known.
  struct Watch {
    Watch(Trainer& trainer, bool wanted) : watches(trainer.watches_) {
      watches = wanted && trainer.squares_of_weights_.has_value();
      if (watches) trainer.squares_of_weights_->renew();
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { watches = false; }
    bool& watches;
  };

  // Every 10 ms, between two steps: lets waiting readers of the parameters in, and asks `stop`.
  // True if the run is to end.
  bool pause_between_steps(const Team& team, std::unique_lock<ParameterLock>& lock,
                           const std::function<bool()>& stop) {
    if (!pause_) return false;
    if (team.index == 0) {
      lock.unlock();
      stopped_ = stop && stop();
      lock.lock();
      pace_.paused();
    }
    team.wait();
    return stopped_;
  }

  // Of the update that comes next.
  Rule<T> rule(double lr, const Progress& progress) {
    Rule<T> rule{};
    rule.optimizer = &optimizer_;
    rule.l1 = static_cast<T>(settings_.limits.l1);
    if (watches_) rule.squares = squares_of_weights_->layers();
    const Numbers numbers =
        optimizer_.numbers(hyper_.data(), lr, static_cast<double>(progress.steps) + 1);
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
  Settings settings_;
  bool gathers_ = false, drops_ = false, shares_columns_ = false, watches_ = false,
       goes_on_ = false;
  std::optional<WeightSquares<T>> squares_of_weights_; // where there is a penalty
  double penalty_ = 0;                                 // of the batch
  Buffer<T> gradient_;          // gathered for the next update, where the step keeps it
  std::vector<double> squares_; // of the gradient, by panels of columns
  Progress progress_;           // written by thread 0; the others have copies
  Batch<T> batch_;
  std::vector<Buffer<T>> inputs_;        // a thread's own, from thread 1
  std::vector<BatchView<T>> by_columns_; // the batch with the thread's own inputs
  std::vector<Buffer<T>> part_memory_;   // of dW, one a thread, where threads share blocks
  std::vector<T*> parts_;
  std::vector<RowsReport> reports_;
  // Written by thread 0 between two barriers.
  bool pause_ = false, stopped_ = false;
  std::atomic<bool> overflowed_{false}; // an update made a parameter infinite
  Pace pace_;
};

} // namespace eigenmlp
