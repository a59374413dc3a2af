// Σ W² of a network, kept up to date by the updates that change W: one number a tile of p × p
// weights, added in an order that only the shapes set.
#pragma once

#include <vector>

#include "eigenmlp/step/weights_phase.hpp"

namespace eigenmlp {

template <class T>
class WeightSquares {
public:
  explicit WeightSquares(const Network<T>& net) : net_(net) {
    Index size = 0;
    for (const auto& layer : net.layers()) size += layer.input_panels() * layer.output_panels();
    tiles_.reset(size);
    double* at = tiles_.data();
    for (const auto& layer : net.layers()) {
      layers_.push_back(at);
      at += layer.input_panels() * layer.output_panels();
    }
  }

  // What `Rule::squares` is to point to.
  double* const* layers() const { return layers_.data(); }

  // From the weights as they are.
  void renew() {
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const Layer<T>& layer = net_.layers()[l];
      for (Index k = 0; k < layer.output_panels(); ++k)
        square_tiles(layer, 0, layer.D, k, layers_[l]);
    }
  }

  // Aligned: Eigen would begin a sum where an address is, and its order would follow that.
  double sum() const { return ConstRun<double>(tiles_.data(), tiles_.size()).sum(); }

private:
  const Network<T>& net_;
  Buffer<double> tiles_;
  std::vector<double*> layers_;
};

} // namespace eigenmlp
