"""What a prompt and a notebook show of networks, runs and reports: short, and escaped."""

from typing import Any

import numpy as np
import pytest

import eigenmlp as em
from support.refusals import LABELS, X, make


def test_a_history_is_a_line_however_long_the_run() -> None:
    net = make()
    history = net.fit(X, LABELS, epochs=2000, validation=(X, LABELS), progress=False)
    text = repr(history)
    assert len(text) < 200 and "\n" not in text
    for part in ("2,000 epochs", f"{history.loss[-1]:.4g}", f"val_loss {history.val_loss[-1]:.4g}"):
        assert part in text
    html = history._repr_html_()
    assert html.count("<tr>") == 13 and len(html) < 3000
    assert "<td>1</td>" in html and "<td>2,000</td>" in html


def test_short_and_empty_histories() -> None:
    assert repr(em.History()) == "<History of 0 epochs>"
    assert em.History()._repr_html_().count("<tr>") == 1
    one = em.History(loss=[1.5], seconds=[2.0], rows=10)
    assert repr(one) == "<History of 1 epoch: loss 1.5; 2 s, 5 samples/s>"
    several = em.History(loss=[3.0, 2.0], accuracy=[0.5], seconds=[1.0, 1.0], rows=10)
    assert several._repr_html_().count("<tr>") == 3  # a callback may have cut a list
    assert several == em.History(loss=[3.0, 2.0], accuracy=[0.5], seconds=[1.0, 1.0], rows=10)


def test_a_trainer_says_what_it_holds() -> None:
    trainer = em.Trainer(make(), em.Adam(lambda step: 0.1), batch_size=2, accumulate=3, seed=0)
    trainer.run(X, LABELS, 2)
    text = repr(trainer)
    for part in (repr(trainer.net), "Adam(", "batch_size=2", "accumulate=3", "2 epochs, 2 steps"):
        assert part in text
    html = trainer._repr_html_()
    assert "&lt;function" in html and "<function" not in html  # of the learning rate
    assert "<td>steps</td><td>2</td>" in html


def test_a_report_is_a_line_and_printed_a_table() -> None:
    report = em.check_gradients(make(dtype="float64"), X, LABELS)
    assert "\n" not in repr(report) and repr(report).startswith("<GradientReport: gradient right")
    assert len(repr(report)) < 150 and str(report).count("\n") == 1 + len(report.worst)
    html = report._repr_html_()
    assert html.count("<tr>") == 1 + len(report.worst) and report.worst[0].name in html
    kinks = em.check_gradients(lambda w: (np.abs(w).sum(), np.sign(w)), np.zeros(2))
    assert "all 2 entries are at kinks" in repr(kinks) and "kinks" in kinks._repr_html_()


SUMMARIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "without biases": {"bias": False},
    "dropout": {"dropout": [0.5, 0.0], "activation": ["tanh", "sigmoid(slope=2.0)"]},
    "double": {"dtype": "float64", "output_activation": "softmax", "loss": "mse"},
}


@pytest.mark.parametrize("options", SUMMARIES.values(), ids=SUMMARIES)
def test_a_summary_counts_what_the_network_has(options: dict[str, Any]) -> None:
    net = em.MLP([5, 40, 300, 2], seed=0, **options)
    summary = net.summary()
    lines = str(summary).splitlines()
    assert lines[0] == repr(net).strip("<>") and len(lines) == 6
    assert summary.parameter_count == net.parameter_count == len(net.parameters)
    assert summary.memory == net.parameters.nbytes
    for i, (W, row) in enumerate(zip(net.weights, summary.rows, strict=True)):
        arrays, shape, activation, count, _ = row
        assert shape == str(W.shape)
        assert count == f"{W.size + (W.shape[1] if net.config['bias'] else 0):,}"
        assert activation.startswith(
            [*net.config["activation"], net.config["output_activation"]][i]
        )
        assert ("dropout 0.5" in activation) == (i == 0 and "dropout" in options)
        assert arrays == (f"W{i}, b{i}" if net.config["bias"] else f"W{i}")
    assert f"{net.parameter_count:,}" in lines[-1]
    html = summary._repr_html_()
    assert html.count("<tr>") == 5 and repr(summary) == str(summary)
