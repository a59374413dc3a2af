// In place of the standard library's function, 50 kB that pybind11 asks for C++'s names of types:
// to show them where it does not know Python's. It shows what the compiler calls them, then.
#include <cstddef>

#ifdef __GLIBCXX__
extern "C" __attribute__((visibility("hidden"))) char*
__cxa_demangle(const char* name, char* to, std::size_t* size, int* status);
char* __cxa_demangle(const char*, char*, std::size_t*, int* status) {
  *status = -2; // the name is none that is known
  return nullptr;
}
#endif
