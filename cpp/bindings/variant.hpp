// The variant of the core that was loaded, and what becomes of its errors.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "variants/interface.hpp"

namespace eigenmlp::bindings {

using variants::Ended;

// Loads the shared object at `path` as the variant `level`, once and for good: what it has made
// lives as long as Python. Throws std::runtime_error, which says what is wrong.
const variants::Variant& load_variant(const std::string& path, const std::string& level);

// Throws RuntimeError before one is loaded.
const variants::Variant& variant();

template <class T>
const variants::Functions<T>& functions() {
  if constexpr (sizeof(T) == sizeof(float))
    return variant().float32;
  else
    return variant().float64;
}

// What this thread's last call failed with, thrown again: as in one C++ program.
[[noreturn]] void throw_failure();

// Whether a call ended well; false if it was refused or stopped.
inline bool ended_well(Ended ended) {
  if (ended == Ended::failed) throw_failure();
  return ended == Ended::well;
}

struct Destroy {
  template <class Made>
  void operator()(Made* made) const {
    made->destroy();
  }
};
// What a variant made.
template <class Made>
using Owned = std::unique_ptr<Made, Destroy>;

inline variants::Numbers numbers_of(const std::vector<double>& values) {
  return {values.data(), values.size()};
}
inline std::vector<const char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  return pointers;
}

} // namespace eigenmlp::bindings
