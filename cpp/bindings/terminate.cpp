// In place of the standard library's function, which says what nobody caught, and brings 50 kB of
// names for that into every shared object: exceptions become Python's, or codes.
#include <cstdlib>

#ifdef __GLIBCXX__
namespace __gnu_cxx {
[[noreturn]] void __verbose_terminate_handler();
void __verbose_terminate_handler() { std::abort(); }
} // namespace __gnu_cxx
#endif
