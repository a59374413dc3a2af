// Blocks of a batch's rows: where the activations outweigh the parameters, each block's part of dW
// is a sum of its own, and the parts are added in a binary tree:
//
//   dW = ((dW₀ + dW₁) + (dW₂ + dW₃)) + …,   dWᵢ = Xᵢᵀ · dYᵢ over block i's rows
//
// A power of two of threads takes whole subtrees, so that only P numbers a thread go from core to
// core, not its rows' activations and deltas; so do several machines (ranks.hpp). How many blocks
// there are follows from the shapes alone: the sums are the same for any number of threads.
#pragma once

#include <bit>
#include <span>

#include "eigenmlp/step/rounded_batch.hpp"
#include "eigenmlp/step/shares.hpp"

namespace eigenmlp {

inline constexpr Index least_block_rows = 48; // fewer are not worth the tiles' first and last lines
inline constexpr Index most_blocks = 32;
// Where the parameters outweigh the rows, threads do not share blocks, but machines do.
inline constexpr Index least_outweighed_rows = 256, most_outweighed_blocks = 8;
// Panels of W's rows that are summed together in a tree, so that a tile of each level stays in L1;
// and in one of few, large blocks.
inline constexpr Index tree_panels = 2, large_tree_panels = 8;
// Panels of W's rows that are updated together from sums that lie elsewhere.
inline constexpr Index run_panels = 8;
// Panels of W's columns in a tile of dW.
template <class T>
inline constexpr Index strip_panels = usual_panels<T>;

// `count` neighbours, a power of two, from block `first` of the `total` that `rows` are cut into.
struct Blocks {
  Index rows, total = 1, first = 0, count = 1;

  Index begin() const { return share_begin(rows, total, first); }
  Index end() const { return share_begin(rows, total, first + count); }
  Blocks half(Index i) const { return {rows, total, first + i * (count / 2), count / 2}; }
  // Part i of `parts` of these blocks, both powers of two.
  Blocks part(Index parts, Index i) const {
    return {rows, total, first + i * (count / parts), count / parts};
  }
};

// The blocks of a batch: few where the parameters outweigh the rows, 1 where operands are rounded,
// whose pairs and tiles go across rows, or inputs are stored numbers.
template <class T>
Blocks blocks_of(const Network<T>& net, Index rows, bool stored = false) {
  if (stored || net.rounds()) return {rows};
  const bool few = weights_outweigh(net, rows);
  const Index least = few ? least_outweighed_rows : least_block_rows;
  const auto fit = std::bit_floor(static_cast<std::size_t>(rows / least));
  const Index most = few ? most_outweighed_blocks : most_blocks;
  const Index total = std::clamp<Index>(static_cast<Index>(fit), 1, most);
  return {rows, total, 0, total};
}

// Whether threads share the blocks of a batch, not its rows or its columns.
template <class T>
bool threads_share_blocks(const Network<T>& net, const Blocks& blocks) {
  return blocks.count > 1 && !weights_outweigh(net, blocks.rows);
}
// A power of two of threads share blocks; the others wait.
inline int threads_sharing(const Blocks& blocks, int threads) {
  const Index most = std::min<Index>(threads, blocks.count);
  return static_cast<int>(std::bit_floor(static_cast<std::size_t>(most)));
}

// out (+)= the sum over some blocks, of `rows` rows in C panels. leaf(from, rows, zero, out) does
// that for rows of the batch from `from`; it goes on from `out` unless `zero`. There are at most
// `most_panels` panels of `rows`.
template <Index most_panels, class T, class Leaf>
void sum_blocks(const Blocks& blocks, Index rows, Index C, bool from_zero, Panels<T> out,
                Leaf&& leaf) {
  constexpr Index p = panel_width<T>;
  if (blocks.count == 1) {
    leaf(blocks.begin(), blocks.end() - blocks.begin(), from_zero, out);
    return;
  }
  constexpr Index panel = most_panels * p * p;
  alignas(cache_line) T memory[strip_panels<T> * panel];
  const Panels<T> other{memory, panel};
  if (from_zero) {
    sum_blocks<most_panels>(blocks.half(0), rows, C, true, out, leaf);
    sum_blocks<most_panels>(blocks.half(1), rows, C, true, other, leaf);
  } else {
    sum_blocks<most_panels>(blocks, rows, C, true, other, leaf);
  }
  for (Index c = 0; c < C; ++c) Run<T>(out.at(0, c), rows * p) += Run<T>(other.at(0, c), rows * p);
}

// out[i] = the sum of parts[…][from + i], i < n, at most run_panels · p · p, added as their blocks
// would be; there is a power of two of them.
template <class T>
void sum_parts(std::span<T* const> parts, Index from, Index n, T* out) {
  if (parts.size() == 1) {
    Run<T>(out, n) = ConstRun<T>(parts[0] + from, n);
  } else if (parts.size() == 2) {
    Run<T>(out, n) = ConstRun<T>(parts[0] + from, n) + ConstRun<T>(parts[1] + from, n);
  } else {
    alignas(cache_line) T other[run_panels * panel_width<T> * panel_width<T>];
    const std::size_t half = parts.size() / 2;
    sum_parts(parts.first(half), from, n, out);
    sum_parts(parts.last(half), from, n, other);
    Run<T>(out, n) += Run<T>(other, n);
  }
}

} // namespace eigenmlp
