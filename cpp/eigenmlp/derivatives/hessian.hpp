// Second derivatives of the loss by the parameters: the derivative of the gradient along a
// direction V, by the forward mode through the backward pass (Pearlmutter, Fast exact
// multiplication by the Hessian, Neural Computation 6, 1994). With tangent.hpp's R{·}:
//
//   RdZ = RdY ⊙ f'(Z) + dY ⊙ f''(Z) ⊙ RZ
//   RdX = RdZ · Wᵀ + dZ · Vᵀ
//   RdW = Xᵀ · RdZ + RXᵀ · dZ
#pragma once

#include "eigenmlp/derivatives/tangent.hpp"

namespace eigenmlp {

// Memory of a team that computes products with the Hessian.
template <class T>
struct SecondOrder {
  Batch<T> batch;
  Tangent<T> tangent;
  Buffer<T> sum;            // laid out like the parameters
  bool interrupted = false; // written by thread 0, between two barriers
  // False if interrupted: a system may take 100 ms to give 100 MB for the first time.
  bool reserve(const Network<T>& net, Index rows, Interruption* interruption) {
    batch.reserve(net, rows);
    if (stops(interruption)) return false;
    tangent.reserve(net, rows, true);
    sum.reset(net.panel_size());
    return !stops(interruption);
  }
};

namespace detail {
// For n scalars of a panel of a layer's outputs: RdY → RdZ and dY → dZ.
template <class T>
void second_backward(const Layer<T>& layer, T* dY, T* RdY, const T* Y, const T* Z, T* RZ, Index n) {
  const Activation<T>& f = *layer.activation;
  const T* parameters = layer.parameters.data();
  if (!f.backward) return; // the identity
  f.backward(RdY, Y, Z, n, parameters);
  Run<T>(RZ, n) *= Run<T>(dY, n);
  f.second(RZ, Y, Z, n, parameters);
  Run<T>(RdY, n) += Run<T>(RZ, n);
  f.backward(dY, Y, Z, n, parameters);
}

// dZ and RdZ of the last layer from dY and RdY, for rows begin … end - 1.
template <class T>
void second_backward_output(const Network<T>& net, const SecondOrder<T>& memory, Index begin,
                            Index end) {
  const auto& [batch, tangent, sum, interrupted] = memory;
  const std::size_t L = net.layers().size();
  const Layer<T>& last = net.layers().back();
  if (last.activation->is_softmax)
    Softmax::backward_tangent<T>(batch.dY[L], tangent.RdY[L], batch.Y[L], tangent.RY[L], last.K,
                                 begin, end);
  for (Index c = 0; c < last.output_panels(); ++c)
    second_backward<T>(last, batch.dY[L].at(begin, c), tangent.RdY[L].at(begin, c),
                       batch.Y[L].at(begin, c),
                       last.activation->needs_z ? batch.Z[L].at(begin, c) : nullptr,
                       tangent.RZ[L].at(begin, c), (end - begin) * panel_width<T>);
}

// dZ and RdZ of layer l - 1 from those of layer l (l from 2).
template <class T>
void second_backward_layer(const Network<T>& net, const Direction<T>& direction,
                           const SecondOrder<T>& memory, std::size_t l, Index begin, Index end) {
  const auto& [batch, tangent, sum, interrupted] = memory;
  const Layer<T>& layer = net.layers()[l - 1];
  const Layer<T>& below = net.layers()[l - 2];
  const Index rows = end - begin, panels = layer.input_panels();
  const auto from = [&](const Panels<T>& A) { return Panels<T>{A.at(begin, 0), A.panel}; };
  const Panels<T> dZ = from(batch.dY[l]), dX = from(batch.dY[l - 1]);
  const Panels<T> RdZ = from(tangent.RdY[l]), RdX = from(tangent.RdY[l - 1]);
  const Panels<T> Vt = direction.layers()[l - 1].Wt;
  const auto product = [&](Panels<T> A, Panels<T> B, const T* init, Panels<T> out) {
    multiply<T>(rows, layer.K, panels, A, B, init, 0, out, nothing_to_do);
  };
  product(dZ, layer.Wt, zero_row<T>(), dX);
  product(RdZ, layer.Wt, zero_row<T>(), RdX);
  product(dZ, Vt, RdX.data, RdX);
  for (Index c = 0; c < panels; ++c)
    second_backward<T>(below, dX.at(0, c), RdX.at(0, c), batch.Y[l - 1].at(begin, c),
                       below.activation->needs_z ? batch.Z[l - 1].at(begin, c) : nullptr,
                       tangent.RZ[l - 1].at(begin, c), rows * panel_width<T>);
}

// Forward and back through all layers, with tangents, for rows begin … end - 1 of the block that
// starts at row `first`. False if a number is not finite or a label no class, or if interrupted.
template <class T>
bool second_rows(const Network<T>& net, const Data& data, const Direction<T>& direction,
                 Index first, Index begin, Index end, double divisor, SecondOrder<T>& memory,
                 Interruption* interruption) {
  Batch<T>& batch = memory.batch;
  auto& tangent = memory.tangent;
  const auto chunk = [&](Index from, Index to) {
    if (!gather_batch(net, data, nullptr, first, from, to - from, divisor, batch)) return false;
    tangent_rows(net, batch, &direction, tangent, false, from, to);
    if (stops(interruption)) return false; // a chunk may take 50 ms
    const bool labels = data.labels != nullptr;
    net.loss().second(rows_for_loss(net, batch, labels, from, to), tangent.RY.back(),
                      tangent.RdY.back());
    weigh_deltas(net, net.units().weights(), tangent.RdY.back(), from, to);
    loss_rows(net, batch, labels, from, to);
    second_backward_output(net, memory, from, to);
    for (std::size_t l = net.layers().size(); l > 1; --l) {
      if (stops(interruption)) return false;
      second_backward_layer(net, direction, memory, l, from, to);
    }
    return true;
  };
  return in_chunks(net, begin, end, chunk, interruption);
}

// RdW and Rdb of a thread's share of the weights, summed over a block's rows, onto memory.sum.
template <class T>
void second_weights(const Network<T>& net, SecondOrder<T>& memory, Index rows, const Team& team,
                    bool from_zero, Interruption* interruption) {
  constexpr Index p = panel_width<T>;
  const auto& batch = memory.batch;
  const auto& tangent = memory.tangent;
  const auto part_of = [](const Panels<T>& A, Index c) { return Panels<T>{A.at(0, c), A.panel}; };
  for_each_share(net, team, false, [&](std::size_t l, const Rectangle& part) {
    const Layer<T>& layer = net.layers()[l];
    const Panels<T> RdW = net.like_W(layer, memory.sum.data());
    for (Index d = part.d; d < part.d_end; d += block_panels)
      for (Index k = part.k; k < part.k_end; k += strip_panels<T>) {
        if (stops(interruption)) return;
        const Index columns = std::min({(d + block_panels) * p, part.d_end * p, layer.D}) - d * p;
        const Index C = std::min(strip_panels<T>, part.k_end - k);
        const Panels<T> dZ = part_of(batch.dY[l + 1], k), RdZ = part_of(tangent.RdY[l + 1], k);
        const Panels<T> out{RdW.at(d * p, k), RdW.panel};
        multiply_transposed<T>(rows, columns, C, part_of(batch.Y[l], d), RdZ, from_zero, out);
        if (l > 0)
          multiply_transposed<T>(rows, columns, C, part_of(tangent.RY[l], d), dZ, false, out);
        if (d == 0 && net.has_bias())
          sum_rows<T>(rows, C, RdZ, from_zero, {RdW.at(layer.D, k), RdW.panel});
      }
  });
}

// H · v into memory.sum, block of rows by block of rows; `good` is shared by the team.
template <class T>
void product_with_hessian(const Network<T>& net, const Data& data, const Direction<T>& direction,
                          const Team& team, SecondOrder<T>& memory, std::atomic<bool>& good,
                          Interruption* interruption) {
  const Index N = data.X.rows;
  const double divisor = batch_divisor(net, data, nullptr, 0, N);
  for (Index first = 0; first < N; first += gradient_block) {
    const Index rows = std::min(gradient_block, N - first);
    if (!second_rows(net, data, direction, first, team.begin(rows), team.end(rows), divisor, memory,
                     interruption))
      good = false;
    if (team.index == 0) memory.interrupted = interruption && interruption->stopped();
    team.wait();
    const bool over = memory.interrupted;
    second_weights(net, memory, rows, team, first == 0, interruption);
    team.wait();
    if (over) return;
  }
}

// H[i, j] and H[j, i] become their mean, in blocks that stay in L1; false if interrupted.
template <class T>
bool symmetrize(T* H, Index P, Interruption* interruption) {
  constexpr Index block = 32;
  for (Index i = 0; i < P; i += block)
    for (Index j = 0; j <= i; j += block) {
      if (stops(interruption)) return false;
      for (Index r = i; r < std::min(i + block, P); ++r)
        for (Index c = j; c < std::min(j + block, r); ++c)
          H[r * P + c] = H[c * P + r] = T(0.5) * H[r * P + c] + T(0.5) * H[c * P + r];
    }
  return true;
}
} // namespace detail

// H · v (P,) for the Hessian H of the loss over all rows. False if a number is not finite or a
// label no class, or if interrupted.
template <class T>
bool hessian_vector_product(const Network<T>& net, const Data& data, const T* v, T* product,
                            Interruption* interruption = nullptr) {
  const std::shared_lock lock(net.mutex());
  if (stops(interruption)) return false; // which starts its clock
  const Direction<T> direction(net, v, true);
  const Index block = std::min(data.X.rows, detail::gradient_block);
  SecondOrder<T> memory;
  if (!memory.reserve(net, block, interruption)) return false;
  const double P = static_cast<double>(net.parameter_count());
  const double work = 18.0 * P * static_cast<double>(block);
  std::atomic<bool> good{true};
  const int threads =
      threads_for(as_float32<T>(work), 3 * lines_exchanged(net, block, false), 3, block);
  in_parallel(threads, [&](const Team& team) {
    detail::product_with_hessian(net, data, direction, team, memory, good, interruption);
  });
  net.unpack(memory.sum.data(), product);
  return good;
}

// H (P, P), column by column; threads share columns. Symmetric to the last bit: each pair is
// replaced by its mean.
template <class T>
bool hessian(const Network<T>& net, const Data& data, T* H, Interruption* interruption = nullptr) {
  const std::shared_lock lock(net.mutex());
  const Index P = net.parameter_count(), block = std::min(data.X.rows, detail::gradient_block);
  const double of_column = 18.0 * static_cast<double>(P) * static_cast<double>(data.X.rows);
  const double work = of_column * static_cast<double>(P);
  const int threads = threads_for(as_float32<T>(work), 0, 2, P);
  std::vector<SecondOrder<T>> memories(static_cast<std::size_t>(threads));
  std::vector<Direction<T>> directions(memories.size());
  Buffer<T> units(P * threads);
  for (auto& memory : memories)
    if (!memory.reserve(net, block, interruption)) return false;
  for (auto& direction : directions) direction.set(net, units.data(), true);
  std::atomic<bool> good{true};
  const bool long_products = of_column > 1e6;
  in_parallel(threads, [&](const Team& team) {
    const auto i = static_cast<std::size_t>(team.index);
    T* unit = units.data() + team.index * P;
    for (Index column = team.begin(P); column < team.end(P) && good; ++column) {
      if (stops(interruption)) good = false;
      unit[column] = T(1);
      directions[i].set(net, unit, true);
      unit[column] = T(0);
      detail::product_with_hessian(net, data, directions[i], Team{0, 1, nullptr}, memories[i], good,
                                   long_products ? interruption : nullptr);
      net.unpack(memories[i].sum.data(), H + column * P);
    }
  });
  return good && detail::symmetrize(H, P, interruption);
}

} // namespace eigenmlp
