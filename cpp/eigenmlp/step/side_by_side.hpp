// Runs of several networks of one shape at once, in one thread (lanes_step.hpp): each ends with the
// bits that Trainer::run gives it alone.
#pragma once

#include <algorithm>
#include <cmath>

#include "eigenmlp/step/lanes_step.hpp"
#include "eigenmlp/step/trainer.hpp"

namespace eigenmlp {

// Whether two networks differ in their parameters and units alone.
template <class T>
bool same_shape(const Network<T>& a, const Network<T>& b) {
  const auto alike = [](const Layer<T>& m, const Layer<T>& n) {
    return m.D == n.D && m.K == n.K && m.activation == n.activation && m.parameters == n.parameters;
  };
  const Index K = panel_count<T>(b.outputs()) * panel_width<T>;
  return std::ranges::equal(a.layers(), b.layers(), alike) && a.has_bias() == b.has_bias() &&
         a.rounds() == b.rounds() && &a.loss() == &b.loss() && a.sums() == b.sums() &&
         std::equal(b.loss_parameters(), b.loss_parameters() + K, a.loss_parameters());
}

// What one of them is to do, as Trainer::run takes it. Trainers are of different networks; orders
// and learning rates may be shared.
template <class T>
struct Fit {
  Trainer<T>* trainer;
  Epochs epochs;
  std::span<EpochResult> results; // room for epochs.count
};

template <class T>
class SideBySide {
public:
  static constexpr Index most = panel_width<T>; // networks at once

  // Whether `count` of them take less time so than one after the other, in batches of so many rows.
  // Measured with AVX-512 on networks of 20 to 3,000 parameters: full lanes pay up to 80,000
  // numbers a batch in float32, half of them up to 2,500.
  static bool pays(Index parameters, Index rows, Index count) {
    constexpr double full = 320.0 * most * most;
    const double share = static_cast<double>(std::min(count, most)) / most;
    return count > 1 && static_cast<double>(parameters * rows) <= full * std::pow(share, 5);
  }
  // How many to take at once of `count` that are alike, so that no thread is without work; 1 where
  // more do not pay.
  static Index at_once(Index parameters, Index rows, Index count, Index threads) {
    const Index rounds = ceil_div(count, most * threads), each = ceil_div(count, rounds * threads);
    return pays(parameters, rows, each) ? each : 1;
  }

  // Whether a trainer's steps can be taken beside others', and two trainers' beside each other.
  static bool suits(const Fit<T>& fit, const Data& data) {
    const Trainer<T>& t = *fit.trainer;
    const Limits& limits = t.settings_.limits;
    return !t.net_.rounds() && !reads_stored(t.net_, data.X) && !t.ranks_ && !t.gathers_ &&
           !t.drops_ && limits.penalty == 0 && !limits.bounds_columns() && fit.epochs.whole &&
           !fit.epochs.goes_on && fit.epochs.own.empty() && fit.epochs.batches == 0;
  }
  [[gnu::cold]] static bool alike(const Fit<T>& a, const Fit<T>& b) {
    const Trainer<T>&s = *a.trainer, &t = *b.trainer;
    return same_shape(s.net_, t.net_) && &s.optimizer_ == &t.optimizer_ && s.hyper_ == t.hyper_ &&
           s.settings_.limits.l1 == t.settings_.limits.l1 &&
           s.progress().steps == t.progress().steps && a.epochs.count == b.epochs.count &&
           a.epochs.batch_size == b.epochs.batch_size &&
           (a.epochs.order == nullptr) == (b.epochs.order == nullptr) &&
           std::ranges::equal(a.epochs.learning_rates, b.epochs.learning_rates);
  }

  // For 1 … `most` fits that suit and are alike. `stop` as in Trainer::run; what came of each is in
  // `results`. False if one of them met what its own run is to tell of, a loss that is not finite
  // or a number of the data: then all are as before, and can be run one after the other.
  static bool run(const Data& data, std::span<const Fit<T>> fits, const std::function<bool()>& stop,
                  std::span<RunResult> results) {
    return SideBySide(data, fits).run(stop, results);
  }

private:
  // Trainers are taken first, and then networks: several runs may have trainers of their own on the
  // same networks.
  [[gnu::cold]] SideBySide(const Data& data, std::span<const Fit<T>> fits)
      : data_(data), fits_(fits), epochs_(fits.front().epochs), trainer_(*fits.front().trainer) {
    for (const Fit<T>& fit : fits) {
      busy_.add(fit.trainer->busy_);
      locks_.add(fit.trainer->net_.mutex());
    }
    busy_.lock();
  }

