// Exceptions end where the variant does: they become codes, with a text that is kept here.
#pragma once

#include <functional>
#include <utility>

#include "eigenmlp/threads/interruption.hpp"
#include "variants/interface.hpp"

namespace eigenmlp::variants {

// Keeps what the exception that is being handled says, as this thread's failure.
Ended fail() noexcept;
Failure failure() noexcept;

// f(), or what it throws.
template <class F>
Ended guarded(F&& f) noexcept {
  try {
    return f();
  } catch (...) {
    return fail();
  }
}

// The same for what returns nothing.
template <class F>
Ended done(F&& f) noexcept {
  return guarded([&] {
    f();
    return Ended::well;
  });
}

inline std::function<bool()> function_of(Question stop) {
  if (!stop.ask) return nullptr;
  return [stop] { return stop.ask(stop.of); };
}

// compute(interruption), which says whether the data were good.
template <class Compute>
Ended computed(Question stop, Compute&& compute) noexcept {
  return guarded([&] {
    Interruption interruption(function_of(stop));
    const bool good = compute(&interruption);
    if (interruption.stopped()) return Ended::stopped;
    return good ? Ended::well : Ended::refused;
  });
}

} // namespace eigenmlp::variants
