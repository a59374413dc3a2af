// Many networks at once: one thread each, to the bits that each of them has alone.
#pragma once

#include <algorithm>
#include <exception>
#include <functional>
#include <mutex>
#include <numeric>
#include <thread>

#include "eigenmlp/step/trainer.hpp"

namespace eigenmlp {

// What one of them is to do, as Trainer::run takes it. Trainers are of different networks; orders
// and learning rates may be shared.
template <class T>
struct Fit {
  Trainer<T>* trainer;
  Epochs epochs;
  std::span<EpochResult> results; // room for epochs.count
};

namespace detail {

// The threads that share the fits, each taking the longest one that is left.
template <class T>
class Fits {
public:
  Fits(const Data& data, std::span<const Fit<T>> fits, const std::function<bool()>& stop)
      : data_(data), fits_(fits), stop_(stop), results_(fits.size()), left_(fits.size()) {
    std::iota(left_.begin(), left_.end(), std::size_t{0});
    std::stable_sort(left_.begin(), left_.end(),
                     [&](std::size_t a, std::size_t b) { return cost(a) < cost(b); });
    for (RunResult& result : results_) result.outcome = Outcome::interrupted; // until it has run
  }

  std::vector<RunResult> run() {
    const std::size_t count =
        std::min(static_cast<std::size_t>(std::max(1, max_threads())), fits_.size());
    std::vector<std::thread> others;
    try {
      while (others.size() + 1 < count) others.emplace_back([&] { work(); });
    } catch (const std::exception&) { // no more threads: those that are there do it all
    }
    work();
    for (std::thread& other : others) other.join();
    if (error_) std::rethrow_exception(error_);
    return std::move(results_);
  }

private:
  double cost(std::size_t i) const {
    return static_cast<double>(fits_[i].trainer->net().parameter_count()) *
           static_cast<double>(fits_[i].epochs.count);
  }

  void work() {
    const OneThread alone;
    try {
      while (const auto i = next()) {
        const Fit<T>& fit = fits_[*i];
        results_[*i] = fit.trainer->run(data_, fit.epochs, fit.results, [&] { return is_over(); });
      }
    } catch (...) {
      const std::lock_guard guard(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  std::optional<std::size_t> next() {
    if (is_over()) return {};
    const std::lock_guard guard(mutex_);
    if (left_.empty()) return {};
    const std::size_t longest = left_.back();
    left_.pop_back();
    return longest;
  }

  // Asked by all threads, the user's function by one at a time, and not again when it said yes.
  bool is_over() {
    const std::lock_guard guard(mutex_);
    over_ = over_ || error_ || (stop_ && stop_());
    return over_;
  }

  const Data& data_;
  std::span<const Fit<T>> fits_;
  const std::function<bool()>& stop_;
  std::vector<RunResult> results_;
  std::vector<std::size_t> left_; // the longest is last
  std::mutex mutex_;
  std::exception_ptr error_;
  bool over_ = false;
};

} // namespace detail

// Runs them all on the same data, as many at once as there are threads, the longest first; what
// came of each, in their order. One that diverges does not end the others. `stop` is asked about
// every 10 ms, by any of the threads, and ends all between two steps: those that had not begun are
// interrupted after no epoch. What a run throws (no memory) ends all too, and is thrown again.
template <class T>
std::vector<RunResult> fit_many(const Data& data, std::span<const Fit<T>> fits,
                                const std::function<bool()>& stop = {}) {
  return detail::Fits<T>(data, fits, stop).run();
}
template <class T>
std::vector<RunResult> fit_many(const Data& data, const std::vector<Fit<T>>& fits,
                                const std::function<bool()>& stop = {}) {
  return fit_many(data, std::span<const Fit<T>>(fits), stop);
}

} // namespace eigenmlp
