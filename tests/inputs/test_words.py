"""Words that people use for losses, activations, initializers and optimizers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from eigenmlp._inputs.words import ALIASES
from eigenmlp.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS
from eigenmlp.initializers import INITIALIZERS
from eigenmlp.losses import LOSSES
from eigenmlp.optimizers import OPTIMIZERS
from support.refusals import LABELS, D, K, X, make, refused

OPTIONS: dict[str, Any] = {"loss": LOSSES, "activation": HIDDEN_ACTIVATIONS, "init": INITIALIZERS}
WORDS = [
    (option, alias, name)
    for alias, name in ALIASES.items()
    for option, table in OPTIONS.items()
    if name in table
]
SPELLINGS = [
    ("loss", "MSELoss", "squared_error"),
    ("loss", "binary-crossentropy", "sigmoid_cross_entropy"),
    ("loss", "CrossEntropyLoss", "softmax_cross_entropy"),
    ("loss", "Huber Loss", "huber"),
    ("activation", "ReLU", "relu"),
    ("activation", "LeakyReLU", "leaky_relu"),
    ("activation", "Leaky-ReLU", "leaky_relu"),
    ("output_activation", "Linear", "identity"),
]


def test_every_alias_means_a_name_that_is_there() -> None:
    assert {alias for _, alias, _ in WORDS} == set(ALIASES)
    assert not set(ALIASES) & {*LOSSES, *ACTIVATIONS, *INITIALIZERS}


@pytest.mark.parametrize(("option", "word", "name"), WORDS + SPELLINGS)
def test_words_mean_names_and_names_are_kept(
    option: str, word: str, name: str, tmp_path: Path
) -> None:
    sizes = [D, 4, 1]
    output = "softmax" if name == "softmax" else "identity"
    settings = {"output_activation": output, option: word}
    net = em.MLP(sizes, **settings, seed=0)
    same = em.MLP(sizes, **{**settings, option: name}, seed=0)
    assert net.config == same.config and repr(net) == repr(same)
    assert net.parameters.tobytes() == same.parameters.tobytes()
    assert word not in str(net.config) or word in name
    net.save(tmp_path / "net.safetensors")
    same.save(tmp_path / "same.safetensors")
    assert (tmp_path / "net.safetensors").read_bytes() == (
        tmp_path / "same.safetensors"
    ).read_bytes()


def test_parameters_may_follow_a_word() -> None:
    net = em.MLP([2, 3, 1], activation="logistic(slope=2.0)", loss="mse(reduction='sum')")
    assert net.config["activation"] == ["sigmoid(slope=2.0)"]
    assert net.config["loss"] == "squared_error(reduction='sum')"


@pytest.mark.parametrize("option", [*OPTIONS, "output_activation"])
@pytest.mark.parametrize("unknown", ["foo", "x" * 1000, "mse loss mse", "", "swish swish"])
def test_what_is_unknown_is_refused_with_all_names_and_words(option: str, unknown: str) -> None:
    message = refused(None, lambda: em.MLP([2, 3, 1], **{option: unknown}), ValueError)  # type: ignore[arg-type]
    table = OPTIONS.get(option, ACTIVATIONS)
    assert len(message) < 400
    assert all(repr(name) in message for name in table)
    assert all(alias in message for alias, name in ALIASES.items() if name in table)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_names_of_optimizers_train_as_their_descriptions(name: str, tmp_path: Path) -> None:
    described = em.SGD(0.1, momentum=0.9) if name == "SGD" else OPTIMIZERS[name]()  # type: ignore[call-arg]
    for word in (name, name.lower()):
        net, same = make(), make()
        net.fit(X, LABELS, epochs=3, batch_size=2, optimizer=word, seed=1, progress=False)
        same.fit(X, LABELS, epochs=3, batch_size=2, optimizer=described, seed=1, progress=False)
        assert net.parameters.tobytes() == same.parameters.tobytes()
        trainer = em.Trainer(net, word)
        assert trainer.optimizer == described
        assert repr(described)[:20] in repr(trainer)
    trainer.save(tmp_path / "run.safetensors")
    loaded = em.Trainer.load(tmp_path / "run.safetensors", optimizer=name.lower())
    assert loaded.optimizer == described


def test_no_optimizer_is_sgd() -> None:
    net, same = make(), make()
    net.fit(X, LABELS, epochs=3, optimizer="sgd", seed=1)
    same.fit(X, LABELS, epochs=3, seed=1)
    assert net.parameters.tobytes() == same.parameters.tobytes()


def test_parameters_may_follow_an_optimizer() -> None:
    trainer = em.Trainer(make(), "adam(lr=0.01, betas=[0.8, 0.9])")
    assert trainer.optimizer == em.Adam(0.01, betas=(0.8, 0.9))
    assert em.Trainer(make(), "sgd(lr=0.01)").optimizer == em.SGD(0.01)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("adm", "'adam', 'adamw', 'rmsprop'"),
        ("adam(", "one of"),
        ("adam(rate=1)", "'rate'"),
        ("adam(lr=-1)", "Adam: lr"),
        ("sgd(momentum=0.5)", "an lr"),
        ("x" * 5000, "one of"),
        (em.Adam, "em.Adam"),
        (3, "one of"),
    ],
)
def test_what_is_no_optimizer_is_refused(word: Any, text: str) -> None:
    net = make()
    for call in (lambda: em.Trainer(net, word), lambda: net.fit(X, LABELS, optimizer=word)):
        assert len(refused(net, call, text=text)) < 400


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_estimators_know_the_words() -> None:
    pytest.importorskip("sklearn")
    from eigenmlp.sklearn import MLPRegressor

    options: dict[str, Any] = {"max_iter": 3, "random_state": 0}
    rows = np.random.default_rng(0).random((40, 3))
    named = MLPRegressor(hidden_layer_sizes=(8,), activation="silu", **options)
    word = MLPRegressor("mse", (8,), "Swish", **options)
    assert named.fit(rows, rows[:, 0]).loss_curve_ == word.fit(rows, rows[:, 0]).loss_curve_
    assert word.get_params()["loss"] == "mse"
    theirs = MLPRegressor("MSE", (8,), "Linear", **options).to_sklearn()
    assert theirs.activation == "identity" and theirs.loss == "squared_error"


@pytest.mark.parametrize(
    ("y", "remedy"),
    [
        ([0, 1] * 3, "loss='sigmoid_cross_entropy'"),
        ([False, True] * 3, "loss='sigmoid_cross_entropy'"),
        ([0.0, 1.0] * 3, "loss='sigmoid_cross_entropy'"),
        ([0, 1, 2] * 2, "an output for each"),
        ([0.5, 7.0] * 3, "loss='squared_error'"),
    ],
)
def test_one_output_under_softmax_says_what_to_use(y: Any, remedy: str) -> None:
    net = em.MLP([D, 4, 1], seed=0)
    assert remedy in refused(net, lambda: net.fit(X, y))
    assert remedy not in refused(make(), lambda: make().fit(X, np.array(y) + K + 5))


def test_columns_of_zeros_and_ones_under_softmax_say_so_too() -> None:
    net = em.MLP([D, 4, 1], seed=0)
    column = np.array([[0], [1]] * 3)
    assert "loss='sigmoid_cross_entropy'" in refused(net, lambda: net.fit(X, column))


@pytest.mark.parametrize("column", [[0.0, 1.0] * 3, [2.0, 1.0] * 3])
def test_labels_that_are_floats_say_how_they_become_labels(column: Any) -> None:
    net = make()
    assert refused(net, lambda: net.fit(X, column)).endswith("for labels use y.astype(int)")
    halves = np.array(column) + 0.5
    assert "astype" not in refused(net, lambda: net.fit(X, halves))
