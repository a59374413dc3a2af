// Many networks at once, to the bits that each of them has alone: one thread each, or, where they
// are tiny and of one shape, one for several side by side.
#pragma once

#include <algorithm>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "eigenmlp/step/side_by_side.hpp"

namespace eigenmlp {

namespace detail {

// The numbers of fits that are taken at once: those that can and pay side by side, others alone.
template <class T>
std::vector<std::vector<std::size_t>> packs_of(const Data& data, std::span<const Fit<T>> fits,
                                               Index threads) {
  using Pack = SideBySide<T>;
  std::vector<std::vector<std::size_t>> alike, packs;
  for (std::size_t i = 0; i < fits.size(); ++i) {
    const auto found = std::ranges::find_if(alike, [&](const auto& group) {
      return Pack::suits(fits[i], data) && Pack::alike(fits[group.front()], fits[i]) &&
             std::ranges::none_of(group, [&](std::size_t j) {
               return &fits[j].trainer->net() == &fits[i].trainer->net();
             });
    });
    if (found != alike.end())
      found->push_back(i);
    else
      alike.push_back({i});
  }
  for (const auto& group : alike) {
    const auto count = static_cast<Index>(group.size());
    const Fit<T>& first = fits[group.front()];
    const Index each = Pack::suits(first, data)
                           ? Pack::at_once(first.trainer->net().parameter_count(),
                                           first.epochs.largest(data.X.rows), count, threads)
                           : 1;
    const Index parts = ceil_div(count, each);
    for (Index i = 0; i < parts; ++i)
      packs.emplace_back(group.begin() + share_begin(count, parts, i),
                         group.begin() + share_begin(count, parts, i + 1));
  }
  return packs;
}

// The threads that share the fits, each taking the longest that are left.
template <class T>
class Fits {
public:
  Fits(const Data& data, std::span<const Fit<T>> fits, const std::function<bool()>& stop)
      : data_(data), fits_(fits), stop_(stop), results_(fits.size()),
        left_(packs_of(data, fits, std::max(1, max_threads()))) {
    std::ranges::stable_sort(left_, {}, [&](const auto& pack) { return cost(pack); });
    for (RunResult& result : results_) result.outcome = Outcome::interrupted; // until it has run
  }

  std::vector<RunResult> run() {
    const std::size_t count =
        std::min(static_cast<std::size_t>(std::max(1, max_threads())), left_.size());
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
  double cost(const std::vector<std::size_t>& pack) const {
    const Fit<T>& fit = fits_[pack.front()];
    return static_cast<double>(fit.trainer->net().parameter_count()) *
           static_cast<double>(fit.epochs.count) * static_cast<double>(pack.size());
  }

  void work() {
    const OneThread alone;
    try {
      while (const auto pack = next()) run(*pack);
    } catch (...) {
      const std::lock_guard guard(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  void run(const std::vector<std::size_t>& pack) {
    const auto over = [&] { return is_over(); };
    if (pack.size() > 1) {
      std::vector<Fit<T>> fits;
      for (const std::size_t i : pack) fits.push_back(fits_[i]);
      std::vector<RunResult> results(pack.size());
      if (SideBySide<T>::run(data_, fits, over, results)) {
        for (std::size_t i = 0; i < pack.size(); ++i) results_[pack[i]] = results[i];
        return;
      }
    }
    for (const std::size_t i : pack)
      results_[i] = fits_[i].trainer->run(data_, fits_[i].epochs, fits_[i].results, over);
  }

  std::optional<std::vector<std::size_t>> next() {
    if (is_over()) return {};
    const std::lock_guard guard(mutex_);
    if (left_.empty()) return {};
    std::vector<std::size_t> longest = std::move(left_.back());
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
  std::vector<std::vector<std::size_t>> left_; // numbers of fits; the longest are last
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
