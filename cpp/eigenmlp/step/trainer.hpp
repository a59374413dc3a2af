// The step and the epoch: one thread region for a stretch of steps, two phases a step. Between two
// stretches the number of threads may change, and readers of the parameters come in.
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>

#include "eigenmlp/step/pace.hpp"
#include "eigenmlp/step/run.hpp"
#include "eigenmlp/step/step_memory.hpp"
#include "eigenmlp/step/weight_squares.hpp"

namespace eigenmlp {

// What a step on so many rows of X takes. Where X is stored numbers, most of it is the update.
template <class T>
Work work_of_step(const Network<T>& net, Index rows, const Rows& X) {
  if (reads_stored(net, X)) {
    constexpr double per_update = 60; // operations that take as long as moving a weight's numbers
    const double operations = 6.0 * parameters_passed(net, X) * static_cast<double>(rows) +
                              per_update * static_cast<double>(net.parameter_count());
    const bool by_columns = weights_outweigh(net, rows, true);
    return work_of_net(net, operations, lines_exchanged(net, rows, by_columns, true), 3);
  }
  const bool by_blocks = blocks_of(net, rows).total > 1;
  const double lines = by_blocks ? 4.0 * static_cast<double>(weight_lines(net))
                                 : lines_exchanged(net, rows, weights_outweigh(net, rows));
  return work_of_net(net, 6.0 * static_cast<double>(net.parameter_count() * rows), lines,
                     by_blocks ? 2 : 3);
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

  // Whole epochs over the data; `results` has room for epochs.count. `stop` is asked every 10 ms,
  // between two steps. Memory is allocated only before the first step.
  RunResult run(const Data& data, const Epochs& epochs, std::span<EpochResult> results,
                const std::function<bool()>& stop) {
    const std::lock_guard busy(busy_);
    const SharingCall call;
    const Index size = std::min(epochs.batch_size, data.X.rows);
    const int most = prepare(size, data.X, epochs.order, epochs.count);
    RunResult result;
    std::unique_lock lock(net_.mutex());
    const Watch watch(*this, epochs.penalties != nullptr);
    goes_on_ = epochs.goes_on;
    Place at;
    at.progress = progress_;
    pace_ = {};
    while (result.outcome == Outcome::finished && at.epoch < epochs.count) {
      using std::chrono::milliseconds;
      const Decision chosen = choose_threads(size, most);
      const bool known = chosen.reason != Reason::guess && chosen.reason != Reason::trial;
      const Index before = at.rows_done;
      const auto began = detail::now_ns();
      pace_.begin_stretch(known ? milliseconds(10) : milliseconds(1));
      in_parallel(chosen.threads, [&](const Team& team) {
        Place own = at; // thread 0 writes `at` only when all have read it
        steps(team, data, epochs, own, results, result);
        if (team.index == 0) at = own;
      });
      if (most > 1)
        chooser_->report(work_, chosen.threads, most, static_cast<double>(at.rows_done - before),
                         began);
      if (result.outcome == Outcome::finished && pace_.is_time_to_pause()) {
        lock.unlock(); // readers of the parameters come in
        if (stop && stop()) result.outcome = Outcome::interrupted;
        lock.lock();
      }
    }
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
    const SharingCall call;
    const Index rows = data.X.rows;
    const int most = prepare(rows, data.X, nullptr, 1),
              threads = choose_threads(rows, most).threads;
    StepResult result{};
    const std::unique_lock lock(net_.mutex());
    const Progress before = progress_;
    const auto began = most > 1 ? detail::now_ns() : 0;
    in_parallel(threads, [&](const Team& team) {
      Progress progress = before;
      const double divisor = batch_divisor(net_, data, nullptr, 0, rows);
      const StepResult done = step(team, data, {nullptr, 0, rows, divisor, false}, lr, progress);
      if (team.index == 0) result = done;
    });
    if (most > 1) chooser_->report(work_, threads, most, static_cast<double>(rows), began);
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
  // Memory for batches of up to `rows` rows of X, in epochs of these orders; how many threads may
  // share them.
  int prepare(Index rows, const Rows& X, const std::int64_t* orders, Index epochs) {
    stored_ = reads_stored(net_, X);
    const auto bits = static_cast<int>(std::bit_width(static_cast<std::size_t>(rows)));
    const int size = stored_ ? -bits : bits;
    if (size != chooser_size_) chooser_.emplace();
    chooser_size_ = size;
    work_ = work_of_step(net_, rows, X);
    weights_outweigh_ = weights_outweigh(net_, rows, stored_);
    const int most = allowed_threads(work_, rows);
    std::optional<Index> numbers;
    if (stored_) numbers = most_stored(X, orders, epochs, rows);
    memory_.reserve(net_, rows, numbers, settings_.dropout, static_cast<std::size_t>(most));
    overflowed_ = goes_on_ = false;
    return most;
  }

  Decision choose_threads(Index rows, int most) {
    if (most <= 1) return {1, Reason::small};
    Decision chosen = chooser_->choose(work_, most);
    // Blocks are shared by a power of two of threads, another plan by any number.
    if (const Blocks blocks = blocks_of(net_, rows, stored_); blocks.total > 1)
      chosen.threads = threads_sharing(blocks, chosen.threads);
    return chosen;
  }

  // How far a run is.
  struct Place {
    Index epoch = 0, first = 0; // row of the epoch
    EpochResult sum;            // of the epoch, so far
    double divisors = 0;        // their sum
    Index updates = 0, rows_done = 0;
    Progress progress;
  };

  // Steps from `at` on, until the stretch is over or the run at its end; thread 0 says what came.
  void steps(const Team& team, const Data& data, const Epochs& epochs, Place& at,
             std::span<EpochResult> results, RunResult& result) {
    const Index N = data.X.rows, size = std::min(epochs.batch_size, N);
    const auto& lr = epochs.learning_rates;
    while (at.epoch < epochs.count) {
      const std::int64_t* order = epochs.order ? epochs.order + at.epoch * N : nullptr;
      const Index rows = std::min(size, N - at.first);
      const bool ends = at.first + size >= N;
      const double divisor = batch_divisor(net_, data, order, at.first, rows);
      const Index steps_before = at.progress.steps;
      const StepResult done =
          step(team, data, {order, at.first, rows, divisor, epochs.whole && ends},
               lr[lr.size() == 1 ? 0 : static_cast<std::size_t>(at.updates)], at.progress);
      at.updates += at.progress.steps - steps_before;
      at.rows_done += rows;
      if (team.index == 0) {
        const Index batch = at.epoch * ceil_div(N, size) + at.first / size;
        if (epochs.losses) epochs.losses[batch] = done.loss;
        if (epochs.penalties) epochs.penalties[batch] = penalty_;
        if (done.outcome != Outcome::finished) {
          result.outcome = done.outcome;
          result.loss = done.loss;
        } else {
          result.steps = at.updates;
        }
      }
      if (done.outcome != Outcome::finished) return;
      at.sum.loss += done.loss * divisor;
      at.sum.correct += done.correct;
      at.divisors += divisor;
      at.first += size;
      if (ends) {
        if (team.index == 0) {
          if (!net_.sums()) at.sum.loss = at.divisors > 0 ? at.sum.loss / at.divisors : 0;
          at.sum.seconds = pace_.seconds_of_epoch();
          results[static_cast<std::size_t>(at.epoch)] = at.sum;
          result.epochs = at.epoch + 1;
        }
        at.sum = {};
        at.divisors = 0;
        at.first = 0;
        ++at.epoch;
      }
      if (over_) return;
    }
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
    const bool by_columns = weights_outweigh_ && team.size > 1;
    const BatchView<T>& view = memory_.batch(by_columns, team.index);
    const bool one_of_many = settings_.accumulate > 1; // their sum is divided at the end
    const double divisor = one_of_many ? 1.0 : batch.divisor;
    const Dropout dropout{settings_.dropout, settings_.dropout_key,
                          static_cast<std::uint64_t>(progress.steps), progress.rows};
    const Dropout* drop = drops_ ? &dropout : nullptr;
    const Blocks blocks = blocks_of(net_, rows, stored_);
    const bool by_blocks = blocks.total > 1 && team.size > 1;
    const int sharing = by_blocks ? threads_sharing(blocks, team.size) : team.size;
    const Blocks own = blocks.part(sharing, std::min(team.index, sharing - 1));
    auto [begin, end] =
        by_blocks ? std::pair(own.begin(), own.end()) : share_of_rows(net_, rows, team);
    if (team.index >= sharing) begin = end;
    RowsReport& report = memory_.report(team.index);
    report = by_columns ? columns_phase(net_, data, batch.order, batch.first, rows, divisor, team,
                                        view, drop)
                        : rows_phase(net_, data, batch.order, batch.first, begin, end, divisor,
                                     team, view, drop);
    if (by_blocks && begin < end && report.good)
      gradient_share(net_, view, own, Team{0, 1, nullptr}, true,
                     memory_.parts(sharing)[static_cast<std::size_t>(team.index)]);
    const auto parts = by_blocks ? memory_.parts(sharing) : std::span<T* const>{};
    team.wait();
    StepResult result{Outcome::finished, 0, 0};
    for (int i = 0; i < team.size; ++i) {
      if (!memory_.report(i).good) return {Outcome::refused, 0, 0};
      result.correct += memory_.report(i).correct;
    }
    result.loss = batch_loss(net_, view, rows, batch.divisor);
    if (!std::isfinite(result.loss) && !goes_on_) return {Outcome::diverged, result.loss, 0};
    if (team.index == 0) over_ = pace_.is_over();
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
    if (!update_share_from(net_, team, std::span<T* const>(&gradient, 1), rule)) overflowed_ = true;
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

  // Of the update that comes next.
  Rule<T> rule(double lr, const Progress& progress) {
    Rule<T> rule{};
    rule.optimizer = &optimizer_;
    rule.rests = optimizer_.rests(hyper_.data());
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
  bool gathers_ = false, drops_ = false, weights_outweigh_ = false, watches_ = false,
       goes_on_ = false;
  bool stored_ = false;                                // inputs are read by their stored numbers
  std::optional<WeightSquares<T>> squares_of_weights_; // where there is a penalty
  double penalty_ = 0;                                 // of the batch
  Buffer<T> gradient_;          // gathered for the next update, where the step keeps it
  std::vector<double> squares_; // of the gradient, by panels of columns
  Progress progress_;           // written by thread 0; the others have copies
  StepMemory<T> memory_;
  Work work_{0}; // of a step
  std::optional<SharedChooser> chooser_;
  int chooser_size_ = 0; // bits of the rows that it is for; less than 0: of stored numbers
  bool over_ = false;    // written by thread 0 between two barriers
  std::atomic<bool> overflowed_{false}; // an update made a parameter infinite
  Pace pace_;
};

} // namespace eigenmlp
