# Written by tools/stubs.py from the compiled modules: change those, then run it again.
import eigenmlp._core._bindings
import numpy
import numpy.typing
import typing

@typing.overload
def hessian(
    network: eigenmlp._core._bindings.Network32,
    X: typing.Any,
    y: typing.Any,
    sample_weight: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float32]: ...
@typing.overload
def hessian(
    network: eigenmlp._core._bindings.Network64,
    X: typing.Any,
    y: typing.Any,
    sample_weight: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float64]: ...
@typing.overload
def hessian_vector_product(
    network: eigenmlp._core._bindings.Network32,
    X: typing.Any,
    y: typing.Any,
    v: numpy.typing.NDArray[numpy.float32],
    sample_weight: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float32]: ...
@typing.overload
def hessian_vector_product(
    network: eigenmlp._core._bindings.Network64,
    X: typing.Any,
    y: typing.Any,
    v: numpy.typing.NDArray[numpy.float64],
    sample_weight: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float64]: ...
@typing.overload
def input_gradient(
    network: eigenmlp._core._bindings.Network32,
    X: typing.Any,
    y: typing.Any = None,
    output: int = -1,
) -> numpy.typing.NDArray[numpy.float32]: ...
@typing.overload
def input_gradient(
    network: eigenmlp._core._bindings.Network64,
    X: typing.Any,
    y: typing.Any = None,
    output: int = -1,
) -> numpy.typing.NDArray[numpy.float64]: ...
@typing.overload
def jvp(
    network: eigenmlp._core._bindings.Network32,
    X: typing.Any,
    dX: typing.Any = None,
    d_parameters: typing.Any = None,
) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.float32]]: ...
@typing.overload
def jvp(
    network: eigenmlp._core._bindings.Network64,
    X: typing.Any,
    dX: typing.Any = None,
    d_parameters: typing.Any = None,
) -> tuple[numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]]: ...
@typing.overload
def per_sample_gradients(
    network: eigenmlp._core._bindings.Network32,
    X: typing.Any,
    y: typing.Any,
    sample_weight: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float32]: ...
@typing.overload
def per_sample_gradients(
    network: eigenmlp._core._bindings.Network64,
    X: typing.Any,
    y: typing.Any,
    sample_weight: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float64]: ...
@typing.overload
def taylor(
    network: eigenmlp._core._bindings.Network32,
    X: typing.Any,
    y: typing.Any,
    direction: numpy.typing.NDArray[numpy.float32],
    order: int,
    sample_weight: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float64]: ...
@typing.overload
def taylor(
    network: eigenmlp._core._bindings.Network64,
    X: typing.Any,
    y: typing.Any,
    direction: numpy.typing.NDArray[numpy.float64],
    order: int,
    sample_weight: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float64]: ...
@typing.overload
def taylor_outputs(
    network: eigenmlp._core._bindings.Network32,
    X: typing.Any,
    order: int,
    direction: typing.Any = None,
    input_direction: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float32]: ...
@typing.overload
def taylor_outputs(
    network: eigenmlp._core._bindings.Network64,
    X: typing.Any,
    order: int,
    direction: typing.Any = None,
    input_direction: typing.Any = None,
) -> numpy.typing.NDArray[numpy.float64]: ...
