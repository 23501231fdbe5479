"""How large a study may be: what is more is refused with the number and the limit, and the plan is arithmetic."""

import hashlib
import itertools
import json
from collections import Counter
from dataclasses import replace

import pytest
from settings_battery import base, write

from manyheads.core.problems import StudyError
from manyheads.study import estimate
from manyheads.study.estimate import planned
from manyheads.study.limits import MOST_RUNS
from manyheads.study.parser import read_study
from manyheads.study.spec import MOST_STEPS, Budget, Choice
from manyheads.study.steps import extent, layout, runs

EXAMPLES = {"a": 333, "b": 1000, "c": 61}
STUDY = """
question = "q"
seeds = [1, 7]
encoder = { name = "bag_of_words" }
[tasks]
a = { dataset = { name = "small_world", subset = "film_sentiment" }, head.name = "classification", batch_size = 7 }
b = { dataset = { name = "small_world", subset = "food_sentiment" }, head.name = "classification" }
c = { dataset = { name = "small_world", subset = "questions" }, head.name = "span" }
[arms]
joint = {}
alone = { models = "one per task" }
match = { models = "one per task", match = "steps" }
"""
SAMPLINGS = [
    Choice("proportional"),
    Choice("alternating"),
    Choice(
        "alternating",
        {"portion": 0.13, "order": ["c", "a", "b"], "head": "fresh", "optimizer": "restart", "schedule": "restart"},
    ),
    Choice("sequential"),
    Choice("sequential", {"order": ["b", "c", "a"], "schedule": "keep"}),
    Choice("round_robin"),
    Choice("round_robin", {"joint": True}),
    Choice("round_robin", {"batches": {"a": 3, "c": 2}, "until": "shortest"}),
    Choice("weighted", {"weights": {"a": 0.5}}),
    Choice("weighted", {"weights": {"span": 0.3}, "per": "type", "on_empty": "drop"}),
    Choice("weighted", {"weights": {"a": 0.2, "b": 0.5, "c": 0.1}, "ends": "c", "on_empty": "stop"}),
]
BUDGETS = [
    Budget(steps=1), Budget(steps=123), Budget(epochs=0.3), Budget(epochs=2.0), Budget(epochs=3.7), Budget(examples=1),
    Budget(examples=2345),
]  # fmt: skip
GOLDEN = "3a7f9a1b72a20cea19723f426f07ee83f0145ed43d5c73be34a63dc183bdd11e"
"""Of 1,078 layouts, as they were when every step of a study was laid out to plan it (commit dda4834)."""


@pytest.fixture(autouse=True)
def no_measurement(monkeypatch):
    monkeypatch.setattr(estimate, "_matrix_product_speed", lambda: 1e11)


@pytest.fixture
def studies(tmp_path):
    (tmp_path / "s.toml").write_text(STUDY)
    study = read_study(tmp_path / "s.toml")
    return [
        (sampling, budget, replace(study, arms={
            name: replace(arm, sampling=sampling, budget=budget) for name, arm in study.arms.items()
        }))
        for sampling, budget in itertools.product(SAMPLINGS, BUDGETS)
    ]  # fmt: skip


def test_layouts_are_bit_for_bit_what_they_were(studies):
    found = {}
    for sampling, budget, study in studies:
        for run in runs(study):
            one = layout(run, study, EXAMPLES)
            schedules = [tuple(one.schedule(step)) for step in range(len(one.steps))]
            content = repr((list(one.steps), sorted(one.changes.items()), schedules))
            key = f"{sampling.name}{sampling.settings}{budget.given}{run.path}"
            found[key] = hashlib.sha256(content.encode()).hexdigest()[:12]
    assert len(found) == 1078
    assert hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest() == GOLDEN


def test_the_extent_of_a_run_is_that_of_its_layout(studies):
    for sampling, budget, study in studies:
        if sampling.name == "weighted":  # drawn at random
            continue
        for run in runs(study)[:7]:
            steps, expected = layout(run, study, EXAMPLES).steps, extent(run, study, EXAMPLES)
            if budget.examples:  # how many a batch holds depends on which are the last of a pass
                assert expected.steps == pytest.approx(len(steps), rel=0.1, abs=1)
                continue
            assert expected.steps == len(steps)
            if not run.task and sampling.name in ("alternating", "round_robin"):
                counts = Counter(task for step in steps for task in step)
                assert {task: counts[task] for task in study.tasks} == expected.batches


