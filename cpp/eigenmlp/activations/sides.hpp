// Slopes that depend on the sign of z, packet by packet: compilers make branches of such a choice.
#pragma once

#include <utility>

#include "eigenmlp/kernel/tile.hpp"

namespace eigenmlp {

// dY ← dY · (z > 0 ? right : left); slopes(i, z) gives {left, right} of the packet z at Z[i].
template <class T, class Slopes>
void multiply_by_side(Run<T> dY, ConstRun<T> Z, Slopes&& slopes) {
  using namespace Eigen::internal;
  const Packet<T> zero = pset1<Packet<T>>(T(0));
  for (Index i = 0; i < Z.size(); i += packet_size<T>) {
    const Packet<T> z = pload<Packet<T>>(Z.data() + i);
    const std::pair<Packet<T>, Packet<T>> slope = slopes(i, z);
    T* d = dY.data() + i;
    const Packet<T> chosen = pselect(pcmp_lt(zero, z), slope.second, slope.first);
    pstore(d, pmul(pload<Packet<T>>(d), chosen));
  }
}

} // namespace eigenmlp
