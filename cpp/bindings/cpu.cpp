// Compiled for any processor: tells which variants of the core this machine can run.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "../eigenmlp/amx_permission.hpp"

namespace {

// Best first. The compiler's check covers the processor and the operating system's permission.
std::vector<std::string> supported_levels() {
#if defined(__x86_64__)
  std::vector<std::string> levels;
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4") && eigenmlp::amx_permission()) levels.emplace_back("amx");
  if (__builtin_cpu_supports("x86-64-v4")) levels.emplace_back("v4");
  if (__builtin_cpu_supports("x86-64-v3")) levels.emplace_back("v3");
  if (__builtin_cpu_supports("x86-64-v2")) levels.emplace_back("v2");
  return levels;
#else
  return {"baseline"};
#endif
}

} // namespace

PYBIND11_MODULE(_cpu, m) {
  m.doc() = "What this machine's processor can run.";
  m.attr("version") = EIGENMLP_VERSION;
  m.def("supported_levels", &supported_levels);
}
