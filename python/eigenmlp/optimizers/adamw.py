"""AdamW: Adam whose weight decay does not pass through the gradient's moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .adam import Adam


@dataclass(frozen=True, repr=False)
class AdamW(Adam):
    """AdamW (Loshchilov and Hutter, arXiv:1711.05101), as PyTorch defines it.

    ``W ← (1 - lr · weight_decay) · W`` (weights only, not biases), then `Adam`'s update by the
    gradient alone. Parameters and errors are those of `Adam`.

    Examples
    --------
    >>> import eigenmlp as em
    >>> em.AdamW(3e-4)
    AdamW(lr=0.0003, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01)
    """

    weight_decay: float = 1e-2

    rule: ClassVar[str] = "adamw"
