// A matrix of small integers, twice: as a plain array, and in panels among canaries.
#pragma once

#include <random>
#include <vector>

#include "check.hpp"
#include "eigenmlp/kernel/panels.hpp"

namespace eigenmlp::test {

inline constexpr int canary = 77;

// A matrix twice: as a plain array, and in panels that lie `above` rows down in a larger block.
// Padding columns are zero; the rows around hold canaries.
template <class T>
struct Matrix {
  static constexpr Index above = 3, below = 2;
  Index rows, columns;
  std::vector<T> plain; // (rows, columns)
  Buffer<T> buffer;

  Matrix(Index rows, Index columns) : rows(rows), columns(columns) {
    plain.resize(static_cast<std::size_t>(rows * columns));
    buffer.reset(panel_count<T>(columns) * stride());
    for (Index i = 0; i < buffer.size(); ++i) buffer.data()[i] = T(canary);
    each_line([&](T* y, Index row, Index) {
      if (row >= 0 && row < rows) line(y) = Line<T>::Zero();
    });
  }

  Index stride() const { return panel_stride<T>(rows + above + below); }
  Panels<T> panels() { return {buffer.data() + above * panel_width<T>, stride()}; }
  T& operator()(Index i, Index j) { return plain[static_cast<std::size_t>(i * columns + j)]; }

  // Integers from -most to most.
  Matrix& randomize(unsigned seed, int most = 2) {
    std::minstd_rand random(seed + 1);
    for (T& x : plain) x = static_cast<T>(static_cast<int>(random() >> 8) % (2 * most + 1) - most);
    pack(plain.data(), rows, columns, panels());
    return *this;
  }
  void check_panels(const char* what) {
    each_line([&](const T* y, Index row, Index c) {
      for (Index j = 0; j < panel_width<T>; ++j) {
        const Index column = c * panel_width<T> + j;
        T wanted = 0;
        if (row < 0 || row >= rows)
          wanted = T(canary);
        else if (column < columns)
          wanted = (*this)(row, column);
        check(y[j] == wanted, what);
      }
    });
  }

private:
  // body(line, row, panel) for every line of the block, also those outside the matrix.
  template <class Body>
  void each_line(Body&& body) {
    const Index lines = stride() / panel_width<T>;
    for (Index c = 0; c < panel_count<T>(columns); ++c)
      for (Index i = 0; i < lines; ++i)
        body(buffer.data() + c * stride() + i * panel_width<T>, i - above, c);
  }
};

} // namespace eigenmlp::test
