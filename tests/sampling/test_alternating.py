import random
from collections import Counter

import pytest
from asked import problems_of
from hypothesis import given
from hypothesis import strategies as st

from manyheads.sampling import Change
from manyheads.sampling.alternating import Alternating

SIZES = {"squad": 5, "sst2": 2}
TYPES = {"squad": "span", "sst2": "classification"}


def plan(sampling, epoch=0):
    return sampling.plan(epoch, random.Random(0))


def test_halves_by_hand():
    assert plan(Alternating(SIZES, TYPES)) == [("squad",)] * 2 + [("sst2",)] + [("squad",)] * 3 + [("sst2",)]


def test_order_is_the_order_of_turns():
    steps = plan(Alternating(SIZES, TYPES, order=["sst2", "squad"]))
    assert steps == [("sst2",)] + [("squad",)] * 2 + [("sst2",)] + [("squad",)] * 3


def test_whole_portions_are_sequential():
    assert plan(Alternating(SIZES, TYPES, portion=1.0)) == [("squad",)] * 5 + [("sst2",)] * 2


def test_portion_of_one_batch_is_round_robin():
    sizes = {"a": 4, "b": 4}
    assert plan(Alternating(sizes, TYPES, portion=1e-9)) == [("a",), ("b",)] * 4


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    portion=st.floats(0.01, 1.0),
)
def test_each_portion_is_visited_once_and_in_order(sizes, portion):
    sizes = {f"task{index}": size for index, size in enumerate(sizes)}
    sampling = Alternating(sizes, dict.fromkeys(sizes, "classification"), portion=portion)
    steps = plan(sampling)
    assert Counter(steps) == {(task,): size for task, size in sizes.items()}
    assert len(steps) == sampling.expected_steps()
    # A turn is a portion, up to the rounding of one batch; only the last may be shorter. Turns go around in order.
    for task, size in sizes.items():
        turns = [end - start for name, start, end in sampling._turns() if name == task]
        assert all(abs(turn - sampling.portion * size) <= 1 for turn in turns[:-1])
    starts = [start for _, start, _ in sampling._turns()]
    assert starts == sorted(starts)


def test_nothing_starts_anew_by_default():
    assert Alternating(SIZES, TYPES).changes(0) == Alternating(SIZES, TYPES).changes(3) == {}


def test_heads_are_fresh_from_their_second_turn_on():
    sampling = Alternating(SIZES, TYPES, head="fresh")
    assert sampling.changes(0) == {3: Change(fresh_heads=("squad",)), 6: Change(fresh_heads=("sst2",))}
    assert sampling.changes(1) == {
        0: Change(fresh_heads=("squad",)),
        2: Change(fresh_heads=("sst2",)),
        3: Change(fresh_heads=("squad",)),
        6: Change(fresh_heads=("sst2",)),
    }


def test_optimizer_restarts_at_switches_but_not_before_the_first_step():
    sampling = Alternating(SIZES, TYPES, optimizer="restart")
    assert sampling.changes(0) == {step: Change(fresh_optimizer=True) for step in (2, 3, 6)}
    assert sampling.changes(1) == {step: Change(fresh_optimizer=True) for step in (0, 2, 3, 6)}


def test_each_turn_has_its_own_schedule():
    changes = Alternating(SIZES, TYPES, schedule="restart").changes(0)
    assert [change.schedule for change in changes.values()] == [(0, 2), (2, 3), (3, 6), (6, 7)]
    assert list(changes) == [0, 2, 3, 6]


def test_problems():
    def where(**settings):
        return [problem.where for problem in problems_of("sampling", "alternating", TYPES, settings)]

    assert where(order=["squad", "sst2"], portion=1) == where() == []
    assert where(order=["squad", "sst-2"]) == ["x.order", "x.order"]
    assert where(order=["squad", "sst2", "squad"]) == ["x.order"]
    assert where(portion=0.0) == where(portion=1.5) == where(portion=float("nan")) == ["x.portion"]
    assert 'Did you mean "sst2"?' in str(Alternating.problems(TYPES, {"order": ["squad", "sst-2"]}, "s")[0])


def test_shares():
    assert Alternating(SIZES, TYPES).expected_shares() == pytest.approx({"squad": 5 / 7, "sst2": 2 / 7})
