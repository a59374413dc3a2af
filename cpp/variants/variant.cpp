// The table of a variant, and the one function that gives it.
#include "eigenmlp/threads/work.hpp"
#include "variants/failure.hpp"

#ifdef _WIN32
#define EIGENMLP_EXPORT __declspec(dllexport)
#else
#define EIGENMLP_EXPORT __attribute__((visibility("default")))
#endif

namespace eigenmlp::variants {

extern const Functions<float> float32_functions;
extern const Functions<double> float64_functions;

namespace {

int decision(const char** why) noexcept {
  const Decision last = last_decision();
  *why = reason_texts[static_cast<std::size_t>(last.reason)];
  return last.threads;
}

} // namespace

extern "C" EIGENMLP_EXPORT const Variant* eigenmlp_variant(int version) {
  static const Variant variant{EIGENMLP_LEVEL,
                               EIGENMLP_FLAGS,
                               __VERSION__,
                               &failure,
                               []() noexcept { return max_threads(); },
                               [](int n) noexcept { set_max_threads(n); },
                               [](int n) noexcept { return limit_threads(n); },
                               [](int n) noexcept { force_threads(n); },
                               &decision,
                               [](bool at_work) noexcept {
                                 if (at_work)
                                   detail::helpers.begin();
                                 else
                                   detail::helpers.end(detail::now_ns());
                               },
                               []() noexcept { owners_may_be_gone() = true; },
                               float32_functions,
                               float64_functions};
  return version == interface_version ? &variant : nullptr;
}

} // namespace eigenmlp::variants
