// Whether threads can start. OpenMP's libraries end the process where one of theirs cannot, for
// instance under a limit on processes, so that a team asks here before it grows.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace eigenmlp::detail {

// Starts `wanted` threads that are there at once, ends them, and says how many there were.
inline int startable_threads(int wanted) {
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
#ifdef __linux__
  std::vector<long> ids(static_cast<std::size_t>(wanted)); // the kernel's
#endif
  threads.reserve(static_cast<std::size_t>(wanted));
  try {
    for (int i = 0; i < wanted; ++i)
      threads.emplace_back([&, i] {
#ifdef __linux__
        ids[static_cast<std::size_t>(i)] = syscall(SYS_gettid);
#else
        static_cast<void>(i);
#endif
        over.wait(false);
      });
  } catch (const std::exception&) { // that was the last one
  }
  over = true;
  over.notify_all();
  for (std::thread& thread : threads) thread.join();
#ifdef __linux__
  // A thread that was joined counts until the kernel has forgotten it, some microseconds later.
  for (std::size_t i = 0; i < threads.size(); ++i)
    for (int tries = 0; tries < 10'000 && syscall(SYS_tgkill, getpid(), ids[i], 0) == 0; ++tries)
      std::this_thread::yield();
#endif
  return static_cast<int>(threads.size());
}

// The start of a team of OpenMP's: no larger than threads can start beside those that this thread's
// last team left waiting. Until `started`, no other thread of the process starts one, since it
// would take what was counted here.
class TeamStart {
public:
  explicit TeamStart(int wanted) : size(wanted) {
    if (wanted > 1 && wanted != last_size()) change();
  }
  // To be called by the team's first thread: the others have started then.
  void started() {
    if (lock_.owns_lock()) lock_.unlock();
  }

  int size;

private:
  [[gnu::noinline]] void change() {
    int& last = last_size();
    if (size > last) {
      lock_ = std::unique_lock(mutex());
      size = last + startable_threads(size - last);
    }
    last = std::max(size, 1);
  }
  static int& last_size() { // libgomp ends the threads that a smaller team leaves over
    thread_local int size = 1;
    return size;
  }
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
  std::unique_lock<std::mutex> lock_;
};

} // namespace eigenmlp::detail
