// Networks behind the interface.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "eigenmlp/derivatives/hessian.hpp"
#include "eigenmlp/derivatives/per_sample.hpp"
#include "eigenmlp/derivatives/taylor.hpp"
#include "eigenmlp/passes/gradient.hpp"
#include "eigenmlp/passes/inference.hpp"
#include "variants/failure.hpp"

namespace eigenmlp::variants {

inline std::vector<double> vector_of(Numbers numbers) {
  return {numbers.data, numbers.data + numbers.size};
}

template <class T>
class CoreNetwork final : public Network<T> {
public:
  explicit CoreNetwork(const NetworkDescription& is)
      : net_({is.sizes, is.sizes + is.layers + 1}, {is.activations, is.activations + is.layers},
             is.loss, is.bias, static_cast<T>(is.input_scale), is.rounds) {
    this->inputs = net_.inputs();
    this->outputs = net_.outputs();
    this->parameter_count = net_.parameter_count();
    this->takes_labels = net_.loss().takes_labels;
    this->classifies = net_.loss().classifies;
  }

  eigenmlp::Network<T>& net() { return net_; }

  void destroy() noexcept override { delete this; }

  Ended get_parameters(T* flat) noexcept override {
    return done([&] {
      const std::shared_lock lock(net_.mutex());
      net_.get_parameters(flat);
    });
  }
  Ended set_parameters(const T* flat) noexcept override {
    return done([&] {
      const std::unique_lock lock(net_.mutex());
      net_.set_parameters(flat);
    });
  }
  bool try_get_parameters(T* flat) noexcept override {
    const std::shared_lock lock(net_.mutex(), std::try_to_lock);
    if (lock) net_.get_parameters(flat);
    return lock.owns_lock();
  }
  bool try_set_parameters(const T* flat) noexcept override {
    const std::unique_lock lock(net_.mutex(), std::try_to_lock);
    if (lock) net_.set_parameters(flat);
    return lock.owns_lock();
  }
  Ended set_units(Numbers input_shift, Numbers input_scale, Numbers output_shift,
                  Numbers output_scale) noexcept override {
    return done([&] {
      const UnitValues values{vector_of(input_shift), vector_of(input_scale),
                              vector_of(output_shift), vector_of(output_scale)};
      const std::unique_lock lock(net_.mutex());
      net_.set_units(values);
    });
  }

  Index rows_at_once() const noexcept override { return eigenmlp::rows_at_once(net_); }
  Ended predict(const Rows& X, T* out, bool all_or_nothing, Question stop) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      return eigenmlp::predict(net_, X, out, all_or_nothing, interruption);
    });
  }
  Ended evaluate(const Data& data, Question stop, double* loss,
                 std::int64_t* correct) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      const auto result = eigenmlp::evaluate(net_, data, interruption);
      if (result) *loss = result->loss, *correct = result->correct;
      return result.has_value();
    });
  }
  Index evaluation_chunks(const Rows& X) const noexcept override {
    return eigenmlp::evaluation_chunks(net_, X);
  }
  Ended evaluate_part(const Data& data, Index part, Index parts, Question stop, double* losses,
                      std::int64_t* correct) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      const auto result = eigenmlp::evaluate_part(net_, data, part, parts, interruption);
      if (!result) return false;
      std::copy(result->losses.begin(), result->losses.end(), losses);
      *correct = result->correct;
      return true;
    });
  }

  Ended loss_and_gradient(const Data& data, Question stop, double* loss,
                          T* flat) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      Buffer<T> gradient(net_.panel_size());
      const auto value = eigenmlp::loss_and_gradient(net_, data, gradient.data(), interruption);
      net_.unpack(gradient.data(), flat);
      *loss = value.value_or(0);
      return value.has_value();
    });
  }
  Ended vjp(const Rows& X, const Rows& dY, Question stop, T* flat, T* dX) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      Buffer<T> gradient(net_.panel_size());
      eigenmlp::vjp(net_, X, dY, gradient.data(), dX, interruption);
      net_.unpack(gradient.data(), flat);
      return true;
    });
  }

  Ended jvp(const Rows& X, const Rows& dX, const T* d_parameters, Question stop, T* Y,
            T* dY) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      return eigenmlp::jvp(net_, X, dX, d_parameters, Y, dY, interruption);
    });
  }
  Ended input_gradient(const Data& data, Index output, Question stop, T* dX) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      return eigenmlp::input_gradient(net_, data, output, dX, interruption);
    });
  }
  Ended per_sample_gradients(const Data& data, Question stop, T* gradients) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      return eigenmlp::per_sample_gradients(net_, data, gradients, interruption);
    });
  }
  Ended hessian_vector_product(const Data& data, const T* v, Question stop,
                               T* product) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      return eigenmlp::hessian_vector_product(net_, data, v, product, interruption);
    });
  }
  Ended hessian(const Data& data, Question stop, T* H) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      return eigenmlp::hessian(net_, data, H, interruption);
    });
  }
  Ended has_series(bool with_loss) noexcept override {
    return done([&] {
      const std::string why = no_series(net_, with_loss);
      if (!why.empty()) throw std::invalid_argument(why);
    });
  }
  Ended taylor(const Data& data, const T* direction, Index order, Question stop,
               double* coefficients) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      return eigenmlp::taylor(net_, data, direction, order, coefficients, interruption);
    });
  }
  Ended taylor_outputs(const Rows& X, const Rows& dX, const T* direction, Index order,
                       Question stop, T* outputs) noexcept override {
    return computed(stop, [&](Interruption* interruption) {
      return eigenmlp::taylor_outputs(net_, X, dX, direction, order, outputs, interruption);
    });
  }

private:
  eigenmlp::Network<T> net_;
};

} // namespace eigenmlp::variants
