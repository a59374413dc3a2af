// NumPy's arrays, and SciPy's sparse ones, as the core's rows, labels and vectors.
//
// Messages for users are the Python side's work: what cannot be used directly is nothing (or null)
// here, and the entries that take a user's arrays as they are then return None, before anything is
// changed; the caller checks, converts or complains.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <optional>

#include "variants/interface.hpp"

namespace eigenmlp::bindings {

namespace py = pybind11;

template <class T>
struct OrNone;

} // namespace eigenmlp::bindings

template <class T>
struct pybind11::detail::handle_type_name<eigenmlp::bindings::OrNone<T>>
    : handle_type_name<typing::Optional<T>> {};

namespace eigenmlp::bindings {

inline constexpr int aligned = py::detail::npy_api::NPY_ARRAY_ALIGNED_;

// In C order and aligned, if pybind11 made it; for a user's see `is_array`.
template <class T>
using Array = py::array_t<T, py::array::c_style | aligned>;

// What an entry returns that cannot take every array. The signature says so, for the type stubs;
// unlike pybind11's Optional it asks nothing of the object when it is made.
template <class T>
struct OrNone : py::object {
  using py::object::object;
  OrNone(py::object result) : py::object(std::move(result)) {}
};

inline bool is_aligned(const py::array& array) { return (array.flags() & aligned) != 0; }

// Whether an object is such an array as it is: pybind11 does not look at the alignment.
template <class T>
bool is_array(py::handle object) {
  return py::isinstance<Array<T>>(object) && is_aligned(py::reinterpret_borrow<py::array>(object));
}

// The scalar type of an array, if the core reads it. By type numbers, since comparing dtype objects
// costs more than a small network's forward pass.
inline std::optional<Scalar> scalar_of(const py::array& array) {
  if (!is_aligned(array) || array.dtype().byteorder() == '>') return std::nullopt;
  switch (py::detail::array_descriptor_proxy(array.dtype().ptr())->type_num) {
  case py::detail::npy_api::NPY_FLOAT_:
    return Scalar::float32;
  case py::detail::npy_api::NPY_DOUBLE_:
    return Scalar::float64;
  case py::detail::npy_api::NPY_UBYTE_:
    return Scalar::uint8;
  default:
    return std::nullopt;
  }
}

// Whether an object is one of SciPy's sparse matrices; whoever has one has imported scipy.sparse.
inline bool is_sparse(py::handle object) {
  const auto scipy_sparse = py::reinterpret_steal<py::object>(
      PyImport_GetModule(py::str("scipy.sparse").ptr())); // null if nobody has imported it
  return scipy_sparse && scipy_sparse.attr("issparse")(object).is(py::handle(Py_True));
}

// A CSR matrix of SciPy's, by its attributes; nothing if it is something else.
inline std::optional<Rows> sparse_rows_of(py::handle object, Index columns) {
  if (!is_sparse(object)) return std::nullopt;
  for (const char* name : {"data", "indices", "indptr", "shape", "format"})
    if (!py::hasattr(object, name)) return std::nullopt;
  const py::object format = object.attr("format");
  if (!format.equal(py::str("csr"))) return std::nullopt;
  std::vector<Index> shape;
  try {
    shape = object.attr("shape").cast<std::vector<Index>>();
  } catch (const py::cast_error&) { // of a class of the user's own
    return std::nullopt;
  }
  const auto flat = [&](const char* name) -> std::optional<py::array> {
    const py::object attribute = object.attr(name);
    if (!py::isinstance<py::array>(attribute)) return std::nullopt;
    const auto array = py::reinterpret_borrow<py::array>(attribute);
    return array.ndim() == 1 && (array.flags() & py::array::c_style) ? std::optional(array)
                                                                     : std::nullopt;
  };
  const auto data = flat("data"), places = flat("indices"), starts = flat("indptr");
  if (shape.size() != 2 || shape[0] < 1 || shape[1] != columns || !data || !places || !starts ||
      data->size() != places->size())
    return std::nullopt;
  const auto scalar = scalar_of(*data);
  const bool wide = is_array<std::int64_t>(*starts);
  const bool fits = wide ? is_array<std::int64_t>(*places)
                         : is_array<std::int32_t>(*places) && is_array<std::int32_t>(*starts);
  if (!scalar || !fits || starts->size() != shape[0] + 1) return std::nullopt;
  // The matrix may get other arrays while the core reads these: they live until the call ends.
  for (const auto& array : {*data, *places, *starts})
    py::detail::loader_life_support::add_patient(array);
  Rows rows;
  rows.data = data->data();
  rows.scalar = *scalar;
  rows.rows = shape[0];
  rows.columns = columns;
  rows.starts = starts->data();
  rows.places = places->data();
  rows.stored = data->size();
  rows.wide = wide;
  return rows;
}

// A matrix of a scalar type that the core reads; nothing if it is something else. A vector counts
// as one column where that is allowed.
inline std::optional<Rows> rows_of(py::handle object, Index columns, bool flat_allowed = false) {
  if (!py::isinstance<py::array>(object)) return sparse_rows_of(object, columns);
  const auto array = py::reinterpret_borrow<py::array>(object);
  const bool column = flat_allowed && array.ndim() == 1 && columns == 1;
  if (!(array.ndim() == 2 && array.shape(1) == columns) && !column) return std::nullopt;
  Rows rows;
  const auto scalar = scalar_of(array);
  if (!scalar) return std::nullopt;
  rows.scalar = *scalar;
  rows.data = array.data();
  rows.rows = array.shape(0);
  rows.columns = columns;
  rows.row_stride = array.strides(0);
  rows.column_stride = column ? array.itemsize() : array.strides(1);
  return rows.rows > 0 ? std::optional(rows) : std::nullopt;
}

// Whether `bytes` from `data` may lie where rows of X lie.
inline bool may_overlap(const Rows& X, const void* data, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  // low … high are bytes from `origin` that are read.
  const auto meets = [&](const void* origin, Index low, Index high) {
    const auto first = reinterpret_cast<std::uintptr_t>(origin);
    return begin < first + static_cast<std::uintptr_t>(high) &&
           first + static_cast<std::uintptr_t>(low) < begin + bytes;
  };
  constexpr Index widest = sizeof(double); // of a number, or of a place
  if (X.starts)
    return meets(X.data, 0, X.stored * widest) || meets(X.places, 0, X.stored * widest) ||
           meets(X.starts, 0, (X.rows + 1) * widest);
  Index low = 0, high = widest;
  for (const Index reach : {(X.rows - 1) * X.row_stride, (X.columns - 1) * X.column_stride})
    (reach < 0 ? low : high) += reach;
  return meets(X.data, low, high);
}

// Contiguous int64 labels (N,).
inline const std::int64_t* labels_of(py::handle object, Index rows) {
  if (!is_array<std::int64_t>(object)) return nullptr;
  const auto array = py::reinterpret_borrow<py::array>(object);
  return array.ndim() == 1 && array.shape(0) == rows
             ? static_cast<const std::int64_t*>(array.data())
             : nullptr;
}

// X with its targets and weights (an array or None).
template <class T>
std::optional<Data> data_of(const variants::Network<T>& net, py::handle X, py::handle y,
                            py::handle weights) {
  Data data;
  const auto rows = rows_of(X, net.inputs);
  if (!rows) return std::nullopt;
  data.X = *rows;
  data.labels = net.takes_labels ? labels_of(y, rows->rows) : nullptr;
  if (!data.labels) {
    const auto targets = rows_of(y, net.outputs, !net.takes_labels);
    if (!targets || targets->rows != rows->rows || targets->scalar == Scalar::uint8)
      return std::nullopt;
    data.T = *targets;
  }
  if (!weights.is_none()) {
    if (!is_array<double>(weights)) return std::nullopt;
    const auto array = py::reinterpret_borrow<py::array>(weights);
    if (array.ndim() != 1 || array.shape(0) != rows->rows) return std::nullopt;
    data.weights = static_cast<const double*>(array.data());
  }
  return data;
}

inline constexpr const char* changed_data =
    "X, y: expected data that stay as they were checked, got NaN, Inf or labels out of range";

template <class X>
const X& checked(const std::optional<X>& value, const char* what) {
  if (!value) throw py::type_error(std::string("the core cannot read ") + what);
  return *value;
}

// A flat vector of P numbers.
template <class T>
const T* flat_of(const variants::Network<T>& net, const Array<T>& flat) {
  if (flat.ndim() != 1 || flat.shape(0) != net.parameter_count)
    throw py::value_error("expected a vector of " + std::to_string(net.parameter_count) +
                          " numbers");
  return flat.data();
}

} // namespace eigenmlp::bindings
