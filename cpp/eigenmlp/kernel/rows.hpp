// The user's rows, where they lie. No Eigen here, nor in what is made of it (step/data.hpp,
// step/run.hpp): the bindings see these and nothing that computes.
#pragma once

#include <cstdint>

#include "eigenmlp/kernel/index.hpp"

namespace eigenmlp {

// As NumPy or, where there are `starts`, as SciPy's CSR matrices describe them: row i then holds
// data[j] in column places[j] for j = starts[i] … starts[i + 1] - 1, and zeros.
enum class Scalar { float32, float64, uint8 };
struct Rows {
  const void* data = nullptr;
  Scalar scalar = Scalar::float64;
  Index rows = 0, columns = 0;
  Index row_stride = 0, column_stride = 0; // bytes
  const void *starts = nullptr, *places = nullptr;
  Index stored = 0;  // entries of data and places
  bool wide = false; // starts and places are int64, not int32
};

} // namespace eigenmlp
