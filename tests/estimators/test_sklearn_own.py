"""scikit-learn's own tests of its perceptrons, as installed, with the import of them changed."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'eigenmlp[sklearn]'")

import sklearn.neural_network

from eigenmlp.sklearn import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore")

# What does not pass here, by name, and why; should one of them pass, that is an error too.
OTHERWISE = {
    "test_gradient": "calls the private _loss_grad_lbfgs; gradients: test_core_against_twin.py",
    "test_learning_rate_warmstart": "reads the private _optimizer; rates: test_sklearn_equality.py",
    "test_adaptive_learning_rate": "reads the private _optimizer; rates: test_sklearn_equality.py",
    "test_mlp_partial_fit_after_fit": "wants partial_fit with early_stopping to be an error, which "
    "is a feature here: test_sklearn_beyond.py",
}
IMPORT = "from {} import MLPClassifier, MLPRegressor\n"


def their_tests() -> dict[str, Any]:
    """The names of scikit-learn's test module, run with our estimators."""
    path = Path(sklearn.neural_network.__file__).with_name("tests") / "test_mlp.py"
    source, theirs = path.read_text(encoding="utf-8"), IMPORT.format("sklearn.neural_network")
    assert source.count(theirs) == 1, f"{path}: expected one line {theirs!r}"
    changed = source.replace(theirs, IMPORT.format("eigenmlp.sklearn"))
    module: dict[str, Any] = {"__name__": __name__}
    exec(compile(changed, path, "exec"), module)
    assert module["MLPClassifier"] is MLPClassifier
    for name, reason in OTHERWISE.items():
        module[name] = pytest.mark.xfail(reason=reason, strict=True)(module[name])
    return {name: module[name] for name in module if name.startswith("test_")}


globals().update(their_tests())


@pytest.fixture
def global_random_seed() -> int:
    """What scikit-learn's conftest gives its tests where no environment variable says otherwise."""
    return 42
