import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_up import MadeUp, classified, study_of
from scipy.stats import binom, binomtest

from manyheads.analyses import DataTable
from manyheads.analyses._changed_answers_checks import problems
from manyheads.analyses._changed_groups import grouped
from manyheads.analyses._changes import Changes, heads
from manyheads.analyses.changed_answers import ChangedAnswers, together
from manyheads.core.problems import StudyError
from manyheads.core.values import HighlightedText
from manyheads.report.drawing import Figure
from manyheads.results.schema import AnalysisTable
from manyheads.runner.analysis_sections import section_entry

# Four seeds, five examples. Better in: 4, 2, 1, 0, 0; worse in: 0, 0, 1, 4, 0.
BEFORE = np.array([[0, 0, 0, 1, 1], [0, 0, 1, 1, 1], [0, 1, 0, 1, 1], [0, 1, 1, 1, 1]])
AFTER = np.array([[1, 1, 1, 0, 1], [1, 1, 0, 0, 1], [1, 1, 0, 0, 1], [1, 1, 1, 0, 1]])


def tables(section) -> dict[str, DataTable]:
    return {part.name: part for part in section.parts if isinstance(part, DataTable)}


def titles(table: DataTable) -> list[str]:
    return [one if isinstance(one, str) else one.title for one in table.columns]


def column(table: DataTable, title: str) -> list:
    return [row[titles(table).index(title)] for row in table.rows]


def test_counts_by_hand():
    changes = Changes(BEFORE.astype(float), AFTER.astype(float), np.ones(5))
    assert changes.better.tolist() == [4, 2, 1, 0, 0] and changes.worse.tolist() == [0, 0, 1, 4, 0]
    assert changes.most == 3
    assert [changes.count(level, 1) for level in (4, 3, 2, 1)] == [1, 1, 2, 2]
    assert [changes.count(level, -1) for level in (4, 3, 2, 1)] == [1, 1, 1, 1]
    assert changes.gained() == 7 / 20 and changes.lost() == 5 / 20
    # Two examples changed 4 times: 1/16 of each by chance. One changed in 2: never by 4 more seeds.
    assert changes.by_chance(4) == pytest.approx(2 / 16)
    # By at least 2 more: of 4 tosses 3 heads or more, 5/16; of 2 tosses both, 1/4 (two such examples).
    assert changes.by_chance(2) == pytest.approx(2 * 5 / 16 + 2 / 4)
    assert changes.sure(4, 1) == pytest.approx(1 - 2 / 16)
    assert changes.sure(2, -1) == 0.0  # one example, where chance gives more


def test_the_finding_says_so_in_a_sentence():
    section = ChangedAnswers().analyse(classified(BEFORE, AFTER))
    expected = "Consistently over 4 seeds, “joint” fixes 1 and breaks 1 of the 5 answers to food "
    assert section.finding == expected + "(chance alone: about 0.1 each)."
    assert section.title == "Answers that changed: alone → joint"


def test_examples_stand_in_the_order_of_how_consistently_they_changed():
    grid = tables(ChangedAnswers(shown=2).analyse(classified(BEFORE, AFTER)))["examples-food"]
    assert column(grid, "id") == ["r0", "r3", "r1", "r2"]
    assert column(grid, "Change") == ["fixed", "broken", "sometimes fixed", "changed both ways"]
    assert column(grid, "Better in") == [4, 0, 2, 1] and column(grid, "Worse in") == [0, 4, 0, 1]
    assert column(grid, "Sure") == [0.875, 0.875, pytest.approx(1 - (10 / 16 + 0.5) / 2), None]
    entry, files = section_entry("x", ChangedAnswers(shown=2).analyse(classified(BEFORE, AFTER)))
    shown = next(part for part in entry.parts if isinstance(part, AnalysisTable) and part.name == "examples-food")
    assert len(shown.rows) == 2 and shown.total == 4
    assert len(files["analyses/x/examples-food.csv"].decode().splitlines()) == 5


