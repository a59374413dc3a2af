// A scalar type's part of the table.
#pragma once

#include <memory>

#include "variants/network.hpp"
#include "variants/segments.hpp"
#include "variants/trainer.hpp"

#define EIGENMLP_TEXT_OF(x) #x
#define EIGENMLP_TEXT(x) EIGENMLP_TEXT_OF(x)

namespace eigenmlp::variants {

inline constexpr const char* eigen_version = EIGENMLP_TEXT(EIGEN_WORLD_VERSION) "." EIGENMLP_TEXT(
    EIGEN_MAJOR_VERSION) "." EIGENMLP_TEXT(EIGEN_MINOR_VERSION);

// Names in the order of a table, and null.
template <const auto& table>
inline constexpr auto names_of = [] {
  std::array<const char*, table.size() + 1> names{};
  for (std::size_t i = 0; i < table.size(); ++i) names[i] = table[i].name;
  return names;
}();

template <class T>
constexpr Functions<T> make_functions() {
  return {
      names_of<activation_table<T>>.data(),
      names_of<loss_table<T>>.data(),
      names_of<optimizer_table<T>>.data(),
      eigen_version,
      [](Bfloat16Products allowed) noexcept { rounded::use_products(allowed); },
      []() noexcept { return can_round<T> && rounded::has_products(); },
      [](const NetworkDescription& description, Network<T>** made) noexcept {
        return done([&] { *made = new CoreNetwork<T>(description); });
      },
      [](Network<T>& network, const TrainerDescription& description, Trainer<T>** made) noexcept {
        return done([&] {
          auto& net = static_cast<CoreNetwork<T>&>(network).net();
          *made = new CoreTrainer<T>(net, description);
        });
      },
      [](Index parameters, Index rows, Index count, Index threads) noexcept {
        return SideBySide<T>::at_once(parameters, rows, count, threads);
      },
      &run_side_by_side<T>,
      &softmax<T>,
      &softmax_vjp<T>,
      &cross_entropy<T>};
}

} // namespace eigenmlp::variants
