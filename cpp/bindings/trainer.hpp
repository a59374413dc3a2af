// The classes Trainer32 and Trainer64.
#pragma once

#include <pybind11/functional.h>

#include <map>
#include <utility>

#include "network.hpp"
#include "runs.hpp"

namespace eigenmlp::bindings {

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
            if (const py::object error = during.taken_error(); !error.is_none()) raise(error);
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
            const Data data = checked(data_of(self.net(), X, y, weights), "X, y or sample_weight");
            PyRun run(data.X.rows, batch_size, orders, learning_rates, self.accumulate(),
                      own_batches);
            run.epochs.whole = whole;
            run.epochs.goes_on = goes_on;
            run.set_own(divisors, rows_before, rows_of_all);
            const py::object error = asking(check, [&](variants::Question stop) {
              ended_well(
                  self.core().run(data, run.epochs, run.epochs_done.data(), stop, &run.done));
            });
            return run.result(self.net().classifies, error);
          },
          py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::arg("batch_size"),
          py::arg("orders"), py::arg("learning_rates"), py::arg("whole") = true,
          py::arg("check") = py::none(), py::arg("goes_on") = false, py::arg("own_batches") = 0,
          py::arg("divisors") = py::none(), py::arg("rows_before") = py::none(),
          py::arg("rows_of_all") = py::none())
      .def_static(
          "at_once",
          [](Index parameters, Index rows, Index count, Index threads) {
            if (std::min({parameters, rows, count, threads}) < 1)
              throw py::value_error("expected numbers of at least 1");
            return functions<T>().at_once(parameters, rows, count, threads);
          },
          py::arg("parameters"), py::arg("rows"), py::arg("count"), py::arg("threads"))
      .def_static(
          "run_side_by_side",
          [](const std::vector<Self*>& trainers, py::handle X, py::handle y, py::handle weights,
             Index batch_size, const std::vector<Array<std::int64_t>>& orders,
             const Array<double>& learning_rates, const py::object& check) {
            std::vector<Participant<T>> each;
            for (Self* self : trainers) each.push_back({&self->net(), &self->core()});
            return run_side_by_side(each, X, y, weights, batch_size, orders, learning_rates, check);
          },
          py::arg("trainers"), py::arg("X"), py::arg("y"), py::arg("sample_weight"),
          py::arg("batch_size"), py::arg("orders"), py::arg("learning_rates"),
          py::arg("check") = py::none());
}

} // namespace eigenmlp::bindings
