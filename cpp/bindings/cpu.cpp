// Compiled for any processor: tells which variants of the core this machine can run. In Python's
// own API: pybind11 and the standard library would add 100 kB to the wheel for this one function.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../eigenmlp/amx_permission.hpp"

namespace {

// Best first. The compiler's check covers the processor and the operating system's permission.
// Intel's processors with AMX take two cycles for a product of AVX-512-BF16, so that rounded
// operands are faster in float there: v4 is better than bf16, which comes first on AMD's.
PyObject* supported_levels(PyObject*, PyObject*) {
  struct Level {
    const char* name;
    bool runs;
  };
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v4 = __builtin_cpu_supports("x86-64-v4");
  const bool bf16 = v4 && __builtin_cpu_supports("avx512bf16");
  const bool tiles = bf16 && eigenmlp::has_amx();
  const Level levels[] = {{"amx", tiles && eigenmlp::amx_permission()},
                          {"bf16", bf16 && !tiles},
                          {"v4", v4},
                          {"bf16", tiles},
                          {"v3", __builtin_cpu_supports("x86-64-v3") != 0},
                          {"v2", __builtin_cpu_supports("x86-64-v2") != 0}};
#else
  const Level levels[] = {{"baseline", true}};
#endif
  PyObject* const names = PyList_New(0);
  if (!names) return nullptr;
  for (const Level& level : levels) {
    if (!level.runs) continue;
    PyObject* const name = PyUnicode_FromString(level.name);
    if (!name || PyList_Append(names, name) != 0) {
      Py_XDECREF(name);
      Py_DECREF(names);
      return nullptr;
    }
    Py_DECREF(name);
  }
  return names;
}

PyMethodDef functions[] = {
    {"supported_levels", supported_levels, METH_NOARGS, "supported_levels() -> list[str]\n"},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef module = {PyModuleDef_HEAD_INIT,
                      "_cpu",
                      "What this machine's processor can run.",
                      0,
                      functions,
                      nullptr,
                      nullptr,
                      nullptr,
                      nullptr};

} // namespace

PyMODINIT_FUNC PyInit__cpu() {
  PyObject* const m = PyModule_Create(&module);
  if (m && PyModule_AddStringConstant(m, "version", EIGENMLP_VERSION) != 0) {
    Py_DECREF(m);
    return nullptr;
  }
  return m;
}
