// Checks that stay on in Release.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace eigenmlp::test {

// The builtins of GCC and Clang, since Clang 14 and 15 cannot read libstdc++'s <source_location>.
inline void check(bool good, const char* what, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  if (good) return;
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
  std::abort();
}

} // namespace eigenmlp::test
