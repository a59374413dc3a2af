// The larger and the smaller of two, element by element, where NaN stays NaN: what Eigen 3.4.1
// calls max<PropagateNaN> and min<PropagateNaN>, for Eigen 3.4.0 of Debian and Ubuntu too.
#pragma once

#include <Eigen/Core>

namespace eigenmlp {

template <class X, class Y>
auto larger(const Eigen::ArrayBase<X>& x, const Eigen::ArrayBase<Y>& y) {
  using T = typename X::Scalar;
  return x.binaryExpr(y.derived(), Eigen::internal::scalar_max_op<T, T, Eigen::PropagateNaN>());
}
template <class X>
auto larger(const Eigen::ArrayBase<X>& x, typename X::Scalar y) {
  return larger(x, X::PlainObject::Constant(x.rows(), x.cols(), y));
}
template <class X, class Y>
auto smaller(const Eigen::ArrayBase<X>& x, const Eigen::ArrayBase<Y>& y) {
  using T = typename X::Scalar;
  return x.binaryExpr(y.derived(), Eigen::internal::scalar_min_op<T, T, Eigen::PropagateNaN>());
}
template <class X>
auto smaller(const Eigen::ArrayBase<X>& x, typename X::Scalar y) {
  return smaller(x, X::PlainObject::Constant(x.rows(), x.cols(), y));
}

} // namespace eigenmlp
