// Ending a computation before it is done: one thread asks now and then, and all of its team look.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

namespace eigenmlp {

// Whoever is told to stop does nothing more, but still waits where the others do: what it leaves is
// of no use.
class Interruption {
  using Clock = std::chrono::steady_clock;

public:
  // `ask` is asked about every 10 ms, by the thread that made this; none: never.
  explicit Interruption(std::function<bool()> ask = nullptr) : ask_(std::move(ask)) {}
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // Called by every thread between two pieces of work, of microseconds to some milliseconds: it
  // reads the clock. The first time it only starts that.
  bool stops() {
    if (ask_ && std::this_thread::get_id() == asks_ && !stopped()) {
      const auto now = Clock::now();
      if (!asked_at_) asked_at_ = now;
      if (now - *asked_at_ > std::chrono::milliseconds(10)) {
        if (ask_()) stopped_.store(true, std::memory_order_relaxed);
        asked_at_ = Clock::now();
      }
    }
    return stopped();
  }
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

private:
  std::function<bool()> ask_;
  std::thread::id asks_ = std::this_thread::get_id();
  std::optional<Clock::time_point> asked_at_;
  std::atomic<bool> stopped_{false};
};

// The same where nobody may have anything to ask.
inline bool stops(Interruption* interruption) { return interruption && interruption->stops(); }

} // namespace eigenmlp
