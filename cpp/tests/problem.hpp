// A network with seeded weights, and seeded data for it.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "eigenmlp/trainer.hpp"

namespace eigenmlp::test {

struct Shape {
  std::vector<Index> sizes;
  std::vector<std::string> activations;
  std::string loss;
  Index N, batch_size;
  bool bias = true;
  bool rounds = false; // operands to bfloat16
};

template <class T>
struct Problem {
  Network<T> net;
  Shape shape;
  std::vector<T> X, targets; // (N, D), (N, K)
  std::vector<std::int64_t> labels, order;

  explicit Problem(const Shape& s)
      : net(s.sizes, s.activations, s.loss, s.bias, T(1), s.rounds), shape(s) {
    std::mt19937 random(1);
    std::uniform_real_distribution<T> uniform(-1, 1), positive(0, 1);
    const Index N = s.N, D = net.inputs(), K = net.outputs();
    std::vector<T> parameters(static_cast<std::size_t>(net.parameter_count()));
    for (T& w : parameters) w = uniform(random) / T(4);
    net.set_parameters(parameters.data());
    X.resize(static_cast<std::size_t>(N * D));
    for (T& x : X) x = uniform(random);
    if (net.loss().takes_labels) {
      for (Index i = 0; i < N; ++i) labels.push_back(static_cast<std::int64_t>(random() % K));
    } else {
      targets.resize(static_cast<std::size_t>(N * K));
      for (T& t : targets) t = positive(random);
    }
    for (Index i = 0; i < N; ++i) order.push_back((i * 7 + 3) % N);
  }

  static Rows rows_of(const T* x, Index rows, Index columns) {
    constexpr auto size = static_cast<Index>(sizeof(T));
    return {x, size == 4 ? Scalar::float32 : Scalar::float64, rows, columns, columns * size, size};
  }
  Rows inputs(Index rows) const { return rows_of(X.data(), rows, net.inputs()); }
  Data data() const {
    Data data{inputs(shape.N), nullptr, {}, nullptr};
    if (labels.empty())
      data.T = rows_of(targets.data(), shape.N, net.outputs());
    else
      data.labels = labels.data();
    return data;
  }
  // The same shuffle in every epoch; `orders` lives as long as the result.
  Epochs epochs(Index count, std::span<const double> lr, std::vector<std::int64_t>& orders) const {
    for (Index i = 0; i < count; ++i) orders.insert(orders.end(), order.begin(), order.end());
    return {count, shape.batch_size, orders.data(), lr};
  }
};

} // namespace eigenmlp::test
