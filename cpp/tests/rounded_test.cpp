// Products of operands rounded to bfloat16 against plain loops over rounded numbers, with AMX's
// tiles, without them, and in float where the program is compiled for that too. All values are
// integers whose sums are exact in any order. What products may not read holds NaN.
#include <limits>

#include "eigenmlp/kernel/bfloat16.hpp"
#include "eigenmlp/kernel/operands.hpp"
#include "matrix.hpp"

namespace eigenmlp::test {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr Index p = panel_width<float>;

// Integers that rounding changes are above 256, and their products may not add up to 2²⁴.
int most_for(Index depth) { return depth <= 150 ? 300 : 100; }

class Matrix32 : public Matrix<float> {
public:
  using Matrix::Matrix;
  float rounded(Index i, Index j) { return round_to_bfloat16((*this)(i, j)); }
  void fill_padding(float value) {
    for (Index i = 0; i < rows; ++i)
      for (Index j = columns; j < panel_count<float>(columns) * p; ++j)
        panels().at(i, j / p)[j % p] = value;
  }
};

struct Stored {
  Buffer<rounded::Operand> memory;
  rounded::Operands view;
  Stored(Index panel, Index size, float before) : memory(size), view{memory.data(), panel} {
    for (Index i = 0; i < size; ++i) memory.data()[i] = before;
  }
};

// `capacity` rows of memory of which a matrix takes the ones from `row`; the rest, and its padding,
// is NaN.
Stored left_of(Matrix32& A, Index row, Index capacity) {
  Stored left(rounded::left_panel(capacity), rounded::left_size(capacity, A.columns), nan);
  A.fill_padding(nan);
  for (Index c = 0; c < panel_count<float>(A.columns); ++c)
    rounded::store_left(A.panels().at(0, c), row, A.rows, c, A.columns, left.view);
  return left;
}

// What products read of W and of its transpose, by way of the blocks of both.
std::pair<Stored, Stored> rights_of(Matrix32& W) {
  using namespace rounded;
  std::pair rights(Stored(right_panel(W.rows), right_size(W.rows, W.columns), 0),
                   Stored(right_panel(W.columns), right_size(W.columns, W.rows), 0));
  for (Index d = 0; d < panel_count<float>(W.rows); ++d)
    for (Index k = 0; k < panel_count<float>(W.columns); ++k)
      store_weights(W.panels().at(d * p, k), std::min(p, W.rows - d * p),
                    std::min(p, W.columns - k * p), d, k, rights.first.view, rights.second.view);
  return rights;
}

// Panels from c of out = init + A · B, whose element (k, j) is b(k, j).
template <class Element>
void test_left(Index rows, Index depth, Index columns, const rounded::Operands& right, Index c,
               Element&& b) {
  Matrix32 A(rows, depth), out(rows, columns - c * p), init(1, columns - c * p);
  A.randomize(1, most_for(depth)), init.randomize(3);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < out.columns; ++j) {
      out(i, j) = init(0, j);
      for (Index k = 0; k < depth; ++k) out(i, j) += A.rounded(i, k) * b(k, c * p + j);
    }
  const Index row = rows % 5;
  const Stored left = left_of(A, row, row + rows + rows % 3);
  Index panels_done = 0;
  rounded::multiply_left(rows, depth, panel_count<float>(out.columns), left.view, row, right, c,
                         init.panels().data, init.stride(), out.panels(),
                         [&](Index done, Index count) {
                           check(done == panels_done, "panels are done in their order");
                           panels_done += count;
                         });
  check(panels_done == panel_count<float>(out.columns), "every panel is done");
  out.check_panels("multiply_left");
}

// X · W and dY · Wᵀ.
void test_forward_and_back(Index rows, Index D, Index K) {
  Matrix32 W(D, K);
  W.randomize(2, most_for(std::max(D, K)));
  const auto [right, right_of_transposed] = rights_of(W);
  const Index last = (rows + D) % 2 == 0 ? 0 : 1; // from the first panel, or a later one
  test_left(rows, D, K, right.view, std::min(last, panel_count<float>(K) - 1),
            [&](Index k, Index j) { return W.rounded(k, j); });
  test_left(rows, K, D, right_of_transposed.view, std::min(last, panel_count<float>(D) - 1),
            [&](Index k, Index j) { return W.rounded(j, k); });
}

