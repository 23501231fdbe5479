import random
from collections import Counter

import pytest

from manyheads.sampling import Change
from manyheads.sampling.sequential import Sequential

SIZES = {"mnli": 3, "rte": 2}
TYPES = dict.fromkeys(SIZES, "classification")


def sequential(epochs=1.0, **settings):
    sampling = Sequential(SIZES, TYPES, **settings)
    sampling.epochs = epochs
    return sampling


def whole_run(sampling, epochs):
    return [task for epoch in range(epochs) for (task,) in sampling.plan(epoch, random.Random(0))]


def test_all_epochs_of_a_task_come_before_the_next():
    assert whole_run(sequential(2.0), 2) == ["mnli"] * 6 + ["rte"] * 4
    assert whole_run(sequential(2.0, order=["rte", "mnli"]), 2) == ["rte"] * 4 + ["mnli"] * 6


def test_a_run_costs_what_a_proportional_one_costs():
    for epochs in (1, 2, 3, 7):
        assert Counter(whole_run(sequential(float(epochs)), epochs)) == {"mnli": 3 * epochs, "rte": 2 * epochs}


def test_a_budget_that_ends_within_an_epoch():
    # 1.5 epochs: round(4.5) = 4 steps of mnli, 3 of rte; the last task goes on behind the end.
    assert whole_run(sequential(1.5), 2) == ["mnli"] * 4 + ["rte"] * 6


def test_the_second_task_starts_anew_where_it_starts():
    assert sequential(2.0).changes(0) == {0: Change(schedule=(0, 6))}
    assert sequential(2.0).changes(1) == {1: Change(fresh_optimizer=True, schedule=(1, 5))}


def test_schedule_of_a_phase_reaches_past_the_end_of_its_epoch():
    sampling = sequential(4.0, order=["rte", "mnli"])  # rte: steps 0 to 7, mnli: 8 to 19
    assert [sampling.changes(epoch) for epoch in range(4)] == [
        {0: Change(schedule=(0, 8))},
        {3: Change(fresh_optimizer=True, schedule=(3, 15))},
        {},
        {},
    ]


def test_keep_changes_nothing():
    sampling = sequential(2.0, optimizer="keep", schedule="keep")
    assert sampling.changes(0) == sampling.changes(1) == {}


def test_expectations():
    assert sequential().expected_steps() == 5
    assert sequential().expected_shares() == pytest.approx({"mnli": 0.6, "rte": 0.4})


def test_problems():
    (problem,) = Sequential.problems(TYPES, {"order": ["mnli"]}, "s")
    assert problem.found == "rte"
    assert Sequential.problems(TYPES, {"order": ["rte", "mnli"]}, "s") == []
