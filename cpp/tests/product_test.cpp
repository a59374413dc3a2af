// Products and conversions against plain loops. All values are small integers, so sums are exact in
// any order and equality is exact.
#include <vector>

#include "eigenmlp/kernel/product.hpp"
#include "matrix.hpp"

namespace eigenmlp::test {
namespace {

// Sizes around the edges of panels (8 and 16 columns) and of tiles.
const std::vector<Index> sizes = {1,  2,  3,  5,  7,  8,  9,  13, 14, 15, 16, 17,
                                  23, 24, 25, 31, 32, 33, 48, 49, 63, 64, 65, 70};

// out = init + A · B, with the bias as a row of its own, or from zero.
template <class T>
void test_multiply(Index rows, Index depth, Index columns, bool bias) {
  Matrix<T> A(rows, depth), B(depth, columns), b(1, columns), out(rows, columns);
  A.randomize(1), B.randomize(2);
  if (bias) b.randomize(3);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) out(i, j) = b(0, j);
    for (Index k = 0; k < depth; ++k)
      for (Index j = 0; j < columns; ++j) out(i, j) += A(i, k) * B(k, j);
  }
  Index panels_done = 0;
  const T* init = bias ? b.panels().data : zero_row<T>();
  multiply<T>(rows, depth, panel_count<T>(columns), A.panels(), B.panels(), init,
              bias ? b.stride() : 0, out.panels(), [&](Index c, Index count) {
                check(c == panels_done, "panels are done in their order");
                panels_done += count;
              });
  check(panels_done == panel_count<T>(columns), "every panel is done");
  out.check_panels("multiply");

  // The same once more on top of it.
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < columns; ++j) out(i, j) += out(i, j) - b(0, j);
  multiply<T>(rows, depth, panel_count<T>(columns), A.panels(), B.panels(), out.panels().data, 0,
              out.panels(), [](Index, Index) {});
  out.check_panels("multiply, going on");
}

// out (+)= Aᵀ · B and its bias gradient, strip by strip of C panels.
template <class T>
void test_multiply_transposed(Index n, Index rows, Index columns, Index C, bool from_zero) {
  Matrix<T> A(n, rows), B(n, columns), out(rows, columns), sums(1, columns);
  A.randomize(1), B.randomize(2);
  if (!from_zero) out.randomize(3), sums.randomize(4);
  for (Index k = 0; k < n; ++k) {
    for (Index j = 0; j < columns; ++j) sums(0, j) += B(k, j);
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < columns; ++j) out(i, j) += A(k, i) * B(k, j);
  }
  const Index panels = panel_count<T>(columns);
  for (Index c = 0; c < panels; c += C) {
    const Index count = std::min(C, panels - c);
    const Panels<const T> strip{B.panels().at(0, c), B.panels().panel};
    multiply_transposed<T>(n, rows, count, A.panels(), strip, from_zero,
                           {out.panels().at(0, c), out.panels().panel});
    sum_rows<T>(n, count, strip, from_zero, {sums.panels().at(0, c), sums.panels().panel});
  }
  out.check_panels("multiply_transposed");
  sums.check_panels("sum_rows");
}

template <class T>
void test_products() {
  const Index deep = depth_block<T>;
  const Index widest = widest_tile<T, Sum::over_rows>;
  for (Index n = 1; n <= 70; ++n)
    for (const Index m : {Index{1}, Index{17}, Index{70}}) {
      for (const auto& [rows, depth, columns] :
           {std::array{n, m, m}, std::array{m, n, m}, std::array{m, m, n}}) {
        test_multiply<T>(rows, depth, columns, n % 2 == 0);
        test_multiply_transposed<T>(rows, depth, columns, std::min(widest, 1 + n % 3), n % 2 == 0);
      }
    }
  for (const Index a : sizes)
    for (const Index b : sizes) {
      test_multiply<T>(a, b, 33, true);
      test_multiply<T>(a, 19, b * 2, false);
      test_multiply_transposed<T>(a, b, 50, std::min<Index>(widest, 2), true);
    }
  for (const Index depth : {deep - 1, deep, deep + 1, 2 * deep, 2 * deep + 37}) {
    test_multiply<T>(29, depth, 35, true);
    test_multiply<T>(1, depth, 130, false);
    test_multiply_transposed<T>(depth, 35, 50, std::min<Index>(widest, 2), true);
    test_multiply_transposed<T>(depth, 17, 10, 1, false);
  }
  // Every width of tile.
  for (Index C = 1; C <= widest; ++C)
    test_multiply_transposed<T>(21, 37, C * panel_width<T>, C, true);
}

