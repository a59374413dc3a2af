// The network: its shape, its parameters in panels, and their flat form.
//
//   Y0 = (X − m) · s,   Zl = Yl-1 · Wl + bl,   Yl = f(Zl),   Y = YL · a + b   (units.hpp)
//
// W of a layer is [K / p][D + 1][p], its last row the bias b (zero, and left alone, without one).
// Layers after the first keep Wᵀ too, [D / p][K][p], for dX = dY · Wᵀ; the first one keeps the rows
// of it that narrow.hpp reads. A network that rounds the operands of its products keeps W and Wᵀ in
// the form that those read instead (operands.hpp).
#pragma once

#include <string>
#include <vector>

#include "eigenmlp/kernel/narrow.hpp"
#include "eigenmlp/kernel/operands.hpp"
#include "eigenmlp/network/units.hpp"
#include "eigenmlp/threads/lock.hpp"

namespace eigenmlp {

// Which networks can round the operands of their products to bfloat16.
template <class T>
inline constexpr bool can_round = std::is_same_v<T, float>;

template <class T>
struct Layer {
  Index D, K; // inputs, outputs
  const Activation<T>* activation;
  std::array<T, most_parameters> parameters; // of the activation
  Panels<T> W;                               // [K / p][D + 1][p]
  Panels<T> Wt;                              // [D / p][K][p]; null in the first layer,
  Panels<T> last_Wt;                         // which has [D / p][narrow_outputs()][p] of it
  rounded::Operands rounded_W, rounded_Wt;   // instead of Wt if the network rounds, else null
  Index input_panels() const { return panel_count<T>(D); }
  Index output_panels() const { return panel_count<T>(K); }
  const T* bias(Index panel = 0) const { return W.at(D, panel); }
  // How many columns of X · W, and of dY · Wᵀ, narrow.hpp takes, unless operands are rounded.
  Index narrow_outputs() const { return narrow_columns<T>(K, D); }
  Index narrow_inputs() const { return narrow_columns<T>(D, K); }
  // The rows of Wᵀ, and of W, that it reads for that.
  Panels<const T> rows_of_outputs() const {
    return Wt.data ? Panels<const T>{Wt.at(K - narrow_outputs(), 0), Wt.panel} : last_Wt;
  }
  Panels<const T> rows_of_inputs() const { return {W.at(D - narrow_inputs(), 0), W.panel}; }
};

// What is kept beside W: the block of panel d of W's rows and panel k of its columns, from W.
template <class T>
void refresh_block(const Layer<T>& layer, Index d, Index k) {
  constexpr Index p = panel_width<T>;
  const T* const block = layer.W.at(d * p, k);
  const Index rows = std::min(p, layer.D - d * p), columns = std::min(p, layer.K - k * p);
  if (layer.Wt.data)
    transpose_block<T>(block, rows, layer.Wt.at(k * p, d), columns);
  else if (layer.last_Wt.data && k + 1 == layer.output_panels())
    transpose_block<T>(block, rows, layer.last_Wt.at(0, d), columns);
  if constexpr (can_round<T>)
    if (layer.rounded_W.data || layer.rounded_Wt.data)
      rounded::store_weights(block, rows, columns, d, k, layer.rounded_W, layer.rounded_Wt);
}
// The blocks of panels d … d_end - 1 and k … k_end - 1.
template <class T>
void refresh_blocks(const Layer<T>& layer, Index d, Index d_end, Index k, Index k_end) {
  const bool any =
      layer.Wt.data || layer.last_Wt.data || layer.rounded_W.data || layer.rounded_Wt.data;
  if (!any) return;
  for (Index i = d; i < d_end; ++i)
    for (Index j = k; j < k_end; ++j) refresh_block(layer, i, j);
}
template <class T>
void refresh_blocks(const Layer<T>& layer) {
  refresh_blocks(layer, 0, layer.input_panels(), 0, layer.output_panels());
}

template <class T>
class Network {
public:
  // sizes = {D, h1, …, K}; one activation a layer, the last one being the output activation.
  // Activations and loss are names, with parameters if need be: choice.hpp. Any loss takes
  // reduction='mean' or 'sum'. `rounds`: the operands of products are rounded to bfloat16.
  [[gnu::cold]] Network(const std::vector<Index>& sizes,
                        const std::vector<std::string>& activations, const std::string& loss,
                        bool bias, T input_scale, bool rounds = false)
      : bias_(bias), rounds_(rounds), units_(input_scale), loss_choice_(parse_choice(loss)) {
    if (rounds && !can_round<T>) throw std::invalid_argument("only float operands can be rounded");
    constexpr Index p = panel_width<T>;
    if (sizes.size() < 2 || activations.size() != sizes.size() - 1)
      throw std::invalid_argument("a network needs at least 2 sizes, and an activation a layer");
    Index size = 0, transposed = 0, operands = 0;
    for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
      if (sizes[l] < 1 || sizes[l + 1] < 1) throw std::invalid_argument("sizes must be positive");
      Layer<T> layer{};
      layer.D = sizes[l];
      layer.K = sizes[l + 1];
      const Choice choice = parse_choice(activations[l]);
      layer.activation = &find_by_name(activation_table<T>, choice.name, "activation");
      const auto values = parameter_values(layer.activation->parameters, choice);
      for (std::size_t i = 0; i < values.size(); ++i)
        layer.parameters[i] = static_cast<T>(values[i].front());
      if (layer.activation->is_softmax && l + 2 < sizes.size())
        throw std::invalid_argument("softmax is an output activation");
      layer.W.panel = (layer.D + 1) * p;
      layer.Wt.panel = panel_stride<T>(layer.K);
      layer.rounded_W.panel = rounded::right_panel(layer.D);
      layer.rounded_Wt.panel = rounded::right_panel(layer.K);
      size += layer.output_panels() * layer.W.panel;
      if (l > 0 && !rounds) transposed += layer.input_panels() * layer.Wt.panel;
      if (rounds) operands += rounded::right_size(layer.D, layer.K);
      if (l > 0 && rounds) operands += rounded::right_size(layer.K, layer.D);
      parameter_count_ += layer.D * layer.K + (bias ? layer.K : 0);
      layers_.push_back(layer);
    }
    choose_loss();
    W_.reset(size);
    Wt_.reset(transposed);
    operands_.reset(operands);
    if (!rounds) keep_last_columns(layers_.front());
    T *w = W_.data(), *wt = Wt_.data();
    rounded::Operand* operand = operands_.data();
    for (auto& layer : layers_) {
      layer.W.data = w;
      w += layer.output_panels() * layer.W.panel;
      if (rounds) {
        layer.rounded_W.data = operand;
        operand += rounded::right_size(layer.D, layer.K);
      }
      if (&layer == &layers_.front()) continue;
      if (rounds) {
        layer.rounded_Wt.data = operand;
        operand += rounded::right_size(layer.K, layer.D);
      } else {
        layer.Wt.data = wt;
        wt += layer.input_panels() * layer.Wt.panel;
      }
    }
    if (softmax_outputs()) hide_padding();
  }

