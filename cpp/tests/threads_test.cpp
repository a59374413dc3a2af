// The same bits for any number of threads; the barrier; several threads of the caller at once.
#include <array>
#include <chrono>
#include <shared_mutex>
#include <thread>

#include "check.hpp"
#include "eigenmlp/passes/gradient.hpp"
#include "eigenmlp/passes/inference.hpp"
#include "problem.hpp"

namespace eigenmlp::test {
namespace {

template <class V>
bool same_bits(const std::vector<V>& a, const std::vector<V>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(V)) == 0;
}

// All that a run can tell: parameters, losses, outputs, the gradient after it.
template <class T>
struct Trained {
  std::vector<T> parameters, outputs, gradient;
  std::vector<double> losses;

  void check_same(const Trained& other, const char* what) const {
    check(same_bits(losses, other.losses), what);
    check(same_bits(parameters, other.parameters), what);
    check(same_bits(outputs, other.outputs), what);
    check(same_bits(gradient, other.gradient), what);
  }
};

template <class T>
std::vector<T> gradient_of(const Problem<T>& problem, std::vector<double>& losses) {
  const Network<T>& net = problem.net;
  Buffer<T> panels(net.panel_size());
  std::vector<T> flat(static_cast<std::size_t>(net.parameter_count()));
  losses.push_back(loss_and_gradient(net, problem.data(), panels.data()).value());
  net.unpack(panels.data(), flat.data());
  return flat;
}

template <class T>
Trained<T> train(const Shape& shape, Index count, const Settings& settings = {}) {
  Problem<T> problem(shape);
  Network<T>& net = problem.net;
  Trainer<T> trainer(net, "sgd", {0.9, 0, 1e-3}, settings);
  const std::vector<double> lr{0.05};
  std::vector<EpochResult> results(static_cast<std::size_t>(count));
  std::vector<std::int64_t> orders;
  const auto run = trainer.run(problem.data(), problem.epochs(count, lr, orders), results, {});
  check(run.outcome == Outcome::finished && run.epochs == count, "the run finishes");
  const Index batches = ceil_div(shape.N, shape.batch_size);
  check(run.steps == count * ceil_div(batches, settings.accumulate), "every step is done");

  Trained<T> trained;
  auto& losses = trained.losses;
  for (const auto& r : results) {
    check(std::isfinite(r.loss), "losses are finite");
    losses.insert(losses.end(), {r.loss, static_cast<double>(r.correct)});
  }
  check(results.back().loss < results.front().loss, "training lowers the loss");
  const Evaluation evaluation = evaluate(net, problem.data()).value();
  losses.insert(losses.end(), {evaluation.loss, static_cast<double>(evaluation.correct)});
  trained.parameters.resize(static_cast<std::size_t>(net.parameter_count()));
  net.get_parameters(trained.parameters.data());
  trained.outputs.resize(static_cast<std::size_t>(shape.N * net.outputs()));
  predict(net, problem.inputs(shape.N), trained.outputs.data());
  std::vector<T> one(static_cast<std::size_t>(net.outputs()));
  predict(net, problem.inputs(1), one.data());
  check(std::memcmp(one.data(), trained.outputs.data(), one.size() * sizeof(T)) == 0,
        "a row alone gives the same bits as among others");
  trained.gradient = gradient_of(problem, losses);

  // The transposed weights have kept up: a fresh network with these parameters has this gradient.
  Problem<T> fresh(shape);
  fresh.net.set_parameters(trained.parameters.data());
  std::vector<double> loss;
  check(same_bits(gradient_of(fresh, loss), trained.gradient), "transposed weights kept up");
  return trained;
}

// Awkward sizes, which threads share by rows, by columns or by blocks of rows: see `plans`.
const std::vector<Shape> shapes = {
    {{64, 50, 10}, {"relu", "identity"}, "softmax_cross_entropy", 730, 100},
    {{784, 128, 10}, {"relu", "identity"}, "softmax_cross_entropy", 480, 128},
    {{333, 207, 150, 7}, {"tanh", "sigmoid", "identity"}, "softmax_cross_entropy", 800, 350},
    {{37, 70, 33, 5}, {"tanh", "sigmoid", "identity"}, "sigmoid_cross_entropy", 450, 97, false},
    {{200, 129, 17, 3}, {"leaky_relu", "relu", "softmax"}, "squared_error", 200, 64},
    {{300, 1}, {"identity"}, "squared_error", 1700, 1700},
    {{700, 600, 5},
     {"relu", "identity"},
     "softmax_cross_entropy",
     10,
     3},                                                    // fewer rows than threads
    {{4, 3}, {"sigmoid"}, "squared_error", 20'000, 20'000}, // one tile
    {{64, 50, 10}, {"tanh", "identity"}, "softmax_cross_entropy", 130, 40}, // rows for one block
};

// Which of the ways to share a step the shapes meet: by rows, by columns, by blocks of rows.
template <class T>
std::array<bool, 3> plans(const std::vector<Shape>& shapes) {
  std::array<bool, 3> met{};
  for (const Shape& shape : shapes) {
    const Network<T> net(shape.sizes, shape.activations, shape.loss, shape.bias, T(1),
                         shape.rounds);
    const bool blocks = threads_share_blocks(net, blocks_of(net, shape.batch_size));
    met[blocks ? 2 : weights_outweigh(net, shape.batch_size)] = true;
  }
  return met;
}

// So many threads and no fewer, if the work can be cut into so many pieces.
void use_exactly(int threads) {
  set_max_threads(threads);
  force_threads(threads);
}

// The same ones, of networks that round.
std::vector<Shape> rounding_shapes() {
  std::vector<Shape> rounding = shapes;
  for (Shape& shape : rounding) shape.rounds = true;
  return rounding;
}

template <class T>
void test_bits(const std::vector<Shape>& shapes) {
  const bool rounds = shapes.front().rounds; // blocks are of rows that are not rounded
  check(plans<T>(shapes) == std::array{true, true, !rounds}, "steps are shared in every way");
  for (const Shape& shape : shapes) {
    use_exactly(1);
    const auto expected = train<T>(shape, 4);
    for (const int threads : {2, 3, 5, 8, 16}) {
      use_exactly(threads);
      train<T>(shape, 4).check_same(expected, "the same bits for any number of threads");
    }
  }
}

// Clipping, L1, max-norm, dropout, and batches that are gathered.
template <class T>
void test_bits_with_settings(const std::vector<Shape>& shapes) {
  for (const Shape& shape : shapes) {
    Settings settings{{.clip_norm = 0.5, .l1 = 1e-4, .max_norm = 2}, 2, {}, 5};
    settings.dropout.assign(shape.sizes.size() - 2, 0.2);
    use_exactly(1);
    const auto expected = train<T>(shape, 4, settings);
    for (const int threads : {2, 5, 8}) {
      use_exactly(threads);
      train<T>(shape, 4, settings).check_same(expected, "the same bits with dropout and limits");
    }
  }
}

// A race shows in few rounds to ThreadSanitizer, under which each takes a hundred times as long.
#if defined(__SANITIZE_THREAD__)
constexpr long barrier_rounds = 2'000;
#elif defined(__has_feature)
constexpr long barrier_rounds = __has_feature(thread_sanitizer) ? 2'000 : 50'000;
#else
constexpr long barrier_rounds = 50'000;
#endif

// Every thread writes its slot, waits, and then must see all slots of this round. Now and then one
// is late enough for the others to fall asleep.
void test_barrier(int threads, long rounds) {
  std::vector<long> slots(64 * static_cast<std::size_t>(threads));
  std::atomic<int> sizes{0};
  in_parallel(threads, [&](const Team& team) {
    sizes += team.size;
    for (long round = 1; round <= rounds; ++round) {
      if (round % 97 == 0 && round / 97 % team.size == team.index)
        std::this_thread::sleep_for(std::chrono::microseconds(500));
      slots[64 * static_cast<std::size_t>(team.index)] = round;
      team.wait();
      for (int i = 0; i < team.size; ++i)
        check(slots[64 * static_cast<std::size_t>(i)] == round, "no thread passes a barrier early");
      team.wait();
    }
  });
  check(sizes == threads * threads, "as many threads as asked for");
}

// Two threads of the caller train a network each.
void test_two_trainings() {
  use_exactly(2);
  const auto first = train<float>(shapes[0], 30);
  const auto second = train<float>(shapes[1], 30);
  Trained<float> a, b;
  std::thread one([&] { a = train<float>(shapes[0], 30); });
  std::thread two([&] { b = train<float>(shapes[1], 30); });
  one.join();
  two.join();
  a.check_same(first, "two trainings at once");
  b.check_same(second, "two trainings at once");
}

// While one call shares threads, another gets its part of them: two on two processors one each.
void test_calls_share_the_processors() {
  set_max_threads(4);
  force_threads(0);
  const Work work{1e9};
  SharedChooser chooser;
  const SharingCall one;
  check(chooser.choose(work, 4).threads == 4, "a call alone may have all");
  SharedChooser another;
  const SharingCall two;
  check(another.choose(work, 4).threads == 2, "two calls share");
}

// A thread that makes one call after the other finds its processor free, also when it comes late.
void test_calls_are_remembered() {
  constexpr std::int64_t ms = 1'000'000;
  CallsAtOnce calls;
  std::int64_t now = 5 * ms;
  check(calls.count(now) == 1, "nobody has called");
  calls.begin();
  check(calls.count(now) == 1, "one call");
  calls.begin();
  calls.begin();
  check(calls.count(now) == 3, "three at once");
  calls.end();
  check(calls.count(now += ms) == 3, "the third is soon back");
  calls.end();
  check(calls.count(now += ms) == 3, "so may both be");
  check(calls.count(now + CallsAtOnce::memory_ns) == 1, "nobody has come back");
  calls.begin();
  check(calls.count(now += CallsAtOnce::memory_ns) == 2, "two at once, no longer three");
  check(calls.count(now += 10 * CallsAtOnce::memory_ns) == 2, "as long as both run");
}

// Predictions with the network that is being trained get their turn, and so does the training.
void test_predict_while_training() {
  use_exactly(2);
  Problem<float> problem(shapes[0]);
  std::atomic<bool> enough{false};
  Outcome outcome{};
  std::thread training([&] {
    Trainer<float> trainer(problem.net, "sgd", {0.9});
    const std::vector<double> lr{1e-4};
    std::vector<EpochResult> results(1'000'000);
    const Epochs epochs{1'000'000, 100, nullptr, lr};
    const auto stop = [&] { return enough.load(); };
    outcome = trainer.run(problem.data(), epochs, results, stop).outcome;
  });
  std::vector<float> outputs(static_cast<std::size_t>(problem.net.outputs()));
  for (int i = 0; i < 20; ++i) {
    check(predict(problem.net, problem.inputs(1), outputs.data()), "inputs are finite");
    for (const float y : outputs) check(std::isfinite(y), "outputs are finite");
  }
  enough = true;
  training.join();
  check(outcome == Outcome::interrupted, "a run can be stopped");
}

// Many threads with one network and one trainer, none of which wait for each other elsewhere.
void test_one_network_in_many_threads() {
  use_exactly(2);
  Problem<float> problem({{20, 12, 3}, {"tanh", "identity"}, "softmax_cross_entropy", 40, 40});
  Network<float>& net = problem.net;
  const auto P = static_cast<std::size_t>(net.parameter_count());
  Trainer<float> shared(net, "sgd", {0.9, 0, 1e-3});
  constexpr int rounds = 60;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] { // its trainer is the threads' own
      Trainer<float> own(net, "adam", {0.9, 0.999, 1e-8, 0});
      for (int k = 0; k < rounds; ++k)
        check(std::isfinite(own.step(problem.data(), 1e-3).loss), "losses are finite");
    });
    threads.emplace_back([&] { // one trainer for both
      for (int k = 0; k < rounds; ++k)
        check(std::isfinite(shared.step(problem.data(), 1e-2).loss), "losses are finite");
    });
    threads.emplace_back([&] {
      std::vector<float> outputs(static_cast<std::size_t>(40 * net.outputs())), flat(P);
      std::vector<double> losses;
      for (int k = 0; k < rounds; ++k) {
        check(predict(net, problem.inputs(40), outputs.data()), "inputs are finite");
        gradient_of(problem, losses);
        const std::shared_lock lock(net.mutex());
        net.get_parameters(flat.data());
      }
    });
    threads.emplace_back([&] {
      std::vector<float> flat(P, 0.01F);
      for (int k = 0; k < rounds; ++k) {
        if (const std::shared_lock lock(net.mutex(), std::try_to_lock); lock)
          check(shared.progress().steps <= 2 * rounds, "no step is counted twice");
        if (const std::unique_lock lock(net.mutex(), std::try_to_lock); lock) {
          net.set_parameters(flat.data()); // nobody reads, and no step is in between
          std::vector<float> same(P);
          net.get_parameters(same.data());
          check(same == flat, "who has the lock has it alone");
        }
        const std::unique_lock lock(net.mutex());
        if (k % 20 == 0) net.set_parameters(flat.data());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  check(shared.progress().steps == 2 * rounds, "every step is counted");
}

} // namespace
} // namespace eigenmlp::test

int main() {
  using namespace eigenmlp::test;
  test_barrier(2, barrier_rounds);
  test_barrier(3, barrier_rounds / 25);
  test_barrier(5, barrier_rounds / 50);
  test_bits<float>(shapes);
  test_bits<double>(shapes);
  test_bits<float>(rounding_shapes());
  test_bits_with_settings<float>(shapes);
  test_bits_with_settings<double>(shapes);
  test_bits_with_settings<float>(rounding_shapes());
  test_two_trainings();
  test_calls_share_the_processors();
  test_calls_are_remembered();
  test_predict_while_training();
  test_one_network_in_many_threads();
}
