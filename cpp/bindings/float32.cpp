#include "bindings.hpp"

namespace eigenmlp::bindings {

void register_float32(py::module_& m) {
  register_network<float>(m, "Network32");
  register_trainer<float>(m, "Trainer32");
}

} // namespace eigenmlp::bindings
