// The step: two phases and two barriers, by a team of threads, with the optimizer's state. The loop
// over steps and epochs is the trainer's.
#pragma once

#include <atomic>
#include <limits>
#include <mutex>
#include <optional>

#include "eigenmlp/step/exchange.hpp"
#include "eigenmlp/step/limits.hpp"
#include "eigenmlp/step/pace.hpp"
#include "eigenmlp/step/run.hpp"
#include "eigenmlp/step/weight_squares.hpp"

namespace eigenmlp {

template <class T>
class Stepper {
public:
  [[gnu::cold]] Stepper(Network<T>& net, const std::string& optimizer,
                        const std::vector<double>& hyper, const Settings& settings)
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

  const Network<T>& net() const { return net_; }
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
    const std::unique_lock lock(net_.mutex());
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

  // What a step did.
  struct StepResult {
    Outcome outcome;
    double loss;
    Index correct;
  };

protected:
  // A batch: order[first], order[first + 1], …; `last`: the last one that its update waits for.
  struct BatchRows {
    const std::int64_t* order;
    Index first, count;
    double divisor;
    bool last;
    const OwnRows* own = nullptr; // where ranks have rows of their own
  };

  // Two phases, and a barrier after each. Every thread has a `progress` of its own; thread 0's is
  // the trainer's.
  StepResult step_of_team(const Team& team, const Data& data, const BatchRows& batch, double lr,
                          Progress& progress) {
    const Index rows = batch.count;
    if (team.index == 0 && watches_) penalty_ = penalty(batch.divisor);
    const RankPart<T> part(net_, ranks_, rows, stored_);
    const bool by_columns = weights_outweigh_ && team.size > 1 && !part.exchanges;
    const BatchView<T>& view = memory_.batch(by_columns, team.index);
    const bool one_of_many = settings_.accumulate > 1; // their sum is divided at the end
    const double divisor = one_of_many ? 1.0 : batch.divisor;
    const Dropout dropout{settings_.dropout, settings_.dropout_key,
                          static_cast<std::uint64_t>(progress.steps),
                          progress.rows + (batch.own ? batch.own->before : 0)};
    const Dropout* drop = drops_ ? &dropout : nullptr;
    const Blocks& blocks = part.blocks;
    const bool by_blocks = threads_share_blocks(net_, blocks) && team.size > 1;
    const int sharing = by_blocks ? threads_sharing(blocks, team.size) : team.size;
    const Blocks own = by_blocks ? blocks.part(sharing, std::min(team.index, sharing - 1)) : blocks;
    auto [begin, end] = by_blocks ? std::pair(own.begin(), own.end()) : part.rows_of(net_, team);
    if (team.index >= sharing) begin = end;
    RowsReport& report = memory_.report(team.index);
    report = by_columns ? columns_phase(net_, data, batch.order, batch.first, rows, divisor, team,
                                        view, drop)
                        : rows_phase(net_, data, batch.order, batch.first, begin, end, divisor,
                                     team, view, drop);
    if (by_blocks && begin < end && report.good)
      gradient_share(net_, view, own, Team{0, 1, nullptr}, true,
                     memory_.parts(sharing)[static_cast<std::size_t>(team.index)]);
    auto parts = by_blocks ? memory_.parts(sharing) : std::span<T* const>{};
    team.wait();
    Told report_of_all = report_of(team);
    T* const message = memory_.message();
    if (part.exchanges) {
      exchange(team, data, batch, part, view, parts, report_of_all);
      if (!swapped_) return {Outcome::interrupted, 0, 0};
      report_of_all = told_;
      parts = {&message, 1};
    }
    if (!report_of_all.good) return {Outcome::refused, 0, 0};
    StepResult result{Outcome::finished, 0, report_of_all.correct};
    if (!batch.own)
      result.loss = batch_loss(net_, view, rows, batch.divisor);
    else if (batch.divisor > 0)
      result.loss = report_of_all.loss / batch.divisor;
    if (!std::isfinite(result.loss) && !goes_on_) return {Outcome::diverged, result.loss, 0};
    if (team.index == 0) over_ = pace_.is_over();
    if (gathers_) {
      const bool starts = progress.batches == 0;
      if (!parts.empty())
        add_share(net_, team, parts, starts, gradient_.data());
      else
        gradient_share(net_, view, blocks, team, starts, gradient_.data());
      progress.batches += 1;
      progress.rows += batch.own ? batch.own->all : rows;
      progress.weight += batch.divisor;
      team.wait();
      if (progress.batches >= settings_.accumulate || batch.last)
        update_from(team, gradient_.data(), lr, progress);
    } else {
      Rule<T> rule = this->rule(lr, progress);
      rule.l2 = share_of_penalty(batch.divisor);
      const bool finite = parts.empty() ? update_share(net_, view, blocks, team, by_columns, rule)
                                        : update_share_from(net_, team, parts, rule);
      if (!finite) overflowed_ = true;
      team.wait();
      finish_update(team, progress);
    }
    if (team.index == 0) progress_ = progress;
    if (overflowed_ && !goes_on_)
      return {Outcome::diverged, std::numeric_limits<double>::infinity(), 0};
    return result;
  }

  // What the threads' reports come to; known after a barrier.
  Told report_of(const Team& team) {
    Told sum;
    for (int i = 0; i < team.size; ++i) {
      sum.good &= memory_.report(i).good;
      sum.correct += memory_.report(i).correct;
    }
    return sum;
  }

  // The message becomes dW of all ranks' rows, `told_` what else they say; `swapped_` is false if
  // the run is to end. `parts` are the threads', if they shared blocks.
  void exchange(const Team& team, const Data& data, const BatchRows& batch, const RankPart<T>& part,
                const BatchView<T>& view, std::span<T* const> parts, const Told& own) {
    T* const message = memory_.message();
    T* const behind = message + net_.panel_size();
    if (!part.idles()) {
      if (!parts.empty())
        add_share(net_, team, parts, true, message);
      else if (batch.count > 0)
        gradient_share(net_, view, part.blocks, team, true, message);
      else if (team.index == 0)
        std::fill_n(message, net_.panel_size(), T(0));
      team.wait();
    }
    if (team.index == 0) {
      if (!part.idles()) tell(net_, ranks_, part, view, batch.count, own, behind);
      const Index n = net_.panel_size() + told_numbers(ranks_, batch.count);
      swapped_ = sum_over_ranks(ranks_, part.sharing, message, memory_.other_message(), n);
      if (swapped_) told_ = told(ranks_, data, batch.order, batch.first, batch.count, view, behind);
    }
    team.wait();
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
    Watch(Stepper& stepper, bool wanted) : watches(stepper.watches_) {
      watches = wanted && stepper.squares_of_weights_.has_value();
      if (watches) stepper.squares_of_weights_->renew();
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
  Ranks ranks_;
  Told told_;                           // written by thread 0 between two barriers
  bool swapped_ = false;                // likewise
  bool over_ = false;                   // written by thread 0 between two barriers
  std::atomic<bool> overflowed_{false}; // an update made a parameter infinite
  Pace pace_;
};

} // namespace eigenmlp
