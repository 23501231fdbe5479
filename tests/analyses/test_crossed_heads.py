"""Heads crossed: with heads that are known, with tasks that are known to be alike or opposed, and the probe."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import study_of
from planted_words import Models, planted, trained
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from manyheads.analyses import DataTable, FinishedRun
from manyheads.analyses._crossed_answers import PENALTY, Row, majority, probe_answers, refusal, scores
from manyheads.analyses._crossed_heads_checks import crossings, problems
from manyheads.analyses.crossed_heads import CrossedHeads
from manyheads.core.values import Table
from manyheads.report.drawing import Figure
from manyheads.runner.analysis_sections import section_entry
from manyheads.training.prediction import predict

# ---- the parts -------------------------------------------------------------------------------------------------------


def test_scores_by_hand():
    """Four texts, two of each class; one seed ranks all rightly with its threshold off, one half of them."""
    gold = np.array([0, 0, 1, 1])
    second = {1: [0.6, 0.7, 0.8, 0.9], 2: [0.1, 0.9, 0.2, 0.8]}
    row = Row("a", "b", "x", "crossed", {seed: np.stack([1 - np.array(p), p], 1) for seed, p in second.items()})
    found = scores([row], gold, None)[0]
    assert (
        found.accuracy.value == 0.5
        and found.auc == pytest.approx((1 + 0.5) / 2)
        and found.second == 0.75
        and found.auc_interval is None
    )
    assert majority(gold) == 0.5 and majority(np.array([0, 2, 2, 1, 2])) == 0.6


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_scores_against_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    gold = rng.permutation(np.repeat([0, 1], 15))
    given = rng.dirichlet([1, 1], (2, 30))
    row = Row("a", "b", "x", "own", dict(enumerate(given)))
    found = scores([row, replace(row, kind="crossed")], gold, [f"c{at // 3}" for at in range(30)])
    areas = [roc_auc_score(gold, one[:, 1]) for one in given]
    for one in found:
        assert one.auc == pytest.approx(np.mean(areas))
        assert one.accuracy.value == pytest.approx(np.mean([(each.argmax(1) == gold).mean() for each in given]))
        assert one.accuracy.units == 10
    three = Row("a", "b", "x", "own", {0: rng.dirichlet([1, 1, 1], 30)})
    assert scores([three], gold, None)[0].auc is None


@pytest.mark.parametrize("classes", [2, 3])
def test_the_probe_has_the_least_penalised_cross_entropy(classes):
    rng = np.random.default_rng(0)
    states, labels = rng.normal(3, 2, (300, 4)), rng.integers(0, classes, 300)
    states[:, 0] += 2 * labels
    states[:, 3] = 1.0  # says nothing, and has no spread
    scaled = (states - states.mean(0)) / np.where(states.std(0) > 0, states.std(0), 1.0)

    def logits(flat: np.ndarray) -> np.ndarray:
        weights = flat.reshape(5, classes)
        return scaled @ weights[:4] + weights[4]

    def loss(flat: np.ndarray) -> float:
        entropy = -log_softmax(logits(flat), axis=1)[np.arange(300), labels].mean()
        return entropy + PENALTY / 2 * (flat.reshape(5, classes)[:4] ** 2).sum()

    least = minimize(loss, np.zeros(5 * classes), tol=1e-10).x
    assert probe_answers(states, labels, states, classes) == pytest.approx(softmax(logits(least), axis=1), abs=1e-4)


def test_a_probe_of_parted_or_missing_classes_is_finite():
    states = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    found = probe_answers(states, np.array([0, 0, 1, 1]), states, 2)
    assert found.argmax(1).tolist() == [0, 0, 1, 1] and (found > 1e-6).all()
    assert probe_answers(states, np.array([0, 0, 2, 2]), states, 3)[:, 1].tolist() == [0, 0, 0, 0]
    assert probe_answers(states, np.array([1, 1, 1, 1]), states, 2).tolist() == [[0, 1]] * 4


# ---- studies ---------------------------------------------------------------------------------------------------------


class Answered(Models):
    """Models with their answers to their own tasks."""

    def answers(self, run: FinishedRun, task: str) -> list[dict[str, Any]]:
        return self.predict(run, task, self.tables[task])

    def predict(self, run: FinishedRun, task: str, table: Table) -> list[dict[str, Any]]:
        asked = [name for name in table.rows.column_names if name != "label"]
        given = replace(table, rows=table.rows.select_columns(asked), labelled=False)
        return predict(self.model(run), {task: self.encoded(run, task, given)})[task]


@pytest.fixture(scope="module")
def made() -> Answered:
    """Two tasks of the same words: what speaks for a class in one speaks against it in the other."""
    tables = {"one": planted(0, 400), "two": planted(1, 400, swapped=True)}
    models = {
        ("alone", task, seed): trained({task: table}, seed) for task, table in tables.items() for seed in range(2)
    }
    models |= {("joint", "", seed): trained(tables, seed) for seed in range(2)}
    return Answered(models, tables)


def table(section: Any) -> DataTable:
    return next(part for part in section.parts if isinstance(part, DataTable))


def by_row(section: Any) -> dict[tuple[str, str, str], list[Any]]:
    return {(row[0], row[2], row[3]): row for row in table(section).rows}


OTHER, OWN, PROBE = "the other head", "its own head", "a probe on the other's encoder"


def test_heads_of_opposed_tasks_answer_wrongly_and_the_probe_rightly(made):
    section = CrossedHeads().analyse(made)
    rows = by_row(section)
    for task in ("one", "two"):
        most = rows[task, OTHER, "alone"][11]
        assert rows[task, OWN, "alone"][4] > 0.9 and rows[task, OWN, "joint"][4] > 0.9
        assert rows[task, OTHER, "alone"][4] < 0.1 and rows[task, OTHER, "alone"][7] < 0.05
        assert rows[task, OTHER, "joint"][4] < 0.1
        assert rows[task, PROBE, "alone"][4] > 0.9 and 0.5 <= most < 0.8
        assert (task, PROBE, "joint") not in rows
        assert all(row[5] <= row[4] <= row[6] for key, row in rows.items() if key[0] == task)
    assert section.finding.startswith("Of the texts of one the head of two gets ")
    entry, _ = section_entry("crossed_heads", section)
    assert sum(isinstance(part, Figure) for part in section.parts) == 1 and entry.failed is None


def test_what_a_head_says_is_what_the_model_predicts(made):
    run = made.finished("alone", "two")[0]
    answers = made.predict(run, "two", made.tables["one"])
    right = [one["label"] == gold for one, gold in zip(answers, made.tables["one"].rows["label"], strict=True)]
    few = Answered({key: model for key, model in made.models.items() if key[2] == 0}, made.tables)
    row = by_row(CrossedHeads(probed=0).analyse(few))["one", OTHER, "alone"]
    assert row[4] == pytest.approx(np.mean(right)) and row[12] == 1
    assert row[10] == pytest.approx(np.mean([one["label"] == "good" for one in answers]))


def test_the_same_task_twice_crosses_as_well_as_it_answers(made):
    tables = {"one": made.tables["one"], "two": planted(7, 400)}
    models = {("alone", task, 0): trained({task: table}, 0) for task, table in tables.items()}
    rows = by_row(CrossedHeads(probed=0).analyse(Answered(models, tables)))
    for task in tables:
        assert rows[task, OTHER, "alone"][4] > 0.88
        assert abs(rows[task, OTHER, "alone"][4] - rows[task, OWN, "alone"][4]) < 0.08


def test_a_shifted_threshold_shows_in_the_auc(made):
    """The blog's accuracy below chance: the order is right, but all is said to be of one class."""
    tables = {"one": made.tables["one"], "two": planted(7, 400)}
    models = {("alone", task, 0): trained({task: table}, 0) for task, table in tables.items()}
    with torch.no_grad():
        models["alone", "two", 0].head("two").output.bias += torch.tensor([-4.0, 4.0])
    row = by_row(CrossedHeads(probed=0).analyse(Answered(models, tables)))["one", OTHER, "alone"]
    assert row[4] <= row[11] and row[7] > 0.95 and row[10] == 1.0


