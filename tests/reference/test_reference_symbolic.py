"""The twin's formulas, proved by SymPy: each derivative is the derivative of the value."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from eigenmlp.reference import Network
from eigenmlp.reference.activation import ROW_ACTIVATIONS, Activation, find
from eigenmlp.reference.loss import Loss
from eigenmlp.reference.loss import find as find_loss
from support.names import ACTIVATIONS, LOSSES

sympy = pytest.importorskip("sympy")

FORMULA_LOSSES = [text for text in LOSSES if find_loss(text).formula is not None]
Y3 = np.array([[0.3, -1.2, 2.0], [0.0, 0.0, 0.0], [-3.0, 1.5, 1.0]])
T3 = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.0, 0.25, 0.75]])


def numbers(expression: Any, **at: Any) -> npt.NDArray[np.float64]:
    """The values (N,) of an expression, whose symbols have the values (N,), to 30 digits."""
    names, columns = list(at), list(zip(*at.values(), strict=True))
    symbols = [sympy.Symbol(name, real=True) for name in names]
    values = [
        expression.subs({s: sympy.Float(float(x), 30) for s, x in zip(symbols, row, strict=True)})
        for row in columns
    ]
    return np.array([float(value.evalf(30)) for value in values])


def real(names: str) -> Any:
    return sympy.symbols(names, real=True, seq=True)


def parse(formula: str) -> Any:
    return sympy.sympify(formula, locals={name: real(name)[0] for name in "zyt"})


def formula_of(chosen: Activation | Loss) -> Any:
    """In z, or y and t, alone: the parameters are numbers."""
    formula = chosen.formula
    values = {sympy.Symbol(k): sympy.Float(v, 30) for k, v in chosen.parameters.items()}
    return parse(str(formula)).subs(values)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str) -> None:
    activation = find(name)
    formula = formula_of(activation)
    Z = np.array([-20.0, -3.0, -0.7, -1e-3, 0.0, 1e-3, 0.5, 2.0, 20.0])
    Y = activation.value(Z)
    derivative = sympy.diff(formula, real("z")[0])
    expected = numbers(formula, z=Z)
    # To rounding, and to what a rounding of z does: much in the tails of exp(-z²).
    moved = np.finfo(np.float64).eps * np.abs(Z * numbers(derivative, z=Z))
    assert (np.abs(Y - expected) <= 1e-14 * np.abs(expected) + 2 * moved).all()
    # 1 - y² and y (1 - y) lose what y's own rounding hides next to 1: absolute, not relative.
    np.testing.assert_allclose(
        activation.derivative(Z, Y), numbers(derivative, z=Z), rtol=1e-14, atol=1e-15
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_lambdified(name: str) -> None:
    """The formula is one that SymPy can hand to NumPy, as users of the formulas will."""
    activation = find(name)
    z = real("z")[0]
    formula = formula_of(activation)
    numpy = [{"erfc": np.vectorize(math.erfc)}, "numpy"]  # NumPy has no erfc; SciPy has
    Z = np.linspace(-3, 3, 31)
    Y = activation.value(Z)
    f = sympy.lambdify(z, formula, numpy)
    df = sympy.lambdify(z, sympy.diff(formula, z), numpy)
    np.testing.assert_allclose(Y, f(Z), rtol=1e-13)
    np.testing.assert_allclose(activation.derivative(Z, Y), df(Z) + 0 * Z, rtol=1e-13)


@pytest.mark.parametrize("name", FORMULA_LOSSES)
def test_loss(name: str) -> None:
    loss = find_loss(name)
    formula = formula_of(loss)
    Y, T = Y3.ravel(), T3.ravel()
    value = numbers(formula, y=Y, t=T).reshape(3, 3).sum(axis=1)
    np.testing.assert_allclose(loss.value(Y3, T3), value, rtol=1e-14)
    derivative = numbers(sympy.diff(formula, real("y")[0]), y=Y, t=T).reshape(3, 3)
    np.testing.assert_allclose(loss.derivative(Y3, T3), derivative, rtol=1e-13, atol=1e-15)


def test_formulas_cover_all_losses_whose_outputs_do_not_mix() -> None:
    mixed = set(LOSSES) - set(FORMULA_LOSSES)
    assert {text.partition("(")[0] for text in mixed} <= {"softmax_cross_entropy"}


def softmax_expressions() -> tuple[list[Any], list[Any]]:
    """z0, z1, z2 and the softmax of them."""
    z = list(real("z0:3"))
    return z, [sympy.exp(zk) / sum(map(sympy.exp, z)) for zk in z]


def test_softmax_jacobian() -> None:
    """∂y_j/∂z_k is y_j (δ_jk - y_k), as an identity; and `vjp` multiplies by just that."""
    z, y = softmax_expressions()
    jacobian = sympy.Matrix(y).jacobian(z)
    by_hand = sympy.Matrix(3, 3, lambda j, k: y[j] * (sympy.KroneckerDelta(j, k) - y[k]))
    assert sympy.simplify(jacobian - by_hand) == sympy.zeros(3, 3)

    softmax = ROW_ACTIVATIONS["softmax"]
    at = {f"z{k}": Y3[:, k] for k in range(3)}
    Y = softmax.value(Y3)
    np.testing.assert_allclose(Y, np.array([numbers(yk, **at) for yk in y]).T, rtol=1e-14)
    for j in range(3):
        row = np.array([numbers(jacobian[j, k], **at) for k in range(3)]).T  # (N, K)
        dY = np.zeros((3, 3))
        dY[:, j] = 1
        np.testing.assert_allclose(softmax.vjp(Y, dY), row, rtol=1e-13)


def test_softmax_cross_entropy() -> None:
    z, y = softmax_expressions()
    t = list(real("t0:3"))
    formula = -sum(tk * sympy.log(yk) for tk, yk in zip(t, y, strict=True))
    loss = find_loss("softmax_cross_entropy")
    labels = np.array([2, 0, 1])
    for targets, T in [(T3, T3), (labels, np.eye(3)[labels])]:
        at = {f"z{k}": Y3[:, k] for k in range(3)} | {f"t{k}": T[:, k] for k in range(3)}
        np.testing.assert_allclose(loss.value(Y3, targets), numbers(formula, **at), rtol=1e-14)
        dY = np.array([numbers(sympy.diff(formula, zk), **at) for zk in z]).T
        np.testing.assert_allclose(loss.derivative(Y3, targets), dY, rtol=1e-13)


def test_whole_network() -> None:
    """A 2-2-1 sigmoid network, written out, differentiated in each parameter and in each input."""
    # Each symbol in the place that its number has in the flat vector.
    p = list(real("w00 w01 w10 w11 b0 b1 v0 v1 c"))
    w00, w01, w10, w11, b0, b1, v0, v1, c = p
    x0, x1, t = real("x0 x1 t")
    sigmoid = sympy.Lambda(real("z"), formula_of(find("sigmoid")))
    h0 = sigmoid(x0 * w00 + x1 * w10 + b0)
    h1 = sigmoid(x0 * w01 + x1 * w11 + b1)
    y = sigmoid(h0 * v0 + h1 * v1 + c)
    loss = (y - t) ** 2

    rng = np.random.default_rng(0)
    parameters, X = rng.normal(0, 1, len(p)), rng.normal(0, 1, (4, 2))
    T = np.array([[1.0], [0.0], [0.3], [1.0]])
    network = Network([2, 2, 1], ["sigmoid", "sigmoid"], "squared_error", True, 1.0)
    network.set_parameters(parameters)
    at = {str(s): np.full(4, x) for s, x in zip(p, parameters, strict=True)}
    at |= {"x0": X[:, 0], "x1": X[:, 1]}
    with_t = at | {"t": T[:, 0]}

    np.testing.assert_allclose(network.forward(X)[:, 0], numbers(y, **at), rtol=1e-14)
    value, gradient = network.loss_and_gradient(X, T)
    assert value == pytest.approx(numbers(loss, **with_t).mean(), rel=1e-14)
    expected = [numbers(sympy.diff(loss, s), **with_t).mean() for s in p]
    np.testing.assert_allclose(gradient, expected, rtol=1e-12)

    d_parameters, dX = network.vjp(X, np.ones((4, 1)))
    expected = [numbers(sympy.diff(y, s), **at).sum() for s in p]
    np.testing.assert_allclose(d_parameters, expected, rtol=1e-12)
    expected_dX = np.array([numbers(sympy.diff(y, s), **at) for s in (x0, x1)]).T
    np.testing.assert_allclose(dX, expected_dX, rtol=1e-12)
