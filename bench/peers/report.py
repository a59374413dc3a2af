"""Markdown of the figures: goals first, then every variant of every task."""

from __future__ import annotations

from collections.abc import Iterable

from ..machine import summary
from .peers import OURS, YARDSTICKS
from .tasks import TASKS, Task


def markdown(results: dict) -> str:
    """Of a whole run."""
    tasks = [(TASKS[r["task"]], r) for r in results["tasks"]]
    parts = [
        summary(results["machine"]),
        f"{results['rounds']} rounds with turns of {results['seconds']} s, "
        f"threads: {results['threads'] or 'defaults'}. {_NOTES}",
    ]
    if exact := [_goal_row(task, r) for task, r in tasks if not task.bfloat16]:
        parts.append(_table(_GOAL_HEAD, exact))
    if rounded := [_bfloat16_row(task, r["variants"]) for task, r in tasks if task.bfloat16]:
        parts += [_BFLOAT16_NOTES, _table(_BFLOAT16_HEAD, rounded)]
    if results.get("overhead"):
        parts.append(_overhead(results["overhead"]))
    for task, result in tasks:
        parts.append(_details(task, result))
    return "\n\n".join(parts) + "\n"


_NOTES = (
    "Times are medians over turns; a ratio is the median over pairs of neighbouring turns "
    "(theirs ÷ ours). The share is of a multiply-add loop's GF/s, measured before each of our "
    "turns on all cores. All that is shown computed the same losses (relative 1e-3) in three "
    f"steps from the same weights. The fastest peer is looked for among {', '.join(YARDSTICKS)}."
)

_GOAL_HEAD = [
    "work",
    "ours, µs",
    "fastest peer, µs",
    "ratio",
    "ratio of `run`",
    "goal",
    "share",
    "goal",
    "1 thread ÷ default",
    "met",
]


def _goal_row(task: Task, result: dict) -> list[str]:
    variants = result["variants"]
    if task.isa:
        return _isa_row(task, variants)
    ours = variants.get("eigenmlp")
    if not ours:
        return [task.title, "missing", *[""] * (len(_GOAL_HEAD) - 2)]
    name = fastest(task, variants)
    ratio = variants[name]["times_ours"] if name else None
    run = variants.get("eigenmlp run")
    run_ratio = ratio / run["times_ours"] if run and ratio else None
    single = variants.get("eigenmlp 1 thread")
    single_ratio = single and single["times_ours"]
    share = max(v["share_of_limit"] or 0 for v in (ours, run) if v) or None
    time, p99 = ours["microseconds"]["median"], ours["p99_microseconds"]
    shown, goal = _microseconds(time), _share(task.share_goal, "≥ ")
    met = [_passes(ratio, task.ratio_goal), _passes(share, task.share_goal)]
    if task.calls_one_by_one:
        shown = f"p50 {time:.2f}, p99 {p99:.2f}"
        goal = f"p50 ≤ {task.p50_goal:g} µs, p99 ≤ 2 × p50"
        met += [time <= task.p50_goal, p99 <= 2 * time]
    if met[0] is False and _passes(run_ratio, task.ratio_goal):
        met[0] = None  # said by the two ratios
        verdict = "in `run`" if all(m is not False for m in met) else "no"
    else:
        verdict = "no" if False in met else "yes"
    if ratio is None:
        verdict = "no peer"
    return [
        task.title,
        shown,
        f"{name} {_microseconds(variants[name]['microseconds']['median'])}" if name else "",
        _number(ratio),
        _number(run_ratio),
        f"≥ {task.ratio_goal:g}",
        _share(share),
        goal,
        _number(single_ratio),
        verdict,
    ]


def _isa_row(task: Task, variants: dict) -> list[str]:
    title = f"v3 against v4: {task.title}"
    if len(variants) < 2:
        return [title, "missing", *[""] * (len(_GOAL_HEAD) - 2)]
    v4, v3 = variants["eigenmlp v4"], variants["eigenmlp v3"]
    ratio, share = 1 / v3["times_ours"], v3["share_of_limit"]
    met = [_passes(ratio, task.ratio_goal), _passes(share, task.share_goal)]
    return [
        title,
        f"v3 {_microseconds(v3['microseconds']['median'])}",
        f"v4 {_microseconds(v4['microseconds']['median'])}",
        _number(ratio),
        "",
        f"≥ {task.ratio_goal:g}",
        _share(share),
        _share(task.share_goal, "≥ ") + " of AVX2" * bool(task.share_goal),
        "",
        "no" if False in met else "yes",
    ]


