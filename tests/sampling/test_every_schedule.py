"""Properties of every schedule, whatever the sizes of tasks, seed and budget."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steady import STEADY

from manyheads import registry
from manyheads.sampling import Change
from manyheads.study.steps import _Budget, _laid_out

SIZES = st.lists(st.integers(1, 25), min_size=1, max_size=4).map(
    lambda sizes: {f"task{index}": size for index, size in enumerate(sizes)}
)
SCHEDULES = {
    "proportional": st.just({}),
    "alternating": st.fixed_dictionaries({"portion": st.floats(0.01, 1.0)}),
    "sequential": st.just({}),
    "round_robin": st.fixed_dictionaries({"until": st.sampled_from(["longest", "shortest"]), "joint": st.booleans()}),
    "weighted": st.fixed_dictionaries(
        {"weights": st.just({"task0": 0.6}), "on_empty": st.sampled_from(["cycle", "drop", "stop"])}
    ),
}
ONCE = ("proportional", "alternating")
"""Schedules whose epoch is one pass over every task."""


def schedule(name, sizes, given_settings):
    method = registry.load("sampling", name)
    made = method(sizes, dict.fromkeys(sizes, "classification"), **given_settings)
    made.epochs = 2.0
    return made


def test_every_schedule_is_looked_at():
    assert set(SCHEDULES) == set(registry.names("sampling"))


@pytest.mark.parametrize("name", SCHEDULES)
@settings(STEADY, max_examples=25)
@given(data=st.data(), sizes=SIZES, seed=st.integers(0, 2**32), epoch=st.integers(0, 3))
def test_a_plan_is_a_function_of_settings_epoch_and_seed(name, data, sizes, seed, epoch):
    chosen = data.draw(SCHEDULES[name])
    before = random.getstate()
    plans = [schedule(name, sizes, chosen).plan(epoch, random.Random(seed)) for _ in range(2)]
    made = schedule(name, sizes, chosen)
    for other in (0, 1):  # what was planned before does not matter
        made.plan(other, random.Random(9))
    assert plans[0] == plans[1] == made.plan(epoch, random.Random(seed))
    assert random.getstate() == before
    for step in plans[0]:
        assert step and set(step) <= set(sizes) and len(set(step)) == len(step)


@pytest.mark.parametrize("name", SCHEDULES)
@settings(STEADY, max_examples=25)
@given(data=st.data(), sizes=SIZES)
def test_expected_shares_add_up_to_one(name, data, sizes):
    made = schedule(name, sizes, data.draw(SCHEDULES[name]))
    shares = made.expected_shares()
    assert set(shares) == set(sizes) and math.isclose(sum(shares.values()), 1) and min(shares.values()) >= 0
    assert made.expected_steps() > 0
    assert all(isinstance(change, Change) and at >= 0 for at, change in made.changes(0).items())


@pytest.mark.parametrize("name", ONCE)
@settings(STEADY, max_examples=25)
@given(data=st.data(), sizes=SIZES, seed=st.integers(0, 2**32))
def test_an_epoch_holds_every_batch_once(name, data, sizes, seed):
    made = schedule(name, sizes, data.draw(SCHEDULES[name]))
    assert Counter(made.plan(0, random.Random(seed))) == {(task,): size for task, size in sizes.items()}


@pytest.mark.parametrize("name", SCHEDULES)
@settings(STEADY, max_examples=20)
@given(
    data=st.data(), sizes=SIZES, batch=st.integers(1, 5), seed=st.integers(0, 99),
    budget=st.one_of(
        st.tuples(st.just("epochs"), st.floats(0.1, 3)), st.tuples(st.just("steps"), st.integers(1, 80)),
        st.tuples(st.just("examples"), st.integers(1, 200)),
    ),
)  # fmt: skip
def test_a_budget_is_kept_to(name, data, sizes, batch, seed, budget):
    kind, amount = budget
    examples = {task: max(1, size * batch - data.draw(st.integers(0, batch - 1))) for task, size in sizes.items()}
    sizes = {task: -(-count // batch) for task, count in examples.items()}
    made = schedule(name, sizes, data.draw(SCHEDULES[name]))
    spending = _Budget(kind, amount, dict.fromkeys(sizes, batch), examples)
    layout = _laid_out(made, seed, spending)
    assert layout.steps and all(0 <= at < len(layout.steps) for at in layout.changes)
    if kind == "steps":
        assert len(layout.steps) == amount
    if kind == "examples":  # the step with which it is spent is the last
        assert spending.seen >= amount and spending.seen - batch * len(layout.steps[-1]) < amount
    longer = _laid_out(
        schedule(name, sizes, {}) if name in ("proportional", "sequential") else made, seed,
        _Budget("steps", len(layout.steps) + 5, dict.fromkeys(sizes, batch), examples),
    )  # fmt: skip
    if name in ("proportional", "round_robin", "weighted"):  # the others spread over the whole run
        assert longer.steps[: len(layout.steps)] == layout.steps