SCORES = arrays(np.float64, (3, 7), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


@settings(max_examples=60, deadline=None)
@given(SCORES, SCORES)
def test_gains_and_losses_add_up_to_the_difference_of_the_scores(before, after):
    """Of accuracy and of F1, in all and in every group: the groups of one kind weighted by how many they hold."""
    changes = Changes(before, after, np.ones(7))
    difference = np.mean([one.mean() for one in after]) - np.mean([one.mean() for one in before])
    assert changes.difference() == pytest.approx(difference, abs=1e-12)
    assert changes.gains.sum() / 7 == pytest.approx(difference, abs=1e-12)
    inside = np.arange(7) < 3
    parts = [changes.part(inside), changes.part(~inside)]
    assert sum(part.difference() * part.total for part in parts) / 7 == pytest.approx(difference, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(arrays(np.int64, (5, 12), elements=st.integers(0, 1)), arrays(np.int64, (5, 12), elements=st.integers(0, 1)))
def test_the_report_s_counts_are_those_of_the_scores(before, after):
    found = tables(ChangedAnswers().analyse(classified(before, after)))
    counts, difference = found["counts"], after.mean() - before.mean()
    gained, lost = column(counts, "Gained")[0], column(counts, "Lost")[0]
    assert gained + lost == pytest.approx(column(counts, "Difference")[0]) == pytest.approx(difference, abs=1e-12)
    assert column(counts, "joint")[0] - column(counts, "alone")[0] == pytest.approx(difference, abs=1e-12)
    better, worse = (sum(column(found["examples-food"], title)) for title in ("Better in", "Worse in"))
    assert (better - worse) / before.size == pytest.approx(difference, abs=1e-12)
    for by in {row[0] for row in found["groups-food"].rows}:
        rows = [row for row in found["groups-food"].rows if row[0] == by]
        assert sum(row[2] for row in rows) == 12
        assert sum(row[2] * row[5] for row in rows) / 12 == pytest.approx(difference, abs=1e-12)


@pytest.mark.parametrize(("tosses", "least"), [(0, 0), (0, 1), (1, 1), (5, 5), (5, 3), (8, 6)])
def test_heads_against_scipy(tosses, least):
    assert heads(tosses, least) == pytest.approx(binom.sf(least - 1, tosses, 0.5))


def test_with_one_seed_chance_is_that_of_mcnemar():
    """Under one seed b fixed and c broken; chance expects (b + c) / 2 of each, the mean of McNemar's exact test."""
    before, after = np.zeros((1, 96)), np.zeros((1, 96))
    after[0, :60], before[0, 60:] = 1, 1
    changes = Changes(before, after, np.ones(96))
    assert (changes.count(1, 1), changes.count(1, -1), changes.by_chance(1)) == (60, 36, 48)
    assert binomtest(60, 96).pvalue == pytest.approx(0.01843, abs=1e-5)
    section = ChangedAnswers().analyse(classified(before, after))
    assert section.finding.startswith("With one seed, “joint” fixes 60 and breaks 36 of the 96 answers")
    assert "may be due to that seed alone" in section.parts[0]


def test_arms_that_differ_by_chance_change_as_many_as_chance_says():
    rng = np.random.default_rng(0)
    ease = rng.uniform(size=4000)
    before, after = (rng.uniform(size=(5, 4000)) < ease for _ in range(2))
    changes = Changes(before.astype(float), after.astype(float), np.ones(4000))
    for level in (1, 2, 3):
        expected = changes.by_chance(level)
        for sign in (1, -1):
            assert abs(changes.count(level, sign) - expected) < 4 * math.sqrt(expected)


def test_the_interval_is_that_of_the_comparison():
    rng = np.random.default_rng(1)
    before = (rng.uniform(size=(5, 300)) < 0.6).astype(float)
    after = (rng.uniform(size=(5, 300)) < 0.8).astype(float)
    changes = Changes(before, after, np.ones(300))
    low, high = changes.interval()
    assert low < changes.difference() < high and low > 0
    clustered = changes.interval([f"c{at // 30}" for at in range(300)])
    assert clustered is not None and changes.part(np.arange(300) == 0).interval() is None


# ---- spans, words, choices -------------------------------------------------------------------------------------------

CONTEXT = "It evolved into Modern English. Before, it was Old English."
SPANS = [
    {"id": "q1", "question": "What was its final form?", "context": CONTEXT, "cluster": "a",
     "answers": {"text": ["Modern English", "English"], "answer_start": [16, 23]}},
    {"id": "q2", "question": "And who spoke it?", "context": CONTEXT, "cluster": "a",
     "answers": {"text": [], "answer_start": []}},
]  # fmt: skip


def spans() -> MadeUp:
    made = MadeUp({"alone": ["qa"], "joint": ["qa"]}, {"qa": SPANS}, 2, "span")
    made.answer("alone", "qa", np.array([[0.0, 1.0], [0.0, 1.0]]), "f1", answer=["", ""])
    made.answer("joint", "qa", np.array([[1.0, 0.0], [0.5, 0.0]]), "f1", answer=["Modern English", "Old <b>English"])
    for arm, exact in (("alone", [[0, 1], [0, 1]]), ("joint", [[1, 0], [0, 0]])):
        made.answer(arm, "qa", np.array(exact, float), "exact")
    return made


def test_a_span_is_shown_with_question_context_gold_and_both_answers():
    found = ChangedAnswers().analyse(spans())
    grid = tables(found)["examples-qa"]
    first, second = (dict(zip(titles(grid), row, strict=True)) for row in grid.rows)
    assert (first["id"], second["id"]) == ("q2", "q1")  # broken by 1 in each seed, before 0.75 on average
    assert second["Question"] == "What was its final form?" and second["Right answer"] == "Modern English | English"
    assert (second["alone"], second["joint"]) == ("(no answer)", "Modern English")
    context = second["Context"]
    assert isinstance(context, HighlightedText) and context.text[context.start : context.end] == "Modern English"
    assert (first["Right answer"], first["Change"]) == ("(no answer)", "worsened")
    assert (first["Answerable"], second["Answerable"]) == ("has no answer", "has an answer")
    assert first["Context"].start == first["Context"].end == 0
    assert column(tables(found)["counts"], "Metric") == ["f1"]


def test_another_metric_may_be_asked_for():
    grid = tables(ChangedAnswers(metrics={"qa": "exact"}).analyse(spans()))["counts"]
    assert (column(grid, "Metric"), column(grid, "Difference")) == (["exact"], [pytest.approx(-0.25)])
    with pytest.raises(StudyError, match=r'exat.*Did you mean "exact"'):
        ChangedAnswers(metrics={"qa": "exat"}).analyse(spans())


def test_a_score_of_words_counts_words():
    rows = [{"id": str(at), "words": ["a", "b", "c"][: at + 1], "tags": ["X"] * (at + 1)} for at in range(3)]
    made = MadeUp({"alone": ["pos"], "joint": ["pos"]}, {"pos": rows}, 1, "tagging")
    for arm, right in (("alone", [1, 1, 1]), ("joint", [1, 2, 3])):
        items = np.array([[[right[at], at + 1] for at in range(3)]], float)
        found = np.array([[[2 * right[at], at + 1 + right[at]] for at in range(3)]], float)
        tags = [["X"] * right[at] + ["Y"] * (at + 1 - right[at]) for at in range(3)]
        made.answer(arm, "pos", found, "f1", "ratio", tags=tags)  # its weights change with the answers: passed over
        made.answer(arm, "pos", items, "accuracy", "ratio")
    grid = tables(ChangedAnswers().analyse(made))["counts"]
    assert (column(grid, "Metric"), column(grid, "Difference")) == (["accuracy"], [pytest.approx(3 / 6)])


def test_a_task_without_a_sum_is_left_out_and_named():
    made = classified(BEFORE, AFTER)
    made.kinds["food"] = {"accuracy": "matthews"}
    section = ChangedAnswers().analyse(made)
    assert section.finding.endswith("no metric of food is a sum over its examples (accuracy, accuracy).")
    assert section.parts == []


def test_seeds_that_only_one_arm_finished_are_left_out():
    made = classified(BEFORE, AFTER)
    del made.lines["joint", 0, "food"]
    assert "over 3 seeds" in ChangedAnswers().analyse(made).finding
    for seed in (1, 2, 3):
        del made.lines["joint", seed, "food"]
    assert "no seed of both arms finished on food" in ChangedAnswers().analyse(made).finding


def test_the_figure_names_every_group_and_is_a_drawing():
    figure = next(
        part for part in ChangedAnswers().analyse(classified(BEFORE, AFTER)).parts if isinstance(part, Figure)
    )
    for name in ("Length", "Gold label", "good", "bad", "+1 −0", "better →"):
        assert name in figure.svg
    assert isinstance(figure.inline(), str)


def test_answers_of_several_seeds():
    assert together(["a", "a"]) == "a"
    assert together(["a", "b", "b", "c"]) == "b\xa0×2 / a\xa0×1 / …"


def test_lengths_make_four_groups_that_hold_everything():
    made = classified(np.zeros((1, 40), int), np.ones((1, 40), int))
    names = grouped(made.table("food").rows, made.head("food"))["Length"]
    assert list(dict.fromkeys(names)) == ["1 to 10 words", "11 to 20 words", "21 to 30 words", "31 to 40 words"]
    assert all(int(name.split()[0]) <= at + 1 <= int(name.split()[2]) for at, name in enumerate(names))


# ---- what may be asked for -------------------------------------------------------------------------------------------

ARMS = {"alone": ["food", "film"], "joint": ["food"], "other": ["film"]}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {},
            'it compares two arms, and does not know which. Found 3 in the study. For example arms = ["alone",',
        ),
        ({"arms": ["alone"]}, "should name two arms"),
        ({"arms": ["alone", "alone"]}, "should name two arms"),
        ({"arms": ["alone", "joined"]}, 'Did you mean "joint"?'),
        ({"arms": ["joint", "other"]}, "train no scored task together"),
        ({"arms": ["alone", "joint"], "tasks": ["film"]}, "Found 'film'"),
        ({"arms": ["alone", "joint"], "metrics": {"fod": "accuracy"}}, 'Did you mean "food"?'),
    ],
)
def test_what_does_not_fit_the_study_is_section_entry(asked, message):
    assert any(message in str(problem) for problem in problems(study_of(ARMS), asked, "analyses.changed_answers"))


def test_what_fits_is_let_through():
    assert problems(study_of(ARMS), {"arms": ["alone", "joint"], "tasks": ["food"], "shown": 0}, "x") == []
    assert problems(study_of({name: ARMS[name] for name in ("alone", "joint")}), {}, "x") == []