_BFLOAT16_NOTES = (
    '`compute_dtype="bfloat16"` beside our own float32, and the fastest of PyTorch\'s float32 and '
    "bfloat16 (`torch.autocast`), eager and compiled; losses agree to 2 %."
)

_BFLOAT16_HEAD = [
    "work",
    "ours in bfloat16, µs",
    "in float32, µs",
    "ratio",
    "goal",
    "PyTorch's fastest, µs",
    "ratio",
    "goal",
    "met",
]


def _bfloat16_row(task: Task, variants: dict) -> list[str]:
    ours, exact = variants.get("eigenmlp bfloat16"), variants.get("eigenmlp")
    if not ours or not exact:
        return [task.title, "missing", *[""] * (len(_BFLOAT16_HEAD) - 2)]
    peers = [name for name in variants if name.startswith("torch")]
    name = min(peers, key=lambda n: variants[n]["times_ours"], default=None)
    ratio = variants[name]["times_ours"] if name else None
    met = [_passes(exact["times_ours"], task.float32_goal), _passes(ratio, task.ratio_goal)]
    return [
        task.title,
        _microseconds(ours["microseconds"]["median"]),
        _microseconds(exact["microseconds"]["median"]),
        _number(exact["times_ours"]),
        f"≥ {task.float32_goal:g}",
        f"{name} {_microseconds(variants[name]['microseconds']['median'])}" if name else "",
        _number(ratio),
        f"≥ {task.ratio_goal:g}",
        "no" if False in met else "yes",
    ]


def fastest(task: Task, variants: dict) -> str | None:
    """The peer to beat."""
    names = [n for n in variants if n in (*YARDSTICKS, *task.yardsticks) and n not in OURS]
    return min(names, key=lambda n: variants[n]["times_ours"], default=None)


def _details(task: Task, result: dict) -> str:
    limit = result["limit_gflops"]
    note = f"limit {limit:.0f} GF/s ({result['limit_isa']})" if limit else "limit not measured"
    head = ["", "µs a step", "quartiles", "p99", "GF/s", "share", "× ours", "range"]
    rows = []
    for name, v in result["variants"].items():
        times, extent = v["microseconds"], v["times_ours_range"]
        rows.append(
            [
                name,
                _microseconds(times["median"]),
                f"{_microseconds(times['q25'])}–{_microseconds(times['q75'])}",
                _microseconds(v["p99_microseconds"]) if task.calls_one_by_one else "",
                f"{v['gflops']:.3g}",
                _share(v["share_of_limit"]),
                _number(v["times_ours"]),
                f"{extent[0]:.3g}–{extent[1]:.3g}" if extent else "",
            ]
        )
    rows += [[name, reason, *[""] * 6] for name, reason in result["absent"].items()]
    prefix = "v3 against v4: " if task.isa else ""
    return f"**{prefix}{task.title}** ({note})\n\n{_table(head, rows)}"


def _overhead(figures: dict) -> str:
    xor, A, rows = figures["xor"], figures["A"], figures["rows"]
    lines = [
        [
            "`trainer.step` over the native step",
            f"{xor['step_over_native_us']:.2f} µs (2-3-1), {A['step_over_native_us']:.2f} µs (A)",
            "≤ 2 µs",
        ],
        [
            "`trainer.run` of one epoch over the native epoch",
            f"{xor['epoch_call_over_native_us']:.1f} µs (2-3-1), "
            f"{A['epoch_call_over_native_us']:.1f} µs (A)",
            "≤ 20 µs",
        ],
        [
            "50,000 full-batch XOR epochs",
            f"{figures['xor_50000_epochs_seconds']:.4f} s",
            "< 0.06 s",
        ],
        [
            "one row through 1-1",
            f"`forward` {rows['forward_1_1_us']:.2f} µs, `predict` {rows['predict_1_1_us']:.2f} µs",
            "≤ 1.5 µs",
        ],
    ]
    return _table(["call from Python", "measured", "goal"], lines)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _passes(value: float | None, goal: float | None) -> bool | None:
    return None if value is None or goal is None else value >= goal


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _share(value: float | None, prefix: str = "") -> str:
    return "" if value is None else f"{prefix}{100 * value:.0f} %"


def _microseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
