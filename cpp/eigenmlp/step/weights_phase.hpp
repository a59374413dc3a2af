// Phase 2 of a step, weights: every tile of dW = Xᵀ · dY is summed over the whole batch, and what
// is to be done with it is done right there. Threads share tiles; each element is one sum over the
// rows in their order, whoever computes it.
#pragma once

#include "eigenmlp/optimizers/optimizer.hpp"
#include "eigenmlp/step/blocks.hpp"
#include "eigenmlp/step/columns_phase.hpp"
#include "eigenmlp/step/rows_phase.hpp"

namespace eigenmlp {

// Panels of W's rows that are summed together, so that their inputs stay in L2.
inline constexpr Index block_panels = 8;
inline constexpr Index most_block_panels = block_panels * rounded::most_per_float;

// A rectangle of a layer's W: panels of rows d … d_end - 1, panels of columns k … k_end - 1.
struct Rectangle {
  Index d, d_end, k, k_end;
};

// A thread's part of the weights of all layers, as rectangles: body(layer number, rectangle).
// By columns: of each layer, the columns that it computes in the columns' phase, or rows where
// columns are few. Else tiles are counted through all layers, by rows and then by columns, and
// shared by their cost.
template <class T, class Body>
void for_each_share(const Network<T>& net, const Team& team, bool by_columns, Body&& body) {
  if (by_columns) {
    for (std::size_t l = 0; l < net.layers().size(); ++l) {
      const Index D = net.layers()[l].input_panels(), K = net.layers()[l].output_panels();
      const bool wide = shares_panels(K, team);
      const Rectangle part{wide ? 0 : team.begin(D), wide ? D : team.end(D),
                           wide ? team.begin(K) : 0, wide ? team.end(K) : K};
      if (part.d < part.d_end && part.k < part.k_end) body(l, part);
    }
    return;
  }
  Index total = 0;
  for (const auto& layer : net.layers()) total += layer.input_panels() * layer.output_panels();
  const Index from = team.begin(total);
  const Index to = team.end(total);
  Index before = 0;
  for (std::size_t l = 0; l < net.layers().size(); ++l) {
    const auto& layer = net.layers()[l];
    const Index K = layer.output_panels(), cost = layer.input_panels() * K;
    const Index strips = ceil_div(K, strip_panels<T>), tiles = layer.input_panels() * strips;
    // Tiles a … b - 1 of this layer; a tile belongs to the thread in whose share it begins.
    const auto tile_at = [&](Index position) {
      return std::clamp<Index>(ceil_div((position - before) * tiles, cost), 0, tiles);
    };
    const Index a = tile_at(from), b = tile_at(to);
    before += cost;
    const auto rectangle = [&](Index d, Index d_end, Index s, Index s_end) {
      if (d < d_end && s < s_end)
        body(l, Rectangle{d, d_end, share_begin(K, strips, s), share_begin(K, strips, s_end)});
    };
    const Index first = a / strips, last = b / strips;
    if (first == last) {
      rectangle(first, first + 1, a % strips, b % strips);
    } else {
      const Index whole = a % strips == 0 ? first : first + 1;
      rectangle(first, whole, a % strips, strips);
      rectangle(whole, last, 0, strips);
      rectangle(last, last + 1, 0, b % strips);
    }
  }
}

// Whether the few numbers that the last panel of dY holds are multiplied with whole lines of X, for
// their own part of dWᵀ, not each number of X with a line of them: the same sums, turned.
template <class T>
bool sums_turned(const Layer<T>& layer) {
  const Index few = layer.K % panel_width<T>;
  return few > 0 && 2 * few * layer.input_panels() <= layer.D && layer.D > panel_width<T>;
}

// Panels d … d + C - 1 of W's rows of such a sum, in the last panel of its columns: `rows` of them
// into `sum`, or on from there.
template <class T>
void sum_turned(const Layer<T>& layer, const Blocks& blocks, Panels<const T> X, Index d, Index C,
                Panels<const T> dY, bool from_zero, Index rows, Panels<T> sum) {
  constexpr Index p = panel_width<T>;
  const Index few = layer.K % p;
  alignas(cache_line) T memory[strip_panels<T> * p * p];
  const Panels<T> turned{memory, p * p};
  for (Index c = 0; c < C && !from_zero; ++c)
    transpose_block<T>(sum.at(c * p, 0), std::min(p, rows - c * p), turned.at(0, c), few);
  sum_blocks<1>(
      blocks, few, C, from_zero, turned, [&](Index n, Index count, bool zero, Panels<T> out) {
        multiply_transposed<T>(count, few, C, {dY.at(n, layer.output_panels() - 1), dY.panel},
                               {X.at(n, d), X.panel}, zero, out);
      });
  for (Index c = 0; c < C; ++c)
    transpose_block<T>(turned.at(0, c), few, sum.at(c * p, 0), std::min(p, rows - c * p));
}

// Sums a rectangle of dW (and, with its first rows, of db) over the rows of some blocks, strip by
// strip. target(d, k) gives the panels that the sum of the rows from d and panels from k goes into;
// done(d, rows, k, C, sum) is called when `rows` rows of W from d (or the bias: d = layer.D,
// rows = 1) are summed, in C panels from k. beside(d, k, memory) says what `done` will read and
// write of rows from d and panels from k.
template <class T, class Target, class Besides, class Done>
void sum_rectangle(const Network<T>& net, const BatchView<T>& batch, std::size_t l,
                   const Blocks& blocks, const Rectangle& part, bool from_zero, Target&& target,
                   Besides&& besides, Done&& done, Interruption* interruption = nullptr) {
  constexpr Index p = panel_width<T>;
  const Layer<T>& layer = net.layers()[l];
  const Panels<const T> X = batch.Y[l], dY = batch.dY[l + 1];
  const StoredBatch<T>* stored = l == 0 && batch.stored ? &batch.stored : nullptr;
  const bool turned =
      !stored && batch.rounded.empty() && part.k_end == layer.output_panels() && sums_turned(layer);
  const Index panels = part.k_end - part.k - turned; // whole ones
  const Index strips = ceil_div(panels, strip_panels<T>);
  static_assert(block_panels <= large_tree_panels);
  const bool small = threads_share_blocks(net, blocks);
  const Index step = small ? tree_panels : block_panels * (net.rounds() ? rounded::per_float() : 1);
  const auto sum_bias = [&](Index k, Index C) {
    if (!net.has_bias()) return;
    const Panels<T> bias = target(layer.D, k);
    const auto leaf = [&](Index n, Index rows, bool zero, auto out) {
      sum_rows<T>(rows, C, {dY.at(n, k), dY.panel}, zero, out);
    };
    sum_blocks<1>(blocks, 1, C, from_zero, bias, leaf);
    done(layer.D, 1, k, C, bias);
  };
  for (Index d = part.d; d < part.d_end; d += step) {
    const Index d_end = std::min(d + step, part.d_end);
    const Index block_rows = std::min(d_end * p, layer.D) - d * p;
    for (Index s = 0; s < strips; ++s) {
      if (stops(interruption)) return;
      const Index k = part.k + share_begin(panels, strips, s);
      const Index C = part.k + share_begin(panels, strips, s + 1) - k;
      const Panels<T> sum = target(d * p, k);
      if (stored) {
        for (Index c = 0; from_zero && c < C; ++c) Run<T>(sum.at(0, c), block_rows * p) = T(0);
        stored->for_each_part(d, d_end, [&](auto* from, auto* to) {
          add_stored<T>(from, to, d * p, block_rows, C, {dY.at(0, k), dY.panel}, sum);
        });
      } else {
        std::array<Beside<T>, most_beside> beside;
        const std::span<const Beside<T>> near(beside.data(), besides(d, k, beside));
        const auto leaf = [&](Index n, Index rows, bool zero, auto out) {
          const bool last = n + rows == blocks.end();
          multiply_over_rows<T>(batch.rounded, l, rows, block_rows, C, {X.at(n, 0), X.panel}, d,
                                {dY.at(n, 0), dY.panel}, k, zero, out,
                                last ? near : std::span<const Beside<T>>{});
        };
        if (small)
          sum_blocks<tree_panels>(blocks, block_rows, C, from_zero, sum, leaf);
        else
          sum_blocks<large_tree_panels>(blocks, block_rows, C, from_zero, sum, leaf);
      }
      done(d * p, block_rows, k, C, sum);
      if (d == 0) sum_bias(k, C);
    }
  }
  if (!turned) return;
  const Index k = part.k_end - 1;
  for (Index d = part.d; d < part.d_end; d += strip_panels<T>) {
    if (stops(interruption)) return;
    const Index C = std::min(strip_panels<T>, part.d_end - d);
    const Index rows = std::min((d + C) * p, layer.D) - d * p;
    const Panels<T> sum = target(d * p, k);
    sum_turned<T>(layer, blocks, X, d, C, dY, from_zero, rows, sum);
    done(d * p, rows, k, 1, sum);
  }
  if (part.d == 0) sum_bias(k, 1);
}

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
