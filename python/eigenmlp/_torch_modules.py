"""Modules that `eigenmlp.torch.to_torch` needs and PyTorch does not have."""

from __future__ import annotations

from importlib import import_module
from typing import Any

torch: Any = import_module("torch")


class Scale(torch.nn.Module):  # type: ignore[misc]
    """``value · x``, in the dtype of the layers: x may be uint8."""

    def __init__(self, value: float, dtype: Any) -> None:
        super().__init__()
        self.value = value
        self.register_buffer("factor", torch.tensor(value, dtype=dtype))

    def forward(self, x: Any) -> Any:
        """Rows (N, D) from rows (N, D)."""
        return x.to(self.factor.dtype) * self.factor

    def extra_repr(self) -> str:
        """The number."""
        return f"{self.value!r}"


class SlopedSigmoid(torch.nn.Module):  # type: ignore[misc]
    """``1 / (1 + exp(-value · z))``."""

    def __init__(self, value: float, dtype: Any) -> None:
        super().__init__()
        self.value = value
        self.register_buffer("slope", torch.tensor(value, dtype=dtype))

    def forward(self, z: Any) -> Any:
        """The same shape as z."""
        return torch.sigmoid(self.slope * z)

    def extra_repr(self) -> str:
        """The number."""
        return f"{self.value!r}"
