// The step loop and one-row prediction allocate nothing: operator new is counted, and Eigen's own
// allocations (which do not go through it) end the program while they are forbidden.
#define EIGEN_RUNTIME_NO_MALLOC
#include <limits>

#include "check.hpp"
#define eigen_assert(condition) ::eigenmlp::test::check(condition, "Eigen: " #condition)

#include "eigenmlp/passes/inference.hpp"
#include "problem.hpp"

namespace {
std::atomic<long> allocations{0};

void* allocate(std::size_t size, std::size_t alignment) {
  ++allocations;
  if (size > std::numeric_limits<std::ptrdiff_t>::max() - alignment) return nullptr;
  const std::size_t whole = (size + alignment - 1) / alignment * alignment;
  return std::aligned_alloc(alignment, whole == 0 ? alignment : whole);
}
void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  if (void* p = allocate(size, alignment)) return p;
  throw std::bad_alloc();
}
constexpr std::size_t usual = alignof(std::max_align_t);
constexpr std::size_t number(std::align_val_t a) { return static_cast<std::size_t>(a); }
} // namespace

void* operator new(std::size_t n) { return allocate_or_throw(n, usual); }
void* operator new[](std::size_t n) { return allocate_or_throw(n, usual); }
void* operator new(std::size_t n, std::align_val_t a) { return allocate_or_throw(n, number(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return allocate_or_throw(n, number(a)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, usual); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, usual); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(n, number(a));
}
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(n, number(a));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { std::free(p); }

namespace eigenmlp::test {
namespace {

// Allocations while body runs.
template <class Body>
long count(Body&& body) {
  const long before = allocations;
  Eigen::internal::set_is_malloc_allowed(false);
  body();
  Eigen::internal::set_is_malloc_allowed(true);
  return allocations - before;
}

template <class T>
void test_network(const Shape& shape, const std::vector<double>& hyper,
                  const Settings& settings = {}) {
  Problem<T> problem(shape);
  Network<T>& net = problem.net;
  Trainer<T> trainer(net, "sgd", hyper, settings);
  const std::vector<double> lr{1e-3};
  const Data data = problem.data();
  const auto run_epochs = [&](Index n) {
    std::vector<EpochResult> results(static_cast<std::size_t>(n));
    std::vector<std::int64_t> orders;
    const Epochs epochs = problem.epochs(n, lr, orders);
    const std::function<bool()> stop = [] { return false; };
    Outcome outcome{};
    const long counted = count([&] { outcome = trainer.run(data, epochs, results, stop).outcome; });
    check(outcome == Outcome::finished, "the run finishes");
    return counted;
  };
  run_epochs(1);
  const long one = run_epochs(1), fifty = run_epochs(50);
  check(one == fifty, "50 epochs allocate as often as 1");
  check(one <= 4, "a run allocates next to nothing");

  trainer.step(data, 1e-3);
  const long steps = count([&] {
    for (int i = 0; i < 20; ++i) trainer.step(data, 1e-3);
  });
  check(steps == 0, "a step allocates nothing");

  std::vector<T> outputs(static_cast<std::size_t>(net.outputs()));
  predict(net, problem.inputs(1), outputs.data());
  const long predictions = count([&] {
    for (int i = 0; i < 20; ++i) predict(net, problem.inputs(1), outputs.data());
  });
  check(predictions == 0, "predicting one row allocates nothing");
}

template <class T>
void test_networks() {
  const std::vector<double> plain{0, 0, 0}, momentum{0.9, 0, 0}, nesterov{0.9, 1, 1e-4};
  const Settings everything{{.clip_norm = 0.1, .l1 = 1e-4, .max_norm = 2}, 2, {0.3}, 5};
  for (const int threads : {1, 2}) {
    set_max_threads(threads);
    force_threads(threads);
    test_network<T>({{64, 50, 10}, {"relu", "identity"}, "softmax_cross_entropy", 250, 100},
                    momentum);
    test_network<T>({{13, 33, 5}, {"tanh", "identity"}, "sigmoid_cross_entropy", 500, 300, false},
                    nesterov);
    test_network<T>(
        {{17, 31, 16, 3}, {"leaky_relu", "sigmoid", "softmax"}, "squared_error", 260, 130}, plain);
    test_network<T>({{40, 1}, {"identity"}, "squared_error", 3000, 3000}, momentum);
    test_network<T>({{300, 200, 7}, {"tanh", "identity"}, "softmax_cross_entropy", 150, 64},
                    momentum); // shared by columns and, as one batch, by rows
    test_network<T>({{64, 50, 10}, {"relu", "identity"}, "softmax_cross_entropy", 250, 100},
                    momentum, everything);
  }
}

// The same, of networks that round.
void test_rounding_networks() {
  const std::vector<double> momentum{0.9, 0, 0};
  for (const int threads : {1, 2}) {
    set_max_threads(threads);
    force_threads(threads);
    test_network<float>(
        {{64, 50, 10}, {"relu", "identity"}, "softmax_cross_entropy", 250, 100, true, true},
        momentum);
    test_network<float>(
        {{300, 200, 7}, {"tanh", "identity"}, "softmax_cross_entropy", 150, 64, true, true},
        momentum);
  }
}

// The counters themselves count.
void test_counters() {
  check(count([] { Buffer<float> buffer(100); }) == 1, "an aligned allocation is counted");
  check(count([] { std::vector<int> v(static_cast<std::size_t>(vector_registers)); }) == 1,
        "a vector's allocation is counted");
}

} // namespace
} // namespace eigenmlp::test

int main() {
  eigenmlp::test::test_counters();
  eigenmlp::test::test_networks<float>();
  eigenmlp::test::test_networks<double>();
  eigenmlp::test::test_rounding_networks();
}
