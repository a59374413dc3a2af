// The extension module of one variant of the core: submodules and calls, nothing else.
#include "modules.hpp"
#include "readable.hpp"
#include "trainer.hpp"

namespace {

template <class Table>
std::vector<std::string> names(const Table& table) {
  std::vector<std::string> result;
  for (const auto& entry : table) result.emplace_back(entry.name);
  return result;
}

} // namespace

// Networks and trainers have locks of their own (threads/lock.hpp): Python's is not needed.
PYBIND11_MODULE(EIGENMLP_MODULE, m, pybind11::mod_gil_not_used()) {
  using namespace eigenmlp;
  using bindings::PyRunResult;
  namespace py = pybind11;

  m.doc() = "The core of eigenmlp, compiled for the instruction set " EIGENMLP_LEVEL ".";
  m.attr("build_flags") = EIGENMLP_FLAGS;
  m.attr("compiler") = __VERSION__;
  m.attr("eigen_version") = std::to_string(EIGEN_WORLD_VERSION) + "." +
                            std::to_string(EIGEN_MAJOR_VERSION) + "." +
                            std::to_string(EIGEN_MINOR_VERSION);
  m.attr("multiplies_bfloat16") = rounded::has_products;
  m.def("use_tiles", &rounded::use_tiles, py::arg("allowed"));
  m.attr("activations") = names(activation_table<float>);
  m.attr("losses") = names(loss_table<float>);
  m.attr("optimizers") = names(optimizer_table<float>);
  m.def("max_threads", &max_threads);
  m.def("set_max_threads", &set_max_threads, py::arg("n"));
  m.def("limit_threads", &limit_threads, py::arg("n"));
  m.def("ends_in_memory", &bindings::ends_in_memory, py::arg("array"));
  m.def("force_threads", &force_threads, py::arg("n"));
  m.def("last_decision", [] {
    const Decision last = last_decision();
    return py::make_tuple(last.threads, reason_texts[static_cast<std::size_t>(last.reason)]);
  });

  py::class_<PyRunResult>(m, "RunResult")
      .def_readonly("losses", &PyRunResult::losses)
      .def_readonly("correct", &PyRunResult::correct)
      .def_readonly("seconds", &PyRunResult::seconds)
      .def_readonly("batch_losses", &PyRunResult::batch_losses)
      .def_readonly("penalties", &PyRunResult::penalties)
      .def_readonly("epochs", &PyRunResult::epochs)
      .def_readonly("steps", &PyRunResult::steps)
      .def_readwrite("error", &PyRunResult::error)
      .def_readonly("diverged_step", &PyRunResult::diverged_step)
      .def_readonly("interrupted", &PyRunResult::interrupted)
      .def_readonly("refused", &PyRunResult::refused)
      .def_readonly("diverged_loss", &PyRunResult::diverged_loss);
  bindings::register_float32(m);
  bindings::register_float64(m);
  bindings::register_segments(m);
}
