// Scalars, indices, and aligned buffers that the whole library shares.
//
// Dimension letters, everywhere: N rows (samples) of a batch, D inputs and K outputs of a layer,
// L layers, P parameters, p columns of a panel (panels.hpp).
#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "eigenmlp/kernel/index.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace eigenmlp {

// Eigen's view of `n` scalars, for element-wise maths on a run of aligned panel rows.
template <class T>
using Run = Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>, Eigen::Aligned64>;
template <class T>
using ConstRun = Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>, Eigen::Aligned64>;

namespace detail {
inline constexpr std::size_t huge_page = std::size_t{1} << 21;

inline std::align_val_t alignment_of(std::size_t bytes) {
  return std::align_val_t(bytes >= huge_page ? huge_page : cache_line);
}

// Room for `size` > 0 things of `each` bytes: one function, since buffers are made in many places.
[[gnu::noinline]] inline void* zeroed_memory(std::size_t size, std::size_t each) {
  if (size > static_cast<std::size_t>(std::numeric_limits<Index>::max()) / each)
    throw std::bad_alloc();
  const std::size_t bytes = size * each;
  void* const data = ::operator new(bytes, alignment_of(bytes));
#ifdef __linux__
  if (bytes >= huge_page) madvise(data, bytes, MADV_HUGEPAGE);
#endif
  return std::memset(data, 0, bytes);
}
} // namespace detail

// Zeroed memory on cache-line boundaries; large ones on huge pages where the system gives them.
template <class T>
class Buffer {
public:
  Buffer() = default;
  explicit Buffer(Index size) { reset(size); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { free(); }

  void reset(Index size) {
    const auto n = static_cast<std::size_t>(size); // one below 0 is more than there can be
    T* const fresh = n ? static_cast<T*>(detail::zeroed_memory(n, sizeof(T))) : nullptr;
    free();
    data_ = fresh;
    size_ = size;
  }
  // Grows if `size` does not fit; what was in it is then lost.
  void reserve(Index size) {
    if (size > size_) reset(size);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  Index size() const { return size_; }

private:
  void free() {
    ::operator delete(data_, detail::alignment_of(static_cast<std::size_t>(size_) * sizeof(T)));
  }
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  T* data_ = nullptr;
  Index size_ = 0;
};

} // namespace eigenmlp
