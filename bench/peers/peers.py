"""The table of peers: a variant's name, and the module of this package that makes it."""

from __future__ import annotations

from .tasks import Task

OURS = {
    "eigenmlp": "peer_eigenmlp",
    "eigenmlp run": "peer_eigenmlp",
    "eigenmlp 1 thread": "peer_eigenmlp",
    "eigenmlp predict": "peer_eigenmlp",
}
ISA_LEVELS = {"eigenmlp v4": "peer_eigenmlp", "eigenmlp v3": "peer_eigenmlp"}
# The first of these is compared with the others.
BFLOAT16 = {
    "eigenmlp bfloat16": "peer_eigenmlp",
    "eigenmlp": "peer_eigenmlp",
    "torch": "peer_torch",
    "torch compile": "peer_torch",
    "torch bfloat16": "peer_torch",
    "torch compile bfloat16": "peer_torch",
}
PEERS = {
    "torch": "peer_torch",
    "torch compile": "peer_torch",
    "jax": "peer_jax",
    "jax loop": "peer_jax",
    "sklearn": "peer_sklearn",
    "onnxruntime": "peer_onnxruntime",
    "mlpfile": "peer_mlpfile",
    "numpy": "peer_numpy",
}
MODULES = OURS | ISA_LEVELS | BFLOAT16 | PEERS

# The fastest of these is the one to beat; the others are shown beside them.
YARDSTICKS = ("torch", "torch compile", "jax", "sklearn", "onnxruntime")

_ONLY_TRAIN = ("eigenmlp run", "jax loop")
_ONLY_PREDICT = ("eigenmlp predict", "onnxruntime", "mlpfile")


def variants_of(task: Task, ours: list[str], chosen: list[str]) -> list[str]:
    """Those that take part in a task; ours, which all are compared with, comes first."""
    if task.isa:
        return [*ISA_LEVELS]
    if task.bfloat16:
        left_out = () if "torch" in chosen else ("torch",)
        return [name for name in BFLOAT16 if not name.startswith(left_out)]
    without = _ONLY_PREDICT if task.kind == "train" else _ONLY_TRAIN
    names = [*ours, *(name for name in PEERS if name in chosen)]
    if task.rows > 1:
        without += ("mlpfile",)
    elif task.kind == "predict":
        without += ("eigenmlp 1 thread",)
    if task.loss != "softmax_cross_entropy":
        without += ("sklearn",)
    return [name for name in names if name not in without]
