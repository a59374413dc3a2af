// Forward mode: how outputs move when the parameters move along V and the inputs along RX.
//
//   RZ = RX · W + X · V,   RY = f'(Z) ⊙ RZ        (the bias moves with row D of V)
//
// R{·} is the derivative along the direction, as in Pearlmutter, Fast exact multiplication by the
// Hessian (Neural Computation 6, 1994).
#pragma once

#include "eigenmlp/passes/gradient.hpp"
#include "eigenmlp/passes/inference.hpp"

namespace eigenmlp {

// A direction in parameter space, laid out as the parameters are: in `layers()`, W is V, and Wᵀ
// is Vᵀ (null in the first layer, and unless the backward pass needs it).
template <class T>
class Direction {
public:
  Direction() = default;
  Direction(const Network<T>& net, const T* flat, bool backward) { set(net, flat, backward); }

  void set(const Network<T>& net, const T* flat, bool backward) {
    if (layers_.empty()) reserve(net, backward);
    net.pack(flat, V_.data());
    for (const auto& layer : layers_)
      if (layer.Wt.data) refresh_blocks(layer);
  }
  const std::vector<Layer<T>>& layers() const { return layers_; }

private:
  [[gnu::cold]] void reserve(const Network<T>& net, bool backward) {
    if (net.rounds())
      throw std::invalid_argument("expected a network that does not round: it has no derivatives");
    V_.reset(net.panel_size());
    Index size = 0;
    for (const auto& layer : net.layers())
      if (backward && layer.Wt.data) size += layer.input_panels() * layer.Wt.panel;
    Vt_.reset(size);
    layers_ = net.layers();
    T* vt = Vt_.data();
    for (auto& layer : layers_) {
      layer.W = net.like_W(layer, V_.data());
      layer.last_Wt.data = nullptr; // the network's, not V's
      if (!backward) layer.Wt.data = nullptr;
      if (!layer.Wt.data) continue;
      layer.Wt.data = vt;
      vt += layer.input_panels() * layer.Wt.panel;
    }
  }

  std::vector<Layer<T>> layers_;
  Buffer<T> V_, Vt_;
};

// Beside a Batch: the derivatives of its Y, Z and (for second derivatives) dY along a direction.
template <class T>
struct Tangent {
  std::vector<Panels<T>> RY, RZ, RdY;