def test_a_probe_sees_every_class_of_a_sorted_split(made):
    order = np.argsort(made.tables["one"].rows["label"], kind="stable")
    sorted_one = replace(made.tables["one"], rows=made.tables["one"].rows.select(order.tolist()))
    few = Answered({key: model for key, model in made.models.items() if key[2] == 0}, made.tables | {"one": sorted_one})
    assert by_row(CrossedHeads(probed=60).analyse(few))["one", PROBE, "alone"][4] > 0.8


def test_other_classes_are_not_crossed_unless_their_order_means_the_same(made):
    rows = made.tables["two"].rows.map(lambda row: {"label": {"bad": "neg", "good": "pos"}[row["label"]]})
    tables = made.tables | {"two": Table(rows, ("neg", "pos"))}
    study = Answered({key: model for key, model in made.models.items() if key[2] == 0}, tables)
    refused = CrossedHeads().analyse(study)
    assert refused.parts == [] and refused.finding.startswith("No head can be given another task's texts.")
    assert "the classes of one (bad, good) are not those of two (neg, pos). Set by_order = true" in refused.finding
    for task in ("alone", "two", 0), ("joint", "", 0):
        study.models[task].head("two").names[:] = ["neg", "pos"]
    try:
        section = CrossedHeads(by_order=True, probed=0).analyse(study)
    finally:
        for task in ("alone", "two", 0), ("joint", "", 0):
            study.models[task].head("two").names[:] = ["bad", "good"]
    said = "The classes of one (bad, good) and the classes of two (neg, pos) are taken for the same, in this order."
    assert said in section.parts
    assert by_row(section)["one", OTHER, "alone"][4] == pytest.approx(
        by_row(CrossedHeads(probed=0).analyse(
            Answered({key: model for key, model in made.models.items() if key[2] == 0}, made.tables)
        ))["one", OTHER, "alone"][4]
    )  # fmt: skip


