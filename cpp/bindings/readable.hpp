// Memory that can be read. What lies in a mapped file whose end has come nearer cannot: the process
// would get SIGBUS.
#pragma once

#include <pybind11/numpy.h>

#ifdef __linux__
#include <cerrno>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace eigenmlp::bindings {

// Whether an array's last byte can be read. Linux tells: it reads a set of signals before it looks
// at what to do with it, and there is no ~0 to do. Other systems are not asked.
inline bool ends_in_memory(const pybind11::array& array) {
#ifdef __linux__
  if (array.size() == 0) return true;
  auto last = reinterpret_cast<std::uintptr_t>(array.data());
  for (pybind11::ssize_t i = 0; i < array.ndim(); ++i)
    if (array.strides(i) > 0)
      last += static_cast<std::uintptr_t>(array.strides(i) * (array.shape(i) - 1));
  last += static_cast<std::uintptr_t>(array.itemsize()) - 1;
  constexpr std::uintptr_t size = 8; // of a set of signals; from a multiple of it, in one page
  return syscall(SYS_rt_sigprocmask, ~0, last / size * size, nullptr, size) == 0 || errno != EFAULT;
#else
  static_cast<void>(array);
  return true;
#endif
}

} // namespace eigenmlp::bindings
