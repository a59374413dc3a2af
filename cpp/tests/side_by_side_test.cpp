// Several networks of one shape side by side: the bits of each alone, and what they do not do.
#include "eigenmlp/step/side_by_side.hpp"

#include <memory>

#include "check.hpp"
#include "eigenmlp/many.hpp"
#include "problem.hpp"

namespace eigenmlp::test {
namespace {

struct Case {
  Shape shape;
  const char* optimizer;
  std::vector<double> hyper;
  double l1 = 0;
  bool weighs = false; // rows by weights of their own
};

const std::vector<double> lr{0.03};
constexpr Index epochs = 3;

// `count` networks of one shape, and what their runs need. With `own_rows` each has a shuffle of
// its own.
template <class T>
struct Several {
  Problem<T> first;
  std::vector<double> weights;
  std::vector<std::unique_ptr<Network<T>>> nets;
  std::vector<std::unique_ptr<Trainer<T>>> trainers;
  std::vector<std::vector<EpochResult>> results;
  std::vector<std::vector<double>> losses;
  std::vector<std::vector<std::int64_t>> orders;
  std::vector<Fit<T>> fits;

  Several(const Case& is, std::size_t count, bool own_rows) : first(is.shape) {
    const Shape& s = is.shape;
    std::mt19937 random(5);
    std::uniform_real_distribution<T> uniform(-1, 1);
    for (Index n = 0; is.weighs && n < s.N; ++n) weights.push_back(n % 3 == 0 ? 0.5 : 2.0);
    const Epochs what{epochs, s.batch_size, nullptr, lr};
    for (std::size_t i = 0; i < count; ++i) {
      nets.push_back(
          std::make_unique<Network<T>>(s.sizes, s.activations, s.loss, s.bias, T(1), s.rounds));
      std::vector<T> flat(static_cast<std::size_t>(nets[i]->parameter_count()));
      for (T& w : flat) w = uniform(random) / T(2);
      nets[i]->set_parameters(flat.data());
      Settings settings;
      settings.limits.l1 = is.l1;
      trainers.push_back(std::make_unique<Trainer<T>>(*nets[i], is.optimizer, is.hyper, settings));
      results.emplace_back(static_cast<std::size_t>(epochs));
      losses.emplace_back(static_cast<std::size_t>(what.batches_of(s.N) * epochs));
      orders.emplace_back();
      for (Index e = 0; e < epochs * s.N; ++e)
        orders[i].push_back((e * 11 + (own_rows ? static_cast<Index>(i) : 0)) % s.N);
    }
    for (std::size_t i = 0; i < count; ++i) {
      fits.push_back({trainers[i].get(), what, results[i]});
      fits[i].epochs.order = orders[own_rows ? i : 0].data();
      fits[i].epochs.losses = losses[i].data();
    }
  }
  Data data() const {
    Data data = first.data();
    if (!weights.empty()) data.weights = weights.data();
    return data;
  }
  // Parameters and the optimizer's memory.
  std::vector<T> numbers(std::size_t i) const {
    std::vector<T> flat(static_cast<std::size_t>(nets[i]->parameter_count())), all;
    nets[i]->get_parameters(flat.data());
    all = flat;
    for (std::size_t s = 0; s < trainers[i]->states_used(); ++s) {
      trainers[i]->get_state(s, flat.data());
      all.insert(all.end(), flat.begin(), flat.end());
    }
    return all;
  }
  void run_alone() {
    for (const Fit<T>& fit : fits)
      check(fit.trainer->run(data(), fit.epochs, fit.results, {}).outcome == Outcome::finished,
            "alone");
  }
};

template <class T>
bool same(const Several<T>& a, const Several<T>& b) {
  for (std::size_t i = 0; i < a.nets.size(); ++i) {
    const auto x = a.numbers(i), y = b.numbers(i);
    if (std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) != 0) return false;
    if (a.losses[i] != b.losses[i]) return false;
    if (a.trainers[i]->progress().steps != b.trainers[i]->progress().steps) return false;
    for (std::size_t e = 0; e < epochs; ++e)
      if (a.results[i][e].loss != b.results[i][e].loss ||
          a.results[i][e].correct != b.results[i][e].correct)
        return false;
  }
  return true;
}

const std::vector<double> adam{0.9, 0.999, 1e-8}, sgd{0.9, 0};
const std::vector<Case> cases{
    {{{2, 3, 2}, {"tanh", "identity"}, "softmax_cross_entropy", 70, 32}, "adam", adam},
    // Blocks of rows, and a last batch that is smaller.
    {{{3, 8, 5, 4}, {"gelu", "relu", "identity"}, "softmax_cross_entropy", 450, 200}, "adam", adam},
    {{{20, 18, 17}, {"silu", "identity"}, "softmax_cross_entropy", 65, 33}, "sgd", sgd, 0.01},
    {{{4, 9, 33}, {"relu", "identity"}, "softmax_cross_entropy", 40, 20}, "sgd", sgd},
    {{{4, 5, 3},
      {"elu(alpha=0.5)", "identity"},
      "softmax_cross_entropy(label_smoothing=0.1)",
      60,
      25},
     "adam",
     adam,
     0,
     true},
    {{{2, 6, 1}, {"softplus", "identity"}, "squared_error", 60, 32}, "rmsprop", {0.99, 1e-8}},
    {{{2, 3, 18}, {"leaky_relu", "gelu"}, "huber(delta=0.3)", 60, 32}, "adam", adam, 0, true},
    {{{5, 4, 2}, {"sigmoid", "softmax"}, "squared_error", 60, 32}, "adamw", adam},
    {{{5, 1}, {"identity"}, "sigmoid_cross_entropy(reduction='sum')", 50, 16}, "sgd", sgd, 0.002},
    {{{3, 7, 2}, {"tanh", "identity"}, "absolute_error", 60, 60, false}, "adam", adam},
    // The last columns of products forward and back added along the sum (narrow.hpp).
    {{{3, 50, 40, 1}, {"relu", "tanh", "identity"}, "squared_error", 130, 65}, "adam", adam},
    {{{40, 18, 2}, {"sigmoid", "identity"}, "softmax_cross_entropy", 60, 25}, "sgd", sgd},
};

template <class T>
void test_bits() {
  for (const Case& is : cases)
    for (const bool own_rows : {false, true})
      for (const std::size_t count :
           {std::size_t{1}, std::size_t{5}, static_cast<std::size_t>(SideBySide<T>::most)}) {
        Several<T> alone(is, count, own_rows), beside(is, count, own_rows);
        alone.run_alone();
        std::vector<RunResult> done(count);
        const Data data = beside.data();
        for (const Fit<T>& fit : beside.fits)
          check(SideBySide<T>::suits(fit, data) && SideBySide<T>::alike(beside.fits[0], fit),
                "they can");
        check(SideBySide<T>::run(data, beside.fits, {}, done), "they do");
        check(done.back().epochs == epochs && done.back().outcome == Outcome::finished, "all");
        check(same(alone, beside), "the bits of each alone");
      }
}

// A loss that is not finite, a parameter that becomes so, and data that are not: nothing changes.
void test_trouble() {
  for (const int trouble : {0, 1, 2}) {
    Several<float> several(cases.front(), 5, true);
    const auto before = several.numbers(1);
    std::vector<float> flat(static_cast<std::size_t>(several.nets[3]->parameter_count()));
    flat.end()[-2] = 3e38F, flat.end()[-1] = -3e38F; // logits too far apart
    const std::vector<double> far{1e39};
    if (trouble == 0) several.nets[3]->set_parameters(flat.data());
    for (Fit<float>& fit : several.fits)
      if (trouble == 1) fit.epochs.learning_rates = far;
    if (trouble == 2) several.first.labels.back() = 7;
    std::vector<RunResult> done(5);
    check(!SideBySide<float>::run(several.data(), several.fits, {}, done), "told to go alone");
    check(several.numbers(1) == before && several.trainers[1]->progress().steps == 0,
          "as it was before");
  }
}

void test_who_cannot() {
  Several<float> several(cases.front(), 2, true);
  const Data data = several.data();
  const Network<float>& net = *several.nets[0];
  const auto with = [&](auto&& set) {
    Settings settings;
    set(settings);
    Network<float> own(several.first.shape.sizes, several.first.shape.activations,
                       several.first.shape.loss, true, 1);
    Trainer<float> trainer(own, "adam", adam, settings);
    Fit<float> fit = several.fits[1];
    fit.trainer = &trainer;
    return SideBySide<float>::suits(fit, data) && SideBySide<float>::alike(several.fits[0], fit);
  };
  check(with([](Settings&) {}), "this one can");
  check(!with([](Settings& s) { s.limits.clip_norm = 1; }), "the norm is of all layers");
  check(!with([](Settings& s) { s.limits.max_norm = 1; }), "of a whole column");
  check(!with([](Settings& s) { s.limits.penalty = 1; }), "a penalty is a sum over tiles");
  check(!with([](Settings& s) { s.limits.l1 = 1; }), "another rule");
  check(!with([](Settings& s) { s.accumulate = 2; }), "gathers");
  check(!with([](Settings& s) { s.dropout = {0.5}; }), "masks");
  Fit<float> other = several.fits[1];
  other.epochs.batch_size = 31;
  check(!SideBySide<float>::alike(several.fits[0], other), "another batch size");
  Buffer<float> gradient(net.panel_size());
  several.trainers[1]->apply(gradient.data(), 0.1);
  check(!SideBySide<float>::alike(several.fits[0], several.fits[1]), "another number of steps");
}

void test_when_it_pays() {
  using Floats = SideBySide<float>;
  constexpr Index p = Floats::most;
  check(!Floats::pays(17, 32, 1), "one is alone");
  check(Floats::pays(17, 32, p) && !Floats::pays(1'000'000, 32, p), "tiny ones only");
  check(Floats::at_once(17, 32, 4 * p, 2) == p, "full lanes");
  check(Floats::at_once(17, 32, p + 1, 1) == ceil_div(p + 1, 2), "even packs");
  check(Floats::at_once(17, 32, p, p) == 1, "a thread for each");
}

// fit_many takes them so by itself, and what diverges is told by its own run.
void test_many() {
  for (const int threads : {1, 2, 3}) {
    set_max_threads(1);
    Several<float> alone(cases.front(), 40, true);
    alone.run_alone();
    set_max_threads(threads);
    Several<float> many(cases.front(), 40, true);
    const auto done = fit_many(many.data(), many.fits);
    for (const RunResult& one : done) check(one.epochs == epochs, "all of it");
    check(same(alone, many), "the bits of each alone");

    Several<float> bad(cases.front(), 40, true);
    std::vector<float> flat(static_cast<std::size_t>(bad.nets[3]->parameter_count()));
    flat.end()[-2] = 3e38F, flat.end()[-1] = -3e38F;
    bad.nets[3]->set_parameters(flat.data());
    const auto told = fit_many(bad.data(), bad.fits);
    check(told[3].outcome == Outcome::diverged && told[3].epochs == 0, "this one");
    check(told[2].outcome == Outcome::finished && told[39].epochs == epochs, "not the others");
  }
}

// The question ends all between two steps, and what they have is what they had after so many.
void test_stop() {
  Case is = cases.front();
  is.shape.N = 4000;
  Several<float> several(is, 5, true);
  for (Fit<float>& fit : several.fits) {
    fit.epochs.count = 1 << 20;
    fit.epochs.order = nullptr;
    fit.epochs.losses = nullptr;
  }
  std::vector<std::vector<EpochResult>> room(5, std::vector<EpochResult>(1 << 20));
  for (std::size_t i = 0; i < 5; ++i) several.fits[i].results = room[i];
  std::vector<RunResult> done(5);
  int asked = 0;
  check(SideBySide<float>::run(
            several.data(), several.fits, [&] { return ++asked == 2; }, done),
        "they ran");
  for (std::size_t i = 0; i < 5; ++i)
    check(done[i].outcome == Outcome::interrupted && done[i].steps > 0 &&
              several.trainers[i]->progress().steps == done[i].steps,
          "interrupted after so many steps");
  check(asked == 2, "asked no more");
}

} // namespace
} // namespace eigenmlp::test

int main() {
  using namespace eigenmlp::test;
  eigenmlp::set_max_threads(1);
  test_bits<float>();
  test_bits<double>();
  test_trouble();
  test_who_cannot();
  test_when_it_pays();
  test_stop();
  test_many();
}
