// Numbers in text, column by column: what the command line reads of a table. Compiled for any
// processor; in Python's own API, as cpu.cpp is and for its reasons.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "decimal.hpp"
#include "slots.hpp"

namespace {

using eigenmlp::Decimal;
using eigenmlp::Marks;

/// The number that `Decimal` leaves to Python: exact, whatever its length. False with an error set.
bool read_exactly(const char* begin, const char* end, char point, double& value) {
  PyObject* const text = PyBytes_FromStringAndSize(begin, end - begin);
  if (!text) return false;
  for (char* c = PyBytes_AS_STRING(text); *c; ++c) {
    if (*c == point) *c = '.';
  }
  value = PyOS_string_to_double(PyBytes_AS_STRING(text), nullptr, nullptr); // too large: infinite
  Py_DECREF(text);
  return !PyErr_Occurred();
}

PyObject* numbers(PyObject*, PyObject* args) {
  Py_buffer text;
  int separator = 0, point = 0;
  if (!PyArg_ParseTuple(args, "y*CC", &text, &separator, &point)) return nullptr;
  const Marks marks{static_cast<char>(separator), static_cast<char>(point)};
  const char* const begin = static_cast<const char*>(text.buf);
  const char* const end = begin + text.len;

  Py_ssize_t most = 1; // fields
  for (const char* c = begin; c != end; ++c) most += *c == marks.separator || *c == '\n';
  constexpr Py_ssize_t size = sizeof(double);
  PyObject* const made = most > PY_SSIZE_T_MAX / size
                             ? PyErr_NoMemory()
                             : PyByteArray_FromStringAndSize(nullptr, most * size);
  if (!made) {
    PyBuffer_Release(&text);
    return nullptr;
  }
  double* const values = reinterpret_cast<double*>(PyByteArray_AS_STRING(made));

  Py_ssize_t count = 0, columns = 0, in_row = 0, stopped = -1;
  const char* at = begin;
  while (at != end) {
    if (in_row == 0) { // lines of nothing are no rows
      const char* const line = eigenmlp::past_spaces(at, end, marks);
      if (line == end) break;
      if (*line == '\n') {
        at = line + 1;
        continue;
      }
    }
    const Decimal field(at, end, marks);
    double value = field.value;
    if (!field.ok || (columns && in_row == columns)) {
      stopped = at - begin;
      break;
    }
    if (!field.exact && !read_exactly(field.begin, field.end, marks.point, value)) {
      Py_DECREF(made);
      PyBuffer_Release(&text);
      return nullptr;
    }
    values[count++] = value;
    ++in_row;
    const bool line_ends = field.next == end || *field.next == '\n';
    if (line_ends && !columns) columns = in_row;
    if (line_ends && in_row != columns) {
      stopped = at - begin;
      break;
    }
    if (line_ends) in_row = 0;
    at = field.next == end ? end : field.next + 1;
  }
  if (stopped < 0 && in_row) stopped = text.len; // the last line ends in a separator
  PyBuffer_Release(&text);
  if (PyByteArray_Resize(made, stopped < 0 ? count * size : 0) != 0) {
    Py_DECREF(made);
    return nullptr;
  }
  return Py_BuildValue("(Nnn)", made, columns, stopped);
}

PyMethodDef functions[] = {
    {"numbers", numbers, METH_VARARGS,
     "numbers(text: bytes, separator: str, point: str) -> tuple[bytearray, int, int]\n\n"
     "Float64 values row after row, how many a row has, and -1; or none, and where in the text "
     "something else came.\n"},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef_Slot slots[] = {EIGENMLP_SLOTS{0, nullptr}};

PyModuleDef module = {PyModuleDef_HEAD_INIT,
                      "_text",
                      "Numbers in text.",
                      0,
                      functions,
                      slots,
                      nullptr,
                      nullptr,
                      nullptr};

} // namespace

PyMODINIT_FUNC PyInit__text() { return PyModuleDef_Init(&module); }
