// The step of several networks of one shape at once, number by number (kernel/lanes.hpp): p of them
// at most, one thread. It does what step_of_team does for each, to the same bits; what a network
// has of its own, its rows and its loss, goes by its own batch.
#pragma once

#include <span>

#include "eigenmlp/kernel/lanes.hpp"
#include "eigenmlp/step/weights_phase.hpp"

namespace eigenmlp {

template <class T>
class LanesStep {
public:
  // The networks and their batches, which have room for `rows` rows; `states` memories of the
  // optimizer.
  [[gnu::cold]] LanesStep(std::span<Network<T>* const> nets, std::vector<BatchView<T>> batches,
                          Index rows, std::size_t states)
      : nets_(nets.begin(), nets.end()), own_(std::move(batches)), shared_(own_),
        shape_(*nets.front()), states_(states) {
    constexpr Index p = panel_width<T>;
    const std::size_t L = shape_.layers().size();
    W_.reset(shape_.parameter_count() * p);
    G_.reset(shape_.parameter_count() * p);
    for (Buffer<T>& state : states_) state.reset(shape_.parameter_count() * p);
    for (Index blocks = blocks_of(shape_, rows).total; blocks > 1; blocks /= 2)
      halves_.emplace_back(shape_.parameter_count() * p);
    Y_.emplace_back(chunk * shape_.inputs() * p);
    dY_.resize(L + 1);
    Z_.resize(L + 1);
    for (std::size_t l = 1; l <= L; ++l) {
      const Index numbers = chunk * shape_.layers()[l - 1].K * p;
      Y_.emplace_back(numbers);
      dY_[l].reset(numbers);
      if (shape_.layers()[l - 1].activation->needs_z) Z_[l].reset(numbers);
    }
    for (Buffer<T>* lines : {&labels_, &scale_, &losses_}) lines->reset(chunk * p);
    static_assert(chunk % p == 0);
    for (std::size_t i = 1; i < nets_.size(); ++i) {
      shared_[i].labels = own_[0].labels;
      shared_[i].weight = own_[0].weight;
      shared_[i].scale = own_[0].scale;
    }
    fill_padding();
  }

  // Network i's parameters, or a memory of its optimizer, as a flat vector.
  void set_parameters(std::size_t i, const T* flat) { put(flat, W_, i); }
  void get_parameters(std::size_t i, T* flat) const { take(W_, i, flat); }
  void set_state(std::size_t s, std::size_t i, const T* flat) { put(flat, states_[s], i); }
  void get_state(std::size_t s, std::size_t i, T* flat) const { take(states_[s], i, flat); }
  // All of these, to come back to.
  [[gnu::cold]] std::vector<T> numbers() const {
    std::vector<T> all(W_.data(), W_.data() + W_.size());
    for (const Buffer<T>& state : states_)
      all.insert(all.end(), state.data(), state.data() + state.size());
    return all;
  }
  [[gnu::cold]] void set_numbers(const std::vector<T>& all) {
    const T* from = all.data();
    std::copy_n(from, W_.size(), W_.data());
    for (Buffer<T>& state : states_) std::copy_n(from += W_.size(), state.size(), state.data());
  }

  // Both phases but for the update: `rows` rows of each network's order from `first`, their losses
  // and the gradient. False if a number is not finite, a label no class.
  bool sum_gradient(const Data& data, std::span<const std::int64_t* const> orders, Index first,
                    Index rows, std::span<const double> divisors, std::span<Index> correct) {
    if (!gather(data, orders, first, rows, divisors)) return false;
    std::ranges::fill(correct, 0);
    has_labels_ = data.labels != nullptr;
    sum_blocks(blocks_of(shape_, rows), G_.data(), 0, correct);
    return true;
  }
  // Of the batch, after that.
  double loss(std::size_t i, Index rows, double divisor) const {
    return batch_loss(*nets_[i], batch(i), rows, divisor);
  }
  // By a rule that is the same for all. False if a parameter became infinite.
  bool update(Rule<T> rule) {
    constexpr Index p = panel_width<T>;
    for (std::size_t i = 0; i < states_.size(); ++i) rule.state[i] = states_[i].data();
    bool finite = true;
    for (const Place& at : places_) {
      finite &= update_run(at.W, at.layer->D * at.layer->K * p, true, rule);
      if (shape_.has_bias()) finite &= update_run(at.b, at.layer->K * p, false, rule);
    }
    return finite;
  }

private:
  // Rows that go through all layers at once, and are added to the gradient.
  static constexpr Index chunk = 32;

