"""Several networks as one C file, and their mean: ensembles, packs of tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..._core.loading import version
from .classes import declaration, definition
from .functions import functions
from .model import Model
from .writing import Writer, code_of_texts, hexadecimal, includes

_MEAN = """
void {p}{name}(const {input} x[{D}], {real} y[{K}]) {{
  {real} z[{K}];
  for (size_t k = 0; k < {K}; ++k) y[k] = 0;
{sums}}}
"""
_ADD = """  {p}m{place}_{of}(x, z);
  for (size_t k = 0; k < {K}; ++k) y[k] += {weight}{f} * z[k];
"""
_BEST = """
int {p}predict(const {input} x[{D}]) {{
  {real} y[{K}];
  int best = 0;
  {p}predict_proba(x, y);
  for (int k = 1; k < {K}; ++k)
    if (y[k] > y[best]) best = k;
  return best;
}}
"""
_ABOVE = """
void {p}predict(const {input} x[{D}], int labels[{K}]) {{
  {real} y[{K}];
  {p}predict_proba(x, y);
  for (size_t k = 0; k < {K}; ++k) labels[k] = y[k] > {half}{f};
}}
"""


def file(used: list[tuple[Any, float]], prefix: str, input_dtype: str | None) -> Iterator[str]:
    """The file in parts, of estimators with weights."""
    whole = Model(used[0][0], prefix, input_dtype)
    names = {**whole.names, "D": whole.given, "input": whole.input, "half": hexadecimal(0.5)}
    classifies = whole.loss.endswith("cross_entropy")
    of = "predict_proba" if classifies else "predict" if whole.loss == "poisson" else "forward"
    add = "".join(
        _ADD.format(**names, place=place, of=of, weight=hexadecimal(weight))
        for place, (_, weight) in enumerate(used)
    )
    mean = "predict_proba" if classifies else "predict"
    code = [_MEAN.format(**names, name=mean, sums=add)]
    if classifies:
        one_of = whole.loss == "softmax_cross_entropy"
        code.append((_BEST if one_of else _ABOVE).format(**names))
    prototypes = [part.strip().partition(" {")[0] for part in code]
    yield _opening(whole, len(used), prototypes)
    yield from includes(whole)
    classes = declaration(whole)
    yield f"\nextern {classes};\n" if classes else "\n"
    yield "".join(f"{prototype};\n" for prototype in prototypes)
    yield from code_of_texts(whole)
    yield definition(whole)
    for place, (member, _) in enumerate(used):
        yield from _member(Model(member, f"{prefix}m{place}_", input_dtype), of)
    yield from code


def _member(model: Model, of: str) -> Iterator[str]:
    """Its numbers, layers, and what is averaged."""
    wanted = {f"{model.names['p']}{name}(" for name in ("forward", of)}
    writer = Writer(model)
    yield from writer.constants()
    if model.encoder is not None:
        yield model.encoder.source(str(model.names["real"]), str(model.names["p"]))
    code = [writer.layer(layer) for layer in range(len(model.activations))]
    code += [
        f"\nstatic {one.prototype} {{\n{one.body}}}\n"
        for one in functions(model)
        if any(name in one.prototype for name in wanted)
    ]
    yield from writer.helpers(code)
    yield from code


def _opening(model: Model, members: int, prototypes: list[str]) -> str:
    listed = "\n".join(f"     {prototype};" for prototype in prototypes)
    if classes := declaration(model):
        listed += f"\n     extern {classes};\n       what the classes 0, 1, ... are called"
    return (
        f"/* An ensemble of {members} multi-layer perceptrons, written by eigenmlp {version}.\n\n"
        f"   {model.given} inputs, {model.sizes[-1]} outputs, {model.net.dtype}\n"
        f"   loss {model.loss}\n\n"
        f"{listed}\n\n"
        f"{'' if model.encoder is None else model.encoder.says(str(model.names['p']))}"
        "   C99; libm is all it needs. Nothing is allocated, and nothing is static but\n"
        "   constants: calls may overlap, in threads and in interrupts. Arrays that are\n"
        "   passed may not overlap, and x is not checked: a NaN in it comes out as NaN. */\n"
    )
