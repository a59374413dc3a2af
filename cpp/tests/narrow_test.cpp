// The last few columns of a product (narrow.hpp) and their gradient (sum_turned, weight_sums.hpp):
// against plain loops on small integers, where sums are exact in any order; and on other numbers,
// bit for bit, whatever stands beside a row and however the rows come: in panels, plainly, stored,
// or in lanes.
#include <limits>
#include <random>
#include <vector>

#include "eigenmlp/kernel/lanes.hpp"
#include "eigenmlp/kernel/stored.hpp"
#include "eigenmlp/step/weight_sums.hpp"
#include "matrix.hpp"

namespace eigenmlp::test {
namespace {

// Numbers between -1 and 1 in place of the integers.
template <class T>
void make_real(Matrix<T>& m, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<T> uniform(-1, 1);
  for (T& x : m.plain) x = uniform(random);
  pack(m.plain.data(), m.rows, m.columns, m.panels());
}

// Behind the terms of A's rows.
template <class T>
void spoil_padding(Matrix<T>& A) {
  for (Index i = 0; i < A.rows; ++i)
    for (Index j = A.columns; j % panel_width<T> != 0; ++j)
      A.panels().at(i, j / panel_width<T>)[j % panel_width<T>] =
          std::numeric_limits<T>::quiet_NaN();
}

template <class T>
Matrix<T> product(Matrix<T>& A, Matrix<T>& Bt, Matrix<T>& init) {
  Matrix<T> out(A.rows, Bt.rows);
  multiply_narrow<T>(A.rows, A.columns, Bt.rows, A.panels(), Bt.panels(), init.panels().data,
                     out.panels());
  return out;
}

template <class T>
void test_narrow(Index rows, Index depth, Index columns) {
  Matrix<T> A(rows, depth), Bt(columns, depth), init(1, columns);
  A.randomize(1), Bt.randomize(2), init.randomize(3);
  spoil_padding(A);
  Matrix<T> out = product(A, Bt, init);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < columns; ++j) {
      out(i, j) = init(0, j);
      for (Index k = 0; k < depth; ++k) out(i, j) += A(i, k) * Bt(j, k);
    }
  out.check_panels("multiply_narrow");
}

// The same rows from a plain array whose rows are further apart, and stand the other way round; a
// packet's at least.
template <class T>
Matrix<T> product_of_plain(Matrix<T>& A, Matrix<T>& Bt, Matrix<T>& init) {
  if (A.rows < packet_size<T>) return product(A, Bt, init);
  const Index apart = A.columns + 3;
  std::vector<T> plain(static_cast<std::size_t>(A.rows * apart),
                       std::numeric_limits<T>::quiet_NaN());
  for (Index i = 0; i < A.rows; ++i)
    for (Index k = 0; k < A.columns; ++k)
      plain[static_cast<std::size_t>((A.rows - 1 - i) * apart + k)] = A(i, k);
  Matrix<T> out(A.rows, Bt.rows);
  multiply_narrow<T>(A.rows, A.columns, Bt.rows, {plain.data() + (A.rows - 1) * apart, 0},
                     Bt.panels(), init.panels().data, out.panels(), -apart);
  return out;
}

// Each row alone, among all, in a plain array, and as stored numbers.
template <class T>
void test_bits_of_rows(Index rows, Index depth, Index columns) {
  constexpr Index p = panel_width<T>;
  Matrix<T> A(rows, depth), Bt(columns, depth), B(depth, columns), init(1, columns);
  make_real(A, 1), make_real(Bt, 2), make_real(init, 3);
  for (Index i = 0; i < depth; i += 3) // zeros, which are not stored
    for (Index r = 0; r < rows; ++r) A(r, i) = T(0);
  pack(A.plain.data(), rows, depth, A.panels());
  for (Index k = 0; k < depth; ++k)
    for (Index j = 0; j < columns; ++j) B(k, j) = Bt(j, k);
  pack(B.plain.data(), depth, columns, B.panels());
  Matrix<T> out = product(A, Bt, init), stored_out(rows, columns),
            plain_out = product_of_plain(A, Bt, init);

  std::vector<StoredNumber<T>> numbers;
  std::vector<Index> begin, end;
  for (Index i = 0; i < rows; ++i) {
    begin.push_back(static_cast<Index>(numbers.size()));
    for (Index k = 0; k < depth; ++k)
      if (A(i, k) != T(0)) numbers.push_back({A(i, k), static_cast<std::int32_t>(k)});
    end.push_back(static_cast<Index>(numbers.size()));
  }
  multiply_stored<T>({numbers.data(), begin.data(), end.data(), 0}, 0, rows, 1, B.panels(),
                     init.panels().data, stored_out.panels(), true, [](Index, Index) {});
  for (Index i = 0; i < rows; ++i) {
    Matrix<T> row(1, depth);
    for (Index k = 0; k < depth; ++k) row(0, k) = A(i, k);
    pack(row.plain.data(), 1, depth, row.panels());
    Matrix<T> alone = product(row, Bt, init);
    check(std::memcmp(alone.panels().data, out.panels().at(i, 0), p * sizeof(T)) == 0,
          "a row has the same bits alone");
    check(std::memcmp(stored_out.panels().at(i, 0), out.panels().at(i, 0), p * sizeof(T)) == 0,
          "stored numbers give the same bits");
    check(std::memcmp(plain_out.panels().at(i, 0), out.panels().at(i, 0), p * sizeof(T)) == 0,
          "a plain array gives the same bits");
  }
}

// p products in lanes beside each of them alone.
template <class T>
void test_lanes(Index rows, Index depth, Index columns, Index narrow) {
  constexpr Index p = panel_width<T>;
  Buffer<T> A(rows * depth * p), B(depth * columns * p), init(columns * p), out(rows * columns * p);
  std::mt19937 random(4);
  std::uniform_real_distribution<T> uniform(-1, 1);
  for (Buffer<T>* buffer : {&A, &B, &init})
    for (Index i = 0; i < buffer->size(); ++i) buffer->data()[i] = uniform(random);
  multiply_lanes<T>(rows, columns, depth, {A.data(), depth}, {B.data(), columns}, {init.data()},
                    {out.data(), columns}, narrow);
  for (Index lane = 0; lane < p; ++lane) {
    Matrix<T> own(rows, depth), Bt(narrow, depth), bias(1, narrow);
    for (Index i = 0; i < rows * depth; ++i)
      own.plain[static_cast<std::size_t>(i)] = A.data()[i * p + lane];
    const Index first = columns - narrow;
    for (Index j = 0; j < narrow; ++j) {
      bias(0, j) = init.data()[(first + j) * p + lane];
      for (Index k = 0; k < depth; ++k) Bt(j, k) = B.data()[(k * columns + first + j) * p + lane];
    }
    for (Matrix<T>* m : {&own, &Bt, &bias}) pack(m->plain.data(), m->rows, m->columns, m->panels());
    Matrix<T> alone = product(own, Bt, bias);
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < narrow; ++j)
        check(alone.panels().at(i, 0)[j] == out.data()[(i * columns + first + j) * p + lane],
              "lanes have the bits of networks alone");
  }
}

