// Checks that stay on in Release.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace eigenmlp::test {

inline void check(bool good, const char* what,
                  const std::source_location where = std::source_location::current()) {
  if (good) return;
  std::fprintf(stderr, "%s:%u: %s\n", where.file_name(), static_cast<unsigned>(where.line()), what);
  std::abort();
}

} // namespace eigenmlp::test
