// What ranks tell each other in a step: one message of dW, laid out like the parameters, and behind
// it what the step makes of their rows.
#pragma once

#include <algorithm>

#include "eigenmlp/step/ranks.hpp"
#include "eigenmlp/step/step_memory.hpp"
#include "eigenmlp/step/weights_phase.hpp"

namespace eigenmlp {

// A rank's part of a batch.
template <class T>
struct RankPart {
  Blocks blocks;          // this rank's; none where it only waits for the others
  bool exchanges = false; // else every rank does the whole step, and has the same bits
  int sharing = 1;        // ranks that have a part, a power of two

  RankPart(const Network<T>& net, const Ranks& ranks, Index rows, bool stored)
      : blocks(blocks_of(net, rows, stored)) {
    if (!ranks) return;
    if (ranks.own_rows) {
      exchanges = true;
      sharing = ranks.sharing(ranks.size);
      return;
    }
    sharing = ranks.sharing(blocks.total);
    exchanges = sharing > 1;
    if (!exchanges) return;
    if (ranks.index < sharing)
      blocks = blocks.part(sharing, ranks.index);
    else
      blocks.count = 0;
  }

  bool idles() const { return blocks.count == 0; }
  // A thread's rows of this rank's.
  std::pair<Index, Index> rows_of(const Network<T>& net, const Team& team) const {
    const Index begin = blocks.begin(), count = blocks.end() - begin;
    const auto [from, to] = share_of_rows(net, count, team);
    return {begin + from, begin + to};
  }
};

// What ranks have told each other, the same on all of them.
struct Told {
  bool good = true;
  Index correct = 0;
  double loss = 0; // where ranks have rows of their own: of all rows, not divided
};

// Numbers behind dW in a message: the rows' losses or, where ranks have rows of their own, each
// one's sum in two parts; rows classified right in two parts; ranks whose data are not good.
inline constexpr Index told_beside_losses = 3;
inline Index told_numbers(const Ranks& ranks, Index rows) {
  return (ranks.own_rows ? 2 * ranks.size : rows) + told_beside_losses;
}

// Writes what is told of this rank's rows.
template <class T>
void tell(const Network<T>& net, const Ranks& ranks, const RankPart<T>& part,
          const BatchView<T>& batch, Index rows, const Told& own, T* to) {
  const Index losses = told_numbers(ranks, rows) - told_beside_losses;
  std::fill_n(to, losses, T(0));
  if (ranks.own_rows) {
    const double loss = batch_loss(net, batch, rows, 1.0);
    const T high = static_cast<T>(loss);
    to[2 * ranks.index] = high;
    if (std::isfinite(high)) to[2 * ranks.index + 1] = static_cast<T>(loss - double(high));
  } else {
    std::copy(batch.row_loss + part.blocks.begin(), batch.row_loss + part.blocks.end(),
              to + part.blocks.begin());
  }
  to[losses] = static_cast<T>(own.correct % 65536); // exact, also when added up
  to[losses + 1] = static_cast<T>(own.correct / 65536);
  to[losses + 2] = own.good ? T(0) : T(1);
}

// Reads the sum of what all have told, and fills the batch's losses and weights with other ranks'
// rows.
template <class T>
Told told(const Ranks& ranks, const Data& data, const std::int64_t* order, Index first, Index rows,
          const BatchView<T>& batch, const T* from) {
  const Index losses = told_numbers(ranks, rows) - told_beside_losses;
  Told all;
  all.correct = static_cast<Index>(from[losses]) + 65536 * static_cast<Index>(from[losses + 1]);
  all.good = from[losses + 2] == T(0);
  if (ranks.own_rows) {
    for (Index i = 0; i < losses; ++i) all.loss += static_cast<double>(from[i]);
  } else {
    std::copy_n(from, rows, batch.row_loss);
    for (Index i = 0; i < rows; ++i)
      batch.weight[i] = data.weights ? data.weights[order ? order[first + i] : first + i] : 1.0;
  }
  return all;
}

} // namespace eigenmlp
