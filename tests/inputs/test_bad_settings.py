"""Settings of networks, losses, optimizers and fits that cannot be used are refused, and change
nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._backends.facade import BACKENDS, DTYPES
from eigenmlp.initializers import INITIALIZERS
from support.names import ACTIVATION_NAMES, ACTIVATIONS, OUTPUT_ACTIVATIONS
from support.names import LOSS_NAMES as LOSSES
from support.refusals import INF, LABELS, NAN, K, N, X, backends, changed, make, refused

# ---- settings


@backends
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"epochs": -1}, "at least 0, got -1"),
        ({"epochs": 1.5}, "int, got 1.5"),
        ({"epochs": True}, "int, got True"),
        ({"epochs": None}, "int, got None"),
        ({"epochs": "3"}, "int, got '3'"),
        ({"batch_size": 0}, "at least 1, got 0"),
        ({"batch_size": -4}, "at least 1, got -4"),
        ({"batch_size": 2.0}, "int, got 2.0"),
        ({"batch_size": True}, "int, got True"),
        ({"batch_size": None}, "int, got None"),
        ({"optimizer": "lbfgs"}, "sgd.*got 'lbfgs'"),
        ({"optimizer": 0.1}, "sgd.*got 0.1"),
        ({"optimizer": em.SGD}, r"an object such as em\.Adam\(1e-3\), .*got <class"),
        ({"optimizer": em.SGD(lambda step: -1.0)}, r"lr\(0\).*at least 0.*got -1"),
        ({"optimizer": em.SGD(lambda step: NAN if step == 1 else 1)}, r"lr\(1\).*finite.*nan"),
        ({"optimizer": em.SGD(lambda step: "a")}, r"lr\(0\).*number, got 'a'"),
        ({"validation": X}, "validation.*got ndarray"),
        ({"validation": (X,)}, "validation.*got"),
        ({"validation": (X, LABELS, 1)}, "validation.*got"),
        ({"validation": {"X": X, "y": LABELS}}, "validation.*got dict"),
        ({"validation": (X, LABELS[:2])}, "validation: y: expected 6 rows"),
        ({"validation": (X[:, 1:], LABELS)}, "validation: X: expected"),
        ({"validation": (X, changed(LABELS, 0, 9))}, "validation: y: expected labels"),
        ({"shuffle": 1}, "shuffle.*got 1"),
        ({"shuffle": None}, "shuffle.*got None"),
        ({"shuffle": "yes"}, "shuffle.*got 'yes'"),
        ({"seed": -1}, "seed.*got -1"),
        ({"seed": 1.0}, "seed.*got 1.0"),
        ({"seed": "a"}, "seed.*got 'a'"),
        ({"seed": True}, "seed.*got True"),
        ({"seed": np.random.RandomState(0)}, "seed.*got RandomState"),
        ({"callbacks": print}, "sequence of callables, got <built-in"),
        ({"callbacks": [None]}, "callables, got None"),
        ({"callbacks": None}, "sequence of callables, got None"),
        ({"callbacks": "abc"}, "callables, got 'a"),
        ({"progress": "always"}, "progress.*got 'always'"),
        ({"progress": None}, "progress.*got None"),
        ({"progress": 2}, "progress.*got 2"),
        ({"early_stopping": 0}, "at least 1, got 0"),
        ({"early_stopping": 1.5}, "int, got 1.5"),
        ({"early_stopping": True}, "int, got True"),
        ({"early_stopping": "auto"}, "int, got 'auto'"),
    ],
    ids=lambda x: "-".join(x) if isinstance(x, dict) else x,
)
def test_bad_settings_of_fit(options: dict[str, Any], text: str, backend: str) -> None:
    net = make(backend)
    refused(net, lambda: net.fit(X, LABELS, **options), text=text)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lr": -0.1}, "lr.*at least 0, got -0.1"),
        ({"lr": NAN}, "lr.*finite.*nan"),
        ({"lr": INF}, "lr.*finite.*inf"),
        ({"lr": "0.1"}, "lr.*number, got '0.1'"),
        ({"lr": None}, "lr.*number, got None"),
        ({"lr": True}, "lr.*number, got True"),
        ({"lr": np.True_}, "lr.*number, got"),
        ({"lr": 1j}, "lr.*number, got 1j"),
        ({"lr": np.complex64(1j)}, "lr.*number, got"),
        ({"lr": np.ones(2)}, "lr.*number, got"),
        ({"lr": 10**400}, "lr.*got"),
        ({"lr": 0.1, "momentum": 1.0}, "momentum.*below 1, got 1.0"),
        ({"lr": 0.1, "momentum": -0.5}, "momentum.*at least 0.*got -0.5"),
        ({"lr": 0.1, "momentum": NAN}, "momentum.*nan"),
        ({"lr": 0.1, "momentum": "0.9"}, "momentum.*number, got '0.9'"),
        ({"lr": 0.1, "weight_decay": -1}, "weight_decay.*at least 0, got -1"),
        ({"lr": 0.1, "weight_decay": INF}, "weight_decay.*inf"),
        ({"lr": 0.1, "momentum": 0.9, "nesterov": 1}, "nesterov.*True or False, got 1"),
        ({"lr": 0.1, "nesterov": True}, "nesterov.*momentum.*got"),
    ],
    ids=lambda x: "" if isinstance(x, dict) else x,
)
def test_bad_sgd(options: dict[str, Any], text: str) -> None:
    refused(None, lambda: em.SGD(**options), text=text)


@pytest.mark.parametrize(
    ("optimizer", "text"),
    [
        (lambda: em.Adam(-1.0), "Adam: lr.*at least 0, got -1.0"),
        (lambda: em.Adam(betas=0.9), "Adam: betas.*two numbers, got 0.9"),
        (lambda: em.Adam(betas=(0.9,)), r"Adam: betas.*two numbers, got \(0.9,\)"),
        (lambda: em.Adam(betas=(0.9, 1.0)), "Adam: betas.*below 1, got 1.0"),
        (lambda: em.Adam(betas=("a", 0.9)), "Adam: betas.*number, got 'a'"),
        (lambda: em.Adam(eps=0.0), "Adam: eps.*above 0, got 0"),
        (lambda: em.Adam(eps=NAN), "Adam: eps.*finite.*nan"),
        (lambda: em.AdamW(weight_decay=-0.1), "AdamW: weight_decay.*at least 0, got -0.1"),
        (lambda: em.AdamW(betas=(-0.1, 0.9)), "AdamW: betas.*at least 0.*got -0.1"),
        (lambda: em.RMSprop(alpha=1.0), "RMSprop: alpha.*below 1, got 1.0"),
        (lambda: em.RMSprop(momentum=-0.5), "RMSprop: momentum.*at least 0.*got -0.5"),
        (lambda: em.RMSprop(centered=1), "RMSprop: centered.*True or False, got 1"),
        (lambda: em.RMSprop(eps=0), "RMSprop: eps.*above 0, got 0"),
    ],
)
def test_bad_optimizers(optimizer: Callable[[], Any], text: str) -> None:
    refused(None, optimizer, text=text)


def test_an_eps_too_small_for_float32() -> None:
    net = make()
    refused(net, lambda: em.Trainer(net, em.Adam(eps=1e-40)), text="eps.*float32, got 1e-40")


def test_a_learning_rate_beyond_float32() -> None:
    net = make()
    refused(net, lambda: net.fit(X, LABELS, optimizer=em.SGD(1e300)), text="lr")


@backends
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"layer_sizes": [3]}, r"at least \[D, K\], got \[3\]"),
        ({"layer_sizes": []}, "at least"),
        ({"layer_sizes": 3}, "ints.*got 3"),
        ({"layer_sizes": "32"}, "ints.*got '32'"),
        ({"layer_sizes": None}, "ints.*got None"),
        ({"layer_sizes": [3, 0, 2]}, "at least 1, got 0"),
        ({"layer_sizes": [3, -4, 2]}, "at least 1, got -4"),
        ({"layer_sizes": [3, 4.0, 2]}, "int, got 4.0"),
        ({"layer_sizes": [3, True, 2]}, "int, got True"),
        ({"layer_sizes": [3, "4", 2]}, "int, got '4'"),
        ({"layer_sizes": [2**40, 2]}, "got"),
        ({"activation": "rleu"}, f"{list(ACTIVATION_NAMES)}.*got 'rleu'".replace("[", r"\[")),
        ({"activation": "softmax"}, "got 'softmax'"),
        ({"activation": ["relu", "tanh"]}, "one for each hidden layer, got"),
        ({"activation": []}, "one for each hidden layer, got"),
        ({"activation": ["rleu"]}, "got 'rleu'"),
        ({"activation": [None]}, "got None"),
        ({"activation": None}, "got None"),
        ({"activation": "sigmoid(slope=nan)"}, "activation: expected NAME.*got 'sigmoid"),
        ({"activation": "sigmoid(slope=1"}, r"expected NAME.*got 'sigmoid\(slope=1'"),
        ({"activation": "sigmoid(2)"}, r"expected NAME.*got 'sigmoid\(2\)'"),
        ({"activation": "sigmoid(alpha=2)"}, "activation.*slope.*sigmoid, got 'alpha'"),
        ({"activation": "sigmoid(slope=0)"}, "slope: expected a number above 0, got 0"),
        ({"activation": "sigmoid(slope='1')"}, "slope: expected a number, got '1'"),
        ({"activation": "relu(slope=2)"}, r"expected parameters \[\] of relu, got 'slope'"),
        ({"activation": "sigmoid(slope=1e300)", "dtype": "float32"}, "at most 3.4.*1e\\+300"),
        ({"activation": "leaky_relu(negative_slope=-1)"}, "at least 0, got -1"),
        ({"activation": "elu(alpha=-1)"}, "at least 0, got -1"),
        ({"activation": "rleu(slope=2)"}, "got 'rleu'"),
        ({"output_activation": em.SGD(0.1)}, "output_activation: expected one of.*got SGD"),
        ({"activation": 3}, "got 3"),
        ({"output_activation": "soft"}, "softmax.*got 'soft'"),
        ({"output_activation": None}, "softmax.*got None"),
        ({"output_activation": ["relu"]}, "got"),
        ({"loss": "rmse"}, "squared_error.*got 'rmse'"),
        ({"loss": None}, "squared_error.*got None"),
        ({"bias": 1}, "True or False, got 1"),
        ({"bias": "no"}, "True or False, got 'no'"),
        ({"init": "he"}, "he_normal.*got 'he'"),
        ({"init": None}, "got None"),
        ({"dtype": "float16"}, "float32.*float64.*got 'float16'"),
        ({"dtype": np.int32}, "float32.*got"),
        ({"dtype": "many"}, "float32.*got 'many'"),
        ({"dtype": 5}, "float32.*got 5"),
        ({"dtype": None}, "float32.*got None"),
        ({"compute_dtype": "float64"}, "float32.*got 'float64'"),
        ({"compute_dtype": "int8"}, "float32.*got 'int8'"),
        ({"input_scale": NAN}, "input_scale.*nan"),
        ({"input_scale": INF}, "input_scale.*inf"),
        ({"input_scale": 1e300}, "input_scale"),
        ({"input_scale": "1"}, "input_scale.*got '1'"),
        ({"input_scale": None}, "input_scale.*got None"),
        ({"input_scale": np.ones(7)}, "input_scale.*got"),
        ({"seed": -1}, "seed.*got -1"),
        ({"seed": 0.5}, "seed.*got 0.5"),
        ({"seed": "a"}, "seed.*got 'a'"),
        ({"init": lambda rng, D, K: rng.normal(size=(D, K))}, r"\(W, b\).*got ndarray"),
        ({"init": lambda rng, D, K: (np.zeros((K, D)), None)}, r"\(3, 4\).*got \(4, 3\)"),
        ({"init": lambda rng, D, K: (np.zeros((D, K)), np.zeros(D))}, "b of shape.*got"),
        ({"init": lambda rng, D, K: (np.full((D, K), NAN), None)}, "finite.*(nan|NaN)"),
        ({"init": lambda rng, D, K: (np.full((D, K), 1e300), None)}, "finite"),
        ({"init": lambda rng, D, K: ([["a"] * K] * D, None)}, "init"),
        ({"init": lambda rng, D, K: (np.zeros((D, K)), np.full(K, 1e300))}, "finite"),
    ],
    ids=lambda x: (
        str({k: v for k, v in x.items() if not callable(v)}) if isinstance(x, dict) else ""
    ),
)
def test_bad_networks(options: dict[str, Any], text: str, backend: str) -> None:
    refused(None, lambda: make(backend, **options), text=text)


def test_unknown_backend() -> None:
    for bad in ("torch", None, 1):
        refused(None, lambda bad=bad: make(bad), text=f"native.*numpy.*got {bad!r}")


@pytest.mark.parametrize("loss", [x for x in LOSSES if x.endswith("cross_entropy")])
@pytest.mark.parametrize("output", [x for x in OUTPUT_ACTIVATIONS if x != "identity"])
def test_cross_entropies_bring_their_own_output(output: str, loss: str) -> None:
    refused(None, lambda: make(loss=loss, output_activation=output), ValueError, "identity.*got")


def test_every_known_name_is_taken() -> None:
    for activation in ACTIVATIONS:
        make(activation=[activation])
    for init in ["auto", *INITIALIZERS]:
        assert np.isfinite(make(init=init).parameters).all()
    for dtype in (*DTYPES, *map(np.dtype, DTYPES), np.float32, float):
        for backend in BACKENDS:
            net = make(backend, dtype=dtype)
            assert net.parameters.dtype == np.dtype(dtype) == net.dtype
            assert make(backend, dtype=dtype, compute_dtype=dtype).dtype == net.dtype


def test_bad_trainers(tmp_path: Path) -> None:
    net = make()
    refused(None, lambda: em.Trainer("net", em.SGD(0.1)), TypeError, "MLP, got str")  # type: ignore[arg-type]
    refused(net, lambda: em.Trainer(net, "lbfgs"), ValueError, "sgd.*got .lbfgs")
    for bad in (0, -1, 1.5, True, None, "8"):
        refused(net, lambda bad=bad: em.Trainer(net, em.SGD(0.1), bad), text="batch_size.*got")
    refused(net, lambda: em.Trainer(net, em.SGD(0.1), seed=-3), text="seed.*got -3")
    refused(net, lambda: em.Trainer(net, em.SGD(0.1)).run(X, LABELS, -1), text="epochs.*got -1")
    net.save(tmp_path / "net")
    refused(net, lambda: em.Trainer.load(tmp_path / "net"), ValueError, "Trainer, got a network")
    with pytest.raises(FileNotFoundError):
        em.MLP.load(tmp_path / "nothing")
    with pytest.raises(TypeError, match=r"path|Path|str"):
        net.save(None)  # type: ignore[arg-type]


@backends
def test_predict_proba_needs_probabilities(backend: str) -> None:
    for output in OUTPUT_ACTIVATIONS:
        net = make(backend, "squared_error", output_activation=output)
        if output.startswith(("softmax", "sigmoid")):
            assert net.predict_proba(X).shape == (N, K)
        else:
            refused(net, lambda net=net: net.predict_proba(X), ValueError, "got squared_error with")


# ---- losses


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        ("quantile(q=0)", "Quantile: q: expected numbers above 0, got 0"),
        ("quantile(q=1.0)", "Quantile: q: expected.*below 1, got 1.0"),
        ("quantile(q=-0.5)", "Quantile: q: expected.*got -0.5"),
        ("quantile(q=[0.5, 1.5])", "Quantile: q: expected.*below 1, got 1.5"),
        ("quantile(q=[])", "Quantile: q: expected at least one number, got none"),
        ("quantile(q='0.5')", "Quantile: q: expected a list of numbers, got '0.5'"),
        ("quantile(q=[0.1, 0.5, 0.9])", r"q: expected 2 numbers, one for each output, got \["),
        ("huber(delta=0)", "Huber: delta: expected a number above 0, got 0"),
        ("huber(delta=-1)", "Huber: delta: expected a number above 0, got -1"),
        ("huber(delta=1e39)", r"delta: expected at most 3.4.*got 1e\+39"),
        ("softmax_cross_entropy(label_smoothing=1)", "label_smoothing.*below 1, got 1"),
        ("softmax_cross_entropy(label_smoothing=-0.1)", "label_smoothing.*least 0.*got -0.1"),
        ("softmax_cross_entropy(class_weight=[1, 2, 3])", "class_weight: expected 2 numbers"),
        ("softmax_cross_entropy(class_weight=[1, -2])", "class_weight.*at least 0.*got -2"),
        ("softmax_cross_entropy(class_weight=[0, 0])", "class_weight.*not all 0"),
        (
            "softmax_cross_entropy(class_weight=3)",
            "class_weight: expected a list of numbers, got 3",
        ),
        ("softmax_cross_entropy(class_weight={0: 1, 1: 2})", "class_weight: expected a list of"),
        ("huber(delta=1e-320)", "delta: expected at least 1.17.*got 1e-320"),
        ("squared_error(reduction='max')", r"reduction: expected one of .*got 'max'"),
        ("squared_error(delta=1)", r"expected parameters \['reduction'\].*got 'delta'"),
        ("squred_error(reduction='sum')", "loss: expected one of .*got 'squred_error'"),
    ],
)
def test_bad_losses(loss: str, text: str) -> None:
    refused(None, lambda: make(loss=loss), (TypeError, ValueError), text)


def test_bad_loss_objects() -> None:
    for nan in (NAN, INF):
        with pytest.raises(ValueError, match=r"Huber: delta: expected a finite number.*got"):
            em.losses.Huber(delta=nan)
        with pytest.raises(ValueError, match=r"Quantile: q: expected a finite number.*got"):
            em.losses.Quantile(q=[0.5, nan])
        with pytest.raises(ValueError, match=r"label_smoothing: expected a finite number.*got"):
            em.losses.SoftmaxCrossEntropy(label_smoothing=nan)
    # The keys of a dict are no weights, and neither do sets have an order.
    for unordered in ({0: 1.0, 1: 2.0}, {1.0, 2.0}, np.array(1.0)):
        with pytest.raises(TypeError, match="class_weight: expected a list of numbers, got"):
            em.losses.SoftmaxCrossEntropy(class_weight=unordered)  # type: ignore[arg-type]
    for unordered in ({0.1: 1.0}, {0.1, 0.9}, np.array([[0.5]])):
        with pytest.raises(TypeError, match="Quantile: q: expected a"):
            em.losses.Quantile(q=unordered)  # type: ignore[arg-type]
    refused(None, lambda: make(dropout={0.5}), TypeError, "dropout: expected a number, got {0.5}")
    refused(None, lambda: make(dropout=np.array("a")), TypeError, "dropout: expected a number")
    refused(None, lambda: make(activation=np.array("tanh")), TypeError, "activation: expected one")
    refused(None, lambda: make(reduction="max"), ValueError, "reduction: expected.*got 'max'")
    refused(None, lambda: make(loss=3), TypeError, "loss: expected one of.*got 3")
    refused(
        None,
        lambda: make(loss="poisson", output_activation="softplus"),
        ValueError,
        "output_activation: expected 'identity' with poisson.*got 'softplus'",
    )
