// What modules in Python's own API say of themselves, for multi-phase initialisation.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

// They have no state, so that every interpreter may have one, and no lock guards them.
#if PY_VERSION_HEX >= 0x030D0000
#define EIGENMLP_SLOTS                                                                             \
  {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},                            \
      {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#elif PY_VERSION_HEX >= 0x030C0000
#define EIGENMLP_SLOTS {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#else
#define EIGENMLP_SLOTS
#endif
