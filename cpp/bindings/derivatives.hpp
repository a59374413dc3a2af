// The submodule `derivatives`: functions of a network, with the names of the twin's module.
#pragma once

#include "arrays.hpp"
#include "gil.hpp"
#include "network.hpp"

namespace eigenmlp::bindings {

// A vector like the parameters, or null for None.
template <class T>
const T* direction_of(const PyNetwork<T>& net, py::handle flat) {
  if (flat.is_none()) return nullptr;
  if (!is_array<T>(flat)) throw py::type_error("the core cannot read a direction");
  return flat_of(net.core(), py::reinterpret_borrow<Array<T>>(flat));
}

// Rows as X has, or none for None.
template <class T>
Rows input_direction_of(const PyNetwork<T>& net, const Rows& X, py::handle dX) {
  if (dX.is_none()) return {};
  const Rows rows = checked(rows_of(dX, net.core().inputs), "dX");
  if (rows.rows != X.rows) throw py::value_error("X and dX differ in rows");
  return rows;
}

inline Index order_of(Index order) {
  if (order < 0) throw py::value_error("expected an order of at least 0");
  return order;
}

inline void refuse_if(bool refused, const char* why) {
  if (refused) throw py::value_error(why);
}

template <class T>
void register_derivatives(py::module_& m) {
  using Net = PyNetwork<T>;
  using variants::Question;
  m.def(
      "jvp",
      [](const Net& net, py::handle X, py::handle dX, py::handle d_parameters) {
        const Rows rows = checked(rows_of(X, net.core().inputs), "X");
        const Rows moves = input_direction_of(net, rows, dX);
        const T* direction = direction_of(net, d_parameters);
        Array<T> Y({rows.rows, net.core().outputs}), dY({rows.rows, net.core().outputs});
        T *Y_data = Y.mutable_data(), *dY_data = dY.mutable_data();
        const bool good = interruptible([&](Question stop) {
          return net.core().jvp(rows, moves, direction, stop, Y_data, dY_data);
        });
        refuse_if(!good, changed_data);
        return py::make_tuple(Y, dY);
      },
      py::arg("network"), py::arg("X"), py::arg("dX") = py::none(),
      py::arg("d_parameters") = py::none());
  m.def(
      "input_gradient",
      [](const Net& net, py::handle X, py::handle y, Index output) {
        Data data;
        if (output < 0)
          data = checked(data_of(net.core(), X, y, py::none()), "X or y");
        else
          data.X = checked(rows_of(X, net.core().inputs), "X");
        if (output >= net.core().outputs) throw py::index_error("there is no such output");
        Array<T> dX({data.X.rows, net.core().inputs});
        T* to = dX.mutable_data();
        const bool good = interruptible(
            [&](Question stop) { return net.core().input_gradient(data, output, stop, to); });
        refuse_if(!good, changed_data);
        return dX;
      },
      py::arg("network"), py::arg("X"), py::arg("y") = py::none(), py::arg("output") = -1);
  m.def(
      "per_sample_gradients",
      [](const Net& net, py::handle X, py::handle y, py::handle weights) {
        const Data data = checked(data_of(net.core(), X, y, weights), "X, y or sample_weight");
        Array<T> gradients({data.X.rows, net.core().parameter_count});
        T* to = gradients.mutable_data();
        const bool good = interruptible(
            [&](Question stop) { return net.core().per_sample_gradients(data, stop, to); });
        refuse_if(!good, changed_data);
        return gradients;
      },
      py::arg("network"), py::arg("X"), py::arg("y"), py::arg("sample_weight") = py::none());
  m.def(
      "hessian_vector_product",
      [](const Net& net, py::handle X, py::handle y, const Array<T>& v, py::handle weights) {
        const Data data = checked(data_of(net.core(), X, y, weights), "X, y or sample_weight");
        const T* direction = flat_of(net.core(), v);
        Array<T> product(net.core().parameter_count);
        T* to = product.mutable_data();
        const bool good = interruptible([&](Question stop) {
          return net.core().hessian_vector_product(data, direction, stop, to);
        });
        refuse_if(!good, changed_data);
        return product;
      },
      py::arg("network"), py::arg("X"), py::arg("y"), py::arg("v"),
      py::arg("sample_weight") = py::none());
  m.def(
      "hessian",
      [](const Net& net, py::handle X, py::handle y, py::handle weights) {
        const Data data = checked(data_of(net.core(), X, y, weights), "X, y or sample_weight");
        Array<T> H({net.core().parameter_count, net.core().parameter_count});
        T* to = H.mutable_data();
        const bool good =
            interruptible([&](Question stop) { return net.core().hessian(data, stop, to); });
        refuse_if(!good, changed_data);
        return H;
      },
      py::arg("network"), py::arg("X"), py::arg("y"), py::arg("sample_weight") = py::none());
  m.def(
      "taylor",
      [](const Net& net, py::handle X, py::handle y, const Array<T>& direction, Index order,
         py::handle weights) {
        const Data data = checked(data_of(net.core(), X, y, weights), "X, y or sample_weight");
        const T* d_parameters = flat_of(net.core(), direction);
        ended_well(net.core().has_series(true));
        Array<double> coefficients(order_of(order) + 1);
        double* to = coefficients.mutable_data();
        const bool good = interruptible(
            [&](Question stop) { return net.core().taylor(data, d_parameters, order, stop, to); });
        refuse_if(!good, changed_data);
        return coefficients;
      },
      py::arg("network"), py::arg("X"), py::arg("y"), py::arg("direction"), py::arg("order"),
      py::arg("sample_weight") = py::none());
  m.def(
      "taylor_outputs",
      [](const Net& net, py::handle X, Index order, py::handle direction,
         py::handle input_direction) {
        const Rows rows = checked(rows_of(X, net.core().inputs), "X");
        const Rows moves = input_direction_of(net, rows, input_direction);
        const T* d_parameters = direction_of(net, direction);
        ended_well(net.core().has_series(false));
        Array<T> outputs({order_of(order) + 1, rows.rows, net.core().outputs});
        T* to = outputs.mutable_data();
        const bool good = interruptible([&](Question stop) {
          return net.core().taylor_outputs(rows, moves, d_parameters, order, stop, to);
        });
        refuse_if(!good, changed_data);
        return outputs;
      },
      py::arg("network"), py::arg("X"), py::arg("order"), py::arg("direction") = py::none(),
      py::arg("input_direction") = py::none());
}

} // namespace eigenmlp::bindings
