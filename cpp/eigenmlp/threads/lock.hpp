// Who may touch what, and when.
//
//   Network::mutex()   ParameterLock: shared by whoever reads the parameters, alone for a training
//   run.
//                      A run gives it up for a moment every 10 ms, so that readers wait no longer.
//   Trainer            OneAtATime, held for a whole run or step, before the network's lock is
//   taken.
//
// Nobody waits for either while Python's global lock is held (unless Python is ending, when no
// other thread asks for that any more). Python code is run only where the network's lock is not
// held, and no other thread of the team is at work.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#ifndef _WIN32 // all others fork
#include <pthread.h>
#endif

namespace eigenmlp {

// Counts the forks between the first process and this one. A lock that was held by a thread of the
// parent is of no use in the child: the first who takes it there starts it anew.
inline int fork_generation() {
  static std::atomic<int> generation{0};
  static const bool watching = [] {
#ifndef _WIN32 // all others fork
    pthread_atfork(nullptr, nullptr, [] { ++generation; });
#endif
    return true;
  }();
  return watching ? generation.load(std::memory_order_relaxed) : 0;
}

// A lock's state, which the first who asks for it in a child of a fork finds made anew.
template <class State>
class RenewedInForks {
public:
  RenewedInForks() { ::new (storage_) State; }
  RenewedInForks(const RenewedInForks&) = delete;
  RenewedInForks& operator=(const RenewedInForks&) = delete;
  ~RenewedInForks() {} // nobody is in it; it may be a dead thread's, so it is left as it is

  State& get() {
    int seen = generation_.load(std::memory_order_acquire);
    if (const int now = fork_generation(); seen != now) {
      // Whoever gets to say "renewing" renews it; the others wait for that.
      while (seen != now)
        if (seen != renewing && generation_.compare_exchange_weak(seen, renewing)) {
          ::new (storage_) State;
          generation_.store(now, std::memory_order_release);
          seen = now;
        } else {
          seen = generation_.load(std::memory_order_acquire);
        }
    }
    return *std::launder(reinterpret_cast<State*>(storage_));
  }

private:
  static constexpr int renewing = -1;
  std::atomic<int> generation_{fork_generation()};
  alignas(State) unsigned char storage_[sizeof(State)];
};

// Many readers or one writer, in turns: a waiting writer keeps new readers out, and the readers
// that wait when a writer leaves come in before the next one. (A std::shared_mutex may let readers
// keep a writer out for ever.)
class ParameterLock {
public:
  void lock() {
    State& s = state_.get();
    std::unique_lock guard(s.mutex);
    ++s.waiting_writers;
    s.changed.wait(guard, [&] { return !s.writer && s.readers == 0 && s.admitted == 0; });
    --s.waiting_writers;
    s.writer = true;
  }
  bool try_lock() {
    State& s = state_.get();
    const std::lock_guard guard(s.mutex);
    if (s.writer || s.readers > 0 || s.admitted > 0 || s.waiting_writers > 0) return false;
    s.writer = true;
    return true;
  }
  void unlock() {
    State& s = state_.get();
    {
      const std::lock_guard guard(s.mutex);
      s.writer = false;
      s.admitted = s.waiting_readers;
    }
    s.changed.notify_all();
  }
  void lock_shared() {
    State& s = state_.get();
    std::unique_lock guard(s.mutex);
    if (s.writer || s.waiting_writers > 0) {
      ++s.waiting_readers;
      s.changed.wait(guard,
                     [&] { return !s.writer && (s.waiting_writers == 0 || s.admitted > 0); });
      --s.waiting_readers;
      if (s.admitted > 0) --s.admitted;
    }
    ++s.readers;
  }
  bool try_lock_shared() {
    State& s = state_.get();
    const std::lock_guard guard(s.mutex);
    if (s.writer || s.waiting_writers > 0) return false;
    ++s.readers;
    return true;
  }
  void unlock_shared() {
    State& s = state_.get();
    bool last;
    {
      const std::lock_guard guard(s.mutex);
      last = --s.readers == 0 && (s.waiting_writers > 0 || s.waiting_readers > 0);
    }
    if (last) s.changed.notify_all();
  }

private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool writer = false;
    int readers = 0, waiting_readers = 0, waiting_writers = 0;
    int admitted = 0; // waiting readers that go before the next writer
  };

  RenewedInForks<State> state_;
};

// Set when Python ends: a thread that holds a OneAtATime while it asks for Python's global lock may
// then never come back.
inline std::atomic<bool>& owners_may_be_gone() {
  static std::atomic<bool> gone{false};
  return gone;
}

// A mutex that says so instead of waiting for itself, and that a child of a fork finds free.
class OneAtATime {
public:
  void lock() {
    State& s = state_.get();
    if (s.owner.load() == std::this_thread::get_id())
      throw std::runtime_error(
          "this trainer is in the middle of a run; it can be used again when that has ended");
    if (!owners_may_be_gone())
      s.mutex.lock();
    else if (!s.mutex.try_lock_until(std::chrono::system_clock::now() + std::chrono::seconds(1)))
      throw std::runtime_error("this trainer is in the middle of a run, and Python is ending");
    s.owner = std::this_thread::get_id();
  }
  void unlock() {
    State& s = state_.get();
    s.owner = std::thread::id();
    s.mutex.unlock();
  }

private:
  struct State {
    std::timed_mutex mutex;
    std::atomic<std::thread::id> owner{};
  };
  RenewedInForks<State> state_;
};

// Locks that are taken in the order of their addresses, so that two who take several of the same
// cannot wait for each other; those that were taken are given back at the end.
template <class L>
class LocksOfMany {
public:
  LocksOfMany() = default;
  LocksOfMany(const LocksOfMany&) = delete;
  LocksOfMany& operator=(const LocksOfMany&) = delete;
  ~LocksOfMany() { unlock(); }

  [[gnu::cold]] void add(L& lock) { locks_.insert(std::ranges::lower_bound(locks_, &lock), &lock); }
  [[gnu::cold]] void lock() {
    for (; taken_ < locks_.size(); ++taken_) locks_[taken_]->lock();
  }
  [[gnu::cold]] void unlock() {
    while (taken_ > 0) locks_[--taken_]->unlock();
  }

private:
  std::vector<L*> locks_;
  std::size_t taken_ = 0;
};

} // namespace eigenmlp
