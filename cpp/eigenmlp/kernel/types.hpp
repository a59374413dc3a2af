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
  ~Buffer() { ::operator delete(data_, std::align_val_t(alignment(size_))); }

  void reset(Index size) {
    Buffer fresh;
    if (size < 0 || static_cast<std::size_t>(size) > most_bytes / sizeof(T)) throw std::bad_alloc();
    if (size > 0) {
      const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(T);
      fresh.data_ = static_cast<T*>(::operator new(bytes, std::align_val_t(alignment(size))));
      fresh.size_ = size;
#ifdef __linux__
      if (bytes >= huge_page) madvise(fresh.data_, bytes, MADV_HUGEPAGE);
#endif
      std::memset(static_cast<void*>(fresh.data_), 0, bytes);
    }
    swap(fresh);
  }
  // Grows if `size` does not fit; what was in it is then lost.
  void reserve(Index size) {
    if (size > size_) reset(size);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  Index size() const { return size_; }

private:
  static constexpr std::size_t huge_page = std::size_t{1} << 21;
  static constexpr std::size_t most_bytes = std::numeric_limits<Index>::max();
  static std::size_t alignment(Index size) {
    return static_cast<std::size_t>(size) * sizeof(T) >= huge_page ? huge_page : cache_line;
  }
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  T* data_ = nullptr;
  Index size_ = 0;
};

} // namespace eigenmlp
