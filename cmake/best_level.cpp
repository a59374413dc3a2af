// Prints the module of the core that this machine runs best.
#include <cstdio>
#include <cstring>

#include "bindings/levels.hpp"

int main() {
  const eigenmlp::Levels levels = eigenmlp::this_machines_levels();
  if (levels.count == 0) return 1;
  const char* best = levels.names[0];
#if defined(__x86_64__)
  if (std::strcmp(best, "bf16") == 0 || std::strcmp(best, "amx") == 0) best = "v4"; // one object
#endif
  std::fputs(best, stdout);
}
