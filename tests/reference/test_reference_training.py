"""The twin's training: the step against loops written by hand, and what a run makes of steps."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from eigenmlp.reference import Network, Trainer
from eigenmlp.reference.loss import LOSSES
from eigenmlp.reference.optimizer import OPTIMIZERS

Array = npt.NDArray[Any]

N, D, K = 10, 3, 2
STEP_RATES = 0.2 / np.arange(1, 13)  # 12 steps: 3 epochs of 4 batches
ORDERS = np.array([np.random.default_rng(seed).permutation(N) for seed in range(3)])

SGD: list[dict[str, float]] = [
    {"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
    for momentum, nesterov in [(0, 0), (0.9, 0), (0.9, 1)]
    for weight_decay in [0, 0.1]
]
# For each optimizer, its defaults; and something richer for those that are known here.
RULES = [*((rule, OPTIMIZERS[rule].defaults) for rule in OPTIMIZERS), ("sgd", SGD[-1])]


def make_network(
    loss: str = "squared_error", bias: bool = True, dtype: str = "float64", seed: int = 0
) -> Network:
    network = Network([D, 4, K], ["tanh", "identity"], loss, bias, 0.5, dtype)
    rng = np.random.default_rng(seed)
    network.set_parameters(rng.normal(0, 0.5, network.parameter_count))
    return network


def make_data(loss: str = "squared_error") -> tuple[Array, Array, Array]:
    """X (N, D), T and sample weights (N,)."""
    rng = np.random.default_rng(5)
    X, w = rng.normal(0, 1, (N, D)), rng.uniform(0.1, 2, N)
    if loss == "softmax_cross_entropy":
        return X, rng.integers(0, K, N), w
    return X, rng.uniform(0, 1, (N, K)), w


def assert_same_state(a: Trainer, b: Trainer) -> None:
    np.testing.assert_array_equal(a.network.get_parameters(), b.network.get_parameters())
    for name in a.state_names:
        np.testing.assert_array_equal(a.get_state(name), b.get_state(name))


@pytest.mark.parametrize("hyper", SGD, ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_sgd_by_hand(hyper: dict[str, float], bias: bool) -> None:
    """A tanh network with squared error, every line written out for each W and b."""
    network = make_network(bias=bias)
    X, T, _ = make_data()
    W0, W1 = (W.copy() for W in network.weights)
    b0, b1 = (b.copy() for b in network.biases) if bias else (np.zeros(4), np.zeros(K))
    parameters = [W0, b0, W1, b1]
    velocities = [np.zeros_like(p) for p in parameters]
    mu, decay = hyper["momentum"], hyper["weight_decay"]
    trainer = Trainer(network, "sgd", hyper)

    for lr in [0.1, 0.3, 0.2, 0.05]:
        H = np.tanh(0.5 * X @ W0 + b0)
        E = H @ W1 + b1 - T
        loss = (E**2).sum() / N
        dY = 2 * E / N
        dH = (dY @ W1.T) * (1 - H**2)
        gradients = [0.5 * X.T @ dH + decay * W0, dH.sum(0), H.T @ dY + decay * W1, dY.sum(0)]
        for i, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
            velocities[i] = mu * velocities[i] + g
            p -= lr * (g + mu * velocities[i] if hyper["nesterov"] else velocities[i])
            if not bias and p.ndim == 1:
                p[:] = 0

        assert trainer.step(X, T, lr) == pytest.approx(loss, rel=1e-13)
        flat = np.concatenate([p.ravel() for p in (parameters if bias else [W0, W1])])
        np.testing.assert_allclose(network.get_parameters(), flat, rtol=1e-12, atol=1e-15)

    velocity = np.concatenate([v.ravel() for v in (velocities if bias else velocities[::2])])
    expected = velocity if mu > 0 else np.zeros_like(velocity)
    np.testing.assert_allclose(trainer.get_state("velocity"), expected, rtol=1e-12, atol=1e-15)


def test_one_step_of_four_people() -> None:
    """The 2-2-1 sigmoid network with weights 1 and biases 0, at (-2, -1), target 1."""
    network = Network([2, 2, 1], ["sigmoid", "sigmoid"], "squared_error", True, 1.0)
    network.set_parameters([1, 1, 1, 1, 0, 0, 1, 1, 0])
    X, T = np.array([[-2.0, -1.0]]), np.array([[1.0]])
    hidden, output = (layer_pass.Y for layer_pass in network.forward_pass(X))
    np.testing.assert_allclose(hidden, [[0.0474, 0.0474]], atol=5e-5)
    np.testing.assert_allclose(output, [[0.524]], atol=5e-4)
    _, gradient = network.loss_and_gradient(X, T)
    assert gradient[0] == pytest.approx(0.0214695, abs=5e-8)

    h = 1 / (1 + np.exp(3))
    y = 1 / (1 + np.exp(-2 * h))
    dz = 2 * (y - 1) * y * (1 - y)
    dh = dz * h * (1 - h)
    expected = [-2 * dh, -2 * dh, -dh, -dh, dh, dh, dz * h, dz * h, dz]
    np.testing.assert_allclose(gradient, expected, rtol=1e-13)

    assert Trainer(network, "sgd", {}).step(X, T, lr=0.1) == pytest.approx((y - 1) ** 2, rel=1e-14)
    start = np.array([1, 1, 1, 1, 0, 0, 1, 1, 0])
    np.testing.assert_allclose(network.get_parameters(), start - 0.1 * gradient, rtol=1e-14)


def test_four_people_are_learned() -> None:
    """Height and weight of four people; single rows, 1,000 epochs from weights 1 and biases 0."""
    network = Network([2, 2, 1], ["sigmoid", "sigmoid"], "squared_error", True, 1.0)
    network.set_parameters([1, 1, 1, 1, 0, 0, 1, 1, 0])
    X = np.array([[-2.0, -1.0], [25.0, 6.0], [17.0, 4.0], [-15.0, -6.0]])
    T = np.array([[1.0], [0.0], [0.0], [1.0]])
    trainer = Trainer(network, "sgd", {})
    result = trainer.run(X, T, None, 1, np.zeros((1000, 0), np.int64), np.array([0.1]))
    assert result.epochs == 1000
    np.testing.assert_array_equal(network.forward(X) > 0.5, T == 1)
    assert network.evaluate(X, T)[0] < 0.01


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("rule", "hyper"), RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_run_is_repeated_steps(
    rule: str, hyper: dict[str, float], loss: str, weighted: bool, dtype: str
) -> None:
    """10 rows in batches of 3, 3, 3 and 1; an order per epoch, a learning rate per step."""
    X, T, w = make_data(loss)
    runner = Trainer(make_network(loss, dtype=dtype), rule, hyper)
    stepper = Trainer(make_network(loss, dtype=dtype), rule, hyper)
    result = runner.run(X, T, w if weighted else None, 3, ORDERS, STEP_RATES)

    rates = iter(STEP_RATES.tolist())
    for epoch, order in enumerate(ORDERS):
        losses, weights, n_correct = [], [], 0
        for rows in order[:3], order[3:6], order[6:9], order[9:]:
            batch_weight = w[rows] if weighted else None
            n_correct += stepper.network.evaluate(X[rows], T[rows], batch_weight)[1]
            losses.append(stepper.step(X[rows], T[rows], next(rates), batch_weight))
            weights.append(w[rows].sum() if weighted else len(rows))
        expected = np.average(losses, weights=weights)
        assert result.losses[epoch] == pytest.approx(expected, rel=1e-14)
        assert result.correct[epoch] == (n_correct if LOSSES[loss].classifies else -1)

    assert_same_state(runner, stepper)
    assert result.losses[0] > result.losses[-1]
    assert (result.epochs, result.diverged_step, result.interrupted) == (3, -1, False)
    assert result.losses.dtype == result.seconds.dtype == np.float64
    assert result.correct.dtype == np.int64
    assert (result.seconds > 0).all()


def test_natural_order_and_constant_learning_rate() -> None:
    X, T, _ = make_data()
    a, b = (Trainer(make_network(), "sgd", {"momentum": 0.9}) for _ in range(2))
    in_order = np.tile(np.arange(N), (3, 1))
    result_a = a.run(X, T, None, 4, np.zeros((3, 0), np.int64), np.array([0.1]))
    result_b = b.run(X, T, None, 4, in_order, np.full(9, 0.1))
    assert_same_state(a, b)
    np.testing.assert_array_equal(result_a.losses, result_b.losses)


def test_batch_larger_than_the_data() -> None:
    X, T, _ = make_data()
    a, b = (Trainer(make_network(), "sgd", {}) for _ in range(2))
    a.run(X, T, None, 1000, np.zeros((1, 0), np.int64), np.array([0.1]))
    b.step(X, T, 0.1)
    assert_same_state(a, b)


def test_the_order_matters() -> None:
    X, T, _ = make_data()
    a, b = (Trainer(make_network(), "sgd", {}) for _ in range(2))
    a.run(X, T, None, 3, ORDERS[:1], np.array([0.1]))
    b.run(X, T, None, 3, ORDERS[1:2], np.array([0.1]))
    assert np.abs(a.network.get_parameters() - b.network.get_parameters()).max() > 1e-4


@pytest.mark.parametrize("loss", LOSSES)
def test_sample_weights_are_repeated_rows(loss: str) -> None:
    X, T, _ = make_data(loss)
    counts = np.array([1, 2, 0, 3, 1, 1, 0, 4, 1, 2])
    a, b = (Trainer(make_network(loss), "sgd", {"momentum": 0.9}) for _ in range(2))
    for _ in range(3):
        weighted = a.step(X, T, 0.1, counts.astype(float))
        repeated = b.step(np.repeat(X, counts, axis=0), np.repeat(T, counts, axis=0), 0.1)
        assert weighted == pytest.approx(repeated, rel=1e-13)
    np.testing.assert_allclose(a.network.get_parameters(), b.network.get_parameters(), rtol=1e-12)


def test_batch_without_weight_counts_for_nothing() -> None:
    X, T, _ = make_data()
    trainer = Trainer(make_network(), "sgd", {})
    start = trainer.network.get_parameters()
    assert trainer.step(X, T, 0.1, np.zeros(N)) == 0
    np.testing.assert_array_equal(trainer.network.get_parameters(), start)

    w = np.array([0, 0, 0, 0, 0, 1.0, 1.0, 1.0, 1.0, 1.0])
    a, b = (Trainer(make_network(), "sgd", {}) for _ in range(2))
    result = a.run(X, T, w, 5, np.zeros((1, 0), np.int64), np.array([0.1]))
    assert result.losses[0] == pytest.approx(b.step(X[5:], T[5:], 0.1), rel=1e-15)
    assert_same_state(a, b)


@pytest.mark.parametrize(("rule", "hyper"), RULES)
@pytest.mark.parametrize("bad_row", [0, 7])
def test_divergence_stops_and_changes_nothing(
    rule: str, hyper: dict[str, float], bad_row: int
) -> None:
    """One target is infinite, so that one step's loss is not finite, and no earlier one's."""
    X, T, _ = make_data()
    T[bad_row] = np.inf
    trainer, expected = (Trainer(make_network(), rule, hyper) for _ in range(2))
    result = trainer.run(X, T, None, 3, np.zeros((2, 0), np.int64), np.array([0.1]))
    for start in range(0, bad_row - 2, 3):
        expected.step(X[start : start + 3], T[start : start + 3], 0.1)
    assert_same_state(trainer, expected)
    assert result.diverged_step == bad_row // 3
    assert (result.epochs, result.interrupted) == (0, False)
    assert np.isnan(result.losses).all()

    assert not np.isfinite(trainer.step(X[bad_row:], T[bad_row:], 0.1))
    assert_same_state(trainer, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
def test_divergence_by_a_large_learning_rate(loss: str, dtype: str) -> None:
    """The parameters outgrow the dtype in step 3, without a warning: that step is named."""
    X, T, _ = make_data(loss)
    trainer = Trainer(make_network(loss, dtype=dtype), "sgd", {})
    huge = np.inf if dtype == "float64" else 1e300
    rates = np.array([0.1, 0.1, 0.1, huge, 0.1, 0.1, 0.1, 0.1])
    result = trainer.run(X, T, None, 5, np.zeros((4, 0), np.int64), rates)
    assert (result.diverged_step, result.epochs) == (3, 1)  # counted over the whole run
    assert result.diverged_loss == np.inf
    assert np.isfinite(result.losses[:1]).all()
    assert np.isnan(result.losses[1:]).all()


def test_float32_stays_float32() -> None:
    X, T, w = make_data()
    single = Trainer(make_network(dtype="float32"), "sgd", SGD[-1])
    double = Trainer(make_network(), "sgd", SGD[-1])
    results = [t.run(X, T, w, 3, ORDERS, STEP_RATES) for t in (single, double)]
    assert single.network.get_parameters().dtype == np.float32
    assert single.get_state("velocity").dtype == np.float32
    assert isinstance(single.step(X, T, 0.1), float)
    double.step(X, T, 0.1)
    np.testing.assert_allclose(results[0].losses, results[1].losses, rtol=1e-5)
    error = single.network.get_parameters() - double.network.get_parameters()
    assert 0 < np.abs(error).max() < 1e-5


@pytest.mark.parametrize(("rule", "hyper"), RULES)
def test_apply_is_the_step_after_the_gradient(rule: str, hyper: dict[str, float]) -> None:
    X, T, w = make_data()
    a, b = (Trainer(make_network(), rule, hyper) for _ in range(2))
    for lr in [0.1, 0.2, 0.3]:
        loss, gradient = a.network.loss_and_gradient(X, T, w)
        before = gradient.copy()
        a.apply(gradient, lr)
        np.testing.assert_array_equal(gradient, before)
        assert b.step(X, T, lr, w) == loss
    assert_same_state(a, b)


@pytest.mark.parametrize(("rule", "hyper"), RULES)
def test_state_restores_a_trainer(rule: str, hyper: dict[str, float]) -> None:
    """Parameters, state and number of steps are all that a run needs to keep its bits."""
    X, T, _ = make_data()
    first = Trainer(make_network(), rule, hyper)
    for _ in range(3):
        first.step(X, T, 0.1)
    second = Trainer(make_network(seed=1), rule, hyper)
    second.network.set_parameters(first.network.get_parameters())
    second.set_progress(*first.get_progress())
    for name in first.state_names:
        copy = first.get_state(name)
        second.set_state(name, copy)
        copy[:] = 7  # neither trainer's
    assert_same_state(first, second)
    for trainer in first, second:
        trainer.step(X, T, 0.1)
    assert_same_state(first, second)


def test_apply_takes_a_gradient_of_another_dtype() -> None:
    a, b = (Trainer(make_network(dtype="float32"), "sgd", SGD[-1]) for _ in range(2))
    gradient = np.random.default_rng(2).normal(0, 1, a.network.parameter_count)
    for lr in [0.1, 0.2]:
        a.apply(gradient, lr)
        b.apply(gradient.astype("float32"), np.float64(lr))
    assert_same_state(a, b)


class PressesCtrlC(Network):
    """A network in whose n-th backward pass somebody presses Ctrl-C."""

    presses_at = 0
    calls = 0

    def backward_pass(self, passes: Any, dY: Any, masks: Any = ()) -> Any:
        self.calls += 1
        if self.calls == self.presses_at:
            signal.raise_signal(signal.SIGINT)
        return super().backward_pass(passes, dY, masks)


@pytest.fixture
def python_handles_ctrl_c() -> Iterator[None]:
    """Also where a shell runs the tests in the background, which lets them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_handles_ctrl_c")
