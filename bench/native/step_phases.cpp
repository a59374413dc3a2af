// Where one thread's time goes in a step of small networks with Adam: the phases one by one, over
// the batch's rows, beside the whole step and what its multiply-adds take at the processor's limit.
//
//   step_phases
//
// Medians of many turns in which the phases follow each other. What remains of the step when they
// are taken away is the call, the choice of threads and the loops around the phases.
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "eigenmlp/trainer.hpp"
#include "measured.hpp"

namespace {
using namespace eigenmlp;
using namespace eigenmlp::bench;

constexpr int turns = 201, calls = 50;
const std::vector<double> adam{0.9, 0.999, 1e-8};

struct Task {
  std::vector<Index> sizes;
  Index rows;
  std::string activation = "relu";
};

// Microseconds of one of so many calls.
template <class Body>
double micros(Body&& body) {
  return 1e6 * seconds(calls, body) / calls;
}

// Multiply-adds of a step, each two operations: forward, dW, and dX but of the first layer. With
// `padded` rows of panels count whole.
double operations(const Task& task, bool padded) {
  double sum = 0;
  for (std::size_t l = 0; l + 1 < task.sizes.size(); ++l) {
    constexpr Index p = panel_width<float>;
    const auto wide = [&](Index n) { return padded ? ceil_div(n, p) * p : n; };
    const auto D = static_cast<double>(task.sizes[l]), K = static_cast<double>(task.sizes[l + 1]);
    const auto D_wide = static_cast<double>(wide(task.sizes[l]));
    const auto K_wide = static_cast<double>(wide(task.sizes[l + 1]));
    sum += 2 * D * K_wide + (l > 0 ? D_wide * K : 0);
  }
  return 2 * sum * static_cast<double>(task.rows);
}

void measure(const Task& task) {
  std::vector<std::string> activations(task.sizes.size() - 1, task.activation);
  activations.back() = "identity";
  Network<float> net(task.sizes, activations, "softmax_cross_entropy", true, 1, false);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> parameters(static_cast<std::size_t>(net.parameter_count()));
  for (float& w : parameters) w = normal(random) / 8;
  net.set_parameters(parameters.data());
  const Index N = task.rows, D = net.inputs();
  std::vector<float> X(static_cast<std::size_t>(N * D));
  for (float& x : X) x = normal(random);
  std::vector<std::int64_t> labels(static_cast<std::size_t>(N)), order = labels;
  for (Index i = 0; i < N; ++i) {
    labels[static_cast<std::size_t>(i)] = i % net.outputs();
    order[static_cast<std::size_t>(i)] = (i * 7 + 3) % N;
  }
  Data data;
  data.X = {X.data(), Scalar::float32, N, D, D * Index{sizeof(float)}, sizeof(float)};
  data.labels = labels.data();

  Batch<float> batch;
  batch.reserve(net, N);
  batch.trains = true;
  const Blocks blocks = blocks_of(net, N);
  const Team alone{0, 1, nullptr};
  Buffer<float> gradient(net.panel_size());
  Trainer<float> trainer(net, "adam", adam, {});
  const auto divisor = static_cast<double>(N);
  std::vector<double> gather, forward, loss, backward, weights, step, limits;
  for (int i = 0; i < turns; ++i) {
    limits.push_back(fma_limit<float>());
    gather.push_back(
        micros([&] { gather_batch(net, data, order.data(), 0, 0, N, divisor, batch); }));
    forward.push_back(micros([&] { forward_batch<float>(net, batch, 0, N); }));
    loss.push_back(micros([&] { loss_rows<float>(net, batch, true, 0, N); }));
    backward.push_back(micros([&] {
      backward_output<float>(net, batch, 0, N);
      backward_rows<float>(net, batch, 0, N);
    }));
    weights.push_back(
        micros([&] { gradient_share<float>(net, batch, blocks, alone, true, gradient.data()); }));
    step.push_back(micros([&] { trainer.step(data, 1e-6); }));
  }
  const double whole = median(step), limit = median(limits) * 1e-6; // operations a microsecond
  double rest = whole;
  std::string title;
  for (const Index size : task.sizes) title += (title.empty() ? "" : "-") + std::to_string(size);
  std::printf("| %s b%ld | %.1f |", title.c_str(), static_cast<long>(N), whole);
  for (const auto* phase : {&gather, &forward, &loss, &backward, &weights}) {
    rest -= median(*phase);
    std::printf(" %.1f |", median(*phase));
  }
  std::printf(" %.1f | %.1f | %.1f |\n", rest, operations(task, true) / limit,
              operations(task, false) / limit);
}
} // namespace

int main() {
  set_max_threads(1);
  std::printf("| network, microseconds | step | gather | forward | loss | back | dW | update and "
              "rest | products at the limit | the same without padding |\n"
              "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const Task& task :
       {Task{{64, 50, 10}, 100}, Task{{30, 100, 100, 2}, 200}, Task{{17, 64, 64, 6}, 256},
        Task{{20, 100, 2}, 200}, Task{{2, 3, 2}, 32, "tanh"}, Task{{784, 128, 10}, 64}})
    measure(task);
}
