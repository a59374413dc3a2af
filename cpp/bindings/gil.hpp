// Python's global lock: given back while the core computes. That is safe because the arrays are
// kept alive by the caller's arguments and the core never touches a Python object.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "eigenmlp/threads/lock.hpp"
#include "variant.hpp"

namespace eigenmlp::bindings {

namespace py = pybind11;

// Raises what was caught elsewhere.
[[noreturn]] inline void raise(const py::object& error) {
  PyErr_SetObject(py::type::handle_of(error).ptr(), error.ptr());
  throw py::error_already_set();
}

inline bool is_finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

// While it lives, other Python threads run. When Python has begun to end, the thread that ends it
// is the only one that has the global lock or will ever get it, and it keeps it here: work in a
// __del__ is done as ever. Any other thread that asks for the lock then stays here for good, since
// Python would end it in the middle of C++ code.
class WithoutGil {
public:
  WithoutGil() : state_(is_finalizing() ? nullptr : PyEval_SaveThread()) {
    if (!state_) variant().owners_may_be_gone();
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;
  ~WithoutGil() {
    if (state_) take();
  }

  // f() with the lock, in the thread that made this; false without it if Python has begun to end.
  template <class F>
  bool with_gil(F&& f) {
    if (!state_) return f();
    if (is_finalizing()) return false;
    take();
    const bool result = f();
    state_ = PyEval_SaveThread();
    return result;
  }

private:
  // If Python begins to end while this waits, that comes as an unwinding of the stack which must
  // not be left again.
  void take() noexcept {
    const auto stay = [] {
      while (true) std::this_thread::sleep_for(std::chrono::hours(1));
    };
    if (is_finalizing()) stay();
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {
      stay();
    }
  }

  PyThreadState* state_; // null: the lock was not given back
};

// Python handles signals in its main thread only; which that is changes with a fork.
inline bool in_main_thread() {
  if (is_finalizing()) return false; // nothing can be imported, and nobody presses Ctrl-C
  thread_local int asked = -1;
  thread_local bool is_main = false;
  if (const int now = fork_generation(); asked != now) {
    const py::object main = py::module_::import("threading").attr("main_thread")();
    is_main = main.attr("ident").cast<unsigned long>() == PyThread_get_thread_ident();
    asked = now;
  }
  return is_main;
}

// Calls what Python has for Ctrl-C: an error, or nothing if it returns.
inline void handle_ctrl_c() {
  const py::object handler = py::module_::import("signal").attr("getsignal")(SIGINT);
  if (!PyCallable_Check(handler.ptr())) return;
  PyFrameObject* const frame = PyEval_GetFrame(); // borrowed; null outside of Python's code
  handler(SIGINT, frame ? py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(frame))
                        : py::none());
}

// What a variant asks while it computes: stop() in the thread that called.
template <class Stop>
variants::Question question_of(const Stop& stop) {
  return {[](void* of) { return (*static_cast<const Stop*>(of))(); },
          const_cast<void*>(static_cast<const void*>(&stop))};
}

// compute(question) without the global lock; false if it refused the data. In the main thread
// Ctrl-C ends it; its handler is called when that is over, since it may do anything with the
// network, whose lock `compute` holds. If the handler returns, all is computed again. `check`, if
// it is not None, is called every 10 ms: what it raises ends the computation in any thread.
template <class Compute>
bool interruptible(Compute&& compute, const py::object& check = py::none()) {
  const bool main = in_main_thread(), asks = main || !check.is_none();
  while (true) {
    py::object error;
    Ended ended;
    {
      WithoutGil without_gil;
      const auto asked = [&] {
        if (main && PyOS_InterruptOccurred() != 0) return true;
        try {
          if (!check.is_none()) check();
        } catch (const py::error_already_set& raised) {
          error = raised.value();
        }
        return bool(error);
      };
      const auto stop = [&] { return without_gil.with_gil(asked); };
      ended = compute(asks ? question_of(stop) : variants::Question{});
      if (ended == Ended::failed) throw_failure();
    }
    if (ended != Ended::stopped) return ended == Ended::well;
    if (error) raise(error);
    handle_ctrl_c();
  }
}

} // namespace eigenmlp::bindings
