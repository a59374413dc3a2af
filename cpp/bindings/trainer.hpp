// The classes Trainer32 and Trainer64, and what their runs return.
#pragma once

#include <pybind11/functional.h>

#include <cmath>
#include <map>
#include <utility>

#include "arrays.hpp"
#include "gil.hpp"
#include "network.hpp"
#include "ranks.hpp"

namespace eigenmlp::bindings {

// What a run did, in arrays; the same attributes as the twin's.
struct PyRunResult {
  Array<double> losses, seconds;
  Array<double> batch_losses, penalties; // of all batches, one epoch after the other
  Array<std::int64_t> correct;
  Index epochs = 0, steps = 0, diverged_step = -1;
  bool interrupted = false, refused = false;
  double diverged_loss = 0;
  py::object error = py::none(); // what a signal's handler raised
};

template <class T>
PyRunResult run(const variants::Network<T>& net, variants::Trainer<T>& trainer, Index accumulate,
                py::handle X, py::handle y, py::handle weights, Index batch_size,
                const Array<std::int64_t>& orders, const Array<double>& learning_rates, bool whole,
                const py::object& check, bool goes_on, Index own_batches,
                const std::optional<Array<double>>& divisors,
                const std::optional<Array<std::int64_t>>& rows_before,
                const std::optional<Array<std::int64_t>>& rows_of_all) {
  const Data data = checked(data_of(net, X, y, weights), "X, y or sample_weight");
  Epochs epochs;
  if (orders.ndim() != 2 || batch_size < 1)
    throw py::value_error("orders must be (E, N) or (E, 0)");
  epochs.count = orders.shape(0);
  epochs.batch_size = batch_size;
  if (orders.shape(1) != 0) {
    if (orders.shape(1) != data.X.rows) throw py::value_error("orders must be (E, N) or (E, 0)");
    epochs.order = orders.data();
    for (Index i = 0; i < orders.size(); ++i)
      if (orders.data()[i] < 0 || orders.data()[i] >= data.X.rows)
        throw py::index_error("orders point outside the rows");
  }
  epochs.whole = whole;
  epochs.goes_on = goes_on;
  if (own_batches < 0) throw py::value_error("own_batches must not be negative");
  epochs.batches = own_batches;
  const Index batches = epochs.batches_of(data.X.rows);
  const auto own = own_rows(divisors, rows_before, rows_of_all, batches * epochs.count);
  epochs.own = own;
  const Index steps = ceil_div(batches, accumulate) * epochs.count;
  if (learning_rates.size() != 1 && learning_rates.size() != steps)
    throw py::value_error("expected 1 learning rate or " + std::to_string(steps));
  epochs.learning_rates = {learning_rates.data(), static_cast<std::size_t>(learning_rates.size())};
  std::vector<EpochResult> results(static_cast<std::size_t>(epochs.count));
  RunResult done;
  PyRunResult result;
  result.batch_losses = Array<double>(batches * epochs.count);
  result.penalties = Array<double>(batches * epochs.count);
  epochs.losses = result.batch_losses.mutable_data();
  epochs.penalties = result.penalties.mutable_data();
  std::fill_n(epochs.losses, result.batch_losses.size(), 0.0);
  std::fill_n(epochs.penalties, result.penalties.size(), 0.0);
  // Nothing may run out of memory when steps were done.
  result.losses = Array<double>(epochs.count);
  result.seconds = Array<double>(epochs.count);
  result.correct = Array<std::int64_t>(epochs.count);
  std::fill_n(result.losses.mutable_data(), epochs.count, std::nan(""));
  std::fill_n(result.seconds.mutable_data(), epochs.count, 0.0);
  std::fill_n(result.correct.mutable_data(), epochs.count, std::int64_t{-1});
  const bool main = in_main_thread();
  PySwap::During during;
  {
    WithoutGil without_gil;
    during.take_from(without_gil);
    const auto asked = [&] {
      try {
        if (main && PyErr_CheckSignals() != 0) throw py::error_already_set();
        if (!check.is_none()) check();
      } catch (const py::error_already_set& error) {
        result.error = error.value();
        return false;
      }
      return true;
    };
    const auto stop = [&] { return !without_gil.with_gil(asked); };
    const bool asks = main || !check.is_none();
    ended_well(trainer.run(data, epochs, results.data(),
                           asks ? question_of(stop) : variants::Question{}, &done));
  }
  if (py::object error = during.taken_error(); !error.is_none()) result.error = std::move(error);
  for (Index e = 0; e < done.epochs; ++e) {
    const EpochResult& epoch = results[static_cast<std::size_t>(e)];
    result.losses.mutable_at(e) = epoch.loss;
    result.seconds.mutable_at(e) = epoch.seconds;
    result.correct.mutable_at(e) = net.classifies ? epoch.correct : -1;
  }
  result.epochs = done.epochs;
  result.steps = done.steps;
  if (done.outcome == Outcome::diverged) result.diverged_step = done.steps;
  result.interrupted = done.outcome == Outcome::interrupted;
  result.refused = done.outcome == Outcome::refused;
  result.diverged_loss = done.loss;
  return result;
}

template <class T>
class PyTrainer {
public:
  PyTrainer(py::object network, const std::string& rule, const std::map<std::string, double>& hyper,
            const Limits& limits, Index accumulate, const std::vector<double>& dropout,
            std::uint64_t dropout_key)
      : network_(std::move(network)), net_(network_.cast<PyNetwork<T>&>().core()),
        accumulate_(accumulate) {
    std::vector<const char*> names;
    std::vector<double> values;
    for (const auto& [name, value] : hyper) {
      names.push_back(name.c_str());
      values.push_back(value);
    }
    variants::Trainer<T>* made = nullptr;
    ended_well(functions<T>().make_trainer(net_,
                                           {rule.c_str(), names.data(), numbers_of(values), limits,
                                            accumulate, numbers_of(dropout), dropout_key},
                                           &made));
    core_.reset(made);
  }

