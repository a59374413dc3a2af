// Trains 64-50-10 on handwritten digits and prints the accuracy on the last 360 of them.
//
//   digits FILE.csv    a row: 64 pixels from 0 to 16, then the digit
#include <eigenmlp/inference.hpp>
#include <eigenmlp/trainer.hpp>

#include <cstdio>
#include <fstream>
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

int main(int count, char** arguments) {
  const Digits digits = count == 2 ? read_csv(arguments[1]) : Digits{};
  const Index N = static_cast<Index>(digits.labels.size()), tests = 360, trained = N - tests;
  if (trained < 1) return std::fprintf(stderr, "usage: digits FILE.csv (over 360 rows)\n"), 2;

  const std::vector<Index> sizes = {64, 50, 10};
  eigenmlp::Network<float> net(sizes, {"relu", "identity"}, "softmax_cross_entropy",
                               /*bias=*/true, /*input_scale=*/1 / 16.0f);

  // He's initial weights, N(0, 2 / inputs), and zero biases, in the order W0, b0, W1, b1.
  std::mt19937 random(0);
  std::vector<float> parameters;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    std::normal_distribution<float> normal(0, std::sqrt(2 / static_cast<float>(sizes[l])));
    for (Index i = 0; i < sizes[l] * sizes[l + 1]; ++i) parameters.push_back(normal(random));
    parameters.resize(parameters.size() + static_cast<std::size_t>(sizes[l + 1]));
  }
  net.set_parameters(parameters.data());

  // 20 epochs in batches of 32, each epoch in an order of its own.
  const Index epochs = 20;
  std::vector<std::int64_t> order;
  for (Index e = 0; e < epochs; ++e) {
    for (Index i = 0; i < trained; ++i) order.push_back(i);
    std::shuffle(order.end() - trained, order.end(), random);
  }
  const std::vector<double> learning_rate = {0.05};
  std::vector<eigenmlp::EpochResult> results(epochs);
  eigenmlp::Trainer<float> trainer(net, "sgd", {/*momentum=*/0.9});
  trainer.run(digits.rows(0, trained), {epochs, 32, order.data(), learning_rate}, results, {});

  const auto test = eigenmlp::evaluate(net, digits.rows(trained, tests)).value();
  std::printf("loss %.4f, test accuracy %.4f\n", results.back().loss,
              static_cast<double>(test.correct) / tests);
}
