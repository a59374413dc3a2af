// The choice of threads, on machines that are simulated: a clock, speeds, and threads that come
// late because other programs have their processors.
#include "eigenmlp/threads/chooser.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <thread>

#include "check.hpp"
#include "eigenmlp/threads/work.hpp"

namespace eigenmlp::test {
namespace {

constexpr double ms = 1e6;

// A piece of work takes time(threads, now) ns; pieces follow each other with no pause.
struct Machine {
  int most;
  std::function<double(int, double)> time;
  double alone; // what the model expects of one thread
  int guess;
};

struct Outcome {
  double mean = 0;             // ns of a piece
  std::map<int, double> share; // of the time, by threads
  int last = 0;
};

Outcome simulate(Chooser& chooser, const Machine& machine, double from, double until) {
  Outcome outcome;
  double now = from;
  long pieces = 0;
  while (now < until) {
    const auto decision =
        chooser.choose(machine.guess, machine.most, machine.alone, static_cast<Chooser::Time>(now));
    check(decision.threads >= 1 && decision.threads <= machine.most, "a number that is allowed");
    const double ns = machine.time(decision.threads, now);
    now += ns;
    chooser.report(decision.threads, machine.most, 1, ns, machine.alone,
                   static_cast<Chooser::Time>(now));
    outcome.share[decision.threads] += ns / (until - from);
    outcome.last = decision.threads;
    ++pieces;
  }
  outcome.mean = (now - from) / static_cast<double>(pieces);
  return outcome;
}

// Each thread does its share, and moving data and waiting cost something that grows with them.
double ideal(double alone, double exchange, int threads) {
  return alone / threads + exchange * (threads - 1) / threads * std::log2(2 * threads);
}

// On an idle machine the fastest number is found from any guess, and trials cost next to nothing.
void test_finds_the_best() {
  for (const int most : {2, 8, 64})
    for (const double exchange : {0.0, 0.02, 0.1, 0.3, 3.0})
      for (const int guess : {1, 2, most}) {
        const double alone = 0.5 * ms;
        Machine machine{most, [&](int n, double) { return ideal(alone, exchange * alone, n); },
                        alone, guess};
        double best = alone;
        for (int n = 1; n <= most; n *= 2) best = std::min(best, machine.time(n, 0));
        Chooser chooser;
        simulate(chooser, machine, 0, 500 * ms);
        const Outcome later = simulate(chooser, machine, 500 * ms, 5500 * ms);
        check(later.mean <= 1.02 * best, "the fastest number, and cheap trials");
      }
}

// Measured times scatter; the choice does not follow the noise to a slower number.
void test_noise() {
  std::mt19937 random(7);
  std::normal_distribution<double> normal(0, 0.15);
  const double alone = 0.2 * ms;
  Machine machine{
      2, [&](int n, double) { return ideal(alone, 0.1 * alone, n) * std::exp(normal(random)); },
      alone, 2};
  Chooser chooser;
  Outcome outcome = simulate(chooser, machine, 0, 5000 * ms);
  check(outcome.share[2] > 0.9, "two threads, in spite of noise");
}

// Both processors taken by another program: a thread that shares one waits for slices of 4 ms.
// One thread gets there too, but two wait for each other.
struct Busy {
  std::mt19937 random{3};
  double slice = 4 * ms;
  double late(double ns) { // while it computes for `ns`, slices of others come in between
    double total = ns;
    const double chance = ns / slice; // a slice of ours is as long as one of theirs
    double whole = std::floor(chance);
    total += whole * slice;
    if (std::uniform_real_distribution<double>(0, 1)(random) < chance - whole) total += slice;
    return total;
  }
  // Two threads: each is late on its own, both wait for the later one, at every one of 4 barriers.
  double together(double alone, int threads, int barriers) {
    if (threads == 1) return late(alone);
    double total = 0;
    for (int b = 0; b < barriers; ++b) {
      double longest = 0;
      for (int i = 0; i < threads; ++i) {
        const double start = // the other's slice may have just begun
            std::uniform_real_distribution<double>(0, 1)(random) < 0.5
                ? std::uniform_real_distribution<double>(0, slice)(random)
                : 0;
        longest = std::max(longest, start + late(alone / threads / barriers));
      }
      total += longest;
    }
    return total;
  }
};

void test_busy_machine() {
  for (const double alone : {0.02 * ms, 0.5 * ms, 5 * ms}) {
    Busy busy;
    double one = 0;
    for (int i = 0; i < 20000; ++i) one += busy.together(alone, 1, 4) / 20000;
    Machine machine{2, [&](int n, double) { return busy.together(alone, n, 4); }, alone, 2};
    Chooser chooser;
    Outcome outcome = simulate(chooser, machine, 0, 10'000 * ms);
    check(outcome.mean <= 1.15 * one, "one thread goes alone while the others come late");
    // The other programs end: all threads are used again before long.
    machine.time = [&](int n, double) { return alone / n; };
    simulate(chooser, machine, 10'000 * ms, 13'000 * ms);
    Outcome after = simulate(chooser, machine, 13'000 * ms, 16'000 * ms);
    check(after.share[2] > 0.95, "two threads again on an idle machine");
  }
}

// One late moment on an idle machine costs a pause of some milliseconds, not more.
void test_single_lateness() {
  const double alone = 0.5 * ms;
  Machine machine{2,
                  [&](int n, double now) {
                    const bool late = n > 1 && std::fmod(now, 1000 * ms) < alone;
                    return alone / n + (late ? 4 * ms : 0);
                  },
                  alone, 2};
  Chooser chooser;
  Outcome outcome = simulate(chooser, machine, 0, 10'000 * ms);
  check(outcome.mean <= 1.05 * alone / 2, "a rare lateness costs little");
}

// Other programs that wake up now and then: two threads are late in one stretch of ten, and still
// win. Where they are late in two of three, they lose.
void test_now_and_then() {
  const double alone = 10 * ms;
  for (const double chance : {0.1, 0.66}) {
    std::mt19937 random(11);
    std::bernoulli_distribution is_late(chance);
    Machine machine{2,
                    [&](int n, double) {
                      return n == 1 ? alone : 0.6 * alone + (is_late(random) ? 0.9 * alone : 0);
                    },
                    alone, 2};
    Chooser chooser;
    simulate(chooser, machine, 0, 1000 * ms);
    Outcome outcome = simulate(chooser, machine, 1000 * ms, 21'000 * ms);
    if (chance < 0.5)
      check(outcome.share[2] > 0.95, "two threads, though they are late now and then");
    check(outcome.mean <= 1.02 * std::min(alone, (0.6 + 0.9 * chance) * alone), "the better one");
  }
}

// A process that is stopped now and then, or a machine that sleeps, is not a busy one.
void test_stopped_process() {
  const double alone = 0.5 * ms;
  double stopped_at = 0;
  Machine machine{2,
                  [&](int n, double now) {
                    const bool stops = now - stopped_at > 1000 * ms;
                    if (stops) stopped_at = now;
                    return alone / n + (stops ? 700 * ms : 0);
                  },
                  alone, 2};
  Chooser chooser;
  Outcome outcome = simulate(chooser, machine, 0, 20'000 * ms);
  check(outcome.last == 2, "two threads still");
  check(outcome.share[1] < 0.1, "nobody goes alone for it");
}

// Where nothing may be shared, nothing is tried.
void test_limits() {
  Chooser chooser;
  check(chooser.choose(4, 1, 1e9, 0).reason == Reason::limit, "one thread is allowed");
  check(chooser.choose(4, 8, 100, 0).reason == Reason::small, "too small");
  check(chooser.choose(4, 8, 1e6, 0).threads == 4, "the guess comes first");
  check(chooser.choose(100, 6, 1e6, 0).threads == 6, "not above what is allowed");
}

// The model's guess: neither all nor one on a machine of many cores.
void test_guess() {
  check(Work{1e4, 0, 2}.guess(64) == 1, "nothing to share");
  check(Work{1e9}.guess(64) == 64, "all cores for much work without exchange");
  const int some = Work{3e6, 400, 2}.guess(64);
  check(some > 1 && some < 64, "a few cores for a small step");
  check(Work{1e9}.guess(6) == 6, "all of a number that is no power of two");
}

// Work as the core reports it: lateness shows before one thread's own time is known, and work of
// no operations, which is shared only if it is forced, leaves no trace.
void test_shared_chooser() {
  set_max_threads(2);
  const Work work{150e6}; // 1 ms of one thread, about
  const auto ago = [](double ns) { return detail::now_ns() - static_cast<std::int64_t>(ns); };
  SharedChooser late;
  check(late.choose(work, 2).reason == Reason::guess, "nothing is known yet");
  late.report(work, 2, 2, 1, ago(50 * ms));
  check(late.choose(work, 2).reason == Reason::late, "50 ms are late for work of 1 ms");

  // A thread that reads ahead: two do not wait for it, and that they were late is forgotten.
  SharedChooser helped;
  const std::int64_t before = detail::now_ns();
  detail::helpers.begin();
  check(helped.choose(work, 2).threads == 1, "one of two, while a helper has the other's core");
  helped.report(work, 2, 2, 1, before - 50'000'000);
  detail::helpers.end(detail::now_ns());
  helped.report(work, 2, 2, 1, before);
  check(helped.choose(work, 2).reason == Reason::guess, "lateness beside a helper says nothing");
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  helped.report(work, 2, 2, 1, ago(0.5 * ms));
  check(helped.choose(work, 2).reason != Reason::guess, "what comes after it does");

  SharedChooser forced;
  force_threads(2);
  for (const Work& any : {Work{0}, Work{0}, work}) {
    check(forced.choose(any, 2).threads == 2, "what is forced");
    forced.report(any, 2, 2, 1, ago(50 * ms));
  }
  force_threads(0);
  check(forced.choose(work, 2).reason == Reason::guess, "what was forced says nothing");
  for (int i = 0; i < 3; ++i) forced.report(Work{0}, 1 + i % 2, 2, 1, ago(ms));
  check(forced.choose(work, 2).reason == Reason::guess, "nor does work of no operations");
}

// A stretch of a run that was ended before its first step has done nothing.
void test_nothing_done() {
  Chooser chooser;
  const auto choice = [&] { return chooser.choose(2, 2, 1e6, 0); };
  check(choice().reason == Reason::guess, "nothing is known yet");
  chooser.report(2, 2, 0, 50 * ms, 1, 0);
  chooser.report(1, 2, 0, 0, 1, 0);
  check(choice().reason == Reason::guess, "nothing done says nothing");
}

// Pieces, rows and threads beyond what anybody has.
void test_bounds() {
  force_threads(2);
  check(allowed_threads(Work{1e9}, 0) == 1, "no pieces are for one thread");
  check(allowed_threads(Work{0}, 5) == 2, "what is forced");
  force_threads(0);
  for (const double operations : {0.0, 1e15, 1e30, std::numeric_limits<double>::infinity()})
    chooser_for(Kind::forward, Work{operations});
  chooser_for(Kind::forward, Work{std::numeric_limits<double>::quiet_NaN()});

  detail::wanted_threads = 0;
  omp_set_num_threads(5000);
  check(max_threads() == most_threads, "OMP_NUM_THREADS has a bound as well");
  for (const int threads : {1, most_threads})
    for (const Reason reason : {Reason::small, Reason::late}) {
      detail::remember({threads, reason});
      check(last_decision().threads == threads && last_decision().reason == reason,
            "a decision is kept as it is");
    }
  set_max_threads(2);

  for (const Index n :
       {Index{5}, Index{1} << 20, (Index{1} << 31) - 1, Index{1} << 31, (Index{1} << 38) - 1})
    for (const Index parts : {Index{1}, Index{3}, Index{1000}, n / 128 + 1}) {
      check(share_begin(n, parts, 0) == 0 && share_begin(n, parts, parts) == n, "all are shared");
      const Index i = parts / 2, size = share_begin(n, parts, i + 1) - share_begin(n, parts, i);
      check(size == n / parts || size == n / parts + 1, "evenly");
    }
}

void run() {
  test_shared_chooser();
  test_nothing_done();
  test_bounds();
  test_limits();
  test_guess();
  test_finds_the_best();
  test_noise();
  test_busy_machine();
  test_single_lateness();
  test_now_and_then();
  test_stopped_process();
}

} // namespace
} // namespace eigenmlp::test

int main() { eigenmlp::test::run(); }