  // A layer, and where its W and b begin in a buffer of parameters.
  struct Place {
    const Layer<T>* layer;
    Index W, b;
  };
  [[gnu::cold]] std::vector<Place> make_places() const {
    std::vector<Place> places;
    Index at = 0;
    for (const Layer<T>& layer : shape_.layers()) {
      places.push_back({&layer, at, at + layer.D * layer.K * panel_width<T>});
      at = places.back().b + (shape_.has_bias() ? layer.K * panel_width<T> : 0);
    }
    return places;
  }

  void put(const T* flat, Buffer<T>& lines, std::size_t lane) {
    for (Index e = 0; e < shape_.parameter_count(); ++e)
      lines.data()[e * panel_width<T> + static_cast<Index>(lane)] = flat[e];
  }
  void take(const Buffer<T>& lines, std::size_t lane, T* flat) const {
    for (Index e = 0; e < shape_.parameter_count(); ++e)
      flat[e] = lines.data()[e * panel_width<T> + static_cast<Index>(lane)];
  }

  const BatchView<T>& batch(std::size_t i) const { return shares_rows_ ? shared_[i] : own_[i]; }

  // What the outputs' padding holds, always: f(Z) where Z is the bias's padding.
  [[gnu::cold]] void fill_padding() {
    constexpr Index p = panel_width<T>;
    const Layer<T>& last = shape_.layers().back();
    const Index c = last.output_panels() - 1;
    alignas(cache_line) T Y[p], Z[p];
    line(Y) = line(last.bias(c));
    if (last.activation->value) last.activation->value(Y, Z, p, last.parameters.data());
    padding_ = Y[p - 1];
  }

  // Whether all networks would read the same rows to the same numbers.
  bool reads_alike(std::span<const std::int64_t* const> orders) const {
    for (std::size_t i = 0; i < nets_.size(); ++i) {
      const Units<T>& units = nets_[i]->units();
      if (orders[i] != orders[0] || units.inputs() || units.targets() ||
          units.inputs().factor != nets_[0]->units().inputs().factor)
        return false;
    }
    return true;
  }

  bool gather(const Data& data, std::span<const std::int64_t* const> orders, Index first,
              Index rows, std::span<const double> divisors) {
    constexpr Index p = panel_width<T>;
    shares_rows_ = reads_alike(orders);
    const std::size_t read = shares_rows_ ? 1 : nets_.size();
    for (std::size_t i = 0; i < read; ++i)
      if (!gather_batch(*nets_[i], data, orders[i], first, 0, rows, divisors[i], own_[i]))
        return false;
    for (std::size_t i = read; i < nets_.size() && data.T.data; ++i)
      for (Index c = 0; c < panel_count<T>(shape_.outputs()); ++c)
        std::copy_n(own_[0].dY.back().at(0, c), rows * p, own_[i].dY.back().at(0, c));
    return true;
  }

  // G = Σ over the blocks' rows of Xᵀ · dY, in their tree.
  void sum_blocks(const Blocks& blocks, T* G, std::size_t level, std::span<Index> correct) {
    if (blocks.count > 1) {
      T* const other = halves_[level].data();
      sum_blocks(blocks.half(0), G, level + 1, correct);
      sum_blocks(blocks.half(1), other, level + 1, correct);
      const Index n = shape_.parameter_count() * panel_width<T>;
      Run<T>(G, n) += Run<T>(other, n);
      return;
    }
    const Index begin = blocks.begin(), end = blocks.end();
    for (Index n = begin; n < end; n += chunk) {
      const Index rows = std::min(chunk, end - n);
      inputs(n, rows);
      forward(rows);
      const Loss<T>& loss = shape_.loss();
      if (loss.lanes && has_labels_ && loss.suits_lanes(shape_.outputs(), shape_.loss_parameters()))
        loss_of_lanes(n, rows, correct);
      else
        loss_of_each(n, rows, correct);
      backward(rows);
      add_gradient(rows, n == begin, G);
    }
  }

