// Trains 64-25-10, 64-50-10 and 64-100-10 on handwritten digits, at once, and prints the accuracy
// on the last 360 of them.
//
//   digits FILE.csv    a row: 64 pixels from 0 to 16, then the digit
#include <eigenmlp/inference.hpp>
#include <eigenmlp/many.hpp>
#include <eigenmlp/trainer.hpp>

#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>

using eigenmlp::Index;

struct Digits {
  std::vector<float> pixels;        // (N, 64)
  std::vector<std::int64_t> labels; // (N,)

  // `count` rows from `first`, as the library wants to see them.
  eigenmlp::Data rows(Index first, Index count) const {
    eigenmlp::Data data;
    data.X = {pixels.data() + first * 64,
              eigenmlp::Scalar::float32,
              count,
              64,
              64 * sizeof(float),
              sizeof(float)};
    data.labels = labels.data() + first;
    return data;
  }
};

Digits read_csv(const char* path) {
  Digits digits;
  std::ifstream file(path);
  for (std::string line, cell; std::getline(file, line);) {
    std::istringstream cells(line);
    for (int i = 0; i < 64 && std::getline(cells, cell, ','); ++i)
      digits.pixels.push_back(std::stof(cell));
    std::getline(cells, cell);
    digits.labels.push_back(std::stoi(cell));
  }
  return digits;
}

using Network = eigenmlp::Network<float>;

// 64-hidden-10 with He's initial weights, N(0, 2 / inputs), and zero biases.
std::unique_ptr<Network> new_network(Index hidden, std::mt19937& random) {
  const std::vector<Index> sizes = {64, hidden, 10};
  const std::vector<std::string> activations = {"relu", "identity"};
  auto net = std::make_unique<Network>(sizes, activations, "softmax_cross_entropy", /*bias=*/true,
                                       /*input_scale=*/1 / 16.0f);
  std::vector<float> parameters; // in the order W0, b0, W1, b1
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    std::normal_distribution<float> normal(0, std::sqrt(2 / static_cast<float>(sizes[l])));
    for (Index i = 0; i < sizes[l] * sizes[l + 1]; ++i) parameters.push_back(normal(random));
    parameters.resize(parameters.size() + static_cast<std::size_t>(sizes[l + 1]));
  }
  net->set_parameters(parameters.data());
  return net;
}

int main(int count, char** arguments) {
  const Digits digits = count == 2 ? read_csv(arguments[1]) : Digits{};
  const Index N = static_cast<Index>(digits.labels.size()), tests = 360, trained = N - tests;
  if (trained < 1) return std::fprintf(stderr, "usage: digits FILE.csv (over 360 rows)\n"), 2;
  std::mt19937 random(0);

  // 20 epochs in batches of 32, each epoch in an order of its own.
  const Index epochs = 20;
  std::vector<std::int64_t> order;
  for (Index e = 0; e < epochs; ++e) {
    for (Index i = 0; i < trained; ++i) order.push_back(i);
    std::shuffle(order.end() - trained, order.end(), random);
  }
  const std::vector<double> learning_rate = {0.05};

  // Three networks at once, one thread each. `trainers[i].run(…)` would train one with all threads,
  // to the same bits.
  std::vector<std::unique_ptr<Network>> nets;
  std::vector<std::unique_ptr<eigenmlp::Trainer<float>>> trainers;
  std::vector<std::vector<eigenmlp::EpochResult>> results;
  std::vector<eigenmlp::Fit<float>> fits;
  for (const Index hidden : {25, 50, 100}) {
    nets.push_back(new_network(hidden, random));
    trainers.push_back(std::make_unique<eigenmlp::Trainer<float>>(*nets.back(), "sgd",
                                                                  std::vector{/*momentum=*/0.9}));
    results.emplace_back(epochs); // the epochs' memory stays where it is when `results` grows
    fits.push_back(
        {trainers.back().get(), {epochs, 32, order.data(), learning_rate}, results.back()});
  }
  eigenmlp::fit_many(digits.rows(0, trained), fits);

  for (std::size_t i = 0; i < nets.size(); ++i) {
    const auto test = eigenmlp::evaluate(*nets[i], digits.rows(trained, tests)).value();
    std::printf("%lld hidden units: loss %.4f, test accuracy %.4f\n",
                static_cast<long long>(nets[i]->layers()[0].K), results[i].back().loss,
                static_cast<double>(test.correct) / tests);
  }
}