  [[gnu::noinline]] void reserve(const Network<T>& net, Index rows, bool backward) {
    const std::size_t L = net.layers().size();
    const Index panel = panel_stride<T>(rows);
    Index panels = panel_count<T>(net.inputs());
    for (const auto& layer : net.layers()) panels += (backward ? 3 : 2) * layer.output_panels();
    buffer_.reset(panels * panel);
    T* next = buffer_.data();
    const auto place = [&](std::vector<Panels<T>>& to, std::size_t l, Index count) {
      to.resize(L + 1);
      to[l] = {next, panel};
      next += count * panel;
    };
    place(RY, 0, panel_count<T>(net.inputs()));
    for (std::size_t l = 1; l <= L; ++l) {
      const Index count = net.layers()[l - 1].output_panels();
      place(RY, l, count);
      place(RZ, l, count);
      if (backward) place(RdY, l, count);
    }
  }

private:
  Buffer<T> buffer_;
};

namespace detail {
inline constexpr auto nothing_to_do = [](Index, Index) {};
} // namespace detail

// RY of layer l (from 1) for rows begin … end - 1, whose Y is there; a softmax is left to do. No
// direction: the parameters stay. `moves`: RY of the layer below is not zero.
template <class T>
void tangent_layer(const Network<T>& net, const Batch<T>& batch, const Direction<T>* direction,
                   const Tangent<T>& tangent, bool moves, std::size_t l, Index begin, Index end) {
  const Layer<T>& layer = net.layers()[l - 1];
  const Activation<T>& f = *layer.activation;
  const Index rows = end - begin, panels = layer.output_panels();
  const auto from = [&](const Panels<T>& A) { return Panels<T>{A.at(begin, 0), A.panel}; };
  const Panels<T> X = from(batch.Y[l - 1]), RX = from(tangent.RY[l - 1]);
  const Panels<T> RZ = from(tangent.RZ[l]), RY = from(tangent.RY[l]);
  if (direction) {
    const Layer<T>& V = direction->layers()[l - 1];
    multiply<T>(rows, layer.D, panels, X, V.W, V.bias(), V.W.panel, RZ, detail::nothing_to_do);
  }
  if (moves)
    multiply<T>(rows, layer.D, panels, RX, layer.W, direction ? RZ.data : zero_row<T>(), 0, RZ,
                detail::nothing_to_do);
  const Index n = rows * panel_width<T>;
  for (Index c = 0; c < panels; ++c) {
    Run<T>(RY.at(0, c), n) = Run<T>(RZ.at(0, c), n);
    if (f.backward)
      f.backward(RY.at(0, c), batch.Y[l].at(begin, c),
                 f.needs_z ? batch.Z[l].at(begin, c) : nullptr, n, layer.parameters.data());
  }
}

// Y and RY of all layers for rows begin … end - 1, from Y[0], and from RY[0] if the inputs move.
template <class T>
void tangent_rows(const Network<T>& net, const Batch<T>& batch, const Direction<T>* direction,
                  const Tangent<T>& tangent, bool inputs_move, Index begin, Index end) {
  const std::size_t L = net.layers().size();
  for (std::size_t l = 1; l <= L; ++l) {
    forward_layer(net, batch.Y, batch.Z, l, {begin, end, 0, net.layers()[l - 1].output_panels()});
    if (l == L) forward_softmax(net, batch.Y, begin, end);
    tangent_layer(net, batch, direction, tangent, inputs_move || l > 1, l, begin, end);
  }
  // The softmax's Jacobian is symmetric, so that of its backward pass is that of its tangent.
  if (net.layers().back().activation->is_softmax)
    Softmax::backward<T>(tangent.RY[L], batch.Y[L], net.outputs(), begin, end);
}

// Calls body(thread, first, rows) for chunks of `chunk` rows or less, shared by `threads` threads.
template <class Body>
void for_each_row_chunk(Index N, Index chunk, int threads, Body&& body) {
  const Index chunks = ceil_div(N, chunk);
  in_parallel(threads, [&](const Team& team) {
    for (Index i = team.begin(chunks); i < team.end(chunks); ++i) {
      const Index first = share_begin(N, chunks, i);
      body(static_cast<std::size_t>(team.index), first, share_begin(N, chunks, i + 1) - first);
    }
  });
}

// Rows of a chunk, and threads worth their while, for passes that cost so many forward passes.
template <class T>
std::pair<Index, int> chunks_of(const Network<T>& net, Index N, double passes) {
  const Index chunk = std::min<Index>({N, 128, chunk_rows(net)});
  const double P = static_cast<double>(net.parameter_count());
  const double work = 2.0 * passes * P * static_cast<double>(N);
  return {chunk, threads_for(as_float32<T>(work), 0, 2, ceil_div(N, chunk))};
}

// Y (N, K) and its derivative dY along dX (N, D; data null: the inputs stay) and along a direction
// (P,) of the parameters (null: they stay). False if a number is not finite; of no use if
// interrupted.
template <class T>
bool jvp(const Network<T>& net, const Rows& X, const Rows& dX, const T* d_parameters, T* Y, T* dY,
         Interruption* interruption = nullptr) {
  const std::shared_lock lock(net.mutex());
  Direction<T> direction;
  if (d_parameters) direction.set(net, d_parameters, false);
  const auto [chunk, threads] = chunks_of(net, X.rows, 3);
  std::vector<Batch<T>> batches(static_cast<std::size_t>(threads));
  std::vector<Tangent<T>> tangents(batches.size());
  for (auto& batch : batches) batch.reserve(net, chunk);
  for (auto& tangent : tangents) tangent.reserve(net, chunk, false);
  std::atomic<bool> finite{true};
  for_each_row_chunk(X.rows, chunk, threads, [&](std::size_t thread, Index first, Index rows) {
    if (stops(interruption)) return;
    const Batch<T>& batch = batches[thread];
    const Tangent<T>& tangent = tangents[thread];
    bool good = gather_rows<T>(X, nullptr, first, rows, net.units().inputs(), batch.Y[0], 0);
    if (dX.data)
      good &=
          gather_rows<T>(dX, nullptr, first, rows, net.units().input_slopes(), tangent.RY[0], 0);
    if (!good) finite = false;
    tangent_rows(net, batch, d_parameters ? &direction : nullptr, tangent, dX.data != nullptr, 0,
                 rows);
    const Index K = net.outputs();
    net.to_units(batch.Y.back(), 0, rows);
    scatter_rows<T>(batch.Y.back(), 0, rows, K, Y + first * K, K);
    scatter_rows<T>(tangent.RY.back(), 0, rows, K, dY + first * K, K, net.units().output_slopes());
  });
  return finite;
}

} // namespace eigenmlp
