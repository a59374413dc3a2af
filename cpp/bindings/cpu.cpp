// Compiled for any processor: tells which variants of the core this machine can run. In Python's
// own API: pybind11 and the standard library would add 100 kB to the wheel for this one function.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "levels.hpp"
#include "slots.hpp"

namespace {

PyObject* list_of(const char* const* names, int count) {
  PyObject* const list = PyList_New(count);
  for (int i = 0; list && i < count; ++i) {
    PyObject* const name = PyUnicode_FromString(names[i]);
    if (!name) {
      Py_DECREF(list);
      return nullptr;
    }
    PyList_SET_ITEM(list, i, name);
  }
  return list;
}

PyObject* supported_levels(PyObject*, PyObject*) {
  const eigenmlp::Levels levels = eigenmlp::this_machines_levels();
  return list_of(levels.names, levels.count);
}

PyObject* levels_of(PyObject*, PyObject* args) {
  const char* vendor = nullptr;
  int v2 = 0, v3 = 0, v4 = 0, bf16 = 0, amx = 0;
  if (!PyArg_ParseTuple(args, "sppppp", &vendor, &v2, &v3, &v4, &bf16, &amx)) return nullptr;
  eigenmlp::Processor p{"", v2 != 0, v3 != 0, v4 != 0, bf16 != 0, amx != 0};
  PyOS_snprintf(p.vendor, sizeof p.vendor, "%s", vendor);
  const eigenmlp::Levels levels(p);
  return list_of(levels.names, levels.count);
}

PyMethodDef functions[] = {
    {"supported_levels", supported_levels, METH_NOARGS, "supported_levels() -> list[str]\n"},
    {"levels_of", levels_of, METH_VARARGS,
     "levels_of(vendor: str, v2: bool, v3: bool, v4: bool, bf16: bool, amx: bool) -> list[str]\n"},
    {nullptr, nullptr, 0, nullptr}};

int fill(PyObject* module) {
#if PY_VERSION_HEX < 0x030C0000 // later ones refuse _bindings there; these would wait for ever
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError,
                    "eigenmlp: expected the process's main interpreter, got a subinterpreter; with "
                    "mod_wsgi set WSGIApplicationGroup %{GLOBAL}");
    return -1;
  }
#endif
  if (PyModule_AddStringConstant(module, "version", EIGENMLP_VERSION) != 0) return -1;
  return PyModule_AddStringConstant(module, "architecture", eigenmlp::architecture);
}

PyModuleDef_Slot slots[] = {EIGENMLP_SLOTS{Py_mod_exec, reinterpret_cast<void*>(fill)},
                            {0, nullptr}};

PyModuleDef module = {PyModuleDef_HEAD_INIT,
                      "_cpu",
                      "What this machine's processor can run.",
                      0,
                      functions,
                      slots,
                      nullptr,
                      nullptr,
                      nullptr};

} // namespace

PyMODINIT_FUNC PyInit__cpu() { return PyModuleDef_Init(&module); }
