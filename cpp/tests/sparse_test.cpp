// Rows that are read by their stored numbers: the results of dense rows to the bit where both add
// in one chain, the same bits for any number of threads, and rows that do not hold together.
#include <limits>
#include <random>

#include "check.hpp"
#include "eigenmlp/passes/gradient.hpp"
#include "eigenmlp/passes/inference.hpp"
#include "problem.hpp"

namespace eigenmlp::test {
namespace {

template <class T>
constexpr Scalar scalar = sizeof(T) == sizeof(float) ? Scalar::float32 : Scalar::float64;

// A problem whose rows have a number in every 20th column or so, and none in every 7th row; its
// rows as CSR, places rising.
template <class T, class I>
struct SparseProblem : Problem<T> {
  using Problem<T>::X, Problem<T>::net, Problem<T>::shape;
  std::vector<T> values;
  std::vector<I> places, starts{0};

  explicit SparseProblem(const Shape& s) : Problem<T>(s) {
    std::mt19937 random(2);
    for (Index i = 0; i < s.N; ++i) {
      for (Index d = 0; d < net.inputs(); ++d) {
        T& x = X[static_cast<std::size_t>(i * net.inputs() + d)];
        if (random() % 20 != 0 || i % 7 == 0) x = 0;
        if (x == 0) continue;
        values.push_back(x);
        places.push_back(static_cast<I>(d));
      }
      starts.push_back(static_cast<I>(values.size()));
    }
  }

