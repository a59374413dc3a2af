"""The derivatives of examples/derivatives.py against central differences and SymPy."""

import derivatives
import numpy as np
import pytest
import sympy

import eigenmlp as em

BACKENDS = pytest.mark.parametrize("backend", ["native", "numpy"])
X = np.array([[1.0, 2.0, 4.0], [0.3, -0.7, 0.2]])
ROUNDING = 1e-12  # some thousand operations, each off by at most 1.1e-16 of their terms


@BACKENDS
def test_figures(backend):
    figures = derivatives.main(backend)
    assert figures["after one step"] < figures["loss at (1, 2, 4)"]
    first, last = figures["loss in the first epoch, and in the last"]
    assert last < first
    assert figures["largest difference of H @ v and hessian_vector_product"] < ROUNDING


def test_the_loss_falls_for_every_seed():
    """And the figures of the published run, whose weights had no seed, are among ours."""
    x = np.array([[1.0, 2.0, 4.0]])
    starts, ends = [], []
    for seed in range(100):
        trainer = em.Trainer(derivatives.make_net("native", seed), em.SGD(lr=0.01), batch_size=1)
        starts.append(trainer.step(x, derivatives.target(x)))
        assert trainer.net.loss(x, derivatives.target(x)) < starts[-1]

        rows = np.random.default_rng(seed + 1000).uniform(-1, 1, (10, 3))
        trainer = em.Trainer(derivatives.make_net("native", seed), em.SGD(lr=0.001), batch_size=1)
        losses = trainer.run(rows, derivatives.target(rows), epochs=50).loss
        assert losses[-1] < losses[0]
        ends.append(losses[-1])
    assert min(starts) < 11.79 < max(starts)
    assert min(ends) < 0.104 < max(ends)


@BACKENDS
def test_central_differences(backend):
    net, y = derivatives.make_net(backend), derivatives.target(X)
    p = net.parameters
    h = np.cbrt(np.finfo(float).eps)  # so that both errors, h² f'''/6 and u f/h, are about h²

    def loss(parameters):
        return net.loss_and_gradient(X, y, parameters=parameters)

    value, gradient = loss(p)
    H = net.hessian(X, y)
    for i, e in enumerate(np.eye(len(p))):
        (up, gradient_up), (down, gradient_down) = loss(p + h * e), loss(p - h * e)
        scale = 1 + np.abs(H).max() + abs(value)
        assert abs((up - down) / (2 * h) - gradient[i]) < 10 * h**2 * scale
        column = (gradient_up - gradient_down) / (2 * h)
        assert np.abs(column - H[i]).max() < 10 * h**2 * scale


@pytest.fixture(scope="module")
def expression():
    """The loss as an expression in a = W0[0, 0] and b = W1[3, 2], all other weights numbers."""
    a, b = sympy.symbols("a b")
    net = derivatives.make_net("numpy")
    weights = [sympy.Matrix(W) for W in net.weights]
    values = {a: weights[0][0, 0], b: weights[1][3, 2]}
    weights[0][0, 0], weights[1][3, 2] = a, b
    total = 0
    for x, t in zip(X, derivatives.target(X), strict=True):
        Y = sympy.Matrix([x])
        for layer, (W, bias) in enumerate(zip(weights, net.biases, strict=True)):
            Y = Y * W + sympy.Matrix([bias])
            Y = Y.applyfunc(sympy.tanh) if layer < 2 else Y
        total += (Y[0] - t) ** 2
    return total / len(X), a, b, values


@BACKENDS
def test_sympy(backend, expression):
    loss, a, b, values = expression
    net, y = derivatives.make_net(backend), derivatives.target(X)
    place = {
        a: 0,
        b: 3 * 5 + 5 + 3 * 5 + 2,
    }  # in the flat vector: behind W0, b0 and three rows of W1

    def exact(*symbols):
        return float(sympy.diff(loss, *symbols).evalf(30, subs=values))

    _, gradient = net.loss_and_gradient(X, y)
    H = net.hessian(X, y)
    for s in (a, b):
        assert gradient[place[s]] == pytest.approx(exact(s), rel=ROUNDING)
        for r in (a, b):
            assert H[place[s], place[r]] == pytest.approx(exact(s, r), rel=ROUNDING, abs=ROUNDING)

    direction = np.zeros(net.parameter_count)
    direction[[place[a], place[b]]] = 1.0, 2.0
    t = sympy.symbols("t")
    line = loss.subs({a: values[a] + t, b: values[b] + 2 * t})
    series = net.taylor(X, y, direction=direction, order=3)
    for k in range(4):
        coefficient = float(sympy.diff(line, t, k).evalf(30, subs={t: 0})) / sympy.factorial(k)
        assert series[k] == pytest.approx(float(coefficient), rel=ROUNDING, abs=ROUNDING)
