// The extension module: submodules and calls, nothing else. What computes is in a variant of the
// core, which `load` loads.
#include "derivatives.hpp"
#include "network.hpp"
#include "orders.hpp"
#include "readable.hpp"
#include "segments.hpp"
#include "trainer.hpp"
#include "variant.hpp"

namespace {

namespace py = pybind11;

std::vector<std::string> names(const char* const* list) {
  std::vector<std::string> result;
  for (; *list; ++list) result.emplace_back(*list);
  return result;
}

const eigenmlp::variants::Variant& loaded_from(const std::string& path, const std::string& level) {
  try {
    return eigenmlp::bindings::load_variant(path, level);
  } catch (const std::runtime_error& error) {
    throw py::import_error(error.what());
  }
}

} // namespace

// Networks and trainers have locks of their own (threads/lock.hpp): Python's is not needed.
PYBIND11_MODULE(_bindings, m, py::mod_gil_not_used()) {
  using namespace eigenmlp;
  using bindings::PyRunResult, bindings::variant;

  m.doc() =
      "The core of eigenmlp: Python's side of it, and one of its variants once that is loaded.";
  m.def(
      "load",
      [m](const std::string& path, const std::string& level) {
        const variants::Variant& loaded = loaded_from(path, level);
        m.attr("build_flags") = loaded.build_flags;
        m.attr("compiler") = loaded.compiler;
        m.attr("eigen_version") = loaded.float32.eigen_version;
        m.attr("multiplies_bfloat16") = loaded.float32.multiplies_bfloat16();
        m.attr("activations") = names(loaded.float32.activations);
        m.attr("losses") = names(loaded.float32.losses);
        m.attr("optimizers") = names(loaded.float32.optimizers);
      },
      py::arg("path"), py::arg("level"));
  m.def("max_threads", [] { return variant().max_threads(); });
  m.def("set_max_threads", [](int n) { variant().set_max_threads(n); }, py::arg("n"));
  m.def("limit_threads", [](int n) { return variant().limit_threads(n); }, py::arg("n"));
  m.def("ends_in_memory", &bindings::ends_in_memory, py::arg("array"));
  m.def("shuffle_orders", &bindings::shuffle_orders, py::arg("bit_generator"),
        py::arg("order").noconvert(), py::arg("orders").noconvert());
  m.def("permutations", &bindings::permutations, py::arg("bit_generator"),
        py::arg("orders").noconvert());
  m.def("force_threads", [](int n) { variant().force_threads(n); }, py::arg("n"));
  m.def("helper", [](bool at_work) { variant().helper(at_work); }, py::arg("at_work"));
  m.def("last_decision", [] {
    const char* why = nullptr;
    const int threads = variant().last_decision(&why);
    return py::make_tuple(threads, why);
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
  auto derivatives = m.def_submodule("derivatives");
  bindings::register_network<float>(m, "Network32");
  bindings::register_network<double>(m, "Network64");
  bindings::register_trainer<float>(m, "Trainer32");
  bindings::register_trainer<double>(m, "Trainer64");
  bindings::register_derivatives<float>(derivatives);
  bindings::register_derivatives<double>(derivatives);
  bindings::register_segments(m);
}
