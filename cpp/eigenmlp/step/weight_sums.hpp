// Sums of phase 2: rectangles of dW = Xᵀ · dY (and of db) over the rows of a batch, and which of
// them are whose. Each element is one sum over the rows in their order, whoever computes it.
#pragma once

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
// their own part of dWᵀ, not each number of X with a line of them: the same sums, turned. Taken if
// it halves the multiplications, few · (panels of X) instead of D a row; turning back costs some.
template <class T>
bool sums_turned(const Layer<T>& layer) {
  const Index few = layer.K % panel_width<T>;
  return few > 0 && 2 * few * layer.input_panels() <= layer.D && layer.D > panel_width<T>;
}

// Panels d … d + C - 1 of W's rows of such a sum, in the last panel of its columns: `rows` of them
// into `sum`, or on from there.
template <class T>
[[gnu::noinline]] void sum_turned(const Layer<T>& layer, const Blocks& blocks, Panels<const T> X,
                                  Index d, Index C, Panels<const T> dY, bool from_zero, Index rows,
                                  Panels<T> sum) {
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
  const auto sum_bias = [&](Index k, Index C) __attribute__((noinline)) {
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

} // namespace eigenmlp
