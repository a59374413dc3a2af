"""The operators that a file may have, each with what reads it."""

from __future__ import annotations

from . import (
    _arithmetic,
    _functions,
    _labels,
    _shapes,
    _sizes,
)
from ._arguments import Read, either

_INTS = (
    *("allowzero", "axis", "end", "select_last_index", "start", "to", "transA", "transB"),
    "value_int",
)
# What type each attribute has, wherever it is read.
ATTRIBUTES = {
    **dict.fromkeys(("alpha", "beta", "threshold", "value_float"), "FLOAT"),
    **dict.fromkeys(_INTS, "INT"),
    **dict.fromkeys(("axes", "perm", "value_ints"), "INTS"),
    "approximate": "STRING",
    "value": "TENSOR",
    "value_floats": "FLOATS",
}

OPERATORS: dict[tuple[str, str], Read] = {
    ("", "Add"): _arithmetic.add,
    ("", "ArgMax"): _labels.argmax,
    ("", "Cast"): _shapes.cast,
    ("", "Concat"): either(_labels.concat, _sizes.concat),
    ("", "Constant"): _shapes.constant,
    ("", "Div"): _arithmetic.div,
    ("", "Dropout"): _shapes.dropout,
    ("", "Elu"): _arithmetic.of_term("elu", "alpha", 1.0),
    ("", "Erf"): _arithmetic.of_term("erf"),
    ("", "Exp"): _arithmetic.of_term("exp"),
    ("", "Flatten"): _shapes.flatten,
    ("", "Gather"): either(_labels.gather, _sizes.gather, _shapes.column),
    ("", "Gelu"): _arithmetic.gelu,
    ("", "Gemm"): _arithmetic.gemm,
    ("", "Greater"): _arithmetic.greater,
    ("", "Identity"): _shapes.same,
    ("", "LeakyRelu"): _arithmetic.of_term("leaky_relu", "alpha", 0.01),
    ("", "LogSoftmax"): _arithmetic.over_classes("log_softmax"),
    ("", "MatMul"): _arithmetic.matmul,
    ("", "Mul"): either(_arithmetic.mul, _sizes.mul),
    ("", "PRelu"): _arithmetic.with_parameter("leaky_relu"),
    ("", "Relu"): _arithmetic.of_term("relu"),
    ("", "Reshape"): _shapes.reshape,
    ("", "Shape"): _sizes.shape,
    ("", "Sigmoid"): _arithmetic.of_term("sigmoid"),
    ("", "Slice"): _sizes.slice_,
    ("", "Softmax"): _arithmetic.over_classes("softmax"),
    ("", "Softplus"): _arithmetic.of_term("softplus"),
    ("", "Squeeze"): either(_shapes.squeeze, _sizes.same),
    ("", "Sub"): _arithmetic.sub,
    ("", "Swish"): _arithmetic.swish,
    ("", "Tanh"): _arithmetic.of_term("tanh"),
    ("", "Transpose"): _shapes.transpose,
    ("", "Unsqueeze"): _sizes.same,
    ("", "Where"): _arithmetic.where,
    ("ai.onnx.ml", "ArrayFeatureExtractor"): _labels.extract,
    ("ai.onnx.ml", "Binarizer"): _labels.binarizer,
    ("ai.onnx.ml", "ZipMap"): _labels.zip_map,
    (_functions.DOMAIN, "Elu"): _arithmetic.with_parameter("elu"),
    (_functions.DOMAIN, "Gelu"): _arithmetic.of_term("gelu"),
    (_functions.DOMAIN, "LeakyRelu"): _arithmetic.with_parameter("leaky_relu"),
    (_functions.DOMAIN, "Silu"): _arithmetic.of_term("silu"),
    (_functions.DOMAIN, "Softplus"): _arithmetic.of_term("softplus"),
}