  const std::vector<Layer<T>>& layers() const { return layers_; }
  const Loss<T>& loss() const { return *loss_; }
  // Each a row of K numbers in panels; see LossRows.
  const T* loss_parameters() const { return loss_parameters_.data(); }
  const T* training_weights() const { return training_weights_.data(); }
  // Whether the loss is the sum over rows, not the mean.
  bool sums() const { return sums_; }
  bool has_bias() const { return bias_; }
  // Whether products read operands rounded to bfloat16.
  bool rounds() const { return can_round<T> && rounds_; }
  // Threads share the rows of a batch in multiples of it.
  Index row_unit() const { return rounds() ? rounded::row_unit() : 1; }
  const Units<T>& units() const { return units_; }
  Index inputs() const { return layers_.front().D; }
  Index outputs() const { return layers_.back().K; }
  Index parameter_count() const { return parameter_count_; }

  // Scalars in a buffer laid out like the parameters: a gradient, a velocity.
  Index panel_size() const { return W_.size(); }
  // `layer`'s part of such a buffer.
  Panels<T> like_W(const Layer<T>& layer, T* buffer) const {
    return {buffer + (layer.W.data - W_.data()), layer.W.panel};
  }
  // Where row d of panel k of `layer`'s W lies in such a buffer.
  Index offset(const Layer<T>& layer, Index d, Index k) const {
    return layer.W.at(d, k) - W_.data();
  }
  T* parameters() { return W_.data(); }

