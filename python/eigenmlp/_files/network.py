"""What a file holds of a network, and the network that it holds."""

from __future__ import annotations

from typing import Any, TypeVar

from numpy.typing import NDArray

from .._inputs import checks
from .._network import architecture
from .._network.network import DenseNetwork
from .._network.units import NAMES as UNITS
from ..initializers import INITIALIZERS
from . import model, replay

Array = NDArray[Any]
Kind = TypeVar("Kind", bound=DenseNetwork)


def named_arrays(net: DenseNetwork) -> dict[str, Array]:
    """Its parameters, and a sample of what it computes."""
    parameters = net.parameters  # of one moment, also where another thread trains
    arrays = model.named_arrays(net._sizes, net._bias, parameters, "")
    arrays |= net._units.arrays()
    return arrays | replay.sample(net, net._network_at(parameters))


def restored(
    kind: type[Kind], config: dict[str, Any], arrays: dict[str, Array], backend: str
) -> Kind:
    """The network of a file, if it computes the sample as the file says."""
    # Shapes first: nothing is allocated for sizes that the file does not have.
    sizes = architecture.checked_sizes(config["layer_sizes"])
    vector = model.flat_vector(sizes, config["bias"] is True, arrays, "")
    units = {name: arrays[name] for name in UNITS if config[name] is None}
    net = kind(**{**config, **units, "init": "zeros", "backend": backend})
    init = checks.known(config["init"], ["auto", "custom", *INITIALIZERS], "init")
    net._init = "auto" if init == "custom" else init
    net.parameters = vector
    if replay.X_NAME in arrays:  # not in older files
        replay.check(net, arrays)
    return net
