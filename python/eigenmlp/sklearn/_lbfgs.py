"""L-BFGS: SciPy's, over the network's loss and gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from .._basics.warned import warn
from . import _outside

if TYPE_CHECKING:
    from ._fitted import Fitted
    from ._problem import Problem


def fit(estimator: Fitted, problem: Problem) -> None:
    """Minimise the loss with its penalty over all rows."""
    net = estimator._network()
    core, dtype = net._network, net.dtype
    factor = estimator.alpha / problem.total_weight
    is_weight = net._is_weight().astype(np.float64)
    constant = problem.mean_constant()
    epoch, check = 0, _outside.check()

    def loss_and_gradient(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        if check is not None:
            check()
        core.set_parameters(x.astype(dtype, copy=False))
        loss, gradient = core.loss_and_gradient(problem.X, problem.T, problem.weights)
        decay = factor * (is_weight * x)
        return (
            problem.loss_scale * loss + constant + 0.5 * float(decay @ x),
            gradient.astype(np.float64, copy=False) + decay,
        )

    def after_iteration(intermediate_result: Any) -> None:
        nonlocal epoch
        epoch += 1
        core.set_parameters(intermediate_result.x.astype(dtype, copy=False))
        estimator.n_iter_, estimator.loss_ = epoch, np.float64(intermediate_result.fun)
        estimator._parameters_changed()
        if estimator.verbose:
            print(f"Iteration {epoch}, loss = {intermediate_result.fun:.8f}")
        if estimator._call_back(epoch):
            raise StopIteration

    watched = bool(estimator.callbacks) or bool(estimator.verbose)
    try:
        result = scipy.optimize.minimize(
            loss_and_gradient,
            net.parameters.astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=after_iteration if watched else None,
            options={
                "maxfun": estimator.max_fun,
                "maxiter": estimator.max_iter,
                "gtol": estimator.tol,
            },
        )
    finally:
        # Also where Ctrl-C or a callback ends it: at the last parameters that were tried.
        estimator._parameters_changed()
    core.set_parameters(result.x.astype(dtype))
    estimator.n_iter_ = min(int(result.nit), estimator.max_iter)
    estimator.loss_ = np.float64(result.fun)
    if result.status != 0 and not (watched and result.status == 99):
        warn(
            f"lbfgs failed to converge after {estimator.n_iter_} iteration(s) "
            f"(status={result.status}):\n{result.message}\n"
            f"More iterations (max_iter={estimator.max_iter}) or scaled inputs may help: "
            "https://scikit-learn.org/stable/modules/preprocessing.html",
            ConvergenceWarning,
        )
