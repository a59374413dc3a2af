#include "derivatives.hpp"
#include "modules.hpp"
#include "network.hpp"
#include "trainer.hpp"

namespace eigenmlp::bindings {

void register_float64(py::module_& m) {
  register_network<double>(m, "Network64");
  register_trainer<double>(m, "Trainer64");
  auto derivatives = m.def_submodule("derivatives"); // the same one for both
  register_derivatives<double>(derivatives);
}

} // namespace eigenmlp::bindings
