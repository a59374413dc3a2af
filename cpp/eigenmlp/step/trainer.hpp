// The epoch and the run: one thread region for a stretch of steps. Between two stretches the number
// of threads may change, and readers of the parameters come in.
#pragma once

#include <functional>

#include "eigenmlp/step/step.hpp"

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
  const bool by_blocks = threads_share_blocks(net, blocks_of(net, rows));
  const double lines = by_blocks ? 4.0 * static_cast<double>(weight_lines(net))
                                 : lines_exchanged(net, rows, weights_outweigh(net, rows));
  return work_of_net(net,
                     6.0 * static_cast<double>(net.parameter_count()) * static_cast<double>(rows),
                     lines, by_blocks ? 2 : 3);
}

template <class T>
class SideBySide; // takes the steps of several at once (side_by_side.hpp)

template <class T>
class Trainer : public Stepper<T> {
public:
  using typename Stepper<T>::StepResult;

  [[gnu::cold]] Trainer(Network<T>& net, const std::string& optimizer,
                        const std::vector<double>& hyper, const Settings& settings = {})
      : Stepper<T>(net, optimizer, hyper, settings) {}

  // Whole epochs over the data; `results` has room for epochs.count. `stop` is asked every 10 ms,
  // between two steps. Memory is allocated only before the first step.
  RunResult run(const Data& data, const Epochs& epochs, std::span<EpochResult> results,
                const std::function<bool()>& stop) {
    const std::lock_guard busy(busy_);
    const SharingCall call;
    const Index size = epochs.largest(data.X.rows);
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
        chooser_->report(work_, chosen.threads, most,
                         static_cast<double>(at.rows_done - before) / static_cast<double>(size),
                         began);
      if (result.outcome == Outcome::finished && pace_.is_time_to_pause()) {
        lock.unlock(); // readers of the parameters come in
        if (stop && stop()) result.outcome = Outcome::interrupted;
        lock.lock();
      }
    }
    return result;
  }

  // Shares the steps from now on with other processes.
  void set_ranks(Ranks ranks) {
    const std::lock_guard busy(busy_);
    ranks_ = std::move(ranks);
  }

  // One step on all rows of the data; `own` as in Epochs.
  StepResult step(const Data& data, double lr, const OwnRows* own = nullptr) {
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
      const double divisor = own ? own->divisor : batch_divisor(net_, data, nullptr, 0, rows);
      const StepResult done =
          step_of_team(team, data, {nullptr, 0, rows, divisor, false, own}, lr, progress);
      if (team.index == 0) result = done;
    });
    if (most > 1) chooser_->report(work_, threads, most, 1, began);
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

  // One optimizer step with a gradient in panels (Network::pack), which is changed; what was
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
  friend class SideBySide<T>;
  using Step = Stepper<T>;
  using Step::busy_, Step::net_, Step::settings_, Step::progress_, Step::memory_, Step::gradient_;
  using Step::pace_, Step::over_, Step::overflowed_, Step::goes_on_, Step::stored_;
  using Step::ranks_;
  using Step::weights_outweigh_, Step::penalty_, Step::step_of_team, Step::update_from;
  using typename Step::Watch;

  // Memory for batches of up to `rows` rows of X, in epochs of these orders; how many threads may
  // share them.
  int prepare(Index rows, const Rows& X, const std::int64_t* orders, Index epochs) {
    stored_ = reads_stored(net_, X);
    const auto bits = static_cast<int>(std::bit_width(static_cast<std::size_t>(rows)));
    const int size = stored_ ? -bits : bits;
    if (size != chooser_size_) chooser_.emplace();
    chooser_size_ = size;
    const Index pieces = ranks_.own_rows ? 1 : ranks_.sharing(blocks_of(net_, rows, stored_).total);
    work_ = work_of_step(net_, ceil_div(rows, pieces), X);
    weights_outweigh_ = weights_outweigh(net_, rows, stored_);
    const int most = allowed_threads(work_, rows);
    std::optional<Index> numbers;
    if (stored_) numbers = most_stored(X, orders, epochs, rows);
    memory_.reserve(net_, rows, numbers, settings_.dropout, static_cast<std::size_t>(most),
                    ranks_ ? told_numbers(ranks_, rows) : 0);
    overflowed_ = goes_on_ = false;
    return most;
  }

  Decision choose_threads(Index rows, int most) {
    if (most <= 1) return {1, Reason::small};
    Decision chosen = chooser_->choose(work_, most);
    // Blocks are shared by a power of two of threads, another plan by any number.
    if (const Blocks blocks = blocks_of(net_, rows, stored_); threads_share_blocks(net_, blocks))
      chosen.threads = threads_sharing(blocks, chosen.threads);
    return chosen;
  }

  // How far a run is.
  struct Place {
    Index epoch = 0, batch = 0; // of the epoch
    EpochResult sum;            // of the epoch, so far
    double divisors = 0;        // their sum
    Index updates = 0, rows_done = 0;
    Progress progress;
  };

  // Steps from `at` on, until the stretch is over or the run at its end; thread 0 says what came.
  void steps(const Team& team, const Data& data, const Epochs& epochs, Place& at,
             std::span<EpochResult> results, RunResult& result) {
    const Index N = data.X.rows, batches = epochs.batches_of(N);
    const auto& lr = epochs.learning_rates;
    while (at.epoch < epochs.count) {
      const std::int64_t* order = epochs.order ? epochs.order + at.epoch * N : nullptr;
      const Index first = epochs.begin(N, at.batch), rows = epochs.begin(N, at.batch + 1) - first;
      const bool ends = at.batch + 1 == batches;
      const Index batch = at.epoch * batches + at.batch;
      const OwnRows* const own =
          epochs.own.empty() ? nullptr : &epochs.own[static_cast<std::size_t>(batch)];
      const double divisor = own ? own->divisor : batch_divisor(net_, data, order, first, rows);
      const Index steps_before = at.progress.steps;
      const StepResult done =
          step_of_team(team, data, {order, first, rows, divisor, epochs.whole && ends, own},
                       lr[lr.size() == 1 ? 0 : static_cast<std::size_t>(at.updates)], at.progress);
      at.updates += at.progress.steps - steps_before;
      at.rows_done += rows;
      if (team.index == 0) {
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
      ++at.batch;
      if (ends) {
        if (team.index == 0) {
          if (!net_.sums()) at.sum.loss = at.divisors > 0 ? at.sum.loss / at.divisors : 0;
          at.sum.seconds = pace_.seconds_of_epoch();
          results[static_cast<std::size_t>(at.epoch)] = at.sum;
          result.epochs = at.epoch + 1;
        }
        at.sum = {};
        at.divisors = 0;
        at.batch = 0;
        ++at.epoch;
      }
      if (over_) return;
    }
  }

  Work work_{0}; // of a step
  std::optional<SharedChooser> chooser_;
  int chooser_size_ = 0; // bits of the rows that it is for; less than 0: of stored numbers
};

} // namespace eigenmlp
