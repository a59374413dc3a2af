// The submodule `derivatives`: functions of a network, with the names of the twin's module.
#pragma once

#include "arrays.hpp"
#include "eigenmlp/derivatives/hessian.hpp"
#include "eigenmlp/derivatives/per_sample.hpp"
#include "eigenmlp/derivatives/taylor.hpp"
#include "gil.hpp"

namespace eigenmlp::bindings {

// A vector like the parameters, or null for None.
template <class T>
const T* direction_of(const Network<T>& net, py::handle flat) {
  if (flat.is_none()) return nullptr;
  if (!is_array<T>(flat)) throw py::type_error("the core cannot read a direction");
  return flat_of(net, py::reinterpret_borrow<Array<T>>(flat));
}

// Rows as X has, or none for None.
template <class T>
Rows input_direction_of(const Network<T>& net, const Rows& X, py::handle dX) {
  if (dX.is_none()) return {};
  const Rows rows = checked(rows_of(dX, net.inputs()), "dX");
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
  using Net = Network<T>;
  m.def(
      "jvp",
      [](const Net& net, py::handle X, py::handle dX, py::handle d_parameters) {
        const Rows rows = checked(rows_of(X, net.inputs()), "X");
        const Rows moves = input_direction_of(net, rows, dX);
        const T* direction = direction_of(net, d_parameters);
        Array<T> Y({rows.rows, net.outputs()}), dY({rows.rows, net.outputs()});
        T *Y_data = Y.mutable_data(), *dY_data = dY.mutable_data();
        const bool good = interruptible([&](Interruption& interruption) {
          return jvp(net, rows, moves, direction, Y_data, dY_data, &interruption);
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
          data = checked(data_of(net, X, y, py::none()), "X or y");
        else
          data.X = checked(rows_of(X, net.inputs()), "X");
        if (output >= net.outputs()) throw py::index_error("there is no such output");
        Array<T> dX({data.X.rows, net.inputs()});
        T* to = dX.mutable_data();
        const bool good = interruptible([&](Interruption& interruption) {
          return input_gradient(net, data, output, to, &interruption);
        });
        refuse_if(!good, changed_data);
        return dX;
      },
      py::arg("network"), py::arg("X"), py::arg("y") = py::none(), py::arg("output") = -1);
  m.def(
      "per_sample_gradients",
      [](const Net& net, py::handle X, py::handle y, py::handle weights) {
        const Data data = checked(data_of(net, X, y, weights), "X, y or sample_weight");
        Array<T> gradients({data.X.rows, net.parameter_count()});
        T* to = gradients.mutable_data();
        const bool good = interruptible([&](Interruption& interruption) {
          return per_sample_gradients(net, data, to, &interruption);
        });
        refuse_if(!good, changed_data);
        return gradients;
      },
      py::arg("network"), py::arg("X"), py::arg("y"), py::arg("sample_weight") = py::none());
  m.def(
      "hessian_vector_product",
      [](const Net& net, py::handle X, py::handle y, const Array<T>& v, py::handle weights) {
        const Data data = checked(data_of(net, X, y, weights), "X, y or sample_weight");
        const T* direction = flat_of(net, v);
        Array<T> product(net.parameter_count());
        T* to = product.mutable_data();
        const bool good = interruptible([&](Interruption& interruption) {
          return hessian_vector_product(net, data, direction, to, &interruption);
        });
        refuse_if(!good, changed_data);
        return product;
      },
      py::arg("network"), py::arg("X"), py::arg("y"), py::arg("v"),
      py::arg("sample_weight") = py::none());
  m.def(
      "hessian",
      [](const Net& net, py::handle X, py::handle y, py::handle weights) {
        const Data data = checked(data_of(net, X, y, weights), "X, y or sample_weight");
        Array<T> H({net.parameter_count(), net.parameter_count()});
        T* to = H.mutable_data();
        const bool good = interruptible(
            [&](Interruption& interruption) { return hessian(net, data, to, &interruption); });
        refuse_if(!good, changed_data);
        return H;
      },
      py::arg("network"), py::arg("X"), py::arg("y"), py::arg("sample_weight") = py::none());
  m.def(
      "taylor",
      [](const Net& net, py::handle X, py::handle y, const Array<T>& direction, Index order,
         py::handle weights) {
        const Data data = checked(data_of(net, X, y, weights), "X, y or sample_weight");
        const T* d_parameters = flat_of(net, direction);
        const std::string why = no_series(net, true);
        refuse_if(!why.empty(), why.c_str());
        Array<double> coefficients(order_of(order) + 1);
        double* to = coefficients.mutable_data();
        const bool good = interruptible([&](Interruption& interruption) {
          return taylor(net, data, d_parameters, order, to, &interruption);
        });
        refuse_if(!good, changed_data);
        return coefficients;
      },
      py::arg("network"), py::arg("X"), py::arg("y"), py::arg("direction"), py::arg("order"),
      py::arg("sample_weight") = py::none());
  m.def(
      "taylor_outputs",
      [](const Net& net, py::handle X, Index order, py::handle direction,
         py::handle input_direction) {
        const Rows rows = checked(rows_of(X, net.inputs()), "X");
        const Rows moves = input_direction_of(net, rows, input_direction);
        const T* d_parameters = direction_of(net, direction);
        const std::string why = no_series(net, false);
        refuse_if(!why.empty(), why.c_str());
        Array<T> outputs({order_of(order) + 1, rows.rows, net.outputs()});
        T* to = outputs.mutable_data();
        const bool good = interruptible([&](Interruption& interruption) {
          return taylor_outputs(net, rows, moves, d_parameters, order, to, &interruption);
        });
        refuse_if(!good, changed_data);
        return outputs;
      },
      py::arg("network"), py::arg("X"), py::arg("order"), py::arg("direction") = py::none(),
      py::arg("input_direction") = py::none());
}

} // namespace eigenmlp::bindings
