#include "derivatives.hpp"
#include "modules.hpp"
#include "network.hpp"
#include "trainer.hpp"

namespace eigenmlp::bindings {

void register_float32(py::module_& m) {
  register_network<float>(m, "Network32");
  register_trainer<float>(m, "Trainer32");
  auto derivatives = m.def_submodule("derivatives"); // the same one for both
  register_derivatives<float>(derivatives);
}

} // namespace eigenmlp::bindings
