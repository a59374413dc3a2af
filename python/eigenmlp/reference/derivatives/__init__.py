"""Derivatives beyond the gradient, as functions of a network. The core has the same ones.

`tangent.py` is the forward mode, `per_sample.py` gradients of single rows, `hessian.py` second
derivatives, `taylor.py` derivatives of any order along a direction.
"""

from eigenmlp.reference.derivatives.hessian import hessian, hessian_vector_product
from eigenmlp.reference.derivatives.per_sample import input_gradient, per_sample_gradients
from eigenmlp.reference.derivatives.tangent import jvp
from eigenmlp.reference.derivatives.taylor import taylor, taylor_outputs

__all__ = [
    "hessian",
    "hessian_vector_product",
    "input_gradient",
    "jvp",
    "per_sample_gradients",
    "taylor",
    "taylor_outputs",
]
