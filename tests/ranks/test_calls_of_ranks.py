"""What is remembered of calls, and where those of two ranks differ; needs no MPI."""

from eigenmlp._training.calls import Calls, Difference, difference


def calls_of(*names: tuple[str, int]) -> Calls:
    calls = Calls()
    for name, trainer in names:
        calls.add(name, trainer)
    return calls


def test_like_calls_in_a_row_are_remembered_as_one() -> None:
    calls = calls_of(("run", 1), *[("step", 1)] * 1000, ("step", 2))
    assert calls.last == 1002
    assert calls.runs() == [("run", 1, 1, 1), ("step", 1, 2, 1001), ("step", 2, 1002, 1002)]


def test_the_first_difference_is_found_where_both_still_know() -> None:
    own = calls_of(*[("step", 1)] * 5, ("run", 1), ("step", 1))
    same = calls_of(*[("step", 1)] * 5, ("run", 1))
    assert difference(own.runs(), same.runs()) is None
    assert difference(same.runs(), own.runs()) is None
    fewer = calls_of(*[("step", 1)] * 4, ("run", 1), ("run", 1))
    assert difference(own.runs(), fewer.runs()) == Difference(5, "step", "run")
    other = calls_of(*[("step", 1)] * 5, ("run", 2))
    assert difference(own.runs(), other.runs()) == Difference(6, "run", "run of another trainer")
    assert difference(own.runs(), []) is None


def test_what_is_long_ago_is_forgotten() -> None:
    own, other = calls_of(("run", 1)), calls_of(("step", 1))
    for calls in (own, other):
        for i in range(1000):
            calls.add("step", i % 2)
    assert len(own.runs()) < 200
    assert difference(own.runs(), other.runs()) is None
