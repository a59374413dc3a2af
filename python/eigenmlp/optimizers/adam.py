"""Adam: steps of about the learning rate, whatever the gradient's size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from .._basics.shown import shown
from .._inputs import checks
from ._base import LearningRate, Optimizer


@dataclass(frozen=True, repr=False)
class Adam(Optimizer):
    """Adam (Kingma and Ba, arXiv:1412.6980), as PyTorch defines it.

    ``g ← dW + weight_decay · W`` (weights only, not biases), ``m ← β₁ m + (1 - β₁) g``,
    ``v ← β₂ v + (1 - β₂) g²``, and in update t
    ``W ← W - lr · m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + eps)``.

    With `raw_eps` the eps is added to √v before the correction, as in the efficient form of the
    paper's section 2 and in scikit-learn: ``W ← W - lr · √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + eps)``.

    Parameters
    ----------
    lr : float or callable
        Learning rate, or a function of the step's number (from 0) that gives it.
    betas : (float, float)
        β₁ and β₂, in [0, 1).
    eps : float
        Above 0.
    weight_decay : float
        Not negative.
    raw_eps : bool
        A keyword: see above.
    clip_norm, l1, max_norm, penalty
        Keywords of every optimizer: see `Optimizer`.

    Raises
    ------
    TypeError, ValueError
        For a number outside its range, with what was expected.

    Examples
    --------
    >>> import eigenmlp as em
    >>> em.Adam()
    Adam(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0)
    """

    lr: LearningRate = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    raw_eps: bool = field(default=False, kw_only=True)

    rule: ClassVar[str] = "adam"

    def __post_init__(self) -> None:
        super().__post_init__()
        what = f"{type(self).__name__}: betas"
        if not (isinstance(self.betas, (tuple, list)) and len(self.betas) == 2):
            raise TypeError(f"{what}: expected two numbers, got {shown(self.betas)}")
        betas = tuple(checks.number(beta, what, 0.0, below=1.0) for beta in self.betas)
        object.__setattr__(self, "betas", betas)  # a list would be neither frozen nor hashable
        self._check_positive("eps")
        self._check("weight_decay", 0.0)
        self._check_flag("raw_eps")

    def hyper(self) -> dict[str, float]:
        """The numbers that the rule uses, by name."""
        return {
            "beta1": float(self.betas[0]),
            "beta2": float(self.betas[1]),
            "eps": float(self.eps),
            "weight_decay": float(self.weight_decay),
            "raw_eps": float(self.raw_eps),
        }

    @staticmethod
    def arguments(hyper: dict[str, float]) -> dict[str, Any]:
        """The constructor's arguments, but `lr`, from what `hyper` gave."""
        others = {name: x for name, x in hyper.items() if name not in ("beta1", "beta2")}
        raw_eps = bool(hyper.get("raw_eps", False))
        return {**others, "betas": (hyper["beta1"], hyper["beta2"]), "raw_eps": raw_eps}
