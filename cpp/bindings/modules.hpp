// What the parts of the extension module put into it.
#pragma once

#include <pybind11/pybind11.h>

namespace eigenmlp::bindings {

void register_float32(pybind11::module_& m);
void register_float64(pybind11::module_& m);
void register_segments(pybind11::module_& m);

} // namespace eigenmlp::bindings