  // Y[0] of rows n … n + rows - 1 of the batch.
  void inputs(Index n, Index rows) {
    constexpr Index p = panel_width<T>;
    const Index D = shape_.inputs();
    if (!shares_rows_) {
      turn_in(n, rows, D, Y_[0], [](const BatchView<T>& own) { return own.Y[0]; });
      return;
    }
    for (Index c = 0; c < panel_count<T>(D); ++c)
      for (Index r = 0; r < rows; ++r) {
        const T* const x = own_[0].Y[0].at(n + r, c);
        T* to = Y_[0].data() + (r * D + c * p) * p;
        for (Index d = 0; d < std::min(p, D - c * p); ++d, to += p) line(to) = x[d];
      }
  }

  void forward(Index rows) {
    for (std::size_t l = 1; l < Y_.size(); ++l) {
      const auto& [layer, W, b] = places_[l - 1];
      const Lanes<const T> bias =
          shape_.has_bias() ? Lanes<const T>{W_.data() + b} : Lanes<const T>{zero_row<T>(), 0, 0};
      multiply_lanes<T>(rows, layer->K, layer->D, {Y_[l - 1].data(), layer->D},
                        {W_.data() + W, layer->K}, bias, {Y_[l].data(), layer->K},
                        layer->narrow_outputs());
      if (layer->activation->value)
        layer->activation->value(Y_[l].data(), Z_[l].data(), rows * layer->K * panel_width<T>,
                                 layer->parameters.data());
    }
  }

  // dY[L] = scale · ∂l/∂Y of rows n … n + rows - 1 of the batch, and each row's loss.
  void loss_of_lanes(Index n, Index rows, std::span<Index> correct) {
    constexpr Index p = panel_width<T>;
    const Index K = shape_.outputs();
    for (Index r = 0; r < rows; ++r)
      for (std::size_t i = 0; i < nets_.size(); ++i) {
        const Index at = r * p + static_cast<Index>(i);
        labels_.data()[at] = static_cast<T>(batch(i).labels[n + r]);
        scale_.data()[at] = batch(i).scale[n + r];
      }
    alignas(cache_line) T right[p] = {};
    for (Index r = 0; r < rows; ++r)
      shape_.loss().lanes({K, Y_.back().data() + r * K * p, dY_.back().data() + r * K * p,
                           labels_.data() + r * p, scale_.data() + r * p, losses_.data() + r * p,
                           right});
    alignas(cache_line) T turned[p * p];
    for (Index r = 0; r < rows; r += p) {
      transpose_block<T>(losses_.data() + r * p, p, turned, p);
      for (std::size_t i = 0; i < nets_.size(); ++i)
        std::copy_n(turned + static_cast<Index>(i) * p, std::min(p, rows - r),
                    batch(i).row_loss + n + r);
    }
    for (std::size_t i = 0; i < nets_.size(); ++i) correct[i] += static_cast<Index>(right[i]);
  }
  // The same by each network's own batch.
  void loss_of_each(Index n, Index rows, std::span<Index> correct) {
    const std::size_t L = shape_.layers().size();
    const Index K = shape_.outputs();
    turn_out(n, rows, K, Y_[L]);
    for (std::size_t i = 0; i < nets_.size(); ++i) {
      const BatchView<T>& own = batch(i);
      forward_softmax(*nets_[i], own.Y, n, n + rows);
      correct[i] += loss_rows(*nets_[i], own, has_labels_, n, n + rows);
      if (shape_.layers().back().activation->is_softmax)
        Softmax::backward<T>(own.dY[L], own.Y[L], K, n, n + rows);
    }
    turn_in(n, rows, K, dY_[L], [](const BatchView<T>& own) { return own.dY.back(); });
  }

  // Deltas of every layer after the first's inputs.
  void backward(Index rows) {
    const auto by_Z = [&](std::size_t l) {
      const Layer<T>& layer = *places_[l - 1].layer;
      if (layer.activation->backward)
        layer.activation->backward(dY_[l].data(), Y_[l].data(), Z_[l].data(),
                                   rows * layer.K * panel_width<T>, layer.parameters.data());
    };
    by_Z(places_.size());
    for (std::size_t l = places_.size(); l > 1; --l) {
      const auto& [layer, W, b] = places_[l - 1];
      multiply_lanes<T>(rows, layer->D, layer->K, {dY_[l].data(), layer->K},
                        Lanes<const T>{W_.data() + W, layer->K}.transposed(), {zero_row<T>(), 0, 0},
                        {dY_[l - 1].data(), layer->D}, layer->narrow_inputs());
      by_Z(l - 1);
    }
  }

