// The processor's multiply-add limit in float32, for `python -m bench.peers`.
//
//   fma_limit THREADS
//
// For each number of seconds on a line of standard input, a line with the operations a second of
// all threads together: independent chains that never leave the registers. Needs nothing but the
// compiler; the flags (-march=…, -ffp-contract=fast) say which instruction set is meant.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64, chains = 24;
#elif defined(__AVX__)
constexpr int vector_bytes = 32, chains = 12;
#else
constexpr int vector_bytes = 16, chains = 12;
#endif
using Packet [[gnu::vector_size(vector_bytes)]] = float;
using Clock = std::chrono::steady_clock;

// Operations a second of one thread.
double speed(double seconds) {
  constexpr long rounds = 20'000;
  constexpr double operations = 2.0 * chains * rounds * (vector_bytes / sizeof(float));
  float numbers[2] = {0.7F, 0.3F};
  asm volatile("" : : "r"(numbers) : "memory"); // the compiler shall not know what is in there
  const Packet a = Packet{} + numbers[0], b = Packet{} + numbers[1];
  Packet sum[chains];
  for (auto& s : sum) s = a;
  const auto start = Clock::now();
  double done = 0, time = 0;
  do {
    for (long k = 0; k < rounds; ++k) {
#pragma GCC unroll 32
      for (int i = 0; i < chains; ++i) sum[i] = sum[i] * a + b;
    }
    done += operations;
    time = std::chrono::duration<double>(Clock::now() - start).count();
  } while (time < seconds);
  Packet total{};
  for (const auto& s : sum) total += s;
  asm volatile("" : : "r"(&total) : "memory");
  return done / time;
}

} // namespace

int main(int count, char** arguments) {
  const int threads = count > 1 ? std::atoi(arguments[1]) : 1;
  double seconds = 0;
  while (std::cin >> seconds) {
    std::vector<double> speeds(static_cast<std::size_t>(threads));
    std::vector<std::thread> others;
    for (std::size_t i = 1; i < speeds.size(); ++i)
      others.emplace_back([&speeds, i, seconds] { speeds[i] = speed(seconds); });
    speeds[0] = speed(seconds);
    for (auto& thread : others) thread.join();
    double sum = 0;
    for (const double s : speeds) sum += s;
    std::printf("%.6e\n", sum);
    std::fflush(stdout);
  }
}
