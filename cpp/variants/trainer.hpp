// Trainers behind the interface.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "eigenmlp/many.hpp"
#include "eigenmlp/trainer.hpp"
#include "variants/failure.hpp"
#include "variants/network.hpp"

namespace eigenmlp::variants {

template <class T>
class CoreTrainer final : public Trainer<T> {
public:
  CoreTrainer(eigenmlp::Network<T>& net, const TrainerDescription& is)
      : net_(net), trainer_(net, is.rule, ordered(is),
                            {is.limits, is.accumulate, vector_of(is.dropout), is.dropout_key}) {
    const auto& names = trainer_.optimizer().state;
    this->state_names = names.data();
    while (this->states < names.size() && names[this->states]) ++this->states;
  }

  void destroy() noexcept override { delete this; }

  bool try_progress(Progress* to) noexcept override {
    const std::shared_lock lock(net_.mutex(), std::try_to_lock);
    if (lock) *to = trainer_.progress();
    return lock.owns_lock();
  }
  Ended progress(Progress* to) noexcept override {
    return done([&] {
      const std::shared_lock lock(net_.mutex());
      *to = trainer_.progress();
    });
  }
  Ended set_progress(const Progress& progress, const T* gathered) noexcept override {
    return done([&] { trainer_.set_progress(progress, gathered); });
  }
  Ended get_gathered(T* flat) noexcept override {
    return done([&] { trainer_.get_gathered(flat); });
  }
  Ended get_state(std::size_t state, T* flat) noexcept override {
    return done([&] {
      if (state < trainer_.states_used()) trainer_.get_state(state, flat);
    });
  }
  Ended set_state(std::size_t state, const T* flat) noexcept override {
    return done([&] {
      if (state < trainer_.states_used()) trainer_.set_state(state, flat);
    });
  }
  Ended set_ranks(int index, int size, bool own_rows, SwapCall swap) noexcept override {
    return done([&] {
      trainer_.set_ranks({index, size, own_rows,
                          [swap](int rank, const void* out, std::size_t out_bytes, void* in,
                                 std::size_t in_bytes) {
                            return swap.swap(swap.of, rank, out, out_bytes, in, in_bytes);
                          }});
    });
  }

  Ended step(const Data& data, double lr, const OwnRows* own, Outcome* outcome,
             double* loss) noexcept override {
    return done([&] {
      const auto result = trainer_.step(data, lr, own);
      *outcome = result.outcome;
      *loss = result.loss;
    });
  }
  Ended run(const Data& data, const Epochs& epochs, EpochResult* results, Question stop,
            RunResult* result) noexcept override {
    return done([&] {
      const std::span<EpochResult> room(results, static_cast<std::size_t>(epochs.count));
      *result = trainer_.run(data, epochs, room, function_of(stop));
    });
  }
  Ended flush(double lr, bool* finite) noexcept override {
    return done([&] { *finite = trainer_.flush(lr); });
  }
  Ended apply(const T* gradient, double lr, bool* finite) noexcept override {
    return done([&] {
      Buffer<T> panels(net_.panel_size());
      net_.pack(gradient, panels.data());
      *finite = trainer_.apply(panels.data(), lr);
    });
  }

  eigenmlp::Trainer<T>& trainer() { return trainer_; }

private:
  // The numbers in the order in which the rule has them.
  static std::vector<double> ordered(const TrainerDescription& is) {
    std::vector<double> values;
    for (const char* name : find_by_name(optimizer_table<T>, is.rule, "optimizer").hyper) {
      if (!name) break;
      std::size_t i = 0;
      while (i < is.hyper.size && std::string_view(is.hyper_names[i]) != name) ++i;
      if (i == is.hyper.size)
        throw std::out_of_range(std::string(is.rule) + ": expected a number for " + name);
      values.push_back(is.hyper.data[i]);
    }
    return values;
  }

  eigenmlp::Network<T>& net_;
  eigenmlp::Trainer<T> trainer_;
};

template <class T>
[[gnu::cold]] Ended run_side_by_side(const SideBySideRun<T>* runs, std::size_t count,
                                     const Data& data, Question stop, bool* done_so) noexcept {
  return done([&] {
    using Runs = SideBySide<T>;
    std::vector<Fit<T>> fits;
    for (const auto* run = runs; run < runs + count; ++run)
      fits.push_back({&static_cast<CoreTrainer<T>*>(run->trainer)->trainer(),
                      run->epochs,
                      {run->results, static_cast<std::size_t>(run->epochs.count)}});
    const auto fit_in = [&](const Fit<T>& fit) {
      return Runs::suits(fit, data) && Runs::alike(fits.front(), fit);
    };
    std::vector<RunResult> results(count);
    const auto& net = fits.front().trainer->net();
    const auto networks = static_cast<Index>(count);
    *done_so =
        networks <= Runs::most &&
        Runs::pays(net.parameter_count(), fits.front().epochs.largest(data.X.rows), networks) &&
        std::ranges::all_of(fits, fit_in) && Runs::run(data, fits, function_of(stop), results);
    for (std::size_t i = 0; *done_so && i < count; ++i) *runs[i].done = results[i];
  });
}

} // namespace eigenmlp::variants
