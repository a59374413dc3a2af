// Phase 2 of a step, weights: every tile of dW = Xᵀ · dY is summed over the whole batch
// (weight_sums.hpp), and what is to be done with it is done right there. Threads share tiles.
#pragma once

#include "eigenmlp/optimizers/optimizer.hpp"
#include "eigenmlp/step/weight_sums.hpp"

namespace eigenmlp {

// An optimizer with its numbers of this update: what a step needs to know of it.
template <class T>
struct Rule {
  const Optimizer<T>* optimizer;
  std::array<T, most_numbers> numbers;
  std::array<T*, most_states> state;     // laid out like the parameters, or null
  T l1 = 0, l2 = 0, scale = 1, clip = 1; // see final_gradient
  double* const* squares = nullptr; // of each layer, where Σ W² of every tile goes; null: nowhere
  bool rests = false;               // the optimizer leaves alone what has no gradient

  // What the optimizer is given, of a panel's row G of weights (or biases) W:
  // (scale · G + l1 · sign(W) + l2 · W) · clip, without l1 and l2 for biases.
  void final_gradient(const T* G, const T* W, bool weights, T* out) const {
    const T l = weights ? l1 : T(0), decay = weights ? l2 : T(0);
#pragma omp simd
    for (Index j = 0; j < panel_width<T>; ++j) {
      const T sign = W[j] > T(0) ? T(1) : W[j] < T(0) ? T(-1) : T(0);
      out[j] = (scale * G[j] + l * sign + decay * W[j]) * clip;
    }
  }
  // Whether weights without a gradient stay as they are.
  bool skips_zeros() const { return rests && l1 == T(0) && l2 == T(0); }
  bool changes_gradient() const {
    return l1 != T(0) || l2 != T(0) || scale != T(1) || clip != T(1);
  }
};

// Σ W² of the tiles (p rows of one panel) from row d, a multiple of p, of panel k of a layer, in
// to[k · input panels + d / p] and on: sums of their own, so that their total does not depend on
// who computes them.
template <class T>
void square_tiles(const Layer<T>& layer, Index d, Index count, Index k, double* to) {
  constexpr Index p = panel_width<T>;
  for (Index i = d; i < d + count; i += p) {
    Line<T> sum = Line<T>::Zero();
    for (Index r = i; r < std::min(i + p, d + count); ++r) sum += line(layer.W.at(r, k)).square();
    to[k * layer.input_panels() + i / p] = static_cast<double>(sum.sum());
  }
}

template <class T>
std::size_t layer_number(const Network<T>& net, const Layer<T>& layer) {
  return static_cast<std::size_t>(&layer - net.layers().data());
}

// The optimizer's rule on rows d … d + count - 1 of panel k of W (the bias is row D), whose
// gradient is G, which it may change. False if that made one of them infinite.
template <class T>
bool update_rows(const Network<T>& net, const Layer<T>& layer, Index d, Index count, Index k, T* G,
                 const Rule<T>& rule) {
  UpdateRows<T> u{layer.W.at(d, k),       G,           {},
                  count * panel_width<T>, d < layer.D, rule.numbers.data()};
  for (std::size_t i = 0; i < most_states; ++i)
    if (rule.state[i]) u.state[i] = net.like_W(layer, rule.state[i]).at(d, k);
  if (rule.changes_gradient())
    for (Index i = 0; i < u.n; i += panel_width<T>)
      rule.final_gradient(G + i, u.W + i, u.decays, G + i);
  rule.optimizer->update(u);
  if (rule.squares && u.decays)
    square_tiles(layer, d, count, k, rule.squares[layer_number(net, layer)]);
  return (ConstRun<T>(u.W, u.n) * T(0)).sum() == T(0); // Inf · 0 and NaN · 0 are NaN
}

// What update_rows and refresh_blocks read and write from panel d of W's rows and panel k of its
// columns; returns how much of `beside` that is.
template <class T>
std::size_t beside_update(const Network<T>& net, const Layer<T>& layer, Index d, Index k,
                          const Rule<T>& rule, std::array<Beside<T>, most_beside>& beside) {
  constexpr Index p = panel_width<T>;
  static_assert(most_beside >= most_states + 2);
  std::size_t n = 0;
  beside[n++] = {layer.W.at(d * p, k), layer.W.panel, p * p};
  for (T* state : rule.state)
    if (state) beside[n++] = {net.like_W(layer, state).at(d * p, k), layer.W.panel, p * p};
  if (layer.Wt.data) beside[n++] = {layer.Wt.at(k * p, d), p * p, layer.Wt.panel};
  return n;
}

// The optimizer's step on a thread's share of the weights; no gradient is kept. Rows of W that no
// stored number belongs to are passed over where the rule allows. False if that made a weight
// infinite.
template <class T>
bool update_share(const Network<T>& net, const BatchView<T>& batch, const Blocks& blocks,
                  const Team& team, bool by_columns, const Rule<T>& rule) {
  constexpr Index p = panel_width<T>;
  constexpr Index scratch_panel = most_block_panels * p * p;
  alignas(cache_line) T scratch[strip_panels<T> * scratch_panel];
  bool finite = true;
  const bool looks_ahead = !threads_share_blocks(net, blocks);
  const auto update = [&](std::size_t l, const Rectangle& part) {
    const Layer<T>& layer = net.layers()[l];
    sum_rectangle(
        net, batch, l, blocks, part, true,
        [&](Index, Index) { return Panels<T>{scratch, scratch_panel}; },
        [&](Index d, Index k, auto& beside) {
          return looks_ahead ? beside_update(net, layer, d, k, rule, beside) : std::size_t{0};
        },
        [&](Index d, Index count, Index k, Index C, Panels<T> dW) {
          for (Index c = 0; c < C; ++c)
            finite &= update_rows<T>(net, layer, d, count, k + c, dW.at(0, c), rule);
          if (d < layer.D) refresh_blocks(layer, d / p, ceil_div(d + count, p), k, k + C);
        });
  };
  for_each_share(net, team, by_columns, [&](std::size_t l, const Rectangle& part) {
    if (l == 0 && batch.stored && rule.skips_zeros())
      batch.stored.for_each_run(part.d, part.d_end, [&](Index d, Index d_end) {
        update(l, {d, d_end, part.k, part.k_end});
      });
    else
      update(l, part);
  });
  return finite;
}

// A thread's share of the weights, as runs of rows of a panel: body(layer, d, rows, k), d = layer.D
// being the bias.
template <class T, class Body>
void for_each_run(const Network<T>& net, const Team& team, Body&& body) {
  constexpr Index p = panel_width<T>;
  for_each_share(net, team, false, [&](std::size_t l, const Rectangle& part) {
    const Layer<T>& layer = net.layers()[l];
    for (Index k = part.k; k < part.k_end; ++k) {
      for (Index d = part.d; d < part.d_end; d += run_panels) {
        const Index d_end = std::min(d + run_panels, part.d_end);
        body(layer, d * p, std::min(d_end * p, layer.D) - d * p, k);
      }
      if (part.d == 0 && net.has_bias()) body(layer, layer.D, Index{1}, k);
    }
  });
}

// The optimizer's step on a thread's share of the weights, from a gradient that is the sum of
// `parts`, each laid out like the parameters. False if that made a weight infinite.
template <class T>
bool update_share_from(const Network<T>& net, const Team& team, std::span<T* const> parts,
                       const Rule<T>& rule) {
  constexpr Index p = panel_width<T>;
  alignas(cache_line) T G[run_panels * p * p];
  bool finite = true;
  for_each_run(net, team, [&](const Layer<T>& layer, Index d, Index rows, Index k) {
    sum_parts(parts, net.offset(layer, d, k), rows * p, G);
    finite &= update_rows<T>(net, layer, d, rows, k, G, rule);
    if (d < layer.D) refresh_blocks(layer, d / p, ceil_div(d + rows, p), k, k + 1);
  });
  return finite;
}

// Adds the sum of `parts` to a thread's share of a buffer laid out like the parameters, or starts
// it.
template <class T>
void add_share(const Network<T>& net, const Team& team, std::span<T* const> parts, bool from_zero,
               T* gradient) {
  constexpr Index p = panel_width<T>;
  alignas(cache_line) T sum[run_panels * p * p];
  for_each_run(net, team, [&](const Layer<T>& layer, Index d, Index rows, Index k) {
    const Index at = net.offset(layer, d, k), n = rows * p;
    sum_parts(parts, at, n, sum);
    if (!from_zero) Run<T>(sum, n) += Run<T>(gradient + at, n);
    Run<T>(gradient + at, n) = Run<T>(sum, n);
  });
}

// Adds the gradient of some blocks to a buffer laid out like the parameters, or starts it.
template <class T>
void gradient_share(const Network<T>& net, const BatchView<T>& batch, const Blocks& blocks,
                    const Team& team, bool from_zero, T* gradient,
                    Interruption* interruption = nullptr) {
  for_each_share(net, team, false, [&](std::size_t l, const Rectangle& part) {
    const Panels<T> dW = net.like_W(net.layers()[l], gradient);
    sum_rectangle(
        net, batch, l, blocks, part, from_zero,
        [&](Index d, Index k) { return Panels<T>{dW.at(d, k), dW.panel}; },
        [](Index, Index, auto&) { return std::size_t{0}; },
        [](Index, Index, Index, Index, Panels<T>) {}, interruption);
  });
}

} // namespace eigenmlp
