import itertools

import pytest
from made_up import MadeUp, study_of

from manyheads.analyses._transfer_matrix_checks import pairs, problems
from manyheads.analyses.transfer_matrix import TransferMatrix
from manyheads.results.schema import Comparison

TASKS = ("food", "film", "news")
PAIRS = {"food_film": ("food", "film"), "food_news": ("food", "news"), "film_news": ("film", "news")}
# target, partner -> difference, verdict
CELLS = {
    ("food", "film"): (0.04, "helps"), ("film", "food"): (0.002, "no difference"),
    ("food", "news"): (-0.06, "hurts"), ("news", "food"): (-0.01, "cannot tell"),
    ("film", "news"): (0.01, "helps"), ("news", "film"): (0.03, "cannot tell"),
}  # fmt: skip


def entry(arm: str, task: str, difference: float | None, verdict: str) -> Comparison:
    known = {
        "arm": arm, "task": task, "metric": "accuracy", "headline": True, "difference": difference, "p": 0.02,
        "p_holm": 0.04, "interval": None if difference is None else (difference - 0.02, difference + 0.02),
        "verdict": verdict, "sentence": "", "noise": None, "missable": None, "seeds": 5, "seeds_needed": None,
    }  # fmt: skip
    return Comparison(**known)


def study(cells=CELLS, tasks=TASKS, arms=PAIRS) -> MadeUp:
    rows = {task: [{"id": "1"}] for task in tasks}
    made = MadeUp({"alone": list(tasks), **{arm: list(pair) for arm, pair in arms.items()}}, rows, 5)
    made.comparisons = [
        entry(arm, target, *cells[target, partner])
        for arm, pair in arms.items()
        for target, partner in (pair, pair[::-1])
        if (target, partner) in cells
    ]
    return made


def table(section, name: str):
    return next(part for part in section.parts if getattr(part, "name", "") == name and hasattr(part, "rows"))


def test_each_cell_is_a_task_s_own_difference_beside_its_partner():
    rows = table(TransferMatrix().analyse(study()), "matrix").rows
    assert {(row[0], row[1]): (row[3], row[2]) for row in rows} == CELLS
    assert [[*row[:2], row[-1]] for row in rows[:2]] == [["food", "film", "food_film"], ["food", "news", "food_news"]]
    assert rows[0][4:7] == [pytest.approx(0.02), pytest.approx(0.06), 0.04]


def test_the_finding_names_what_is_sure_the_largest_first():
    expected = (
        "Trained together, film helps food (+4.0), news helps film (+1.0); news hurts food (−6.0); of 6 directions, "
        "1 makes no difference that matters and 2 cannot be told with these seeds and examples."
    )
    assert TransferMatrix().analyse(study()).finding == expected


def test_where_nothing_is_sure_it_says_so():
    unsure = dict.fromkeys(CELLS, (0.01, "cannot tell"))
    section = TransferMatrix().analyse(study(unsure)).finding
    assert section == (
        "Trained together, no task helps another for sure; no task hurts another for sure; of 6 directions, 6 cannot "
        "be told with these seeds and examples."
    )


def test_what_a_task_gains_and_gives_by_hand():
    rows = {row[0]: row[1:] for row in table(TransferMatrix().analyse(study()), "tasks").rows}
    # food gains 4 from film and -6 from news; it gives 0.2 to film and -1 to news.
    assert rows["food"] == [pytest.approx(-0.01), pytest.approx(-0.004), "film", 0.04, "helps"]
    assert rows["news"][2:] == ["film", 0.03, "cannot tell"]


def test_a_pair_that_did_not_finish_leaves_its_cells_open():
    cells = {**CELLS, ("food", "news"): (None, "cannot tell"), ("news", "food"): (None, "cannot tell")}
    section = TransferMatrix().analyse(study(cells))
    assert {row[0]: row[3] for row in table(section, "matrix").rows if row[1] == "food"} == {
        "film": 0.002,
        "news": None,
    }
    figure = next(part for part in section.parts if hasattr(part, "svg"))
    assert "not known" in figure.svg
    nothing = dict.fromkeys(CELLS, (None, "cannot tell"))
    assert TransferMatrix().analyse(study(nothing)).finding.startswith("Nothing can be said yet")


def test_the_heat_map_tells_every_number_and_needs_no_colour():
    figure = TransferMatrix().analyse(study()).parts[0]
    for text in ("▲ +4.0", "▼ −6.0", "+3.0", "+2.0 to +6.0", "gains …", *TASKS):
        assert text in figure.svg
    assert "food with film: +4.0" in figure.alt


def test_two_tasks_in_one_direction_only():
    """A partner that the pair's arm does not score leaves one half of the matrix."""
    found = TransferMatrix().analyse(study({("food", "film"): (0.04, "helps")}))
    assert [row[:2] for row in table(found, "matrix").rows] == [["food", "film"]]
    assert "not trained" in next(part for part in found.parts if hasattr(part, "svg")).svg


def test_a_large_matrix_leaves_the_intervals_to_the_table():
    tasks = [f"task_{letter}" for letter in "abcdef"]
    arms = {f"{one}_{other}": (one, other) for one, other in itertools.combinations(tasks, 2)}
    made = study(dict.fromkeys(itertools.permutations(tasks, 2), (0.04, "helps")), tasks, arms)
    figure = next(part for part in TransferMatrix().analyse(made).parts if hasattr(part, "svg"))
    assert "+2.0 to +6.0" not in figure.svg and figure.svg.count("▲ +4.0") == 30 and "in the table" in figure.reading


def test_pairs_are_the_arms_that_train_two_tasks_and_nothing_else():
    arms = {"alone": TASKS, **PAIRS, "all": TASKS, "turns": ["film", "food"]}
    assert pairs(study_of(arms))["food", "film"] == ["food_film", "turns"]
    assert pairs(study_of(arms), ["turns"]) == {("food", "film"): ["turns"]}
    assert list(pairs(study_of(arms, unscored=["film"]))) == [("food", "news")]


@pytest.mark.parametrize(
    ("changes", "joint", "asked", "message"),
    [
        ({}, None, {"arms": ["food_flm"]}, 'Did you mean "food_film"?'),
        ({}, None, {"arms": ["alone", "food_film"]}, "does not train just two scored tasks together. Found 'alone'."),
        ({}, ["alone", *PAIRS], {}, "the baseline gives each task a model of its own"),
        ({"turns": ["food", "film"]}, None, {}, "several arms train food with film. Found food_f"),
        ({arm: ["food"] for arm in PAIRS}, None, {}, "Write such a study with `manyheads init --"),
    ],
)
def test_a_study_without_such_pairs_is_refused(changes, joint, asked, message):
    made = study_of({"alone": TASKS, **PAIRS, **changes}, joint=joint)
    assert any(message in str(problem) for problem in problems(made, asked, "analyses.transfer_matrix"))


def test_a_study_of_all_pairs_is_let_through():
    assert problems(study().study, {}, "x") == []
    arms = {"alone": TASKS, **PAIRS, "turns": ["food", "film"]}
    assert problems(study_of(arms), {"arms": list(PAIRS)}, "x") == []
