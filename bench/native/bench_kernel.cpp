// One thread: how much of the processor's multiply-add limit the register tile reaches with its
// operands in L1, and the products at the shapes of the design's four networks.
//
//   bench_kernel [float|double]
//
// The limit is measured right before each measurement and the shares are medians of such pairs: a
// shared machine changes its speed by more than the differences of interest within seconds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <vector>

#include "eigenmlp/step/rows_phase.hpp"
#include "eigenmlp/step/weights_phase.hpp"
#include "measured.hpp"

namespace {
using namespace eigenmlp;
using namespace eigenmlp::bench;

constexpr int repeats = 15;
constexpr double shortest = 1e-3; // seconds of one measurement
constexpr double tile_goal = 0.90, product_goal = 0.85;

// One line of the table: body does so many operations, of which the part `useful` is not padding.
// The goal is about all of them.
template <class T, class Body>
void measure(const char* what, const std::string& shape, double operations, double useful,
             double goal, Body&& body) {
  long calls = 1;
  while (seconds(calls, body) < shortest) calls *= 2;
  std::vector<double> speeds, shares;
  for (int i = 0; i < repeats; ++i) {
    const double limit = fma_limit<T>();
    speeds.push_back(operations * static_cast<double>(calls) / seconds(calls, body));
    shares.push_back(speeds.back() / limit);
  }
  const double share = median(shares);
  std::printf("%-24s %-22s %8.1f %8.0f %% %8.0f %% %6.0f %%  %s\n", what, shape.c_str(),
              median(speeds) * useful * 1e-9, 100 * share * useful, 100 * share, 100 * goal,
              share >= goal ? "yes" : "no");
}

template <class T>
Buffer<T> numbers(Index size) {
  Buffer<T> buffer(size);
  for (Index i = 0; i < size; ++i) buffer.data()[i] = static_cast<T>(i % 13) / T(64);
  return buffer;
}

// A tile of R x C over 8 panels' worth of terms: a panel of B takes 8 KiB.
template <class T, Sum direction>
void bench_tile(Index R, Index C) {
  constexpr Index p = panel_width<T>, depth = 8 * p;
  const auto A = numbers<T>(depth * p * 2), B = numbers<T>(C * depth * p);
  Buffer<T> out(C * R * p);
  Tile<T> t{};
  t.A = A.data();
  t.A_panel = panel_stride<T>(R);
  t.B = B.data();
  t.B_panel = depth * p;
  t.init = zero_row<T>();
  t.out = out.data();
  t.out_panel = R * p;
  t.depth = depth;
  const auto function =
      tile_table<T, direction>[static_cast<std::size_t>(C - 1)][static_cast<std::size_t>(R - 1)];
  const std::string shape = std::to_string(R) + " x " + std::to_string(C);
  const bool over_columns = direction == Sum::over_columns;
  measure<T>(over_columns ? "tile, over columns" : "tile, over rows", shape,
             2.0 * static_cast<double>(R * C * p * depth), 1, tile_goal, [&] { function(t); });
}

template <class T, Sum direction>
void bench_tiles() {
  for (Index C = 1; C <= std::min(4, widest_tile<T, direction>); ++C) {
    const Index R = tile_rows<T, direction>(static_cast<int>(C));
    if (R < 1) continue;
    bench_tile<T, direction>(R, C);
    if (R > 8) bench_tile<T, direction>(R - 1, C);
  }
}

// The three products of a layer D -> K on the rows that one of two threads takes at once.
template <class T>
void bench_layer(const char* network, Index D, Index K, Index batch, Index chunk) {
  constexpr Index p = panel_width<T>;
  const Index d = panel_count<T>(D), k = panel_count<T>(K);
  const Index rows = std::min(chunk, batch / 2);
  const auto X = numbers<T>(d * panel_stride<T>(batch)), W = numbers<T>(k * (D + 1) * p);
  const auto Wt = numbers<T>(d * panel_stride<T>(K)), dY = numbers<T>(k * panel_stride<T>(batch));
  Buffer<T> Y(k * panel_stride<T>(batch)), dX(d * panel_stride<T>(batch));
  const Panels<const T> X_panels{X.data(), panel_stride<T>(batch)},
      dY_panels{dY.data(), panel_stride<T>(batch)};
  // Only the columns of a result are padded, not the terms of a sum.
  const auto operations = [&](Index n, Index columns) {
    return 2.0 * static_cast<double>(n * columns);
  };
  const double useful_K = static_cast<double>(K) / static_cast<double>(k * p);
  const double useful_D = static_cast<double>(D) / static_cast<double>(d * p);
  const auto shape = [&](Index n) {
    return std::string(network) + ": " + std::to_string(n) + " x " + std::to_string(D) + " x " +
           std::to_string(K);
  };
  const auto nothing = [](Index, Index) {};
  measure<T>("multiply X W", shape(rows), operations(rows * D, k * p), useful_K, product_goal, [&] {
    multiply<T>(rows, D, k, X_panels, {W.data(), (D + 1) * p}, W.data() + D * p, (D + 1) * p,
                {Y.data(), panel_stride<T>(batch)}, nothing);
  });
  measure<T>("multiply dY Wt", shape(rows), operations(rows * K, d * p), useful_D, product_goal,
             [&] {
               multiply<T>(rows, K, d, dY_panels, {Wt.data(), panel_stride<T>(K)}, zero_row<T>(), 0,
                           {dX.data(), panel_stride<T>(batch)}, nothing);
             });
  // In the order of phase 2, which applies the optimizer where this writes over the last sum.
  Buffer<T> dW(strip_panels<T> * block_panels * p * p);
  const Index strips = ceil_div(k, strip_panels<T>);
  measure<T>("multiply_transposed X dY", shape(batch), operations(batch * D, k * p), useful_K,
             product_goal, [&] {
               for (Index i = 0; i < d; i += block_panels)
                 for (Index s = 0; s < strips; ++s) {
                   const Index c = share_begin(k, strips, s);
                   multiply_transposed<T>(batch, std::min(block_panels * p, D - i * p),
                                          share_begin(k, strips, s + 1) - c,
                                          {X_panels.at(0, i), X_panels.panel},
                                          {dY_panels.at(0, c), dY_panels.panel}, true,
                                          {dW.data(), block_panels * p * p});
                 }
             });
}

template <class T>
void bench_all() {
  std::vector<double> limits;
  for (int i = 0; i < 100; ++i) limits.push_back(fma_limit<T>() * 1e-9);
  std::printf("limit of one thread: %.1f GF/s (%d scalars a vector)\n\n", median(limits),
              packet_size<T>);
  std::printf("%-24s %-22s %8s %10s %10s %8s  met\n", "what", "rows x in x out", "GF/s", "of limit",
              "& padding", "goal");
  bench_tiles<T, Sum::over_columns>();
  bench_tiles<T, Sum::over_rows>();
  struct {
    const char* name;
    std::vector<Index> sizes;
    Index batch;
  } const networks[] = {{"A", {64, 50, 10}, 100},
                        {"B", {784, 128, 10}, 64},
                        {"C", {784, 512, 512, 10}, 128},
                        {"D", {1024, 2048, 2048, 1000}, 1024}};
  for (const auto& [name, sizes, batch] : networks) {
    const std::vector<std::string> activations(sizes.size() - 1, "identity");
    const Network<T> net(sizes, activations, "squared_error", true, T(1));
    for (std::size_t l = 0; l + 1 < sizes.size(); ++l)
      bench_layer<T>(name, sizes[l], sizes[l + 1], batch, chunk_rows(net));
  }
}

} // namespace

int main(int count, char** arguments) {
  const std::string_view scalar = count > 1 ? arguments[1] : "float";
  if (scalar == "float") return bench_all<float>(), 0;
  if (scalar == "double") return bench_all<double>(), 0;
  std::fprintf(stderr, "usage: bench_kernel [float|double]\n");
  return 2;
}
