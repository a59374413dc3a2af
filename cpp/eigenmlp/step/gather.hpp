// A batch's inputs and targets, out of the user's data by the shuffled index, and checked on the
// way.
#pragma once

#include "eigenmlp/step/batch.hpp"

namespace eigenmlp {

// Whether targets are what the loss takes; all are finite.
template <class T>
bool are_targets(Panels<const T> targets, Index K, Targets kind, Index begin, Index end) {
  if (kind == Targets::any) return true;
  bool good = true;
  for (Index r = begin; r < end; ++r) {
    Line<T> sums = Line<T>::Zero();
    for (Index c = 0; c < panel_count<T>(K); ++c) { // padding is 0
      const auto t = line(targets.at(r, c));
      good &= t.minCoeff() >= T(0) && (kind == Targets::counts || t.maxCoeff() <= T(1));
      sums += t;
    }
    good &= kind != Targets::distributions || std::abs(sums.sum() - T(1)) <= T(1.1e-3);
  }
  return good;
}

// Inputs of `count` rows of a batch, by the shuffled index. False if a number is not finite.
template <class T>
bool gather_inputs(const Network<T>& net, const Data& data, const std::int64_t* order, Index first,
                   Index begin, Index count, const BatchView<T>& batch) {
  const bool good =
      gather_rows<T>(data.X, order, first + begin, count, net.units().inputs(), batch.Y[0], begin);
  batch.rounded.store_inputs(batch.Y[0], begin, count);
  return good;
}

// The same for stored numbers, of a thread's rows begin … end - 1: all that it has in the batch.
template <class T>
bool gather_stored_inputs(const Network<T>& net, const Data& data, const std::int64_t* order,
                          Index first, Index begin, Index end, const BatchView<T>& batch,
                          int thread, int threads) {
  const bool good =
      net.units().keeps_zeros() && // units may have changed since the batch was made
      gather_stored<T>(data.X, order, first, begin, end, net.units().inputs(), batch.stored);
  batch.stored.sort(begin, end, thread, threads);
  return good;
}

// Labels or targets, and weights, of `count` rows of a batch. False if a number is not finite, a
// label is not a class, or a target is none.
template <class T>
bool gather_targets(const Network<T>& net, const Data& data, const std::int64_t* order, Index first,
                    Index begin, Index count, double divisor, const BatchView<T>& batch) {
  bool good = true;
  const auto source = [&](Index i) {
    return order ? static_cast<Index>(order[first + i]) : first + i;
  };
  if (data.labels) {
    const auto K = static_cast<std::uint64_t>(net.outputs());
    for (Index i = begin; i < begin + count; ++i) {
      batch.labels[i] = data.labels[source(i)];
      if (static_cast<std::uint64_t>(batch.labels[i]) >= K) good = false;
    }
  } else if (data.T.data) {
    good &= gather_rows<T>(data.T, order, first + begin, count, net.units().targets(),
                           batch.dY.back(), begin);
  }
  if (data.T.data)
    good &=
        are_targets<T>(batch.dY.back(), net.outputs(), net.loss().targets, begin, begin + count);
  const auto scale_of = [&](double weight) {
    return divisor > 0 ? static_cast<T>(weight / divisor) : T(0);
  };
  if (!data.weights) {
    std::fill_n(batch.weight + begin, count, 1.0);
    std::fill_n(batch.scale + begin, count, scale_of(1.0));
    return good;
  }
  for (Index i = begin; i < begin + count; ++i) {
    batch.weight[i] = data.weights[source(i)];
    batch.scale[i] = scale_of(batch.weight[i]);
  }
  return good;
}

// What a batch's loss and gradient are divided by: Σ weights, which every thread adds in one order;
// 1 where the loss is a sum over rows.
template <class T>
double batch_divisor(const Network<T>& net, const Data& data, const std::int64_t* order,
                     Index first, Index rows) {
  if (net.sums()) return 1.0;
  if (!data.weights) return static_cast<double>(rows);
  double total = 0;
  for (Index i = first; i < first + rows; ++i) total += data.weights[order ? order[i] : i];
  return total;
}

// Both. Stored numbers are already there: `gather_stored_inputs`.
template <class T>
bool gather_batch(const Network<T>& net, const Data& data, const std::int64_t* order, Index first,
                  Index begin, Index count, double divisor, const BatchView<T>& batch) {
  const bool good = batch.stored || gather_inputs(net, data, order, first, begin, count, batch);
  return gather_targets(net, data, order, first, begin, count, divisor, batch) && good;
}

} // namespace eigenmlp
