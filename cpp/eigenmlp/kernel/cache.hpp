// How large the caches of this machine are.
#pragma once

#ifndef _WIN32
#include <unistd.h>
#endif

#include <algorithm>

#include "eigenmlp/kernel/types.hpp"

namespace eigenmlp {

// Bytes of a core's L2 that a chunk of rows may take, so that a block of weights has room beside
// it: half of L2, which is 2 MiB where the system does not say.
inline Index near_bytes() {
  static const Index bytes = [] {
    long size = 0;
#if defined(_SC_LEVEL2_CACHE_SIZE)
    size = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    const Index most = Index{1} << 20; // a larger L2 is shared by several cores
    return size > 0 ? std::clamp<Index>(size / 2, most / 4, most) : most;
  }();
  return bytes;
}

} // namespace eigenmlp
