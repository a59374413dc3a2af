// Many networks at once: the bits of each alone, one thread each, and how they end.
#include "eigenmlp/many.hpp"

#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>

#include "check.hpp"
#include "problem.hpp"

namespace eigenmlp::test {
namespace {

const std::vector<double> lr{0.05};

// Networks of some shapes with the data of the first, and what their runs need.
template <class T>
struct Many {
  Problem<T> first;
  std::vector<std::unique_ptr<Network<T>>> nets;
  std::vector<std::unique_ptr<Trainer<T>>> trainers;
  std::vector<std::vector<EpochResult>> results;
  std::vector<std::int64_t> orders;
  std::vector<Fit<T>> fits;

  explicit Many(const std::vector<Index>& hidden, Index epochs = 6)
      : first({{20, 9, 4}, {"relu", "identity"}, "softmax_cross_entropy", 300, 32}) {
    first.epochs(epochs, lr, orders);
    for (const Index H : hidden) {
      Problem<T> own({{20, H, 4}, {"tanh", "identity"}, first.shape.loss, 1, 1});
      std::vector<T> flat(static_cast<std::size_t>(own.net.parameter_count()));
      own.net.get_parameters(flat.data());
      nets.push_back(std::make_unique<Network<T>>(own.shape.sizes, own.shape.activations,
                                                  own.shape.loss, true, T(1)));
      nets.back()->set_parameters(flat.data());
      trainers.push_back(std::make_unique<Trainer<T>>(*nets.back(), "adam",
                                                      std::vector<double>{0.9, 0.999, 1e-8}));
      results.emplace_back(static_cast<std::size_t>(epochs));
      const Epochs what{epochs, 32, orders.data(), lr};
      fits.push_back({trainers.back().get(), what, results.back()});
    }
  }
  std::vector<T> parameters(std::size_t i) const {
    std::vector<T> flat(static_cast<std::size_t>(nets[i]->parameter_count()));
    nets[i]->get_parameters(flat.data());
    return flat;
  }
};

template <class V>
bool same_bits(const std::vector<V>& a, const std::vector<V>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(V)) == 0;
}

template <class T>
void test_bits() {
  const std::vector<Index> hidden{5, 40, 17, 64, 5, 33, 80};
  set_max_threads(1);
  Many<T> alone(hidden);
  for (const Fit<T>& fit : alone.fits)
    check(fit.trainer->run(alone.first.data(), fit.epochs, fit.results, {}).epochs == 6, "alone");
  for (const int threads : {1, 2, 3, 16}) {
    set_max_threads(threads);
    Many<T> together(hidden);
    const auto results = fit_many(together.first.data(), together.fits);
    check(results.size() == hidden.size(), "a result for each");
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      check(results[i].outcome == Outcome::finished && results[i].epochs == 6, "all finish");
      check(same_bits(together.parameters(i), alone.parameters(i)), "the bits of each alone");
      for (std::size_t e = 0; e < 6; ++e)
        check(together.results[i][e].loss == alone.results[i][e].loss, "and its losses");
    }
    check(max_threads() == threads, "the caller's threads are as before");
  }
}

// Each has one thread, whatever OpenMP offered and whatever is wanted: large steps do not share.
void test_one_thread_each() {
  set_max_threads(4);
  {
    const OneThread alone;
    check(max_threads() == 1, "one thread");
    set_max_threads(4); // as another thread of the program may
    omp_set_num_threads(1);
  }
  set_max_threads(4);
  check(max_threads() == 4, "and as before");
  detail::offered_threads() = 1; // OMP_NUM_THREADS=1 and four wanted
  omp_set_num_threads(1);
  check(max_threads() == 4, "more than OpenMP offered");
  {
    const OneThread alone;
    check(max_threads() == 1, "one thread, though that is what OpenMP offered");
  }
  check(max_threads() == 4, "and as before");
}

// One diverges: the others do not notice.
void test_divergence() {
  set_max_threads(2);
  Many<float> many({8, 8, 8});
  const std::vector<double> far{1e39};
  many.fits[1].epochs.learning_rates = far;
  const auto results = fit_many(many.first.data(), many.fits);
  check(results[1].outcome == Outcome::diverged, "a learning rate beyond float32 diverges");
  check(results[0].outcome == Outcome::finished, "the others go on");
  check(results[2].outcome == Outcome::finished, "all of them");
}

void test_stop() {
  set_max_threads(2);
  Many<float> many({64, 64, 64, 64}, 100'000);
  std::atomic<int> asked{0}, at_once{0};
  const auto results = fit_many(many.first.data(), many.fits, [&] {
    check(++at_once == 1, "one thread asks at a time");
    --at_once;
    return ++asked > 8;
  });
  std::set<Index> epochs;
  for (const RunResult& result : results) {
    check(result.outcome == Outcome::interrupted, "all are interrupted");
    epochs.insert(result.epochs);
  }
  check(epochs.contains(0) && *epochs.rbegin() > 0, "some had not begun");
  check(asked == 9, "nobody asks again");
}

void test_errors_and_nothing() {
  set_max_threads(2);
  Many<float> many({64, 64, 64}, 100'000);
  bool thrown = false;
  try {
    fit_many(many.first.data(), many.fits,
             []() -> bool { throw std::runtime_error("the user's function"); });
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  check(thrown, "what a run throws comes to the caller");
  check(fit_many(many.first.data(), std::vector<Fit<float>>{}).empty(), "no networks, no results");
}

} // namespace
} // namespace eigenmlp::test

int main() {
  using namespace eigenmlp::test;
  test_bits<float>();
  test_bits<double>();
  test_one_thread_each();
  test_divergence();
  test_stop();
  test_errors_and_nothing();
}
