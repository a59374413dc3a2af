// Ranks that share a trainer's steps: their messages go through a function of Python.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "eigenmlp/trainer.hpp"
#include "gil.hpp"

namespace eigenmlp::bindings {

// How a trainer's messages get to other ranks: a function of Python, called with the global lock.
class PySwap {
public:
  // While it lives, calls of `swap` take the lock from there.
  class During {
  public:
    During(PySwap& swap, WithoutGil& lock) : swap_(swap) { swap_.lock_ = &lock; }
    During(const During&) = delete;
    During& operator=(const During&) = delete;
    ~During() { swap_.lock_ = nullptr; }

  private:
    PySwap& swap_;
  };

  void set(py::object function) { function_ = std::move(function); }
  // What the function raised, or None; it is forgotten here.
  py::object taken_error() { return std::exchange(error_, py::none()); }

  bool operator()(int rank, const void* out, std::size_t out_bytes, void* in,
                  std::size_t in_bytes) {
    static char nothing; // Python has no view of null
    return lock_ && lock_->with_gil([&] {
      try {
        function_(rank,
                  py::memoryview::from_memory(out_bytes ? out : &nothing,
                                              static_cast<py::ssize_t>(out_bytes)),
                  py::memoryview::from_memory(in_bytes ? in : &nothing,
                                              static_cast<py::ssize_t>(in_bytes)));
        return true;
      } catch (const py::error_already_set& error) {
        error_ = error.value();
        return false;
      }
    });
  }

private:
  py::object function_ = py::none(), error_ = py::none();
  WithoutGil* lock_ = nullptr;
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