// Xᵀ · dY over n rows of memory for `capacity`, from panels d of X and k of dY.
void test_over_rows(Index n, Index D, Index K, Index capacity, Index d, Index k, bool from_zero) {
  using namespace rounded;
  Matrix32 X(n, D), dY(n, K);
  X.randomize(1, most_for(n)), dY.randomize(2, most_for(n));
  Stored left_X = left_of(X, 0, capacity), left_dY = left_of(dY, 0, capacity);
  Stored Xt(inputs_panel(D), inputs_size(capacity, D), nan);
  Stored dYt(deltas_panel(capacity), deltas_size(capacity, K), nan);
  dY.fill_padding(0);
  const auto each_unit = [&](Index panels, auto&& body) { // as threads share a batch
    for (Index row = 0; row < n; row += row_unit())
      for (Index c = 0; c < panels; ++c) body(row, std::min(row_unit(), n - row), c);
  };
  each_unit(panel_count<float>(D), [&](Index row, Index count, Index c) {
    store_inputs_over_rows(X.panels().at(row, c), row, count, c, Xt.view);
  });
  each_unit(panel_count<float>(K), [&](Index row, Index count, Index c) {
    store_left(dY.panels().at(row, c), row, count, c, K, left_dY.view);
    store_deltas_over_rows(dY.panels().at(row, c), row, count, c, dYt.view);
  });
  const Index C = std::min<Index>(usual_panels<float>, panel_count<float>(K) - k);
  Matrix32 out(D - d * p, std::min(K - k * p, C * p));
  if (!from_zero) out.randomize(3);
  for (Index i = 0; i < out.rows; ++i)
    for (Index j = 0; j < out.columns; ++j)
      for (Index r = 0; r < n; ++r) out(i, j) += X.rounded(r, d * p + i) * dY.rounded(r, k * p + j);
  multiply_over_rows(n, out.rows, C, left_X.view, Xt.view, d, left_dY.view, dYt.view, k, from_zero,
                     out.panels());
  out.check_panels("multiply_over_rows");
}

void test_products() {
  for (const Index a : {1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100})
    for (const Index b : {1, 16, 17, 31, 33, 50}) {
      test_forward_and_back(a, b, 40);
      test_forward_and_back(37, a, b);
      test_over_rows(a, b, 40, a + b, 0, 0, true);
      test_over_rows(45, a, b, 45, (a - 1) / p, (b - 1) / p, b % 2 == 0);
    }
  for (const Index depth : {255, 256, 257, 512, 600}) { // blocks of a sum
    test_forward_and_back(40, depth, 35);
    test_over_rows(depth, 35, 50, depth, 0, 0, false);
    test_over_rows(depth, 150, 17, depth + 100, 1, 1, true);
  }
}

#if defined(__AVX512BF16__) && defined(__AMX_BF16__)
// With numbers that the compiler knows, since it may then leave out what it believes unread.
void test_tiles_are_configured() {
  amx::Tiles tiles;
  tiles.configure(16, 5);
  alignas(cache_line) struct {
    std::uint8_t head[16];
    std::uint16_t row_bytes[16];
    std::uint8_t rows[16];
  } shapes{};
  _tile_storeconfig(&shapes);
  amx::finish_writes(&shapes);
  check(shapes.head[0] == 1, "the palette is 1");
  for (const int tile : {0, 1, 2, 3, 4, 5, 6, 7}) {
    const bool below = tile == 2 || tile == 3 || tile == 5;
    check(shapes.row_bytes[tile] == 64 && shapes.rows[tile] == (below ? 5 : 16), "tiles' shapes");
  }
}
void test_tiles_are_released() {
  alignas(cache_line) std::uint8_t shapes[64] = {1};
  _tile_storeconfig(shapes);
  amx::finish_writes(shapes);
  check(shapes[0] == 0, "no tiles are left configured");
}
#endif

} // namespace
} // namespace eigenmlp::test

int main() {
  using namespace eigenmlp;
  rounded::use_products(Bfloat16Products::tiles);
  test::test_products();
#if defined(__AVX512BF16__) && defined(__AMX_BF16__)
  if (rounded::uses_tiles()) {
    test::test_tiles_are_configured();
    test::test_tiles_are_released();
  }
#endif
  for (const auto allowed : {Bfloat16Products::pairs, Bfloat16Products::floats}) {
    rounded::use_products(allowed);
    test::test_products();
  }
}