template <class T>
void test_transpose_block() {
  constexpr Index p = panel_width<T>;
  for (Index rows = 1; rows <= p; ++rows)
    for (Index columns = 1; columns <= p; ++columns) {
      Matrix<T> from(rows, p), to(columns, p);
      from.randomize(static_cast<unsigned>(rows));
      transpose_block<T>(from.panels().data, rows, to.panels().data, columns);
      for (Index c = 0; c < columns; ++c)
        for (Index r = 0; r < rows; ++r) to(c, r) = from(r, c);
      to.check_panels("transpose_block");
    }
}

template <class S>
constexpr Scalar scalar_of = sizeof(S) == 1   ? Scalar::uint8
                             : sizeof(S) == 4 ? Scalar::float32
                                              : Scalar::float64;

// Strides in scalars; column_step -1 walks the columns backwards.
template <class T, class S>
void test_gather(Index rows, Index columns, Index row_step, Index column_step, bool shuffled) {
  constexpr Index size = sizeof(S);
  std::vector<S> memory(static_cast<std::size_t>(rows * row_step));
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<S>(i * 7 % 97);
  const S* origin = memory.data() + (column_step < 0 ? columns - 1 : 0);
  const Rows X{origin, scalar_of<S>, rows, columns, row_step * size, column_step * size};
  std::vector<std::int64_t> order;
  for (Index i = 0; i < rows; ++i) order.push_back((rows - i) % rows);
  const Index first = rows / 3, count = rows - first;
  Matrix<T> out(count, columns);
  check(
      gather_rows<T>(X, shuffled ? order.data() : nullptr, first, count, {T(0.5)}, out.panels(), 0),
      "gathered numbers are finite");
  for (Index i = 0; i < count; ++i)
    for (Index j = 0; j < columns; ++j) {
      const Index row = shuffled ? (rows - first - i) % rows : first + i;
      out(i, j) = static_cast<T>(origin[row * row_step + j * column_step]) * T(0.5);
    }
  out.check_panels("gather_rows");

  // By columns, shifted before they are scaled.
  std::vector<double> shift(static_cast<std::size_t>(columns));
  std::vector<T> scale(shift.size());
  for (std::size_t j = 0; j < shift.size(); ++j) {
    shift[j] = 3.0 * static_cast<double>(j);
    scale[j] = static_cast<T>(1 << (j % 4));
  }
  Matrix<T> by_columns(count, columns);
  check(gather_rows<T>(X, shuffled ? order.data() : nullptr, first, count,
                       {T(1), shift.data(), scale.data()}, by_columns.panels(), 0),
        "gathered numbers are finite");
  for (Index i = 0; i < count; ++i)
    for (Index j = 0; j < columns; ++j) {
      const auto c = static_cast<std::size_t>(j);
      by_columns(i, j) = (out(i, j) * T(2) - static_cast<T>(shift[c])) * scale[c];
    }
  by_columns.check_panels("gather_rows by columns");

  // Back again, into a wider array.
  const Index width = columns + 3;
  std::vector<T> back(static_cast<std::size_t>(count * width), T(canary));
  scatter_rows<T>(out.panels(), 0, count, columns, back.data(), width, {T(2)});
  for (Index i = 0; i < count; ++i)
    for (Index j = 0; j < width; ++j)
      check(back[static_cast<std::size_t>(i * width + j)] ==
                (j < columns ? out(i, j) * T(2) : T(canary)),
            "scatter_rows");

  if constexpr (std::is_floating_point_v<S>) {
    for (const double bad :
         {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
      auto altered = memory;
      const Index at = (rows - 1) * row_step + (column_step < 0 ? 0 : (columns - 1) * column_step);
      altered[static_cast<std::size_t>(at)] = static_cast<S>(bad);
      Rows Y = X;
      Y.data = altered.data() + (origin - memory.data());
      check(!gather_rows<T>(Y, nullptr, first, count, {}, out.panels(), 0),
            "a number that is not finite is seen");
    }
  }
}

template <class T, class S>
void test_gathers() {
  for (Index columns = 1; columns <= 70; ++columns)
    for (const bool shuffled : {false, true}) {
      test_gather<T, S>(5, columns, columns, 1, shuffled);
      test_gather<T, S>(4, columns, columns + 3, 1, shuffled);
      test_gather<T, S>(3, columns, columns * 2, 2, shuffled);
      test_gather<T, S>(3, columns, columns, -1, shuffled);
    }
  test_gather<T, S>(1, 1, 1, 1, false);
}

template <class T>
void test_all() {
  test_products<T>();
  test_transpose_block<T>();
  test_gathers<T, float>();
  test_gathers<T, double>();
  test_gathers<T, std::uint8_t>();
}

} // namespace
} // namespace eigenmlp::test

int main() {
  eigenmlp::test::test_all<float>();
  eigenmlp::test::test_all<double>();
}
