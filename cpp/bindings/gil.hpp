// Python's global lock: given back while the core computes. That is safe because the arrays are
// kept alive by the caller's arguments and the core never touches a Python object.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>

namespace eigenmlp::bindings {

namespace py = pybind11;

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

} // namespace eigenmlp::bindings
