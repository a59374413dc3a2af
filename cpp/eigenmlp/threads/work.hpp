// Work that threads may share: what it costs, how many threads it is given, and how long that took.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <limits>
#include <optional>

#include "eigenmlp/threads/chooser.hpp"
#include "eigenmlp/threads/parallel.hpp"

namespace eigenmlp {

// How many of float32's floating-point operations take as long as so many of T's: half of them fit
// into a vector.
template <class T>
constexpr double as_float32(double operations) {
  return operations * static_cast<double>(sizeof(T)) / sizeof(float);
}

// Operations in float32, cache lines that one thread writes and others read, and how often the
// threads wait for each other. The constants were measured on 2 cores with AVX-512; they only
// serve for a first guess.
struct Work {
  double operations, lines = 0;
  int barriers = 0;

  // Nanoseconds that one thread takes, about; and so many.
  double alone() const { return operations / operations_per_ns; }
  double shared(int threads) const {
    return alone() / threads + ns_per_line * lines * (threads - 1) / threads +
           ns_per_barrier * barriers * (threads > 2 ? threads : 1);
  }
  // The fastest of 1, 2, 4, … threads, and of `most`, by the model. A thread that waits in vain
  // costs more than one that is not there.
  int guess(int most) const {
    int best = 1;
    double least = 0.9 * alone();
    for (int threads = 2; threads / 2 < most; threads *= 2) {
      const int n = std::min(threads, most);
      if (shared(n) < least) {
        least = shared(n);
        best = n;
      }
    }
    return best;
  }

private:
  static constexpr double operations_per_ns = 150, ns_per_line = 13, ns_per_barrier = 300;
};

// Native calls at once that may use several threads each.
class CallsAtOnce {
public:
  void begin() { calls_.fetch_add(1, std::memory_order_relaxed); }
  void end() { calls_.fetch_sub(1, std::memory_order_relaxed); }
  // How many share the processors: those under way, or as many as there were lately. A thread that
  // trains one network after the other is soon back, and its core should not be taken meanwhile.
  int count(std::int64_t now_ns) {
    const int calls = calls_.load(std::memory_order_relaxed);
    const bool lately = now_ns - met_at_ns_.load(std::memory_order_relaxed) < memory_ns;
    const int met = lately ? met_.load(std::memory_order_relaxed) : 1;
    if (calls > 1 && calls >= met) {
      met_.store(calls, std::memory_order_relaxed);
      met_at_ns_.store(now_ns, std::memory_order_relaxed);
    }
    return std::max({1, calls, met});
  }

  static constexpr std::int64_t memory_ns = 20'000'000;

private:
  std::atomic<int> calls_{0}, met_{1};
  std::atomic<std::int64_t> met_at_ns_{-memory_ns};
};

// Threads of this program that compute something else now and then, as one that reads ahead. They
// are soon done: that they make others late says nothing of how many threads are best.
class Helpers {
public:
  void begin() { at_work_.fetch_add(1, std::memory_order_relaxed); }
  void end(std::int64_t now_ns) {
    ended_at_ns_.store(now_ns, std::memory_order_relaxed);
    at_work_.fetch_sub(1, std::memory_order_relaxed);
  }
  bool at_work() const { return at_work_.load(std::memory_order_relaxed) > 0; }
  bool at_work_since(std::int64_t ns) const {
    return at_work() || ended_at_ns_.load(std::memory_order_relaxed) > ns;
  }

private:
  std::atomic<int> at_work_{0};
  std::atomic<std::int64_t> ended_at_ns_{std::numeric_limits<std::int64_t>::min()};
};

namespace detail {
inline CallsAtOnce sharing_calls;
inline Helpers helpers;
inline std::atomic<int> forced_threads{0}; // 0: the chooser decides
inline std::atomic<int> last_decision{1};  // threads + 2 · most_threads · reason

inline void remember(const Decision& decision) {
  last_decision.store(decision.threads + 2 * most_threads * static_cast<int>(decision.reason),
                      std::memory_order_relaxed);
}

inline std::int64_t now_ns() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}
} // namespace detail

// For tests and benchmarks: n threads, as far as they are allowed and there is work for them; 0
// undoes it.
inline void force_threads(int n) { detail::forced_threads = n; }

// What was decided last, in any thread; who may use one alone has nothing to decide.
inline Decision last_decision() {
  if (max_threads() <= 1) return {1, Reason::limit};
  const int last = detail::last_decision.load(std::memory_order_relaxed);
  return {last % (2 * most_threads), static_cast<Reason>(last / (2 * most_threads))};
}

