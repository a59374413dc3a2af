// The classes Network32 and Network64.
#pragma once

#include <shared_mutex>

#include "arrays.hpp"
#include "eigenmlp/passes/gradient.hpp"
#include "eigenmlp/passes/inference.hpp"
#include "gil.hpp"

namespace eigenmlp::bindings {

// Outputs that wait in memory of their own until all of them are known to be good.
inline constexpr std::size_t most_bytes_apart = std::size_t{1} << 25;

template <class T>
void register_network(py::module_& m, const char* name) {
  using Net = Network<T>;
  py::class_<Net>(m, name)
      .def(py::init<const std::vector<Index>&, const std::vector<std::string>&, const std::string&,
                    bool, T, bool>(),
           py::arg("layer_sizes"), py::arg("activations"), py::arg("loss"), py::arg("bias"),
           py::arg("input_scale"), py::arg("rounds") = false)
      .def_property_readonly("parameter_count", &Net::parameter_count)
      .def("get_parameters",
           [](Net& net) {
             Array<T> flat(net.parameter_count());
             T* to = flat.mutable_data();
             const WithoutGil without_gil;
             const std::shared_lock lock(net.mutex());
             net.get_parameters(to);
             return flat;
           })
      .def(
          "set_parameters",
          [](Net& net, const Array<T>& flat) {
            const T* from = flat_of(net, flat);
            const WithoutGil without_gil;
            const std::unique_lock lock(net.mutex());
            net.set_parameters(from);
          },
          py::arg("flat"))
      .def(
          "set_units",
          [](Net& net, std::vector<double> input_shift, std::vector<double> input_scale,
             std::vector<double> output_shift, std::vector<double> output_scale) {
            const UnitValues values{std::move(input_shift), std::move(input_scale),
                                    std::move(output_shift), std::move(output_scale)};
            const WithoutGil without_gil;
            const std::unique_lock lock(net.mutex());
            net.set_units(values);
          },
          py::arg("input_shift"), py::arg("input_scale"), py::arg("output_shift"),
          py::arg("output_scale"))
      .def(
          "forward",
          [](const Net& net, py::handle X, py::handle out) -> OrNone<Array<T>> {
            const auto rows = rows_of(X, net.inputs());
            if (!rows) return py::none();
            py::object result;
            if (out.is_none()) {
              result = Array<T>({rows->rows, net.outputs()});
            } else {
              if (!is_array<T>(out)) return py::none();
              result = py::reinterpret_borrow<py::object>(out);
            }
            auto array = py::reinterpret_borrow<py::array>(result);
            if (array.ndim() != 2 || array.shape(0) != rows->rows ||
                array.shape(1) != net.outputs() || !array.writeable())
              return py::none();
            T* to = static_cast<T*>(array.mutable_data());
            const auto size = static_cast<std::size_t>(array.size());
            // Outputs that would overwrite rows still to be read go elsewhere first, and so do
            // those of which all or none shall be written: else X is read once more before, to
            // check it.
            const bool all_or_nothing = !out.is_none(), one_go = rows->rows <= rows_at_once(net);
            std::unique_ptr<T[]> apart;
            if (may_overlap(*rows, to, size * sizeof(T)) ||
                (all_or_nothing && !one_go && size * sizeof(T) <= most_bytes_apart))
              apart = std::make_unique_for_overwrite<T[]>(size);
            const bool finite = interruptible([&](Interruption& interruption) {
              return predict(net, *rows, apart ? apart.get() : to, all_or_nothing && !apart,
                             &interruption);
            });
            if (finite && apart) std::copy_n(apart.get(), size, to);
            return finite ? std::move(result) : py::none();
          },
          py::arg("X"), py::arg("out") = py::none())
      .def(
          "evaluate",
          [](const Net& net, py::handle X, py::handle y, py::handle weights,
             const py::object& check) {
            const Data data = checked(data_of(net, X, y, weights), "X, y or sample_weight");
            const auto result = interruptible(
                [&](Interruption& interruption) { return evaluate(net, data, &interruption); },
                check);
            if (!result) throw py::value_error(changed_data);
            return py::make_tuple(result->loss, net.loss().classifies ? result->correct : -1);
          },
          py::arg("X"), py::arg("y"), py::arg("sample_weight") = py::none(),
          py::arg("check") = py::none())
      .def(
          "evaluate_part",
          [](const Net& net, py::handle X, py::handle y, py::handle weights, Index part,
             Index parts) {
            const Data data = checked(data_of(net, X, y, weights), "X, y or sample_weight");
            if (part < 0 || part >= parts) throw py::value_error("part must be below parts");
            const auto result = interruptible([&](Interruption& interruption) {
              return evaluate_part(net, data, part, parts, &interruption);
            });
            if (!result) throw py::value_error(changed_data);
            const auto count = static_cast<Index>(result->losses.size());
            const Array<double> losses(count, result->losses.data());
            return py::make_tuple(losses, net.loss().classifies ? result->correct : -1);
          },
          py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::arg("part"), py::arg("parts"))
      .def(
          "loss_and_gradient",
          [](Net& net, py::handle X, py::handle y, py::handle weights) {
            const Data data = checked(data_of(net, X, y, weights), "X, y or sample_weight");
            Array<T> flat(net.parameter_count());
            T* to = flat.mutable_data();
            const auto loss = interruptible([&](Interruption& interruption) {
              Buffer<T> gradient(net.panel_size());
              const auto value = loss_and_gradient(net, data, gradient.data(), &interruption);
              net.unpack(gradient.data(), to);
              return value;
            });
            if (!loss) throw py::value_error(changed_data);
            return py::make_tuple(*loss, flat);
          },
          py::arg("X"), py::arg("y"), py::arg("sample_weight") = py::none())
      .def(
          "vjp",
          [](Net& net, py::handle X, py::handle dY) {
            const Rows rows = checked(rows_of(X, net.inputs()), "X");
            const Rows deltas = checked(rows_of(dY, net.outputs()), "dY");
            if (rows.rows != deltas.rows) throw py::value_error("X and dY differ in rows");
            Array<T> flat(net.parameter_count()), dX({rows.rows, net.inputs()});
            T *to = flat.mutable_data(), *dX_data = dX.mutable_data();
            interruptible([&](Interruption& interruption) {
              Buffer<T> gradient(net.panel_size());
              vjp(net, rows, deltas, gradient.data(), dX_data, &interruption);
              net.unpack(gradient.data(), to);
              return true;
            });
            return py::make_tuple(flat, dX);
          },
          py::arg("X"), py::arg("dY"));
}

} // namespace eigenmlp::bindings