def refused(tmp_path, table) -> str:
    with pytest.raises(StudyError) as caught:
        planned(write(table, tmp_path), None, None)
    return str(caught.value)


@pytest.mark.parametrize(
    "budget",
    [
        {"steps": MOST_STEPS + 1}, {"steps": 10**9}, {"steps": 2**62}, {"epochs": 1e7}, {"epochs": 1e300},
        {"examples": 10**12}, {"examples": 2**62},
    ],
)  # fmt: skip
@pytest.mark.parametrize("match", [False, True])
def test_a_budget_that_is_absurd(tmp_path, budget, match):
    table = base() | {"budget": budget}
    if match:
        table["arms"]["alone"] = {"models": "one per task", "match": "steps"}
    text = refused(tmp_path, table)
    assert "5,000,000" in text or "5000000" in text
    assert "budget" in text and "Found" in text


@pytest.mark.parametrize(
    "sampling",
    [
        {"name": "weighted", "weights": {"a": 1e-7}, "ends": "a"},
        {"name": "weighted", "weights": {"a": 5e-324}, "ends": "a"},
        {"name": "weighted", "weights": {"classification": 1.0, "span": 0.0}, "per": "type", "ends": "span"},
        {"name": "weighted", "weights": {"a": 1e308, "b": 1e308}},
        {"name": "round_robin", "batches": {"a": 2**62}},
        {"name": "round_robin", "batches": {"a": 2**62}, "until": "shortest"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("budget", [{"steps": 3}, {"epochs": 1e-9}])
def test_an_epoch_that_never_ends(tmp_path, sampling, budget):
    assert "arms.joint.sampling" in refused(tmp_path, base(sampling=sampling) | {"budget": budget})


@pytest.mark.parametrize("sampling", ["proportional", "alternating", "sequential", "round_robin"])
def test_the_longest_run_is_planned_without_a_layout(tmp_path, sampling):
    plan = planned(write(base(sampling={"name": sampling}) | {"budget": {"steps": MOST_STEPS}}, tmp_path), None, None)
    assert plan["arms"]["joint"]["steps"] == {"all": MOST_STEPS}


def test_as_many_seeds_as_there_may_be_runs(tmp_path):
    assert f"at most {MOST_RUNS:,} runs" in refused(tmp_path, base() | {"seeds": list(range(100_000))})
    assert planned(write(base() | {"seeds": list(range(MOST_RUNS))}, tmp_path), None, None)["runs"] == MOST_RUNS


def test_sweeps(tmp_path):
    rates = {"training": {"learning_rate": [index / 1000 for index in range(1, 1001)]}}
    assert planned(write(base(sweep=rates), tmp_path), None, None)["runs"] == 1000
    many = base()
    many["arms"] |= {f"x{index}": {"sweep": rates} for index in range(11)}
    assert "11,001 arms" in refused(tmp_path, many)
    assert "at most 100 encoders" in refused(tmp_path, base(sweep={"encoder": {"width": list(range(1, 102))}}))


def test_tasks_without_a_common_word(tmp_path):
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + "uno\tx\ndos\ty\n" * 3)
    (tmp_path / "b.tsv").write_text("text\tlabel\n" + "one\tx\ntwo\ty\n" * 3)
    table = base()
    for name, task in table["tasks"].items():
        task |= {"report": "train", "dataset": {"name": "table", "train": f"{name}.tsv"}}
    assert "no word occurs in the training split of every task" in refused(tmp_path, table)


def test_more_parameters_than_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("manyheads.study.flops.memory", lambda: 10**6)
    text = refused(tmp_path, base(encoder={"name": "bag_of_words", "width": 60_000}))
    assert "encoder: more than this machine has memory for" in text and "GB of 0.0" in text