  const variants::Network<T>& net() const { return net_; }
  variants::Trainer<T>& core() { return *core_; }
  Index accumulate() const { return accumulate_; }

  void set_ranks(int index, int size, bool own_rows, py::object function) {
    if (size < 1 || index < 0 || index >= size) throw py::value_error("index must be below size");
    swap_.set(std::move(function));
    const variants::SwapCall call{[](void* of, int rank, const void* out, std::size_t out_bytes,
                                     void* in, std::size_t in_bytes) {
                                    return (*static_cast<PySwap*>(of))(rank, out, out_bytes, in,
                                                                       in_bytes);
                                  },
                                  &swap_};
    const WithoutGil without_gil;
    ended_well(core().set_ranks(index, size, own_rows, call));
  }
  // Between two stretches of steps, which hold the network's lock.
  Progress progress() {
    Progress progress;
    if (core().try_progress(&progress)) return progress;
    const WithoutGil without_gil;
    ended_well(core().progress(&progress));
    return progress;
  }

  std::vector<std::string> state_names() {
    return {core().state_names, core().state_names + core().states};
  }
  std::size_t state_index(const std::string& name) {
    for (std::size_t i = 0; i < core().states; ++i)
      if (name == core().state_names[i]) return i;
    throw py::key_error(name);
  }

private:
  py::object network_; // keeps the network alive
  variants::Network<T>& net_;
  Index accumulate_;
  PySwap swap_;
  Owned<variants::Trainer<T>> core_; // which calls swap_
};

template <class T>
void register_trainer(py::module_& m, const char* name) {
  using Self = PyTrainer<T>;
  py::class_<Self>(m, name)
      .def(py::init([](py::object network, const std::string& rule,
                       const std::map<std::string, double>& hyper, double clip_norm, double l1,
                       double max_norm, double penalty, Index accumulate,
                       const std::vector<double>& dropout, std::uint64_t dropout_key) {
             const Limits limits{clip_norm, l1, max_norm, penalty};
             return std::make_unique<Self>(std::move(network), rule, hyper, limits, accumulate,
                                           dropout, dropout_key);
           }),
           py::arg("network"), py::arg("rule"), py::arg("hyper"),
           py::arg("clip_norm") = Limits{}.clip_norm, py::arg("l1") = 0.0,
           py::arg("max_norm") = Limits{}.max_norm, py::arg("penalty") = 0.0,
           py::arg("accumulate") = 1, py::arg("dropout") = std::vector<double>{},
           py::arg("dropout_key") = 0)
      .def_property_readonly("state_names", &Self::state_names)
      .def_property_readonly("steps", [](Self& self) { return self.progress().steps; })
      .def("get_progress",
           [](Self& self) {
             const Progress p = self.progress();
             return py::make_tuple(p.steps, p.batches, p.rows, p.weight);
           })
      .def("get_gathered",
           [](Self& self) {
             Array<T> flat(self.net().parameter_count);
             T* to = flat.mutable_data();
             std::fill_n(to, flat.size(), T(0));
             const WithoutGil without_gil;
             ended_well(self.core().get_gathered(to));
             return flat;
           })
      .def(
          "set_progress",
          [](Self& self, Index steps, Index batches, Index rows, double weight,
             const std::optional<Array<T>>& gathered) {
            const T* from = gathered ? flat_of(self.net(), *gathered) : nullptr;
            const WithoutGil without_gil;
            ended_well(self.core().set_progress({steps, batches, rows, weight}, from));
          },
          py::arg("steps"), py::arg("batches") = 0, py::arg("rows") = 0, py::arg("weight") = 0.0,
          py::arg("gathered") = py::none())
      .def(
          "flush",
          [](Self& self, double lr) {
            bool finite = false;
            const WithoutGil without_gil;
            ended_well(self.core().flush(lr, &finite));
            return finite;
          },
          py::arg("lr"))
      .def(
          "get_state",
          [](Self& self, const std::string& state) {
            const std::size_t i = self.state_index(state);
            Array<T> flat(self.net().parameter_count);
            T* to = flat.mutable_data();
            std::fill_n(to, flat.size(), T(0));
            const WithoutGil without_gil;
            ended_well(self.core().get_state(i, to));
            return flat;
          },
          py::arg("name"))
      .def(
          "set_state",
          [](Self& self, const std::string& state, const Array<T>& flat) {
            const std::size_t i = self.state_index(state);
            const T* from = flat_of(self.net(), flat);
            const WithoutGil without_gil;
            ended_well(self.core().set_state(i, from));
          },
          py::arg("name"), py::arg("flat"))
      .def(
          "step",
          [](Self& self, py::handle X, py::handle y, double lr, py::handle weights,
             std::optional<double> divisor, Index rows_before,
             Index rows_of_all) -> OrNone<py::float_> {
            const auto data = data_of(self.net(), X, y, weights);
            if (!data) return py::none();
            Outcome outcome{};
            double loss = 0;
            const OwnRows own{divisor.value_or(0), rows_before, rows_of_all};
            PySwap::During during;
            {
              WithoutGil without_gil;
              during.take_from(without_gil);
              ended_well(self.core().step(*data, lr, divisor ? &own : nullptr, &outcome, &loss));
            }
            if (const py::object error = during.taken_error(); !error.is_none()) {
              PyErr_SetObject(py::type::handle_of(error).ptr(), error.ptr());
              throw py::error_already_set();
            }
            if (outcome == Outcome::refused) return py::none();
            return py::float_(loss);
          },
          py::arg("X"), py::arg("y"), py::arg("lr"), py::arg("sample_weight") = py::none(),
          py::arg("divisor") = py::none(), py::arg("rows_before") = 0, py::arg("rows_of_all") = 0)
      .def("set_ranks", &Self::set_ranks, py::arg("index"), py::arg("size"), py::arg("own_rows"),
           py::arg("swap"))
      .def(
          "apply",
          [](Self& self, const Array<T>& gradient, double lr) {
            const T* from = flat_of(self.net(), gradient);
            bool finite = false;
            const WithoutGil without_gil;
            ended_well(self.core().apply(from, lr, &finite));
            return finite;
          },
          py::arg("gradient"), py::arg("lr"))
      .def(
          "run",
          [](Self& self, py::handle X, py::handle y, py::handle weights, Index batch_size,
             const Array<std::int64_t>& orders, const Array<double>& learning_rates, bool whole,
             const py::object& check, bool goes_on, Index own_batches,
             const std::optional<Array<double>>& divisors,
             const std::optional<Array<std::int64_t>>& rows_before,
             const std::optional<Array<std::int64_t>>& rows_of_all) {
            return run(self.net(), self.core(), self.accumulate(), X, y, weights, batch_size,
                       orders, learning_rates, whole, check, goes_on, own_batches, divisors,
                       rows_before, rows_of_all);
          },
          py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::arg("batch_size"),
          py::arg("orders"), py::arg("learning_rates"), py::arg("whole") = true,
          py::arg("check") = py::none(), py::arg("goes_on") = false, py::arg("own_batches") = 0,
          py::arg("divisors") = py::none(), py::arg("rows_before") = py::none(),
          py::arg("rows_of_all") = py::none());
}

} // namespace eigenmlp::bindings
