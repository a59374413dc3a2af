"""Train in one line, then run the model in ONNX Runtime, in PyTorch and as compiled C.

The network takes scikit-learn's parameters. Its file runs in ONNX Runtime; `em.torch` hands it to
PyTorch, and takes it back; `em.codegen` writes it as C, which a compiler of the machine turns into
a library here, and into firmware elsewhere. All of them say the same of every digit. Each part runs
where its program is installed: `pip install scikit-learn onnx onnxruntime torch`.

    python model_travels.py        prints the figures
"""

import ctypes
import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import eigenmlp as em


def in_onnx_runtime(net, X, folder):
    """Probabilities (N, K) and labels (N,)."""
    import onnxruntime

    em.onnx.export(net, folder / "digits.onnx")
    session = onnxruntime.InferenceSession(folder / "digits.onnx")
    return session.run(["probabilities", "labels"], {"X": X})


def in_pytorch(net, X, folder):
    """The same, from the logits that the nn.Sequential gives."""
    import torch

    with torch.no_grad():
        Z = em.torch.to_torch(net)(torch.from_numpy(X))
    return torch.softmax(Z, dim=1).numpy(), Z.argmax(dim=1).numpy()


def in_c(net, X, folder):
    """The same, one row after the other."""
    source, library = folder / "digits.c", folder / "digits.so"
    em.codegen.to_c(net, source, name="digits")
    options = ["-std=c99", "-O2", "-shared", "-fPIC"]
    subprocess.run(["cc", *options, source, "-o", library, "-lm"], check=True)
    c = ctypes.CDLL(str(library))
    pointer = ctypes.POINTER(ctypes.c_float)
    P, labels = np.empty((len(X), 10), np.float32), np.empty(len(X), np.int64)
    for i in range(len(X)):
        row = X[i].ctypes.data_as(pointer)
        c.digits_predict_proba(row, P[i].ctypes.data_as(pointer))
        labels[i] = c.digits_predict(row)
    return P, labels


PROGRAMS = {
    "ONNX Runtime": (in_onnx_runtime, lambda: has("onnx") and has("onnxruntime")),
    "PyTorch": (in_pytorch, lambda: has("torch")),
    "C": (in_c, lambda: shutil.which("cc") is not None),
}


def has(module):
    return importlib.util.find_spec(module) is not None


def main():
    from eigenmlp.sklearn import MLPClassifier

    X, y = em.datasets.load_digits()
    model = MLPClassifier((50,), learning_rate_init=0.01, random_state=0)
    model.fit(X[:1500], y[:1500])  # the line

    X, y = X[1500:], y[1500:]
    expected = model.predict_proba(X)
    figures = {"test accuracy": float(np.mean(model.predict(X) == y))}
    with tempfile.TemporaryDirectory() as folder:
        for program, (run, is_there) in PROGRAMS.items():
            if is_there():
                P, labels = run(model, X, Path(folder))
                figures[f"{program}: largest difference"] = float(np.abs(P - expected).max())
                figures[f"{program}: equal labels"] = bool((labels == model.predict(X)).all())
    return figures


if __name__ == "__main__":
    for name, figure in main().items():
        print(f"{name}: {figure}")