  // G += Xᵀ · dY of the rows that went through, or G = that.
  void add_gradient(Index rows, bool from_zero, T* G) {
    for (std::size_t l = 1; l < Y_.size(); ++l) {
      const auto& [layer, W, b] = places_[l - 1];
      const Index D = layer->D, K = layer->K;
      const Lanes<T> dW{G + W, K}, db{G + b, K};
      const Lanes<const T> none{zero_row<T>(), 0, 0}, dY{dY_[l].data(), K};
      multiply_lanes<T>(D, K, rows, Lanes<const T>{Y_[l - 1].data(), D}.transposed(), dY,
                        from_zero ? none : dW, dW);
      if (shape_.has_bias()) sum_lanes<T>(rows, K, dY, from_zero ? none : db, db);
    }
  }

  bool update_run(Index at, Index n, bool decays, const Rule<T>& rule) {
    UpdateRows<T> u{W_.data() + at, G_.data() + at, {}, n, decays, rule.numbers.data()};
    for (std::size_t i = 0; i < states_.size(); ++i) u.state[i] = rule.state[i] + at;
    if (rule.changes_gradient())
      for (Index i = 0; i < n; i += panel_width<T>)
        rule.final_gradient(u.G + i, u.W + i, decays, G_.data() + at + i);
    rule.optimizer->update(u);
    return (ConstRun<T>(u.W, n) * T(0)).sum() == T(0); // Inf · 0 and NaN · 0 are NaN
  }

  // Rows n … n + rows - 1 of every network's panels into lanes, and back: a block of each at a
  // time.
  template <class PanelsOf>
  void turn_in(Index n, Index rows, Index columns, Buffer<T>& lanes, PanelsOf&& panels) {
    constexpr Index p = panel_width<T>;
    alignas(cache_line) T block[p * p] = {};
    for (Index r = 0; r < rows; ++r)
      for (Index c = 0; c < panel_count<T>(columns); ++c) {
        for (std::size_t i = 0; i < nets_.size(); ++i)
          line(block + static_cast<Index>(i) * p) =
              line(static_cast<const T*>(panels(own_[i]).at(n + r, c)));
        transpose_block<T>(block, p, lanes.data() + (r * columns + c * p) * p,
                           std::min(p, columns - c * p));
      }
  }
  void turn_out(Index n, Index rows, Index columns, const Buffer<T>& lanes) {
    constexpr Index p = panel_width<T>;
    alignas(cache_line) T block[p * p], turned[p * p];
    for (Index r = 0; r < rows; ++r)
      for (Index c = 0; c < panel_count<T>(columns); ++c) {
        const Index width = std::min(p, columns - c * p);
        std::copy_n(lanes.data() + (r * columns + c * p) * p, width * p, block);
        std::fill_n(block + width * p, (p - width) * p, padding_);
        transpose_block<T>(block, p, turned, p);
        for (std::size_t i = 0; i < nets_.size(); ++i)
          line(own_[i].Y.back().at(n + r, c)) = line(turned + static_cast<Index>(i) * p);
      }
  }

  std::vector<Network<T>*> nets_;
  // Each network's batch, and the same with labels, weights and scales of the first one's, for
  // rows that all share.
  std::vector<BatchView<T>> own_, shared_;
  const Network<T>& shape_;
  std::vector<Buffer<T>> states_;
  const std::vector<Place> places_ = make_places();
  Buffer<T> W_, G_;                   // P lines, in the order of the flat vector
  std::vector<Buffer<T>> halves_;     // likewise, one for each level of the blocks' tree
  std::vector<Buffer<T>> Y_, dY_, Z_; // (chunk's rows, K) lines of each layer
  Buffer<T> labels_, scale_, losses_; // (chunk's rows,) lines
  T padding_ = T(0);
  bool shares_rows_ = false, has_labels_ = false; // of the batch
};

} // namespace eigenmlp
