// From NumPy to the core: casts and checks first, then the GIL is released. That is safe because
// the arrays are kept alive by the caller's arguments and the core never touches a Python object.
//
// Messages for users are the Python side's work. The entries that take a user's arrays as they are
// (`forward`, `step`) return None for anything they cannot use directly, before anything is
// changed; the caller then checks, converts or complains.
#pragma once

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/typing.h>

#include <chrono>
#include <optional>
#include <shared_mutex>
#include <thread>

#include "eigenmlp/gradient.hpp"
#include "eigenmlp/inference.hpp"
#include "eigenmlp/trainer.hpp"

namespace eigenmlp::bindings {

namespace py = pybind11;

template <class T>
struct OrNone;

} // namespace eigenmlp::bindings

template <class T>
struct pybind11::detail::handle_type_name<eigenmlp::bindings::OrNone<T>>
    : handle_type_name<typing::Optional<T>> {};

namespace eigenmlp::bindings {

void register_float32(py::module_& m);
void register_float64(py::module_& m);
void register_segments(py::module_& m);

template <class T>
using Array = py::array_t<T, py::array::c_style>;

// What an entry returns that cannot take every array. The signature says so, for the type stubs;
// unlike pybind11's Optional it asks nothing of the object when it is made.
template <class T>
struct OrNone : py::object {
  using py::object::object;
  OrNone(py::object result) : py::object(std::move(result)) {}
};

// The scalar type of an array, if the core reads it. By type numbers, since comparing dtype objects
// costs more than a small network's forward pass.
inline std::optional<Scalar> scalar_of(const py::array& array) {
  constexpr int usable = py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  if ((array.flags() & usable) != usable || array.dtype().byteorder() == '>') return std::nullopt;
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

// A CSR matrix as SciPy describes it, by its attributes; nothing if it is something else.
inline std::optional<Rows> sparse_rows_of(py::handle object, Index columns) {
  for (const char* name : {"data", "indices", "indptr", "shape", "format"})
    if (!py::hasattr(object, name)) return std::nullopt;
  if (py::str(object.attr("format")).cast<std::string>() != "csr") return std::nullopt;
  const auto shape = object.attr("shape").cast<std::vector<Index>>();
  const auto flat = [&](const char* name) -> std::optional<py::array> {
    const py::object attribute = object.attr(name);
    if (!py::isinstance<py::array>(attribute)) return std::nullopt;
    const auto array = py::reinterpret_borrow<py::array>(attribute);
    return array.ndim() == 1 && (array.flags() & py::array::c_style) ? std::optional(array)
                                                                     : std::nullopt;
  };
  const auto data = flat("data"), places = flat("indices"), starts = flat("indptr");
  if (shape.size() != 2 || shape[0] < 1 || shape[1] != columns || !data || !places || !starts)
    return std::nullopt;
  const auto scalar = scalar_of(*data);
  const bool wide = py::isinstance<py::array_t<std::int64_t>>(*starts);
  const bool fits = wide ? py::isinstance<py::array_t<std::int64_t>>(*places)
                         : py::isinstance<py::array_t<std::int32_t>>(*places) &&
                               py::isinstance<py::array_t<std::int32_t>>(*starts);
  if (!scalar || !fits || starts->size() != shape[0] + 1) return std::nullopt;
  Rows rows;
  rows.data = data->data();
  rows.scalar = *scalar;
  rows.rows = shape[0];
  rows.columns = columns;
  rows.starts = starts->data();
  rows.places = places->data();
  rows.stored = std::min(data->size(), places->size());
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
  const auto first = reinterpret_cast<std::uintptr_t>(X.data);
  std::uintptr_t low = first, high = first + sizeof(double);
  for (const Index reach : {(X.rows - 1) * X.row_stride, (X.columns - 1) * X.column_stride})
    (reach < 0 ? low : high) += static_cast<std::uintptr_t>(reach);
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  return begin < high && low < begin + bytes;
}

// Contiguous int64 labels (N,).
inline const std::int64_t* labels_of(py::handle object, Index rows) {
  if (!py::isinstance<Array<std::int64_t>>(object)) return nullptr;
  const auto array = py::reinterpret_borrow<py::array>(object);
  return array.ndim() == 1 && array.shape(0) == rows
             ? static_cast<const std::int64_t*>(array.data())
             : nullptr;
}

// X with its targets and weights (an array or None).
template <class T>
std::optional<Data> data_of(const Network<T>& net, py::handle X, py::handle y, py::handle weights) {
  Data data;
  const auto rows = rows_of(X, net.inputs());
  if (!rows) return std::nullopt;
  data.X = *rows;
  data.labels = net.loss().takes_labels ? labels_of(y, rows->rows) : nullptr;
  if (!data.labels) {
    const auto targets = rows_of(y, net.outputs(), !net.loss().takes_labels);
    if (!targets || targets->rows != rows->rows || targets->scalar == Scalar::uint8)
      return std::nullopt;
    data.T = *targets;
  }
  if (!weights.is_none()) {
    if (!py::isinstance<Array<double>>(weights)) return std::nullopt;
    const auto array = py::reinterpret_borrow<py::array>(weights);
    if (array.ndim() != 1 || array.shape(0) != rows->rows) return std::nullopt;
    data.weights = static_cast<const double*>(array.data());
  }
  return data;
}

inline bool is_finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

// Takes the global lock by `take`. A thread that asks for it when Python has begun to end stays
// here for good: Python would end the thread in the middle of C++ code. If it begins to end while
// the thread waits, that comes as an unwinding of the stack which must not be left again.
template <class Take>
void take_gil(Take&& take) noexcept {
  const auto stay = [] {
    while (true) std::this_thread::sleep_for(std::chrono::hours(1));
  };
  if (is_finalizing()) stay();
  try {
    take();
  } catch (...) {
    stay();
  }
}

// While it lives, other Python threads run.
class WithoutGil {
public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;
  ~WithoutGil() {
    take_gil([this] { PyEval_RestoreThread(state_); });
  }

private:
  PyThreadState* state_;
};

// Python handles signals in its main thread only.
inline bool in_main_thread() {
  const auto threading = py::module_::import("threading");
  return threading.attr("current_thread")().is(threading.attr("main_thread")());
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
const T* flat_of(const Network<T>& net, const Array<T>& flat) {
  if (flat.ndim() != 1 || flat.shape(0) != net.parameter_count())
    throw py::value_error("expected a vector of " + std::to_string(net.parameter_count()) +
                          " numbers");
  return flat.data();
}

template <class T>
void register_network(py::module_& m, const char* name) {
  using Net = Network<T>;
  py::class_<Net>(m, name)
      .def(py::init<const std::vector<Index>&, const std::vector<std::string>&, const std::string&,
                    bool, T, bool>(),
           py::arg("layer_sizes"), py::arg("activations"), py::arg("loss"), py::arg("bias"),
           py::arg("input_scale"), py::arg("rounds") = false)
      .def_property_readonly("parameter_count", &Net::parameter_count)
      .def("get_parameters",
           [](Net& net) {
             Array<T> flat(net.parameter_count());
             T* to = flat.mutable_data();
             const WithoutGil without_gil;
             const std::shared_lock lock(net.mutex());
             net.get_parameters(to);
             return flat;
           })
      .def(
          "set_parameters",
          [](Net& net, const Array<T>& flat) {
            const T* from = flat_of(net, flat);
            const WithoutGil without_gil;
            const std::unique_lock lock(net.mutex());
            net.set_parameters(from);
          },
          py::arg("flat"))
      .def(
          "forward",
          [](const Net& net, py::handle X, py::handle out) -> OrNone<Array<T>> {
            const auto rows = rows_of(X, net.inputs());
            if (!rows) return py::none();
            py::object result;
            if (out.is_none()) {
              result = Array<T>({rows->rows, net.outputs()});
            } else {
              if (!py::isinstance<Array<T>>(out)) return py::none();
              result = py::reinterpret_borrow<py::object>(out);
            }
            auto array = py::reinterpret_borrow<py::array>(result);
            if (array.ndim() != 2 || array.shape(0) != rows->rows ||
                array.shape(1) != net.outputs() || !array.writeable())
              return py::none();
            T* to = static_cast<T*>(array.mutable_data());
            const auto size = static_cast<std::size_t>(array.size());
            // Outputs that would overwrite rows still to be read go elsewhere first.
            std::vector<T> apart(may_overlap(*rows, to, size * sizeof(T)) ? size : 0);
            bool finite;
            {
              const WithoutGil without_gil;
              finite = predict(net, *rows, apart.empty() ? to : apart.data(), !out.is_none());
              if (finite) std::copy(apart.begin(), apart.end(), to);
            }
            return finite ? std::move(result) : py::none();
          },
          py::arg("X"), py::arg("out") = py::none())
      .def(
          "evaluate",
          [](const Net& net, py::handle X, py::handle y, py::handle weights) {
            const Data data = checked(data_of(net, X, y, weights), "X, y or sample_weight");
            std::optional<Evaluation> result;
            {
              const WithoutGil without_gil;
              result = evaluate(net, data);
            }
            if (!result) throw py::value_error(changed_data);
            return py::make_tuple(result->loss, net.loss().classifies ? result->correct : -1);
          },
          py::arg("X"), py::arg("y"), py::arg("sample_weight") = py::none())
      .def(
          "loss_and_gradient",
          [](Net& net, py::handle X, py::handle y, py::handle weights) {
            const Data data = checked(data_of(net, X, y, weights), "X, y or sample_weight");
            Array<T> flat(net.parameter_count());
            T* to = flat.mutable_data();
            std::optional<double> loss;
            {
              const WithoutGil without_gil;
              Buffer<T> gradient(net.panel_size());
              loss = loss_and_gradient(net, data, gradient.data());
              net.unpack(gradient.data(), to);
            }
            if (!loss) throw py::value_error(changed_data);
            return py::make_tuple(*loss, flat);
          },
          py::arg("X"), py::arg("y"), py::arg("sample_weight") = py::none())
      .def(
          "vjp",
          [](Net& net, py::handle X, py::handle dY) {
            const Rows rows = checked(rows_of(X, net.inputs()), "X");
            const Rows deltas = checked(rows_of(dY, net.outputs()), "dY");
            if (rows.rows != deltas.rows) throw py::value_error("X and dY differ in rows");
            Array<T> flat(net.parameter_count()), dX({rows.rows, net.inputs()});
            T *to = flat.mutable_data(), *dX_data = dX.mutable_data();
            {
              const WithoutGil without_gil;
              Buffer<T> gradient(net.panel_size());
              vjp(net, rows, deltas, gradient.data(), dX_data);
              net.unpack(gradient.data(), to);
            }
            return py::make_tuple(flat, dX);
          },
          py::arg("X"), py::arg("dY"));
}

// What a run did, in arrays; the same attributes as the twin's.
struct PyRunResult {
  Array<double> losses, seconds;
  Array<double> batch_losses, penalties; // of all batches, one epoch after the other
  Array<std::int64_t> correct;
  Index epochs = 0, steps = 0, diverged_step = -1;
  bool interrupted = false, refused = false;
  double diverged_loss = 0;
  py::object error = py::none(); // what a signal's handler raised
};

template <class T>
PyRunResult run(const Network<T>& net, Trainer<T>& trainer, py::handle X, py::handle y,
                py::handle weights, Index batch_size, const Array<std::int64_t>& orders,
                const Array<double>& learning_rates, bool whole, const py::object& check) {
  const Data data = checked(data_of(net, X, y, weights), "X, y or sample_weight");
  Epochs epochs;
  if (orders.ndim() != 2 || batch_size < 1)
    throw py::value_error("orders must be (E, N) or (E, 0)");
  epochs.count = orders.shape(0);
  epochs.batch_size = batch_size;
  if (orders.shape(1) != 0) {
    if (orders.shape(1) != data.X.rows) throw py::value_error("orders must be (E, N) or (E, 0)");
    epochs.order = orders.data();
    for (Index i = 0; i < orders.size(); ++i)
      if (orders.data()[i] < 0 || orders.data()[i] >= data.X.rows)
        throw py::index_error("orders point outside the rows");
  }
  epochs.whole = whole;
  const Index batches = ceil_div(data.X.rows, std::min(batch_size, data.X.rows));
  const Index steps = ceil_div(batches, trainer.settings().accumulate) * epochs.count;
  if (learning_rates.size() != 1 && learning_rates.size() != steps)
    throw py::value_error("expected 1 learning rate or " + std::to_string(steps));
  epochs.learning_rates = {learning_rates.data(), static_cast<std::size_t>(learning_rates.size())};
  std::vector<EpochResult> results(static_cast<std::size_t>(epochs.count));
  RunResult done;
  PyRunResult result;
  result.batch_losses = Array<double>(batches * epochs.count);
  result.penalties = Array<double>(batches * epochs.count);
  epochs.losses = result.batch_losses.mutable_data();
  epochs.penalties = result.penalties.mutable_data();
  std::fill_n(epochs.losses, result.batch_losses.size(), 0.0);
  std::fill_n(epochs.penalties, result.penalties.size(), 0.0);
  const bool main = in_main_thread();
  {
    const WithoutGil without_gil;
    const auto stop = [&] {
      std::optional<py::gil_scoped_acquire> acquired;
      take_gil([&] { acquired.emplace(); });
      try {
        if (main && PyErr_CheckSignals() != 0) throw py::error_already_set();
        if (!check.is_none()) check();
      } catch (const py::error_already_set& error) {
        result.error = error.value();
        return true;
      }
      return false;
    };
    const bool asks = main || !check.is_none();
    done = trainer.run(data, epochs, results, asks ? std::function<bool()>(stop) : nullptr);
  }
  result.losses = Array<double>(done.epochs);
  result.seconds = Array<double>(done.epochs);
  result.correct = Array<std::int64_t>(done.epochs);
  for (Index e = 0; e < done.epochs; ++e) {
    const EpochResult& epoch = results[static_cast<std::size_t>(e)];
    result.losses.mutable_at(e) = epoch.loss;
    result.seconds.mutable_at(e) = epoch.seconds;
    result.correct.mutable_at(e) = net.loss().classifies ? epoch.correct : -1;
  }
  result.epochs = done.epochs;
  result.steps = done.steps;
  if (done.outcome == Outcome::diverged) result.diverged_step = done.steps;
  result.interrupted = done.outcome == Outcome::interrupted;
  result.refused = done.outcome == Outcome::refused;
  result.diverged_loss = done.loss;
  return result;
}

template <class T>
class PyTrainer {
public:
  PyTrainer(py::object network, const std::string& rule, const std::map<std::string, double>& hyper,
            const Settings& settings)
      : network_(std::move(network)), net_(network_.cast<Network<T>&>()),
        trainer_(net_, rule, ordered(find_by_name(optimizer_table<T>, rule, "optimizer"), hyper),
                 settings) {}

  Network<T>& net() { return net_; }
  Trainer<T>& trainer() { return trainer_; }

  std::size_t state_index(const std::string& name) const {
    const auto& names = trainer_.optimizer().state;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] && name == names[i]) return i;
    throw py::key_error(name);
  }

private:
  static std::vector<double> ordered(const Optimizer<T>& optimizer,
                                     const std::map<std::string, double>& hyper) {
    std::vector<double> values;
    for (const char* name : optimizer.hyper)
      if (name) values.push_back(hyper.at(name));
    return values;
  }

  py::object network_; // keeps the network alive
  Network<T>& net_;
  Trainer<T> trainer_;
};

template <class T>
void register_trainer(py::module_& m, const char* name) {
  using Self = PyTrainer<T>;
  py::class_<Self>(m, name)
      .def(py::init([](py::object network, const std::string& rule,
                       const std::map<std::string, double>& hyper, double clip_norm, double l1,
                       double max_norm, double penalty, Index accumulate,
                       const std::vector<double>& dropout, std::uint64_t dropout_key) {
             const Limits limits{clip_norm, l1, max_norm, penalty};
             const Settings settings{limits, accumulate, dropout, dropout_key};
             return std::make_unique<Self>(std::move(network), rule, hyper, settings);
           }),
           py::arg("network"), py::arg("rule"), py::arg("hyper"),
           py::arg("clip_norm") = Limits{}.clip_norm, py::arg("l1") = 0.0,
           py::arg("max_norm") = Limits{}.max_norm, py::arg("penalty") = 0.0,
           py::arg("accumulate") = 1, py::arg("dropout") = std::vector<double>{},
           py::arg("dropout_key") = 0)
      .def_property_readonly("state_names",
                             [](Self& self) {
                               std::vector<std::string> names;
                               for (const char* state : self.trainer().optimizer().state)
                                 if (state) names.emplace_back(state);
                               return names;
                             })
      .def_property_readonly("steps", [](Self& self) { return self.trainer().progress().steps; })
      .def("get_progress",
           [](Self& self) {
             const Progress& p = self.trainer().progress();
             return py::make_tuple(p.steps, p.batches, p.rows, p.weight);
           })
      .def("get_gathered",
           [](Self& self) {
             Array<T> flat(self.net().parameter_count());
             T* to = flat.mutable_data();
             std::fill_n(to, flat.size(), T(0));
             const WithoutGil without_gil;
             self.trainer().get_gathered(to);
             return flat;
           })
      .def(
          "set_progress",
          [](Self& self, Index steps, Index batches, Index rows, double weight,
             const std::optional<Array<T>>& gathered) {
            const T* from = gathered ? flat_of(self.net(), *gathered) : nullptr;
            const WithoutGil without_gil;
            self.trainer().set_progress({steps, batches, rows, weight}, from);
          },
          py::arg("steps"), py::arg("batches") = 0, py::arg("rows") = 0, py::arg("weight") = 0.0,
          py::arg("gathered") = py::none())
      .def(
          "flush",
          [](Self& self, double lr) {
            const WithoutGil without_gil;
            return self.trainer().flush(lr);
          },
          py::arg("lr"))
      .def(
          "get_state",
          [](Self& self, const std::string& state) {
            const std::size_t i = self.state_index(state);
            Array<T> flat(self.net().parameter_count());
            T* to = flat.mutable_data();
            std::fill_n(to, flat.size(), T(0));
            const WithoutGil without_gil;
            if (i < self.trainer().states_used()) self.trainer().get_state(i, to);
            return flat;
          },
          py::arg("name"))
      .def(
          "set_state",
          [](Self& self, const std::string& state, const Array<T>& flat) {
            const std::size_t i = self.state_index(state);
            const T* from = flat_of(self.net(), flat);
            const WithoutGil without_gil;
            if (i < self.trainer().states_used()) self.trainer().set_state(i, from);
          },
          py::arg("name"), py::arg("flat"))
      .def(
          "step",
          [](Self& self, py::handle X, py::handle y, double lr,
             py::handle weights) -> OrNone<py::float_> {
            const auto data = data_of(self.net(), X, y, weights);
            if (!data) return py::none();
            typename Trainer<T>::StepResult result;
            {
              const WithoutGil without_gil;
              result = self.trainer().step(*data, lr);
            }
            if (result.outcome == Outcome::refused) return py::none();
            return py::float_(result.loss);
          },
          py::arg("X"), py::arg("y"), py::arg("lr"), py::arg("sample_weight") = py::none())
      .def(
          "apply",
          [](Self& self, const Array<T>& gradient, double lr) {
            const T* from = flat_of(self.net(), gradient);
            const WithoutGil without_gil;
            Buffer<T> panels(self.net().panel_size());
            self.net().pack(from, panels.data());
            return self.trainer().apply(panels.data(), lr);
          },
          py::arg("gradient"), py::arg("lr"))
      .def(
          "run",
          [](Self& self, py::handle X, py::handle y, py::handle weights, Index batch_size,
             const Array<std::int64_t>& orders, const Array<double>& learning_rates, bool whole,
             const py::object& check) {
            return run(self.net(), self.trainer(), X, y, weights, batch_size, orders,
                       learning_rates, whole, check);
          },
          py::arg("X"), py::arg("y"), py::arg("sample_weight"), py::arg("batch_size"),
          py::arg("orders"), py::arg("learning_rates"), py::arg("whole") = true,
          py::arg("check") = py::none());
}

} // namespace eigenmlp::bindings
