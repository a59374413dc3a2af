#include "variant.hpp"

#include <new>
#include <stdexcept>

#ifdef _WIN32
#ifndef NOMINMAX // as MinGW does
#define NOMINMAX
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace eigenmlp::bindings {

namespace {

const variants::Variant* loaded = nullptr;
std::string loaded_as; // of the levels that one object serves

Bfloat16Products products_of(const std::string& level) {
  if (level == "amx") return Bfloat16Products::tiles;
  return level == "bf16" ? Bfloat16Products::pairs : Bfloat16Products::floats;
}

#ifdef _WIN32
// The function of that name in the object, or null; then `why` says more.
variants::VariantFunction* function_in(const std::string& path, std::string& why) {
  const int size = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
  std::wstring wide(static_cast<std::size_t>(size), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), size);
  // What it needs is looked for beside it, and where Python was told to look (add_dll_directory).
  const HMODULE object = LoadLibraryExW(
      wide.c_str(), nullptr, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS | LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR);
  FARPROC found = object ? GetProcAddress(object, variants::variant_function) : nullptr;
  if (!found) why = "error " + std::to_string(GetLastError()) + " of Windows";
  return reinterpret_cast<variants::VariantFunction*>(reinterpret_cast<void*>(found));
}
#else
variants::VariantFunction* function_in(const std::string& path, std::string& why) {
  void* const object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* const found = object ? dlsym(object, variants::variant_function) : nullptr;
  if (!found) {
    const char* const error = dlerror();
    why = error ? error : "no function of that name";
  }
  return reinterpret_cast<variants::VariantFunction*>(found);
}
#endif

} // namespace

const variants::Variant& load_variant(const std::string& path, const std::string& level) {
  std::string why;
  variants::VariantFunction* const function = function_in(path, why);
  if (!function) throw std::runtime_error("eigenmlp: a variant of the core does not load: " + why);
  const variants::Variant* const found = function(variants::interface_version);
  if (!found)
    throw std::runtime_error("eigenmlp: " + path +
                             " is of another version than the bindings: build "
                             "or install eigenmlp again");
  if (loaded && (loaded != found || loaded_as != level))
    throw std::runtime_error("eigenmlp: expected one variant of the core, got " + level +
                             " beside " + loaded_as);
  if (loaded) return *loaded;
  found->float32.use_products(products_of(level));
  loaded_as = level;
  loaded = found;
  return *loaded;
}

const variants::Variant& variant() {
  if (!loaded) throw std::runtime_error("no variant of the core is loaded");
  return *loaded;
}

void throw_failure() {
  using variants::Error;
  const variants::Failure failure = variant().failure();
  switch (failure.error) {
  case Error::memory:
    throw std::bad_alloc();
  case Error::value:
    throw std::invalid_argument(failure.text);
  case Error::index:
    throw std::out_of_range(failure.text);
  case Error::overflow:
    throw std::overflow_error(failure.text);
  default:
    throw std::runtime_error(failure.text);
  }
}

} // namespace eigenmlp::bindings