// Of a layer whose last panel holds `few` columns, beside the sum that is not turned.
template <class T>
void test_turned(Index n, Index blocks_count, Index D, Index few, bool from_zero) {
  constexpr Index p = panel_width<T>;
  Layer<T> layer{};
  layer.D = D;
  layer.K = few;
  Matrix<T> X(n, D), dY(n, few), turned(D, few), straight(D, few);
  make_real(X, 5), make_real(dY, 6), make_real(turned, 7), make_real(straight, 7);
  const Blocks blocks{n, blocks_count, 0, blocks_count};
  for (Index d = 0; d < panel_count<T>(D); d += strip_panels<T>) {
    const Index C = std::min(strip_panels<T>, panel_count<T>(D) - d);
    const Index rows = std::min((d + C) * p, D) - d * p;
    sum_turned<T>(layer, blocks, X.panels(), d, C, dY.panels(), from_zero, rows,
                  {turned.panels().at(d * p, 0), turned.panels().panel});
    sum_blocks<strip_panels<T>>(blocks, rows, 1, from_zero,
                                Panels<T>{straight.panels().at(d * p, 0), straight.panels().panel},
                                [&](Index from, Index count, bool zero, Panels<T> out) {
                                  multiply_transposed<T>(
                                      count, rows, 1, {X.panels().at(from, d), X.panels().panel},
                                      {dY.panels().at(from, 0), dY.panels().panel}, zero, out);
                                });
  }
  for (Index i = -2; i < D + 2; ++i)
    check(std::memcmp(turned.panels().at(i, 0), straight.panels().at(i, 0), p * sizeof(T)) == 0,
          "a turned sum has the bits of the other, and leaves alone what is around it");
}

template <class T>
void test_all() {
  for (Index columns = 1; columns <= most_narrow<T>; ++columns)
    for (const Index depth : {1, 2, 7, 8, 15, 16, 17, 24, 31, 32, 33, 100, 130})
      for (const Index rows : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 50})
        test_narrow<T>(rows, depth, columns), test_bits_of_rows<T>(rows, depth, columns);
  for (const Index depth : {24, 37, 48, 65}) {
    test_lanes<T>(5, depth, 1, 1);
    test_lanes<T>(3, depth, panel_width<T> + most_narrow<T>, most_narrow<T>);
  }
  for (Index few = 1; 2 * few <= panel_width<T>; ++few)
    for (const Index D : {1, 17, 40, 100})
      for (const bool from_zero : {true, false}) {
        test_turned<T>(33, 1, D, few, from_zero);
        test_turned<T>(300, 4, D, few, from_zero);
      }
}

} // namespace
} // namespace eigenmlp::test

int main() {
  eigenmlp::test::test_all<float>();
  eigenmlp::test::test_all<double>();
}
