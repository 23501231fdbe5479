import random
from collections import Counter

import pytest
from asked import problems_of

from manyheads.sampling.round_robin import RoundRobin

SIZES = {"a": 4, "b": 2}
TYPES = dict.fromkeys(SIZES, "classification")


def plan(sizes=SIZES, **settings):
    return RoundRobin(sizes, TYPES, **settings).plan(0, random.Random(0))


def test_until_the_longest():
    assert plan() == [("a",), ("b",)] * 4


def test_until_the_shortest():
    assert plan(until="shortest") == [("a",), ("b",)] * 2


def test_joint_steps_hold_every_task():
    assert plan(joint=True) == [("a", "b")] * 4
    assert plan(joint=True, until="shortest") == [("a", "b")] * 2


def test_several_batches_in_a_turn():
    # Two rounds show all four batches of a.
    assert plan(batches={"a": 2}) == [("a",), ("a",), ("b",)] * 2


@pytest.mark.parametrize(("batches", "until", "rounds"), [(3, "longest", 2), (3, "shortest", 1), (5, "shortest", 1)])
def test_rounds_are_whole(batches, until, rounds):
    assert plan(batches={"a": batches}, until=until) == ([("a",)] * batches + [("b",)]) * rounds


def test_counts_of_equal_tasks_differ_by_at_most_one_at_any_time():
    counts = Counter()
    sizes = dict.fromkeys("abc", 50)
    for (task,) in RoundRobin(sizes, dict.fromkeys(sizes, "classification")).plan(0, random.Random(0)):
        counts[task] += 1
        assert max(counts.values()) - min(counts[name] for name in sizes) <= 1
    assert counts == {"a": 50, "b": 50, "c": 50}


@pytest.mark.parametrize("settings", [{}, {"joint": True}, {"batches": {"a": 3}}, {"until": "shortest"}])
def test_expectations_hold(settings):
    sampling = RoundRobin(SIZES, TYPES, **settings)
    steps = sampling.plan(0, random.Random(0))
    counts = Counter(task for step in steps for task in step)
    assert sampling.expected_steps() == len(steps)
    assert sampling.expected_shares() == pytest.approx({task: counts[task] / counts.total() for task in SIZES})


def test_note_says_what_is_seen_more_than_once():
    (note,) = RoundRobin(SIZES, TYPES).notes()
    assert note == "b: 4 draws of 2 batches in an epoch: each example is seen 2.0 times in it"
    assert RoundRobin(SIZES, TYPES, until="shortest").notes() == []


def test_problems():
    found = problems_of("sampling", "round_robin", TYPES, {"batches": {"c": 1, "a": 0}})
    assert [problem.where for problem in found] == ["x.batches", "x.batches.a"]
    (joint,) = problems_of("sampling", "round_robin", TYPES, {"batches": {"a": 2}, "joint": True})
    assert "joint" in joint.what
    assert problems_of("sampling", "round_robin", TYPES, {"batches": {"a": 2}}) == []
