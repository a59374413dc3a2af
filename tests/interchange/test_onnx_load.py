"""Networks from ONNX files of PyTorch's exporters and of skl2onnx.

The files in `onnx_files` are what PyTorch 2.13 wrote: `torchscript_…` by
`torch.onnx.export(dynamo=False, opset_version=17)`, `dynamo_…` by `dynamo=True, opset_version=18`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.onnx_runtime import FLOAT32_LIMIT, run

FILES = Path(__file__).parent / "onnx_files"
EVERY = ["relu", "leaky_relu(negative_slope=0.20000000298023224)", "sigmoid", "tanh", "softplus"]
EVERY += ["elu(alpha=0.4000000059604645)", "gelu", "silu"]


def close(a: Any, b: Any) -> None:
    """Equal but for rounding: of numbers up to a few, by the limit of float32."""
    limit = FLOAT32_LIMIT if np.asarray(b).dtype == np.float32 else 1e-14
    np.testing.assert_allclose(a, b, rtol=limit, atol=limit)


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_every_activation_of_pytorch(exporter: str) -> None:
    path = FILES / f"{exporter}_activations.onnx"
    net = em.onnx.load(path)
    assert net.config["activation"] == EVERY
    assert (net.config["loss"], net.config["output_activation"]) == ("squared_error", "identity")
    X = np.random.default_rng(0).normal(0, 2, (20, 4)).astype(np.float32)
    (Y,) = run(path, X).values()
    close(net.forward(X), Y)


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_images_of_pytorch(exporter: str) -> None:
    """Flatten, Dropout, gelu by erf, a first layer without bias, LogSoftmax."""
    path = FILES / f"{exporter}_images.onnx"
    net = em.onnx.load(path)
    assert net.layer_sizes == [6, 5, 3] and net.config["activation"] == ["gelu"]
    assert net.config["loss"] == "softmax_cross_entropy" and not net.biases[0].any()
    X = np.random.default_rng(0).normal(0, 2, (20, 1, 2, 3)).astype(np.float32)
    (Y,) = run(path, X).values()
    close(np.log(net.predict_proba(X.reshape(20, 6))), Y)


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
def test_float64_of_pytorch(exporter: str) -> None:
    path = FILES / f"{exporter}_float64.onnx"
    X = np.random.default_rng(0).normal(0, 2, (20, 4))
    (Y,) = run(path, X).values()
    net = em.onnx.load(path)
    assert net.dtype == np.float64 and net.config["loss"] == "softmax_cross_entropy"
    close(net.predict_proba(X), Y)
    mse = em.onnx.load(path, loss="squared_error")
    assert mse.config["output_activation"] == "softmax"
    close(mse.forward(X), Y)
    with pytest.raises(ValueError, match=r"loss: expected one that goes with softmax.*'poisson'"):
        em.onnx.load(path, loss="poisson")


# ---- scikit-learn


def sklearn_files(folder: Path) -> dict[str, tuple[Any, Path]]:
    """Fitted estimators and their files."""
    neural: Any = pytest.importorskip("sklearn.neural_network")
    skl2onnx: Any = pytest.importorskip(
        "skl2onnx", reason="skl2onnx is not installed: pip install skl2onnx"
    )
    rng = np.random.default_rng(0)
    X = rng.normal(0, 1, (60, 4)).astype(np.float32)
    labels = rng.integers(0, 3, 60)
    several = rng.integers(0, 2, (60, 3))
    options: dict[str, Any] = {"hidden_layer_sizes": (5, 3), "max_iter": 300, "solver": "lbfgs"}
    targets = {
        "relu": (neural.MLPClassifier(activation="relu", **options), labels, X),
        "names": (
            neural.MLPClassifier(activation="tanh", **options),
            np.array(["a", "b", "c"])[labels],
            X,
        ),
        "two": (neural.MLPClassifier(activation="logistic", **options), labels > 0, X),
        "identity": (neural.MLPClassifier(activation="identity", **options), several, X),
        "regressor": (neural.MLPRegressor(**options), X[:, 0] ** 2, X),
        "float64": (neural.MLPRegressor(**options), X[:, :2] ** 2, X.astype(np.float64)),
    }
    files = {}
    for name, (estimator, y, inputs) in targets.items():
        estimator.fit(inputs, y)
        for zipmap in (True, False) if hasattr(estimator, "classes_") else (None,):
            chosen = None if zipmap is None else {"zipmap": zipmap}
            model = skl2onnx.to_onnx(estimator, inputs[:1], options=chosen)
            path = folder / f"{name}_{zipmap}.onnx"
            path.write_bytes(model.SerializeToString())
            files[path.stem] = estimator, path
    return files


@pytest.mark.filterwarnings("ignore")  # of scikit-learn: too few steps
def test_scikit_learn(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    losses = []
    for name, (estimator, path) in sklearn_files(tmp_path).items():
        net = em.onnx.load(path)
        assert net.layer_sizes[1:-1] == [5, 3]
        losses.append(net.config["loss"])
        X = rng.normal(0, 1, (50, 4)).astype(net.dtype)
        if not hasattr(estimator, "classes_"):
            np.testing.assert_allclose(net.predict(X), estimator.predict(X), rtol=1e-4, atol=1e-4)
            continue
        P = net.predict_proba(X)
        P = np.hstack([1 - P, P]) if net.layer_sizes[-1] == 1 else P
        np.testing.assert_allclose(P, estimator.predict_proba(X), rtol=0, atol=1e-4)
        chosen = net.predict(X)
        sure = np.abs(P - 0.5).min(axis=1) > 1e-3
        if name.startswith(("relu", "names", "two")):
            chosen = estimator.classes_[chosen]
        assert (chosen == estimator.predict(X))[sure].all()
    several = ["softmax_cross_entropy"] * 4 + ["sigmoid_cross_entropy"] * 4
    assert losses == [*several, "squared_error", "squared_error"]
