// What a trainer is given for a run, and what it says of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "eigenmlp/step/data.hpp"

namespace eigenmlp {

// What holds an update back (limits.hpp).
struct Limits {
  double clip_norm = std::numeric_limits<double>::infinity();
  double l1 = 0;
  double max_norm = std::numeric_limits<double>::infinity();
  double penalty = 0; // ½ penalty Σ W² is added to the sum of a batch's losses, before its division

  bool clips() const { return std::isfinite(clip_norm); }
  bool bounds_columns() const { return std::isfinite(max_norm); }
};

struct Settings {
  Limits limits;
  Index accumulate = 1;        // batches that make one update
  std::vector<double> dropout; // a rate for each hidden layer, or none
  std::uint64_t dropout_key = 0;
};

// How far a trainer is: updates, and what was gathered for the next one from several batches.
struct Progress {
  Index steps = 0;
  Index batches = 0, rows = 0;
  double weight = 0;
};

// What a rank with rows of its own must know of a batch on all ranks.
struct OwnRows {
  double divisor = 0; // of its loss
  Index before = 0;   // rows on ranks before this one
  Index all = 0;      // rows
};

struct Epochs {
  Index count = 1, batch_size = 1;
  const std::int64_t* order = nullptr;    // (count, N) rows in the order of use; null: as they come
  std::span<const double> learning_rates; // one for all updates, or one an update
  bool whole = true;    // an epoch's last batch is also the last one of its update
  bool goes_on = false; // where it diverges, as scikit-learn's training does
  // Where each batch's loss goes, and what the penalty adds to it, before the update; null:
  // nowhere.
  double *losses = nullptr, *penalties = nullptr;
  // Where ranks have rows of their own: batches of an epoch, among which a rank's rows go evenly.
  Index batches = 0;
  std::span<const OwnRows> own = {}; // of each batch

  Index batches_of(Index N) const {
    return batches > 0 ? batches : ceil_div(N, std::min(batch_size, N));
  }
  // The most rows of a batch; and where batch i begins.
  Index largest(Index N) const {
    return batches > 0 ? ceil_div(N, batches) : std::min(batch_size, N);
  }
  Index begin(Index N, Index i) const {
    return batches > 0 ? share_begin(N, batches, i) : std::min(i * batch_size, N);
  }
};

struct EpochResult {
  double loss = 0, seconds = 0;
  std::int64_t correct = 0;
};

// diverged: a loss was not finite (that step changed nothing), or an update made a parameter
// infinite (its loss is reported as infinite). refused: a number of the data was not finite, or a
// label no class; that step changed nothing. interrupted: `stop` said so, or a rank ended the run.
enum class Outcome { finished, diverged, refused, interrupted };

struct RunResult {
  Outcome outcome = Outcome::finished;
  double loss = 0;             // of the step that diverged
  Index epochs = 0, steps = 0; // whole ones that were done
};

} // namespace eigenmlp
