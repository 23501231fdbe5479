from collections import Counter
from dataclasses import replace

import pytest

from manyheads.study.parser import read_study
from manyheads.study.spec import Budget, TrainingSettings
from manyheads.study.steps import Run, layout, runs

STUDY = """
question = "?"
seeds = [1, 2]
budget = { epochs = 2 }
[tasks.a]
dataset = { name = "glue", subset = "sst2" }
head = { name = "classification" }
[tasks.b]
dataset = { name = "squad" }
head = { name = "span" }
[arms.alone]
models = "one per task"
[arms.longer]
models = "one per task"
match = "steps"
[arms.joint]
[arms.only_a]
sampling = { name = "weighted", weights = { a = 1.0, b = 0.0 } }
[arms.turns]
sampling = { name = "alternating", order = ["b", "a"], portion = 0.5 }
"""
EXAMPLES = {"a": 320, "b": 128}


@pytest.fixture
def study(tmp_path):
    (tmp_path / "s.toml").write_text(STUDY)
    return read_study(tmp_path / "s.toml")


def run_of(study, path: str) -> Run:
    return next(run for run in runs(study) if run.path == path)


def steps_of(study, path: str) -> list[tuple[str, ...]]:
    return list(layout(run_of(study, path), study, EXAMPLES).steps)


def test_the_runs_of_a_study(study):
    paths = [run.path for run in runs(study)]
    assert paths[:2] == ["alone/1/a", "alone/1/b"]
    assert len(paths) == 2 * (2 + 2 + 1 + 1 + 1) == len(set(paths))


def test_epochs_are_passes(study):
    assert steps_of(study, "alone/1/a") == [("a",)] * 20
    assert Counter(steps_of(study, "joint/1")) == {("a",): 20, ("b",): 8}


def test_match_steps_is_the_longest_joint_arm(study):
    assert len(steps_of(study, "longer/1/a")) == len(steps_of(study, "longer/1/b")) == 28


def test_weight_one_is_the_task_alone(study):
    assert steps_of(study, "only_a/1") == steps_of(study, "alone/1/a")


def test_a_layout_is_a_function_of_the_seed(study):
    assert steps_of(study, "joint/1") == steps_of(study, "joint/1")
    assert steps_of(study, "joint/1") != steps_of(study, "joint/2")


def test_turns(study):
    epoch = [("b",)] * 2 + [("a",)] * 5 + [("b",)] * 2 + [("a",)] * 5
    assert steps_of(study, "turns/1") == epoch * 2


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (Budget(steps=17), 17),
        (Budget(examples=320), 10),
        (Budget(epochs=0.5), 7),
        (Budget(epochs=1.5), 21),
    ],
)
def test_budgets(study, budget, expected):
    run = run_of(study, "joint/1")
    assert len(layout(replace(run, arm=replace(run.arm, budget=budget)), study, EXAMPLES).steps) == expected


def test_examples_are_counted_as_they_are(study):
    # 33 rows in batches of 32 are passes of 32 and 1.
    run = run_of(study, "alone/1/a")
    run = replace(run, arm=replace(run.arm, budget=Budget(examples=66)))
    assert len(layout(run, study, {"a": 33, "b": 128}).steps) == 4


def test_an_arm_may_have_batches_of_its_own(study):
    run = run_of(study, "alone/1/a")
    run = replace(run, arm=replace(run.arm, training=TrainingSettings(batch_size=8)))
    assert len(layout(run, study, EXAMPLES).steps) == 2 * 40


@pytest.mark.parametrize("budget", [Budget(steps=500), Budget(examples=5000), Budget(epochs=0.5), Budget(epochs=3)])
def test_sequential_reaches_its_last_task_and_its_schedules_end_in_time(study, budget):
    run = run_of(study, "joint/1")
    sampling = replace(run.arm.sampling, name="sequential", settings={"order": ["a", "b"], "schedule": "restart"})
    found = layout(replace(run, arm=replace(run.arm, budget=budget, sampling=sampling)), study, {"a": 3200, "b": 3200})
    assert {task for step in found.steps for task in step} == {"a", "b"}
    schedules = [change.schedule for change in found.changes.values() if change.schedule]
    assert schedules[-1][1] == len(found.steps)
    assert all(start < end <= len(found.steps) for start, end in schedules)