// While it lives, a native call is under way that may use several threads: others leave it its
// share of the processors.
class SharingCall {
public:
  SharingCall() { detail::sharing_calls.begin(); }
  ~SharingCall() { detail::sharing_calls.end(); }
  SharingCall(const SharingCall&) = delete;
  SharingCall& operator=(const SharingCall&) = delete;
};

// A chooser that several threads of the caller may ask at once: who finds it taken guesses.
class SharedChooser {
public:
  [[gnu::noinline]] Decision choose(const Work& work, int most) {
    const int forced = detail::forced_threads.load(std::memory_order_relaxed);
    if (forced > 0) return {std::min(forced, most), Reason::limit};
    const std::int64_t now = detail::now_ns();
    const int calls = detail::sharing_calls.count(now);
    most = std::max(1, std::min(most, (max_threads() + calls - 1) / calls));
    if (most == 2 && detail::helpers.at_work()) most = 1; // two would wait for each other
    Decision decision{work.guess(most), Reason::guess};
    if (!taken_.test_and_set(std::memory_order_acquire)) {
      decision = chooser_.choose(decision.threads, most, work.alone(), now);
      taken_.clear(std::memory_order_release);
    }
    detail::remember(decision);
    return decision;
  }
  // Such work was done so many times since `began`. Times are kept for an operation, since works of
  // about one size share a chooser; what was forced, or has next to none, says nothing.
  [[gnu::noinline]] void report(const Work& work, int threads, int most, double times,
                                std::int64_t began) {
    const bool forced = detail::forced_threads.load(std::memory_order_relaxed) > 0;
    if (forced || work.alone() < Chooser::too_small || detail::helpers.at_work_since(began)) return;
    if (taken_.test_and_set(std::memory_order_acquire)) return;
    const std::int64_t now = detail::now_ns();
    chooser_.report(threads, most, times * work.operations, static_cast<double>(now - began),
                    work.alone() / work.operations, now);
    taken_.clear(std::memory_order_release);
  }

private:
  std::atomic_flag taken_ = ATOMIC_FLAG_INIT;
  Chooser chooser_;
};

// What kind of work: its times are compared among calls of one kind and about one size.
enum class Kind { forward, evaluation, gradient, tangent, hessian, columns, taylor, segments };
inline constexpr std::size_t kinds = 8;

inline SharedChooser& chooser_for(Kind kind, const Work& work) {
  static std::array<std::array<SharedChooser, 48>, kinds> choosers;
  const double operations = work.operations > 1 ? std::min(work.operations, 0x1p62) : 1;
  const auto size = std::bit_width(static_cast<std::uint64_t>(operations));
  return choosers[static_cast<std::size_t>(kind)]
                 [std::min<std::size_t>(static_cast<std::size_t>(size), 47)];
}

// Threads that may share such work, of which there are so many pieces; 1 if there are none.
inline int allowed_threads(const Work& work, Index pieces) {
  const int forced = detail::forced_threads.load(std::memory_order_relaxed);
  const bool small = work.alone() < Chooser::too_small && forced == 0;
  return small ? 1 : static_cast<int>(std::clamp<Index>(pieces, 1, max_threads()));
}

// A number of threads for work whose times are not measured: the model's.
inline int threads_for(double operations, double lines, int barriers, Index pieces) {
  const Work work{operations, lines, barriers};
  const int most = allowed_threads(work, pieces);
  return detail::forced_threads > 0 ? most : work.guess(most);
}

// Runs body(team) in as many threads as are worth their while, at most `most`. prepare(threads) is
// called before: what it allocates may throw, the body must not.
template <class Prepare, class Body>
void share_work(Kind kind, const Work& work, Index most, Prepare&& prepare, Body&& body) {
  const int allowed = allowed_threads(work, most);
  std::optional<SharingCall> call;
  SharedChooser* chooser = nullptr; // none if there is nothing to choose
  if (allowed > 1) {
    call.emplace();
    chooser = &chooser_for(kind, work);
  }
  const int threads = chooser ? chooser->choose(work, allowed).threads : 1;
  prepare(threads);
  const std::int64_t began = chooser ? detail::now_ns() : 0;
  in_parallel(threads, body);
  if (chooser) chooser->report(work, threads, allowed, 1, began);
}
template <class Body>
void share_work(Kind kind, const Work& work, Index most, Body&& body) {
  share_work(kind, work, most, [](int) {}, body);
}

} // namespace eigenmlp
