"""What models of tables say of themselves: their members, and what columns are worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._basics.shown import shown
from .._inputs import checks
from . import _common

Line = Mapping[str, Any]

_LONGEST = 24  # characters of a name beside an axis
_USED = 320.0  # area in points² of a member of weight 1


def leaderboard(lines: Iterable[Line], ax: Any = None, most: int = 20) -> Any:
    """The members of a pack by their loss on validation rows; the larger a dot, the more it weighs.

    Members that are not used are grey. Without validation rows the weights alone are drawn.

    Parameters
    ----------
    lines : iterable of dict
        What ``model.leaderboard()`` gives, with ``member``, ``weight`` and ``loss``; hidden layers,
        bins and dropout are named, if they are there.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    most : int
        Of more members the first are drawn, and the title says so.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If there is no line, or one that lacks something.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from matplotlib.figure import Figure
    >>> lines = [{"member": 1, "weight": 1.0, "loss": 0.2}, {"member": 0, "weight": 0.0, "loss": 3}]
    >>> ax = em.plot.leaderboard(lines, ax=Figure().add_subplot())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['member 1', 'member 0']
    """
    rows = _checked(lines, "leaderboard", ("member", "weight", "loss"))
    most = checks.integer(most, "most")
    weights = [checks.number(row["weight"], "weight", 0.0) for row in rows]
    losses = [None if row["loss"] is None else checks.number(row["loss"], "loss") for row in rows]
    kept = slice(0, most)
    ax = _common.axes(ax, height=1.4 + 0.34 * max(4, len(rows[kept])))
    known = all(loss is not None for loss in losses[kept])
    used, unused = _common.LINE_COLORS[0], "#AAAAAA"
    for place, (loss, weight) in enumerate(zip(losses[kept], weights[kept], strict=True)):
        color = used if weight else unused
        if known:
            size = 24.0 + _USED * weight
            ax.scatter([loss], [place], s=size, color=color, zorder=3, edgecolors="white")
        else:
            ax.barh(place, weight, height=0.7, color=color)
        if weight:
            at = loss if known else weight
            ax.annotate(
                f"{weight:.3g}", (at, place), xytext=(12, 0), textcoords="offset points",
                va="center", fontsize="small",
            )  # fmt: skip
    _names(ax, [_member(row) for row in rows[kept]])
    ax.margins(x=0.12)
    first = f", the first {most} of {len(rows)} members" if len(rows) > most else ""
    count = sum(weight > 0 for weight in weights)
    ax.set(
        xlabel="loss on validation rows" if known else "weight",
        title=f"{count} of {len(rows)} members are averaged, dots by weight{first}" if known
        else f"weights of {len(rows)} members{first}",
    )  # fmt: skip
    return ax


def _member(row: Line) -> str:
    parts = []
    if (hidden := row.get("hidden_layer_sizes")) is not None:
        parts.append("-".join(map(str, hidden)) or "linear")
    if row.get("bins"):
        parts.append(f"{row['bins']} bins")
    if row.get("dropout"):
        parts.append(f"dropout {row['dropout']:g}")
    return f"member {row['member']}{': ' if parts else ''}{', '.join(parts)}"


def importance(lines: Iterable[Line], ax: Any = None, most: int = 20) -> Any:
    """How much the score falls where a column is shuffled; the most important column is on top.

    Whiskers are a standard deviation over the orders on either side.

    Parameters
    ----------
    lines : iterable of dict
        What ``model.importance(X, y)`` gives, with ``column``, ``importance``, ``deviation``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    most : int
        Of more columns the most important are drawn, and the title says so.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If there is no line, or one that lacks something.

    Examples
    --------
    >>> import eigenmlp as em
    >>> from matplotlib.figure import Figure
    >>> lines = [{"column": "town", "importance": 0.1, "deviation": 0.01}]
    >>> ax = em.plot.importance(lines, ax=Figure().add_subplot())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['town']
    """
    rows = _checked(lines, "importance", ("column", "importance", "deviation"))
    most = checks.integer(most, "most")
    rows = sorted(rows, key=lambda row: -checks.number(row["importance"], "importance"))
    kept = rows[:most]
    falls = [float(row["importance"]) for row in kept]
    spreads = [checks.number(row["deviation"], "deviation", 0.0) for row in kept]
    ax = _common.axes(ax, height=1.4 + 0.34 * max(4, len(kept)))
    ax.barh(
        range(len(kept)), falls, height=0.7, color=_common.LINE_COLORS[0],
        xerr=spreads, error_kw={"ecolor": "#555555", "elinewidth": 1.2, "capsize": 2.5},
    )  # fmt: skip
    ax.axvline(0.0, color="#555555", linewidth=0.8)
    _names(ax, [str(row["column"]) for row in kept])
    ax.set_xlabel("fall of the score where the column is shuffled")
    if len(rows) > most:
        ax.set_title(f"the first {most} of {len(rows)} columns")
    return ax


def _names(ax: Any, names: Sequence[str]) -> None:
    """Lines from above, each with its name."""
    _common.open_frame(ax)
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)
    longest = 2 * _LONGEST
    short = [name if len(name) <= longest else f"{name[: longest - 1]}…" for name in names]
    ax.set_yticks(range(len(short)), short)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(short) - 0.4, -0.6)


def _checked(lines: Any, function: str, keys: tuple[str, ...]) -> list[Line]:
    if isinstance(lines, (str, Mapping)) or not isinstance(lines, Iterable):
        raise TypeError(
            f"{function}: expected the lines of a model's {function}, got {shown(lines)}"
        )
    rows = list(lines)
    if not rows:
        raise ValueError(f"{function}: expected at least one line, got none")
    for row in rows:
        if not isinstance(row, Mapping) or any(key not in row for key in keys):
            raise ValueError(f"{function}: expected dicts with {', '.join(keys)}, got {shown(row)}")
    return rows