  Rows stored_inputs(Index rows) const {
    Rows sparse;
    sparse.data = values.data();
    sparse.scalar = scalar<T>;
    sparse.rows = rows;
    sparse.columns = net.inputs();
    sparse.starts = starts.data();
    sparse.places = places.data();
    sparse.stored = static_cast<Index>(starts[static_cast<std::size_t>(rows)]);
    sparse.wide = sizeof(I) == sizeof(std::int64_t);
    return sparse;
  }
  Data data(bool stored) const {
    Data data = Problem<T>::data();
    if (stored) data.X = stored_inputs(shape.N);
    return data;
  }
};

struct Optimization {
  const char* optimizer;
  std::vector<double> hyper;
  Settings settings;
};

// All that training and passes give.
template <class T, class I>
std::vector<double> results_of(const Shape& shape, const Optimization& how, bool stored) {
  SparseProblem<T, I> problem(shape);
  Network<T>& net = problem.net;
  const Data data = problem.data(stored);
  check(reads_stored(net, data.X) == stored, "these rows are few enough numbers");
  Settings settings = how.settings;
  if (!settings.dropout.empty()) settings.dropout.assign(shape.sizes.size() - 2, 0.3);
  Trainer<T> trainer(net, how.optimizer, how.hyper, settings);
  const std::vector<double> lr{0.01};
  std::vector<EpochResult> epochs(3);
  std::vector<std::int64_t> orders;
  std::vector<double> losses(static_cast<std::size_t>(3 * ceil_div(shape.N, shape.batch_size)));
  std::vector<double> penalties(losses.size());
  Epochs run = problem.epochs(3, lr, orders);
  run.losses = losses.data();
  run.penalties = penalties.data();
  check(trainer.run(data, run, epochs, {}).outcome == Outcome::finished, "the run finishes");
  std::vector<double> all = losses;
  const auto add = [&](const auto& numbers) {
    all.insert(all.end(), numbers.begin(), numbers.end());
  };
  add(penalties);
  std::vector<T> flat(static_cast<std::size_t>(net.parameter_count()));
  net.get_parameters(flat.data());
  add(flat);
  Buffer<T> gradient(net.panel_size());
  all.push_back(loss_and_gradient(net, data, gradient.data()).value());
  net.unpack(gradient.data(), flat.data());
  add(flat);
  std::vector<T> Y(static_cast<std::size_t>(shape.N * net.outputs())), dX(problem.X.size());
  check(predict(net, data.X, Y.data()), "inputs are finite");
  add(Y);
  vjp(net, data.X, Problem<T>::rows_of(Y.data(), shape.N, net.outputs()), gradient.data(),
      dX.data());
  net.unpack(gradient.data(), flat.data());
  add(flat);
  add(dX);
  const Evaluation evaluation = evaluate(net, data).value();
  all.push_back(static_cast<double>(evaluation.correct));
  std::vector<T> one(static_cast<std::size_t>(net.outputs()));
  const Rows row = stored ? problem.stored_inputs(1) : problem.inputs(1);
  check(predict(net, row, one.data()), "inputs are finite");
  check(std::memcmp(one.data(), Y.data(), one.size() * sizeof(T)) == 0,
        "a row alone gives the same bits as among others");
  return all;
}

const std::vector<Shape> shapes = {
    {{700, 37, 5}, {"relu", "identity"}, "softmax_cross_entropy", 150, 40},
    {{333, 150, 70, 3}, {"tanh", "gelu", "identity"}, "squared_error", 90, 25, false},
    {{200, 129, 17, 3}, {"leaky_relu", "relu", "softmax"}, "squared_error", 90, 64},
    {{411, 4}, {"identity"}, "softmax_cross_entropy", 60, 60},
    {{1000, 20, 2}, {"relu", "identity"}, "softmax_cross_entropy", 10, 3}, // fewer than threads
};
// Where dense rows are added in blocks, or W is read by rows: many rows, few columns.
const std::vector<Shape> tall = {
    {{40, 33, 5}, {"tanh", "identity"}, "sigmoid_cross_entropy", 700, 300},
    {{64, 50, 10}, {"relu", "identity"}, "softmax_cross_entropy", 730, 200},
};

const std::vector<Optimization> optimizations = {
    {"sgd", {0, 0, 0}, {}}, // passes over rows of W without numbers
    {"sgd", {0, 0, 1e-3}, {}},
    {"sgd", {0, 0, 0}, {{.l1 = 1e-3}, 1, {}, 0}},
    {"sgd", {0, 0, 0}, {{.penalty = 1e-2}, 1, {}, 0}},
    {"sgd", {0.9, 1, 1e-3}, {}},
    {"adam", {0.9, 0.999, 1e-8, 0, 0}, {{.penalty = 1e-2}, 1, {}, 0}},
    {"adamw", {0.9, 0.999, 1e-8, 1e-2, 0}, {}},
    {"rmsprop", {0.99, 1e-8, 0, 0.5, 1}, {}},
    {"adam",
     {0.9, 0.999, 1e-8, 0, 0},
     {{.clip_norm = 0.1, .l1 = 1e-4, .max_norm = 2, .penalty = 1e-3}, 3, {0.3}, 5}},
    {"sgd", {0, 0, 0}, {{.max_norm = 1}, 1, {0.3}, 5}},
};

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

template <class T, class I>
void test_bits() {
  for (const Shape& shape : shapes)
    for (const Optimization& how : optimizations) {
      force_threads(1);
      const auto dense = results_of<T, I>(shape, how, false);
      for (const int threads : {1, 2, 3, 8}) {
        force_threads(threads);
        check(same_bits(results_of<T, I>(shape, how, true), dense), "the bits of dense rows");
      }
    }
  for (const Shape& shape : tall)
    for (const Optimization& how : {optimizations.front(), optimizations[8]}) {
      force_threads(1);
      const auto alone = results_of<T, I>(shape, how, true);
      for (const int threads : {2, 3, 5, 16}) {
        force_threads(threads);
        check(same_bits(results_of<T, I>(shape, how, true), alone),
              "the same bits for any number of threads");
      }
    }
}

// A step on such rows is refused, and changes nothing.
template <class T, class I>
void test_refused_rows() {
  for (const int threads : {1, 2, 5}) {
    force_threads(threads);
    for (int fault = 0; fault < 9; ++fault) {
      SparseProblem<T, I> problem(shapes.front());
      const std::size_t row = 100, number = static_cast<std::size_t>(problem.starts[row]);
      switch (fault) {
      case 0:
        problem.places[number] = 700;
        break;
      case 1:
        problem.places[number] = -1;
        break;
      case 2:
        problem.starts[row] = static_cast<I>(problem.values.size() + 1);
        break;
      case 3:
        problem.starts[row] = -1;
        break;
      case 4:
        problem.starts[row] = std::numeric_limits<I>::max();
        break;
      case 5: // no difference of it and its neighbours is a number of type I
        problem.starts[row] = std::numeric_limits<I>::min();
        break;
      case 6:
        problem.starts[row] = std::numeric_limits<I>::max();
        problem.starts[row + 1] = std::numeric_limits<I>::min();
        break;
      case 7:
        problem.values[number] = std::numeric_limits<T>::quiet_NaN();
        break;
      default:
        problem.values[number] = -std::numeric_limits<T>::infinity();
      }
      const Data data = problem.data(true);
      Network<T>& net = problem.net;
      std::vector<T> before(static_cast<std::size_t>(net.parameter_count())), after(before);
      net.get_parameters(before.data());
      Trainer<T> trainer(net, "adam", {0.9, 0.999, 1e-8, 0, 0});
      check(trainer.step(data, 0.1).outcome == Outcome::refused, "the step is refused");
      net.get_parameters(after.data());
      check(before == after && trainer.progress().steps == 0, "nothing has changed");
      std::vector<T> Y(static_cast<std::size_t>(problem.shape.N * net.outputs()), T(7));
      check(!predict(net, data.X, Y.data(), true) && Y.front() == T(7), "nothing is predicted");
      check(!evaluate(net, data), "nothing is evaluated");
      Buffer<T> gradient(net.panel_size());
      check(!loss_and_gradient(net, data, gradient.data()), "there is no gradient");
    }
  }
}

} // namespace
} // namespace eigenmlp::test

int main() {
  using namespace eigenmlp::test;
  eigenmlp::set_max_threads(16);
  test_bits<float, std::int32_t>();
  test_bits<double, std::int64_t>();
  test_refused_rows<float, std::int64_t>();
  test_refused_rows<double, std::int32_t>();
}
