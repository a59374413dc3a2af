// Threads: the only file that knows OpenMP's threads and barriers (lock.hpp knows locks and forks).
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "eigenmlp/kernel/index.hpp"
#include "eigenmlp/threads/lock.hpp"
#include "eigenmlp/threads/startable_threads.hpp"

namespace eigenmlp {

inline void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins while the other threads are on processors of their own, and sleeps when they are not.
class Barrier {
public:
  explicit Barrier(int size) : size_(size), waiting_(size) {}

  void wait() {
    const unsigned round = round_.load(std::memory_order_relaxed);
    if (waiting_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      waiting_.store(size_, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_seq_cst);
      if (sleepers_.load(std::memory_order_seq_cst) > 0) round_.notify_all();
      return;
    }
    for (int spin = 0; spin < spins + yields; ++spin) {
      if (round_.load(std::memory_order_acquire) != round) return;
      if (spin < spins)
        pause_briefly();
      else
        std::this_thread::yield();
    }
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    while (round_.load(std::memory_order_seq_cst) == round) round_.wait(round);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }

private:
  static constexpr int spins = 4000; // about 40 µs: longer than a balanced phase leaves one waiting
  static constexpr int yields = 20;  // lets others run where processors are fewer than threads

  const int size_;
  alignas(cache_line) std::atomic<int> waiting_;
  alignas(cache_line) std::atomic<unsigned> round_{0};
  std::atomic<int> sleepers_{0};
};

namespace detail {
inline std::atomic<int> wanted_threads{0}; // 0: as many as OpenMP says

// What OpenMP offers this thread unless somebody sets a limit (omp_set_num_threads, threadpoolctl).
inline int& offered_threads() {
  static const int at_load = omp_get_max_threads();
  thread_local int offered = at_load;
  return offered;
}
} // namespace detail

inline constexpr int most_threads = 1024; // whatever anybody asks for

// Threads that a region may use from here. A forked child of a process that had a thread pool gets
// one: libgomp's pool does not survive a fork, and waiting for it would never end.
inline int max_threads() {
  if (fork_generation() > 0) return 1;
  const int offered = detail::offered_threads(), limit = omp_get_max_threads();
  const int wanted = detail::wanted_threads;
  if (wanted == 0) return std::min(limit, most_threads);
  return std::min(limit == offered ? wanted : std::min(limit, wanted), most_threads);
}

inline void set_max_threads(int n) {
  detail::offered_threads() = n; // so that a limit set later is seen as one
  detail::wanted_threads = n;
  omp_set_num_threads(n);
}

// At most n threads in regions that this thread starts, from now on; returns what to give to undo
// it.
inline int limit_threads(int n) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(n);
  return before;
}

// While it lives, regions that this thread starts have one thread.
class OneThread {
public:
  // No limit is what OpenMP offered: else it would count as none.
  OneThread() : offered_(std::exchange(detail::offered_threads(), 0)), limit_(limit_threads(1)) {}
  ~OneThread() {
    limit_threads(limit_);
    detail::offered_threads() = offered_;
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

private:
  int offered_, limit_;
};

// Results too small for a normal number count as zero while this lives: a velocity that dies away
// would otherwise slow every step down a hundredfold once it gets there.
class FlushDenormals {
public:
#if defined(__x86_64__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(before_); }

private:
  unsigned before_;
#elif defined(__aarch64__)
  FlushDenormals() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" ::"r"(before_ | (std::uint64_t{1} << 24)));
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(before_)); }

private:
  std::uint64_t before_;
#else
  FlushDenormals() {}
#endif
};

struct Team {
  int index, size;
  Barrier* barrier;
  void wait() const {
    if (size > 1) barrier->wait();
  }
  // This thread's part of n things.
  Index begin(Index n) const { return share_begin(n, size, index); }
  Index end(Index n) const { return share_begin(n, size, index + 1); }
};

namespace detail {
// A body that any thread of a team may call.
struct AnyBody {
  void (*call)(void* body, const Team& team);
  void* body;
};
template <class Body>
AnyBody any_body(Body& body) {
  return {[](void* of, const Team& team) { (*static_cast<Body*>(of))(team); },
          const_cast<void*>(static_cast<const void*>(&body))};
}

inline void alone(const AnyBody& body) {
  const FlushDenormals flush;
  body.call(body.body, Team{0, 1, nullptr});
}

// Once for all bodies: there are many.
[[gnu::noinline]] inline void in_team(int threads, const AnyBody& body) {
  TeamStart start(threads);
  if (start.size <= 1) return alone(body);
  // OpenMP may give fewer threads than asked for; all of them must agree on one barrier.
  alignas(Barrier) unsigned char storage[sizeof(Barrier)];
  Barrier* barrier = nullptr;
#pragma omp parallel num_threads(start.size)
  {
    if (omp_get_thread_num() == 0) start.started();
    const FlushDenormals flush;
#pragma omp single
    barrier = ::new (storage) Barrier(omp_get_num_threads());
    body.call(body.body, Team{omp_get_thread_num(), omp_get_num_threads(), barrier});
  }
}
[[gnu::noinline]] inline void in_team_apart(int threads, const AnyBody& body) {
  TeamStart start(threads);
  if (start.size <= 1) return alone(body);
#pragma omp parallel num_threads(start.size)
  {
    if (omp_get_thread_num() == 0) start.started();
    const FlushDenormals flush;
    body.call(body.body, Team{omp_get_thread_num(), omp_get_num_threads(), nullptr});
  }
}
} // namespace detail

// Runs body(team) in `threads` threads at once, or in as many as can start; a single one is a plain
// call. `body` must not throw.
template <class Body>
void in_parallel(int threads, Body&& body) {
  if (threads > 1) return detail::in_team(threads, detail::any_body(body));
  const FlushDenormals flush;
  body(Team{0, 1, nullptr});
}

// The same for a body that never waits, without what it takes to agree on a barrier.
template <class Body>
void in_parallel_apart(int threads, Body&& body) {
  if (threads > 1) return detail::in_team_apart(threads, detail::any_body(body));
  in_parallel(1, body);
}

} // namespace eigenmlp
