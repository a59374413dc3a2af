"""Modules that `eigenmlp.torch.to_torch` needs and PyTorch does not have."""

from __future__ import annotations

from importlib import import_module
from typing import Any

torch: Any = import_module("torch")


class _Multiplies(torch.nn.Module):  # type: ignore[misc]
    """Has a factor, in the dtype of the layers: what a state dict holds and `forward` reads."""

    def __init__(self, value: float, dtype: Any) -> None:
        super().__init__()
        self._given = float(value)
        self.register_buffer("factor", torch.tensor(value, dtype=dtype))

    @property
    def value(self) -> float:
        """The factor; as it was given, before it was rounded, as long as it is the same."""
        if self.factor.is_meta:
            return self._given
        factor = self.factor.cpu()
        rounded = torch.tensor(self._given, dtype=factor.dtype)
        return self._given if bool(rounded == factor) else float(factor)

    def extra_repr(self) -> str:
        """The number."""
        return f"{self.value!r}"


class Scale(_Multiplies):
    """``factor · x``; x may be uint8."""

    def forward(self, x: Any) -> Any:
        """Rows (N, D) from rows (N, D)."""
        return x.to(self.factor.dtype) * self.factor


class SlopedSigmoid(_Multiplies):
    """``1 / (1 + exp(-factor · z))``."""

    def forward(self, z: Any) -> Any:
        """The same shape as z."""
        return torch.sigmoid(self.factor * z)
