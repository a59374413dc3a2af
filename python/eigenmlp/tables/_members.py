"""The networks that a model of tables is made of, and their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._network.loss_outputs import softmax
from .._training import selection
from ..history import History
from ..mlp import MLP
from ._defaults import Settings
from ._encoder import Encoder
from ._importance import Listing

Array = NDArray[Any]


@dataclass
class Member:
    """Networks of one drawing (one, or one a fold), and what they are worth.

    Attributes
    ----------
    number : int
        In the order of the draws.
    networks : list of MLP
        Empty where the member is not used.
    settings : Settings or None
        Hidden layers, bins, learning rate, weight decay, dropout and the like; None of a single
        network that comes from a file.
    loss : float or None
        On rows that it was not trained on; None without such rows.
    weight : float
        In the mean over members.
    seconds : float
    """

    number: int
    networks: list[MLP]
    settings: Settings | None
    loss: float | None
    weight: float
    seconds: float
    encoder: int = 0  # its place among the model's
    history: History | None = None
    epoch: int = 0
    off: Array | None = None  # (N, K) outputs of rows that were not trained on; NaN for others


def of_one(members: list[Member], encoders: list[Encoder]) -> dict[str, Any]:
    """The attributes of a model that is one network; none where it is several."""
    networks = [net for member in members for net in member.networks]
    if len(networks) > 1:
        return {}
    return {"network_": networks[0], "_encoder": encoders[0]}


def leaderboard(members: list[Member]) -> Listing:
    """A line for each."""
    lines: list[dict[str, Any]] = []
    for member in members:
        line: dict[str, Any] = {
            "member": member.number,
            "weight": member.weight,
            "loss": member.loss,
            "seconds": member.seconds,
        }
        if (chosen := member.settings) is not None:
            line |= {
                "hidden_layer_sizes": chosen.hidden,
                "bins": chosen.bins,
                "learning_rate": chosen.lr,
                "weight_decay": chosen.weight_decay,
                "dropout": chosen.dropout,
                "epochs": member.epoch,
            }
        lines.append(line)
    return Listing(lines)


def as_logits(P: Array) -> Array:
    """Outputs whose softmax probabilities are."""
    return np.log(np.maximum(P, np.finfo(np.float64).tiny))


def forward(
    members: list[Member], encoded: list[Array], classifies: bool
) -> tuple[Array, Array | None]:
    """The mean outputs (N, K) of rows as each encoder has them, and the deviation of members."""
    members = [member for member in members if member.networks]
    if len(members) == 1 and len(members[0].networks) == 1:
        Y = members[0].networks[0].forward(encoded[members[0].encoder])
        return Y.astype(np.float64), None
    outputs, weights = [], []
    for member in members:
        for net in member.networks:
            Y = net.forward(encoded[member.encoder]).astype(np.float64)
            outputs.append(softmax(Y) if classifies else Y)
            weights.append(member.weight / len(member.networks))
    mean, _ = selection.moments(outputs, weights)
    by_member, at = [], 0
    for member in members:
        count = len(member.networks)
        by_member.append(sum(outputs[at : at + count]) / count)
        at += count
    _, deviation = selection.moments(
        [np.asarray(Y) for Y in by_member], [m.weight for m in members]
    )
    return (as_logits(mean) if classifies else mean), deviation