def test_classes_of_another_number_are_never_crossed():
    labels = {"a": ("x", "y"), "b": ("x", "y", "z")}
    assert refusal(labels, ("a", "b"), by_order=True) == "the classes of a (x, y) are not those of b (x, y, z)."
    assert refusal({"a": ("x", "y"), "b": ("x", "y")}, ("a", "b"), by_order=False) is None


def test_nothing_trained_says_so(made):
    made_up = Answered(made.models, made.tables)
    made_up.finished = lambda arm="", task="": []  # type: ignore[method-assign]
    assert "No run of two such tasks has finished." in CrossedHeads().analyse(made_up).finding


# ---- what does not fit -----------------------------------------------------------------------------------------------

STUDY = study_of({"alone": list("abcd"), "joint": ["a", "b", "d"], "few": ["c", "d"]}, heads={"d": "span"})


def test_by_default_tasks_that_an_arm_trains_jointly_are_crossed():
    assert crossings(STUDY, (), ()) == [("a", "b"), ("b", "a")]
    assert len(crossings(STUDY, ("alone",), ())) == 6 and crossings(STUDY, ("few",), ()) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"arms": ["jiont"]}, 'Did you mean "joint"?'),
        (
            {"tasks": ["a", "d"]},
            'only heads of this kind can be crossed: classification. Found d, whose head is "span"',
        ),
        ({"arms": ["few"]}, "there are no two tasks with a classification head that these arms train"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given, message):
    assert message in str(problems(STUDY, given, "x")[0])
    assert problems(STUDY, {}, "x") == []


def test_the_interval_of_one_seed_is_that_of_its_texts():
    rng = np.random.default_rng(0)
    right = rng.random(2000) < 0.8
    row = Row("a", "b", "x", "own", {0: np.stack([~right, right], 1).astype(float)})
    low, high = scores([row], np.ones(2000, int), None)[0].accuracy.interval()
    assert high - low == pytest.approx(2 * norm.ppf(0.975) * np.sqrt(right.mean() * (1 - right.mean()) / 2000), rel=0.1)