  [[gnu::cold]] bool run(const std::function<bool()>& stop, std::span<RunResult> results) {
    const Index N = data_.X.rows, size = epochs_.largest(N);
    std::vector<Network<T>*> nets;
    std::vector<BatchView<T>> batches;
    for (const Fit<T>& fit : fits_) {
      fit.trainer->prepare(size, data_.X, nullptr, 1);
      nets.push_back(&fit.trainer->net_);
      batches.push_back(fit.trainer->memory_.batch(false, 0));
    }
    LanesStep<T> lanes(nets, std::move(batches), size, trainer_.states_used_);
    flat_.resize(static_cast<std::size_t>(trainer_.net_.parameter_count()));
    sums_.resize(fits_.size());
    correct_.resize(fits_.size());
    divisors_.resize(fits_.size());
    divided_.resize(fits_.size());
    orders_.resize(fits_.size());
    locks_.lock();
    const Index steps_before = steps_ = trainer_.progress_.steps;
    load(lanes, true);
    const auto before = lanes.numbers();
    Outcome outcome = Outcome::finished;
    while (outcome == Outcome::finished && epoch_ < epochs_.count) {
      pace_.begin_stretch(std::chrono::milliseconds(10));
      bool good = true;
      in_parallel(1, [&](const Team&) { good = steps(lanes); });
      if (!good) {
        lanes.set_numbers(before);
        store(lanes, steps_before);
        return false;
      }
      store(lanes, steps_);
      if (!pace_.is_time_to_pause()) continue;
      locks_.unlock(); // readers of the parameters come in
      if (stop && stop()) outcome = Outcome::interrupted;
      locks_.lock();
      load(lanes, false);
    }
    for (RunResult& result : results) result = {outcome, 0, epoch_, updates_};
    return true;
  }

  // Steps until the stretch is over or the run at its end; false if one may not be done.
  bool steps(LanesStep<T>& lanes) {
    const Index N = data_.X.rows, batches = epochs_.batches_of(N);
    const auto& lr = epochs_.learning_rates;
    while (epoch_ < epochs_.count) {
      const Index first = epochs_.begin(N, batch_), rows = epochs_.begin(N, batch_ + 1) - first;
      for (std::size_t i = 0; i < fits_.size(); ++i) {
        const std::int64_t* const order = fits_[i].epochs.order;
        orders_[i] = order ? order + epoch_ * N : nullptr;
        const bool known = i > 0 && orders_[i] == orders_[0];
        divisors_[i] = known ? divisors_[0] : batch_divisor(net(i), data_, orders_[i], first, rows);
      }
      if (!lanes.sum_gradient(data_, orders_, first, rows, divisors_, correct_)) return false;
      for (std::size_t i = 0; i < fits_.size(); ++i) {
        const double loss = lanes.loss(i, rows, divisors_[i]);
        if (!std::isfinite(loss)) return false;
        if (double* losses = fits_[i].epochs.losses) losses[epoch_ * batches + batch_] = loss;
        sums_[i].loss += loss * divisors_[i];
        sums_[i].correct += correct_[i];
        divided_[i] += divisors_[i];
      }
      const double rate = lr[lr.size() == 1 ? 0 : static_cast<std::size_t>(updates_)];
      if (!lanes.update(trainer_.rule(rate, Progress{.steps = steps_}))) return false;
      ++updates_;
      ++steps_;
      if (++batch_ == batches) end_epoch();
      if (pace_.is_over()) return true;
    }
    return true;
  }

  void end_epoch() {
    const double seconds = pace_.seconds_of_epoch();
    for (std::size_t i = 0; i < fits_.size(); ++i) {
      EpochResult& sum = sums_[i];
      if (!net(i).sums()) sum.loss = divided_[i] > 0 ? sum.loss / divided_[i] : 0;
      sum.seconds = seconds;
      fits_[i].results[static_cast<std::size_t>(epoch_)] = sum;
      sum = {};
      divided_[i] = 0;
    }
    batch_ = 0;
    ++epoch_;
  }

  Network<T>& net(std::size_t i) const { return fits_[i].trainer->net_; }

  // Parameters, states and the number of updates from the networks into the lanes, and back.
  [[gnu::cold]] void load(LanesStep<T>& lanes, bool states) {
    for (std::size_t i = 0; i < fits_.size(); ++i) {
      net(i).get_parameters(flat_.data());
      lanes.set_parameters(i, flat_.data());
      for (std::size_t s = 0; states && s < trainer_.states_used_; ++s) {
        net(i).unpack(fits_[i].trainer->state_[s].data(), flat_.data());
        lanes.set_state(s, i, flat_.data());
      }
    }
  }
  [[gnu::cold]] void store(const LanesStep<T>& lanes, Index steps) {
    for (std::size_t i = 0; i < fits_.size(); ++i) {
      lanes.get_parameters(i, flat_.data());
      net(i).set_parameters(flat_.data());
      for (std::size_t s = 0; s < trainer_.states_used_; ++s) {
        lanes.get_state(s, i, flat_.data());
        net(i).pack(flat_.data(), fits_[i].trainer->state_[s].data());
      }
      fits_[i].trainer->progress_ = {.steps = steps};
    }
  }

  const Data& data_;
  std::span<const Fit<T>> fits_;
  const Epochs& epochs_; // the first one's: all but order and losses are the same
  Trainer<T>& trainer_;  // the first
  LocksOfMany<OneAtATime> busy_;
  LocksOfMany<ParameterLock> locks_;
  Pace pace_;
  Index epoch_ = 0, batch_ = 0, updates_ = 0, steps_ = 0;
  std::vector<EpochResult> sums_; // of the epoch so far
  std::vector<Index> correct_;
  std::vector<double> divisors_, divided_; // of the batch, of the epoch so far
  std::vector<const std::int64_t*> orders_;
  std::vector<T> flat_; // of one network
};

} // namespace eigenmlp
