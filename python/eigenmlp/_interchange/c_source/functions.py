"""The functions of a C file that others call."""

from __future__ import annotations

from typing import NamedTuple

from .model import Model

# Of n rows that are the alternatives of one choice.
_SCORES = "  for (size_t i = 0; i < n; ++i) {p}forward(x + i * {D}, p + i);\n"
_BEST = """\
  {real} y[1], most = 0;
  size_t best = 0;
  for (size_t i = 0; i < n; ++i) {{
    {p}forward(x + i * {D}, y);
    if (i == 0 || y[0] > most) {{
      most = y[0];
      best = i;
    }}
  }}
  return best;
"""


class Function(NamedTuple):
    """One of the file's functions."""

    prototype: str
    says: str
    body: str


def functions(model: Model) -> list[Function]:
    """`forward`, `predict`, and `predict_proba` where there are probabilities."""
    x, (D, K) = model.input, (model.given, model.sizes[-1])
    real, p = model.names["real"], model.names["p"]
    takes = f"const {x} x[{D}]"
    given = f"void {p}predict({takes}, {real} y[{K}])"
    run = f"  {p}forward(x, y);\n"
    each = f"  for (size_t k = 0; k < {K}; ++k) "
    what = "logits" if model.loss.endswith("cross_entropy") else "outputs"
    forward = Function(
        f"void {p}forward({takes}, {real} y[{K}])", f"{what} of one row", _forward_body(model)
    )
    if model.chooses:
        return [forward, *_of_choices(model)]
    to_probabilities = _to_probabilities(model)
    proba = [] if to_probabilities is None else [
        Function(
            f"void {p}predict_proba({takes}, {real} y[{K}])",
            "probabilities",
            run + to_probabilities,
        )
    ]  # fmt: skip
    if model.loss == "softmax_cross_entropy":
        predict = Function(
            f"int {p}predict({takes})",
            f"the likeliest class, 0 to {K - 1}; the first of equals",
            f"  {real} y[{K}];\n  int best = 0;\n{run}"
            f"  for (int k = 1; k < {K}; ++k)\n    if (y[k] > y[best]) best = k;\n"
            "  return best;\n",
        )
    elif model.loss == "sigmoid_cross_entropy":
        predict = Function(
            f"void {p}predict({takes}, int labels[{K}])",
            "0 or 1 for each output: whether its probability is above 1/2",
            f"  {real} y[{K}];\n{run}{each}labels[k] = y[k] > 0;\n",
        )
    elif model.loss == "poisson":
        rates = f"{each}y[k] = exp{model.names['f']}(y[k]);\n"
        predict = Function(given, "rates: exp of the outputs", run + rates)
    else:
        predict = Function(given, "the outputs", run)
    return [forward, *proba, predict]


def _of_choices(model: Model) -> list[Function]:
    """What segment_cross_entropy has: functions of the n alternatives of one choice."""
    real, p, rows = model.names["real"], model.names["p"], f"size_t n, const {model.input} x[]"
    return [
        Function(
            f"void {p}predict_proba({rows}, {real} p[])",
            f"probabilities of n > 0 alternatives, {model.sizes[0]} numbers each in x",
            f"{_SCORES}  {{p}}softmax(n, p);\n".format(**model.names),
        ),
        Function(
            f"size_t {p}predict({rows})",
            "the likeliest of n > 0 alternatives, 0 to n - 1; the first of equals",
            _BEST.format(**model.names),
        ),
    ]


def _forward_body(model: Model) -> str:
    real, p, last = model.names["real"], model.names["p"], len(model.activations) - 1
    lines = [f"  {real} h{i}[{size}];\n" for i, size in enumerate(model.buffers())]
    first = "x"
    if model.encoder is not None:
        first = "e"
        lines += [f"  {real} e[{model.sizes[0]}];\n", f"  {p}encode(x, e);\n"]
    for layer in range(last + 1):
        source = f"h{(layer - 1) % 2}" if layer else first
        target = f"h{layer % 2}" if layer < last else "y"
        lines.append(f"  {p}layer{layer}({source}, {target});\n")
    return "".join(lines)


def _to_probabilities(model: Model) -> str | None:
    """Lines that turn outputs y into probabilities; None if there are none."""
    p, K = model.names["p"], model.sizes[-1]
    if model.loss == "softmax_cross_entropy":
        return f"  {p}softmax({K}, y);\n"
    if model.loss == "sigmoid_cross_entropy":
        return f"  for (size_t k = 0; k < {K}; ++k) y[k] = {p}sigmoid(y[k]);\n"
    if model.units.a is not None or model.units.b is not None:
        return None
    return "" if model.activations[-1].name in ("softmax", "sigmoid") else None
