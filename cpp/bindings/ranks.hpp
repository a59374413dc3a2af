// Ranks that share a trainer's steps: their messages go through a function of Python.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "gil.hpp"

namespace eigenmlp::bindings {

// How a trainer's messages get to other ranks: a function of Python, called with the global lock.
class PySwap {
public:
  // A call of a trainer in this thread: calls of `swap` take the lock from there, and leave there
  // what Python raised. Made and ended with the global lock.
  class During {
  public:
    During() : before_(std::exchange(current(), this)) {}
    During(const During&) = delete;
    During& operator=(const During&) = delete;
    ~During() {
      current() = before_;
      Py_XDECREF(error_);
    }
    void take_from(WithoutGil& lock) { lock_ = &lock; }
    // What the function raised, or None; it is forgotten here.
    py::object taken_error() {
      return error_ ? py::reinterpret_steal<py::object>(std::exchange(error_, nullptr))
                    : py::object(py::none());
    }

  private:
    friend PySwap;
    static During*& current() {
      thread_local During* during = nullptr;
      return during;
    }
    During* before_; // of the trainer whose function calls this one
    WithoutGil* lock_ = nullptr;
    PyObject* error_ = nullptr;
  };

  void set(py::object function) { function_ = std::move(function); }

  bool operator()(int rank, const void* out, std::size_t out_bytes, void* in,
                  std::size_t in_bytes) {
    static char nothing; // Python has no view of null
    During* const during = During::current();
    return during && during->lock_ && during->lock_->with_gil([&] {
      try {
        function_(rank,
                  py::memoryview::from_memory(out_bytes ? out : &nothing,
                                              static_cast<py::ssize_t>(out_bytes)),
                  py::memoryview::from_memory(in_bytes ? in : &nothing,
                                              static_cast<py::ssize_t>(in_bytes)));
        return true;
      } catch (const py::error_already_set& error) {
        Py_XDECREF(std::exchange(during->error_, error.value().inc_ref().ptr()));
        return false;
      }
    });
  }

private:
  py::object function_ = py::none();
};

// What Python says of batches on all ranks, as the core takes it.
inline std::vector<OwnRows> own_rows(const std::optional<Array<double>>& divisors,
                                     const std::optional<Array<std::int64_t>>& before,
                                     const std::optional<Array<std::int64_t>>& all, Index count) {
  std::vector<OwnRows> own;
  if (!divisors) return own;
  if (!before || !all || divisors->size() != count || before->size() != count ||
      all->size() != count)
    throw py::value_error("divisors, rows_before and rows_of_all need a number for each batch");
  for (Index i = 0; i < count; ++i)
    own.push_back({divisors->data()[i], before->data()[i], all->data()[i]});
  return own;
}

} // namespace eigenmlp::bindings
