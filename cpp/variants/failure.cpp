#include "variants/failure.hpp"

#include <new>
#include <stdexcept>
#include <string>

namespace eigenmlp::variants {

namespace {

thread_local Error kept_error = Error::other;
thread_local std::string kept_text;

Ended keep(Error error, const char* text) noexcept {
  kept_error = error;
  try {
    kept_text = text;
  } catch (...) { // no memory for it
    kept_text.clear();
  }
  return Ended::failed;
}

} // namespace

Ended fail() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc& error) {
    return keep(Error::memory, error.what());
  } catch (const std::out_of_range& error) {
    return keep(Error::index, error.what());
  } catch (const std::logic_error& error) { // what an argument should not have been
    return keep(Error::value, error.what());
  } catch (const std::overflow_error& error) {
    return keep(Error::overflow, error.what());
  } catch (const std::exception& error) {
    return keep(Error::other, error.what());
  } catch (...) {
    return keep(Error::other, "an unknown exception");
  }
}

Failure failure() noexcept { return {kept_error, kept_text.c_str()}; }

} // namespace eigenmlp::variants
