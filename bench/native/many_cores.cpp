// What the choice of threads would do on machines of 8, 16 and 64 cores, which nobody here has: a
// model of a step's time, by which the library's own chooser decides.
//
// A step of n threads takes its arithmetic's time / n, the lines that go from core to core, several
// at a time, and its barriers, where each thread's arrival is one message. The constants are
// published medians of the time that a message takes from core to core
// (github.com/nviennot/core-to-core-latency, README): Core i9-9900K (8 cores) 21 ns, Ryzen 9 5950X
// (16 cores, 8 by 8) 17 ns near and 85 ns far, Graviton3 (64 cores) 46 ns. Arithmetic: 32 float32
// operations a cycle and core at 4.7, 4.0 and 2.6 GHz (two 256-bit multiply-adds), of which small
// networks reach about 60 %.
#include <cmath>
#include <cstdio>

#include "eigenmlp/step/trainer.hpp"

namespace {

using namespace eigenmlp;

struct Machine {
  const char* name;
  int cores, near_cores; // cores that are near each other
  double near, far;      // ns of a message
  double operations_per_ns;
};
constexpr Machine machines[] = {
    {"Core i9-9900K", 8, 8, 21, 21, 0.6 * 32 * 4.7},
    {"Ryzen 9 5950X", 16, 8, 17, 85, 0.6 * 32 * 4.0},
    {"Graviton3", 64, 64, 46, 46, 0.6 * 32 * 2.6},
};
constexpr double lines_at_once = 5; // 13 ns a line where a message takes 60, as measured on 2 cores

double step_ns(const Machine& m, const Work& work, const Blocks& blocks, int threads) {
  if (blocks.total > 1) threads = threads_sharing(blocks, threads);
  if (threads == 1) return work.operations / m.operations_per_ns;
  const double message = threads <= m.near_cores ? m.near : m.far;
  const double lines = work.lines * (threads - 1) / threads;
  return work.operations / m.operations_per_ns / threads + lines * message / lines_at_once +
         work.barriers * message * (threads + 2);
}

struct Case {
  std::vector<Index> sizes;
  Index batch;
};

void run() {
  const std::vector<Case> cases{{{2, 3, 1}, 4},
                                {{64, 50, 10}, 100},
                                {{20, 100, 2}, 200},
                                {{30, 100, 100, 2}, 200},
                                {{17, 64, 64, 6}, 256},
                                {{784, 128, 10}, 64},
                                {{784, 128, 10}, 512},
                                {{784, 512, 512, 10}, 128},
                                {{256, 256, 256, 1}, 1024},
                                {{1024, 2048, 2048, 1000}, 1024}};
  for (const Machine& m : machines) {
    std::printf("\n%s, %d cores\n%-28s %10s %12s %10s %10s\n", m.name, m.cores, "network, batch",
                "threads", "us a step", "x one", "x all");
    for (const Case& c : cases) {
      std::vector<std::string> activations(c.sizes.size() - 1, "relu");
      activations.back() = "identity";
      const Network<float> net(c.sizes, activations, "squared_error", true, 1.0F);
      const Work work = work_of_step(net, c.batch, Rows{});
      const Blocks blocks = blocks_of(net, c.batch);
      Chooser chooser;
      std::int64_t now = 0;
      double total = 0, steps = 0;
      Decision last{1, Reason::small};
      while (now < 2'000'000'000) { // stretches of 10 ms, as in a run; the first second is learning
        const int most = work.alone() < Chooser::too_small ? 1 : m.cores;
        last = chooser.choose(work.guess(most), most, work.alone(), now);
        const double each = step_ns(m, work, blocks, last.threads);
        const bool trial = last.reason == Reason::trial || last.reason == Reason::guess;
        const double count = std::ceil((trial ? 1e6 : 10e6) / each);
        now += static_cast<std::int64_t>(count * each);
        chooser.report(last.threads, most, count, count * each, work.alone(), now);
        if (now > 1'000'000'000) total += count * each, steps += count;
      }
      std::string name;
      for (const Index size : c.sizes) name += (name.empty() ? "" : "-") + std::to_string(size);
      name += ", " + std::to_string(c.batch);
      const double mean = total / steps;
      const int used = blocks.total > 1 ? threads_sharing(blocks, last.threads) : last.threads;
      std::printf("%-28s %10d %12.1f %10.2f %10.2f\n", name.c_str(), used, mean / 1e3,
                  step_ns(m, work, blocks, 1) / mean, step_ns(m, work, blocks, m.cores) / mean);
    }
  }
}

} // namespace

int main() { run(); }