  // The flat vector W0, b0, W1, b1, … of a buffer laid out like the parameters, and back.
  void unpack(T* buffer, T* flat) const {
    for (const auto& layer : layers_) {
      scatter_rows<T>(like_W(layer, buffer), 0, rows(layer), layer.K, flat, layer.K);
      flat += rows(layer) * layer.K;
    }
  }
  void pack(const T* flat, T* buffer) const {
    for (const auto& layer : layers_) {
      eigenmlp::pack(flat, rows(layer), layer.K, like_W(layer, buffer));
      flat += rows(layer) * layer.K;
    }
  }
  void get_parameters(T* flat) { unpack(W_.data(), flat); }
  void set_parameters(const T* flat) {
    pack(flat, W_.data());
    if (softmax_outputs()) hide_padding();
    for (const auto& layer : layers_) refresh_blocks(layer);
  }

  // Units instead of those so far; the parameters stay.
  void set_units(const UnitValues& values) {
    units_ = Units<T>(values, inputs(), outputs(), *loss_);
    fill_loss_parameters();
  }
  // Y ← Y · a + b for rows begin … end - 1 of the last layer's outputs.
  void to_units(Panels<T> Y, Index begin, Index end) const {
    if (!units_.a()) return;
    for (Index c = 0; c < layers_.back().output_panels(); ++c) {
      const auto a = line(units_.a() + c * panel_width<T>),
                 b = line(units_.b() + c * panel_width<T>);
      for (Index r = begin; r < end; ++r) line(Y.at(r, c)) = line(Y.at(r, c)) * a + b;
    }
  }

  // Held while the parameters change (alone) or are read (shared).
  ParameterLock& mutex() const { return mutex_; }

private:
  Index rows(const Layer<T>& layer) const { return layer.D + (bias_ ? 1 : 0); }

  [[gnu::cold]] void choose_loss() {
    loss_ = &find_by_name(loss_table<T>, loss_choice_.name, "loss");
    for (const auto& [key, word] : loss_choice_.words) {
      if (key != "reduction" || (word != "mean" && word != "sum"))
        throw std::invalid_argument("expected reduction='mean' or 'sum', got " + key + "='" + word +
                                    "'");
      sums_ = word == "sum";
    }
    fill_loss_parameters();
  }

  [[gnu::cold]] void fill_loss_parameters() {
    constexpr Index p = panel_width<T>;
    const auto values = parameter_values(loss_->parameters, loss_choice_);
    const Index K = outputs(), row = panel_count<T>(K) * p;
    loss_parameters_.reset(std::max<Index>(1, static_cast<Index>(values.size())) * row);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto given = static_cast<Index>(values[i].size());
      if (given != 1 && given != K)
        throw std::invalid_argument(loss_choice_.name +
                                    ": expected one number or one for each output");
      for (Index k = 0; k < K; ++k)
        loss_parameters_.data()[static_cast<Index>(i) * row + k] =
            static_cast<T>(values[i][given == 1 ? 0 : static_cast<std::size_t>(k)]);
    }
    training_weights_.reset(0);
    if (!loss_->parameters_have_unit || !units_.a()) return;
    training_weights_.reset(row);
    std::fill_n(training_weights_.data(), row, T(1));
    for (Index k = 0; k < K; ++k) {
      T& parameter = loss_parameters_.data()[k];
      parameter /= units_.a()[k];
      training_weights_.data()[k] = std::max(T(1), T(1) / parameter);
    }
  }

  void keep_last_columns(Layer<T>& first) {
    const Index panel = first.narrow_outputs() * panel_width<T>;
    last_Wt_.reset(first.input_panels() * panel);
    first.last_Wt = {last_Wt_.data(), panel};
  }

  bool softmax_outputs() const {
    return layers_.back().activation->is_softmax || loss_->takes_labels;
  }
  // Padding outputs get a bias so low that a softmax gives them exactly 0.
  void hide_padding() {
    constexpr Index p = panel_width<T>;
    const auto& last = layers_.back();
    for (Index k = last.K; k < last.output_panels() * p; ++k)
      last.W.at(last.D, k / p)[k % p] = std::numeric_limits<T>::lowest();
  }

  std::vector<Layer<T>> layers_;
  const Loss<T>* loss_ = nullptr;
  Buffer<T> loss_parameters_;
  // What an optimizer is given is multiplied by these: where a loss with a parameter in the
  // outputs' unit, Huber's δ, is steeper than δ / a < 1 nowhere, steps would be of that size.
  Buffer<T> training_weights_;
  bool sums_ = false;
  bool bias_, rounds_;
  Units<T> units_;
  Choice loss_choice_;
  Index parameter_count_ = 0;
  Buffer<T> W_, Wt_, last_Wt_;
  Buffer<rounded::Operand> operands_;
  mutable ParameterLock mutex_;
};

} // namespace eigenmlp
