// A batch of a step: where its activations and deltas lie.
#pragma once

#include <vector>

#include "eigenmlp/step/data.hpp"
#include "eigenmlp/step/rounded_batch.hpp"
#include "eigenmlp/step/stored_batch.hpp"

namespace eigenmlp {

// What dropout adds to a batch; null in the layers without it.
template <class T>
struct Dropped {
  std::vector<Panels<T>> mask; // 0 or 1 / (1 - rate)
  std::vector<Panels<T>> Y;    // before it: what the activation's derivative needs
};

// Where the activations and deltas of a batch lie, for every layer.
template <class T>
struct BatchView {
  std::vector<Panels<T>> Y;  // Y[0] = X (N, D), …, Y[L] (N, K); Y[0] is not used if X is stored
  std::vector<Panels<T>> dY; // like Y; dY[0] is null unless asked for
  std::vector<Panels<T>> Z;  // null where the activation's derivative can do without
  Dropped<T> dropped;
  RoundedBatch rounded;
  StoredBatch<T> stored;          // X, if it is not dense
  std::int64_t* labels = nullptr; // (N,)
  double* weight = nullptr;       // (N,)
  T* scale = nullptr;             // (N,) weight / total weight
  T* row_loss = nullptr;          // (N,)
  // Whether the deltas are an optimizer's: of each output's error in its own unit (units.hpp).
  bool trains = false;
};

// A batch and its memory, for up to `capacity` rows.
template <class T>
struct Batch : BatchView<T> {
  using BatchView<T>::Y, BatchView<T>::dY, BatchView<T>::Z, BatchView<T>::labels;
  using BatchView<T>::weight, BatchView<T>::scale, BatchView<T>::row_loss, BatchView<T>::dropped;
  using BatchView<T>::rounded, BatchView<T>::stored, BatchView<T>::trains;
  Index capacity = 0;

  // The same for rows that are read by their stored numbers, `count` of them at most; up to so many
  // threads sort them.
  bool reserve_stored(const Network<T>& net, Index rows, Index count, int threads,
                      bool input_gradient = false, const std::vector<double>& dropout = {}) {
    stored = stored_memory_.reserve(net, std::max(rows, capacity), count, threads);
    return reserve_panels(net, rows, false, input_gradient, dropout);
  }
  // Whether it lies elsewhere now: views of it are then of no use any more.
  bool reserve(const Network<T>& net, Index rows, bool input_gradient = false,
               const std::vector<double>& dropout = {}) {
    stored = {};
    return reserve_panels(net, rows, true, input_gradient, dropout);
  }

private:
  [[gnu::cold]] bool reserve_panels(const Network<T>& net, Index rows, bool inputs,
                                    bool input_gradient, const std::vector<double>& dropout) {
    if (rows <= capacity && (!inputs || Y[0].data) && (!input_gradient || dY[0].data)) return false;
    rows = std::max(rows, capacity);
    capacity = 0; // stays so if memory runs out below
    const Index panel = panel_stride<T>(rows);
    Index size = 0;
    std::vector<std::pair<Panels<T>*, Index>> places;
    const std::size_t L = net.layers().size();
    Y.assign(L + 1, {});
    dY.assign(L + 1, {});
    Z.assign(L + 1, {});
    dropped.mask.assign(L + 1, {});
    dropped.Y.assign(L + 1, {});
    const auto place = [&](Panels<T>& panels, Index columns) {
      places.emplace_back(&panels, size);
      panels.panel = panel;
      size += panel_count<T>(columns) * panel;
    };
    if (inputs) place(Y[0], net.inputs());
    if (input_gradient) place(dY[0], net.inputs());
    for (std::size_t l = 1; l <= L; ++l) {
      place(Y[l], net.layers()[l - 1].K);
      place(dY[l], net.layers()[l - 1].K);
      if (net.layers()[l - 1].activation->needs_z) place(Z[l], net.layers()[l - 1].K);
    }
    for (std::size_t l = 1; l <= dropout.size(); ++l) {
      if (dropout[l - 1] == 0) continue;
      place(dropped.mask[l], net.layers()[l - 1].K);
      place(dropped.Y[l], net.layers()[l - 1].K);
    }
    buffer_.reset(size);
    for (auto& [panels, offset] : places) panels->data = buffer_.data() + offset;
    if (net.rounds()) rounded.reserve(net, rows, operands_);
    row_buffer_.reset(2 * rows);
    scale = row_buffer_.data();
    row_loss = scale + rows;
    weight_buffer_.reset(rows);
    weight = weight_buffer_.data();
    label_buffer_.reset(rows);
    labels = label_buffer_.data();
    capacity = rows;
    return true;
  }

  StoredMemory<T> stored_memory_;
  Buffer<T> buffer_, row_buffer_;
  Buffer<rounded::Operand> operands_;
  Buffer<double> weight_buffer_;
  Buffer<std::int64_t> label_buffer_;
};

} // namespace eigenmlp
