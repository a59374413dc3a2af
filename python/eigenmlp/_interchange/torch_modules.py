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


class _Units(torch.nn.Module):  # type: ignore[misc]
    """Has a shift in float64 and a scale in the dtype of the layers, for each column."""

    def __init__(self, shift: Any, scale: Any, dtype: Any) -> None:
        super().__init__()
        self.register_buffer("shift", torch.as_tensor(shift, dtype=torch.float64))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=dtype))

    def extra_repr(self) -> str:
        """How many columns."""
        return f"{len(self.scale)}"


class InputUnits(_Units):
    """``(x - shift) · scale``, whose difference is taken in float64."""

    def forward(self, x: Any) -> Any:
        """Rows (N, D) from rows (N, D)."""
        return (x.to(self.shift.dtype) - self.shift).to(self.scale.dtype) * self.scale


class OutputUnits(_Units):
    """``y · scale + shift``."""

    def forward(self, y: Any) -> Any:
        """Rows (N, K) from rows (N, K)."""
        return y * self.scale + self.shift.to(self.scale.dtype)


class SlopedSigmoid(_Multiplies):
    """``1 / (1 + exp(-factor · z))``."""

    def forward(self, z: Any) -> Any:
        """The same shape as z."""
        return torch.sigmoid(self.factor * z)
