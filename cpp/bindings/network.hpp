// The classes Network32 and Network64.
#pragma once

#include <algorithm>
#include <memory>

#include "arrays.hpp"
#include "gil.hpp"

namespace eigenmlp::bindings {

// Outputs that wait in memory of their own until all of them are known to be good.
inline constexpr std::size_t most_bytes_apart = std::size_t{1} << 25;

// So few are copied in microseconds, with Python's lock: who gives that back may wait long for it
// among other threads.
inline constexpr Index few_parameters = 1 << 16;

// A network of the variant.
template <class T>
class PyNetwork {
public:
  PyNetwork(const std::vector<Index>& layer_sizes, const std::vector<std::string>& activations,
            const std::string& loss, bool bias, T input_scale, bool rounds) {
    if (layer_sizes.size() != activations.size() + 1)
      throw py::value_error("a network needs at least 2 sizes, and an activation a layer");
    const auto names = pointers_to(activations);
    variants::Network<T>* made = nullptr;
    ended_well(functions<T>().make_network(
        {layer_sizes.data(), names.data(), names.size(), loss.c_str(), bias, input_scale, rounds},
        &made));
    core_.reset(made);
  }
  variants::Network<T>& core() const { return *core_; }

private:
  Owned<variants::Network<T>> core_;
};

template <class T>
void register_network(py::module_& m, const char* name) {
  using Net = PyNetwork<T>;
  using variants::Question;
  py::class_<Net>(m, name)
      .def(py::init<const std::vector<Index>&, const std::vector<std::string>&, const std::string&,
                    bool, T, bool>(),
           py::arg("layer_sizes"), py::arg("activations"), py::arg("loss"), py::arg("bias"),
           py::arg("input_scale"), py::arg("rounds") = false)
      .def_property_readonly("parameter_count",
                             [](const Net& net) { return net.core().parameter_count; })
      .def("get_parameters",
           [](const Net& net) {
             Array<T> flat(net.core().parameter_count);
             T* to = flat.mutable_data();
             if (flat.size() <= few_parameters && net.core().try_get_parameters(to)) return flat;
             const WithoutGil without_gil;
             ended_well(net.core().get_parameters(to));
             return flat;
           })
      .def(
          "set_parameters",
          [](const Net& net, const Array<T>& flat) {
            const T* from = flat_of(net.core(), flat);
            if (flat.size() <= few_parameters && net.core().try_set_parameters(from)) return;
            const WithoutGil without_gil;
            ended_well(net.core().set_parameters(from));
          },
          py::arg("flat"))
      .def(
          "set_units",
          [](const Net& net, const std::vector<double>& input_shift,
             const std::vector<double>& input_scale, const std::vector<double>& output_shift,
             const std::vector<double>& output_scale) {
            const WithoutGil without_gil;
            ended_well(net.core().set_units(numbers_of(input_shift), numbers_of(input_scale),
                                            numbers_of(output_shift), numbers_of(output_scale)));
          },
          py::arg("input_shift"), py::arg("input_scale"), py::arg("output_shift"),
          py::arg("output_scale"))
      .def(
          "forward",
          [](const Net& net, py::handle X, py::handle out) -> OrNone<Array<T>> {
            const auto rows = rows_of(X, net.core().inputs);
            if (!rows) return py::none();
            py::object result;
            if (out.is_none()) {
              result = Array<T>({rows->rows, net.core().outputs});
            } else {
              if (!is_array<T>(out)) return py::none();
              result = py::reinterpret_borrow<py::object>(out);
            }
            auto array = py::reinterpret_borrow<py::array>(result);
            if (array.ndim() != 2 || array.shape(0) != rows->rows ||
                array.shape(1) != net.core().outputs || !array.writeable())
              return py::none();
            T* to = static_cast<T*>(array.mutable_data());
            const auto size = static_cast<std::size_t>(array.size());
            // Outputs that would overwrite rows still to be read go elsewhere first, and so do
            // those of which all or none shall be written: else X is read once more before, to
            // check it.
            const bool all_or_nothing = !out.is_none();
            const bool one_go = !all_or_nothing || rows->rows <= net.core().rows_at_once();
            std::unique_ptr<T[]> apart;
            if (may_overlap(*rows, to, size * sizeof(T)) ||
                (all_or_nothing && !one_go && size * sizeof(T) <= most_bytes_apart))
              apart = std::make_unique_for_overwrite<T[]>(size);
            const bool finite = interruptible([&](Question stop) {
              return net.core().predict(*rows, apart ? apart.get() : to, all_or_nothing && !apart,
                                        stop);
            });
            if (finite && apart) std::copy_n(apart.get(), size, to);
            return finite ? std::move(result) : py::none();
          },
          py::arg("X"), py::arg("out") = py::none())
      .def(
          "evaluate",
          [](const Net& net, py::handle X, py::handle y, py::handle weights,
             const py::object& check) {
            const Data data = checked(data_of(net.core(), X, y, weights), "X, y or sample_weight");
            double loss = 0;
            std::int64_t correct = -1;
            const bool good = interruptible(
                [&](Question stop) { return net.core().evaluate(data, stop, &loss, &correct); },
                check);
            if (!good) throw py::value_error(changed_data);
            return py::make_tuple(loss, net.core().classifies ? correct : -1);
          },
          py::arg("X"), py::arg("y"), py::arg("sample_weight") = py::none(),
          py::arg("check") = py::none())
      .def(
          "evaluate_part",
          [](const Net& net, py::handle X, py::handle y, py::handle weights, Index part,
             Index parts) {
            const Data data = checked(data_of(net.core(), X, y, weights), "X, y or sample_weight");
            if (part < 0 || part >= parts) throw py::value_error("part must be below parts");
            Array<double> losses(net.core().evaluation_chunks(data.X));
            double* const to = losses.mutable_data();
            std::int64_t correct = -1;
            const bool good = interruptible([&](Question stop) {
              return net.core().evaluate_part(data, part, parts, stop, to, &correct);
            });
            if (!good) throw py::value_error(changed_data);
            return py::make_tuple(losses, net.core().classifies ? correct : -1);
          },
          py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::arg("part"), py::arg("parts"))
      .def(
          "loss_and_gradient",
          [](const Net& net, py::handle X, py::handle y, py::handle weights) {
            const Data data = checked(data_of(net.core(), X, y, weights), "X, y or sample_weight");
            Array<T> flat(net.core().parameter_count);
            T* to = flat.mutable_data();
            double loss = 0;
            const bool good = interruptible(
                [&](Question stop) { return net.core().loss_and_gradient(data, stop, &loss, to); });
            if (!good) throw py::value_error(changed_data);
            return py::make_tuple(loss, flat);
          },
          py::arg("X"), py::arg("y"), py::arg("sample_weight") = py::none())
      .def(
          "vjp",
          [](const Net& net, py::handle X, py::handle dY) {
            const Rows rows = checked(rows_of(X, net.core().inputs), "X");
            const Rows deltas = checked(rows_of(dY, net.core().outputs), "dY");
            if (rows.rows != deltas.rows) throw py::value_error("X and dY differ in rows");
            Array<T> flat(net.core().parameter_count), dX({rows.rows, net.core().inputs});
            T *to = flat.mutable_data(), *dX_data = dX.mutable_data();
            interruptible(
                [&](Question stop) { return net.core().vjp(rows, deltas, stop, to, dX_data); });
            return py::make_tuple(flat, dX);
          },
          py::arg("X"), py::arg("dY"));
}

} // namespace eigenmlp::bindings