@pytest.mark.parametrize(("presses_at", "epochs"), [(1, 0), (4, 0), (5, 1), (10, 2)])
def test_ctrl_c_ends_a_run_after_the_step(presses_at: int, epochs: int) -> None:
    """10 rows in batches of 2: 5 steps an epoch, 2 epochs."""
    X, T, _ = make_data()
    network = PressesCtrlC([D, 4, K], ["tanh", "identity"], "squared_error", True, 0.5)
    network.set_parameters(make_network().get_parameters())
    network.presses_at = presses_at
    trainer, expected = Trainer(network, "sgd", {}), Trainer(make_network(), "sgd", {})
    result = trainer.run(X, T, None, 2, np.zeros((2, 0), np.int64), np.array([0.1]))
    for step in range(presses_at):
        rows = slice(2 * (step % 5), 2 * (step % 5) + 2)
        expected.step(X[rows], T[rows], 0.1)
    assert_same_state(trainer, expected)
    assert (result.interrupted, result.epochs, result.diverged_step) == (True, epochs, -1)
    with pytest.raises(KeyboardInterrupt):  # as before the run
        signal.raise_signal(signal.SIGINT)


def test_run_in_another_thread() -> None:
    X, T, _ = make_data()
    a, b = (Trainer(make_network(), "sgd", {}) for _ in range(2))
    arguments = X, T, None, 3, ORDERS, STEP_RATES
    thread = threading.Thread(target=a.run, args=arguments)
    thread.start()
    thread.join()
    b.run(*arguments)
    assert_same_state(a, b)
