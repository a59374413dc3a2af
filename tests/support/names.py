"""Every activation, loss and dtype, and which of them go together."""

from eigenmlp._backends.facade import ACTIVATIONS as ACTIVATION_NAMES
from eigenmlp._backends.facade import DTYPES
from eigenmlp._backends.facade import LOSSES as LOSS_NAMES
from eigenmlp.reference import activation as activations
from eigenmlp.reference import loss as losses

__all__ = [
    "ACTIVATIONS",
    "ACTIVATION_NAMES",
    "COMBINATIONS",
    "DTYPES",
    "LOSSES",
    "LOSS_NAMES",
    "LOSS_OUTPUTS",
    "OUTPUT_ACTIVATIONS",
]


def other_numbers(parameters: dict[str, float]) -> dict[str, float]:
    """Values that are not the defaults, for parameters in any range that has them inside."""
    return {name: round(1.5 * value + 0.1, 3) for name, value in parameters.items()}


def with_parameters(name: str, parameters: dict[str, float]) -> str:
    """The text form: sigmoid(slope=1.6)."""
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in parameters.items())})"


# Every activation by its name, and those that have parameters with other values of them too.
ACTIVATIONS = [
    *ACTIVATION_NAMES,
    *(
        with_parameters(name, other_numbers(activations.ACTIVATIONS[name].parameters))
        for name in ACTIVATION_NAMES
        if activations.ACTIVATIONS[name].parameters
    ),
]
OUTPUT_ACTIVATIONS = [*ACTIVATIONS, "softmax"]

# Every loss by its name, with other parameters if it has some, and as a sum over rows.
LOSSES = [
    *LOSS_NAMES,
    *(
        with_parameters(name, other_numbers(losses.LOSSES[name].parameters))
        for name in LOSS_NAMES
        if losses.LOSSES[name].parameters
    ),
    "squared_error(reduction='sum')",
    "softmax_cross_entropy(reduction='sum')",
]


def name_of(text: str) -> str:
    """Of an activation or a loss, without its parameters."""
    return text.partition("(")[0]


# Losses with the output activations that they go with: the cross-entropies, for instance, bring
# their own. One loss meets them all.
LOSS_OUTPUTS = [
    (loss, output)
    for loss in LOSSES
    for output in (
        ["identity"]
        if losses.find(loss).takes_logits
        else OUTPUT_ACTIVATIONS
        if loss == "squared_error"
        else ["identity", "sigmoid", "softmax"]
    )
]
# Every activation with one loss, every loss and output activation with one activation.
COMBINATIONS = [
    *((activation, "squared_error", "identity") for activation in ACTIVATIONS),
    *(("tanh", loss, output) for loss, output in LOSS_OUTPUTS),
]
