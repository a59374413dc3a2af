#include "bindings.hpp"

namespace eigenmlp::bindings {

void register_float64(py::module_& m) {
  register_network<double>(m, "Network64");
  register_trainer<double>(m, "Trainer64");
}

} // namespace eigenmlp::bindings
