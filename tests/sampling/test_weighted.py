import math
import random
from collections import Counter

import pytest
from asked import problems_of
from scipy.stats import chisquare

from manyheads.core.problems import StudyError
from manyheads.sampling.weighted import Weighted

SIZES = {"squad": 8, "mnli": 20, "cola": 3, "mrpc": 2}
TYPES = {"squad": "span", "mnli": "classification", "cola": "classification", "mrpc": "classification"}
# The sizes of S4 in batches of 16, with its weight of 0.8 for question answering.
REPORT = {"squad": 8145, "swag": 4597, "mnli": 24544, "cola": 535, "mrpc": 230}
REPORT_TYPES = {"squad": "span", "swag": "choice", **dict.fromkeys(("mnli", "cola", "mrpc"), "classification")}


def counts(sampling, seed=0):
    return Counter(task for (task,) in sampling.plan(0, random.Random(seed)))


def test_ten_thousand_epochs_hold_all_of_squad_and_the_others_by_weight():
    sampling = Weighted(SIZES, TYPES, weights={"squad": 0.5, "mnli": 0.3, "cola": 0.15, "mrpc": 0.05})
    rng, drawn = random.Random(0), Counter()
    for epoch in range(10_000):
        plan = Counter(task for (task,) in sampling.plan(epoch, rng))
        assert plan["squad"] == SIZES["squad"]
        drawn += plan
    # Given how many others there were, each of them is an independent draw with these probabilities.
    others = ["mnli", "cola", "mrpc"]
    total = sum(drawn[task] for task in others)
    assert chisquare([drawn[task] for task in others], [total * share for share in (0.6, 0.3, 0.1)]).pvalue > 0.01
    # The number of others in an epoch is negative binomial: mean n (1 - W) / W = 8, variance n (1 - W) / W^2 = 16.
    assert total / 10_000 == pytest.approx(8, abs=4 * math.sqrt(16 / 10_000))
    assert sampling.expected_steps() == pytest.approx(16)
    assert sampling.expected_shares() == pytest.approx({"squad": 0.5, "mnli": 0.3, "cola": 0.15, "mrpc": 0.05})


@pytest.mark.parametrize("weights", [{"squad": 1.0}, {"squad": 0.7, "mnli": 0.0, "cola": 0.0, "mrpc": 0.0}])
def test_all_the_weight_on_one_task_lists_that_task_only(weights):
    sampling = Weighted(SIZES, TYPES, weights=weights)
    assert sampling.plan(0, random.Random(3)) == [("squad",)] * 8
    assert sampling.expected_steps() == 8
    assert "mnli: weight 0, never drawn" in sampling.notes()


def test_tasks_without_a_weight_share_what_is_missing_to_one():
    assert Weighted(SIZES, TYPES, weights={"squad": 0.7}).shares == pytest.approx(
        {"squad": 0.7, "mnli": 0.1, "cola": 0.1, "mrpc": 0.1}
    )
    # 0.7 + 0.2 + 0.1 = 0.9999999999999999, which leaves nothing.
    assert Weighted(SIZES, TYPES, weights={"squad": 0.7, "mnli": 0.2, "cola": 0.1}).shares["mrpc"] == 0


def test_weights_of_all_tasks_are_proportions():
    weights = {"squad": 4.0, "mnli": 2.0, "cola": 1.0, "mrpc": 1.0}
    assert Weighted(SIZES, TYPES, weights=weights).shares["squad"] == 0.5


def test_largest_weight_ends_the_epoch_unless_told_otherwise():
    assert Weighted(SIZES, TYPES, weights={"cola": 0.6}).ends == "cola"
    assert Weighted({"a": 1, "b": 1}, {"a": "x", "b": "x"}, weights={"b": 0.5}).ends == "b"
    sampling = Weighted(SIZES, TYPES, weights={"cola": 0.6}, ends="mrpc")
    assert counts(sampling)["mrpc"] == 2


def test_report_per_dataset():
    # Methods.md, A7: the four others get 0.05 each, 509 draws; only MRPC's 230 batches do not suffice.
    sampling = Weighted(REPORT, REPORT_TYPES, weights={"squad": 0.8})
    assert sampling.expected_steps() == pytest.approx(8145 / 0.8)
    assert sampling.notes() == [
        "mrpc: 509 draws expected of 230 batches in an epoch: each example is seen 2.2 times in it"
    ]
    assert counts(sampling)["mrpc"] == pytest.approx(509, abs=4 * math.sqrt(509))


def test_report_per_type():
    sampling = Weighted(REPORT, REPORT_TYPES, weights={"span": 0.8}, per="type")
    draws, found = sampling._expected_draws(), counts(sampling)
    assert draws["swag"] == pytest.approx(1018.1, abs=0.1)
    assert draws["mnli"] == draws["cola"] == draws["mrpc"] == pytest.approx(1018.1 / 3, abs=0.1)
    assert found["squad"] == 8145
    assert all(found[task] == pytest.approx(draws[task], abs=4 * math.sqrt(draws[task])) for task in draws)


def test_a_type_with_several_tasks_may_end_the_epoch():
    sampling = Weighted(SIZES, TYPES, weights={"classification": 0.9}, per="type")
    for seed in range(20):
        found = counts(sampling, seed)
        assert {task: found[task] for task in ("mnli", "cola", "mrpc")} == {"mnli": 20, "cola": 3, "mrpc": 2}
    assert sampling.expected_steps() == pytest.approx(25 / 0.9)


def test_drop_takes_each_example_at_most_once():
    sampling = Weighted(SIZES, TYPES, weights={"squad": 0.1}, ends="squad", on_empty="drop")
    for seed in range(20):
        found = counts(sampling, seed)
        assert found["squad"] == 8 and all(found[task] <= size for task, size in SIZES.items())
    assert sampling.expected_steps() == pytest.approx(8 + 20 + 3 + 2)
    assert sampling.expected_shares()["cola"] == pytest.approx(3 / 33)


def test_stop_ends_the_epoch_at_the_first_empty_pool():
    sampling = Weighted(SIZES, TYPES, weights={"squad": 0.4}, on_empty="stop")
    for seed in range(20):
        assert all(counts(sampling, seed)[task] <= size for task, size in SIZES.items())
    # 0.2 for each of the others: mrpc's 2 batches last for 10 steps, squad's 8 for 20.
    assert sampling.expected_steps() == pytest.approx(10)
    assert sampling.notes() == ["an epoch is expected to stop after 10 of 20 steps at an empty pool"]


def test_error_names_the_pool_and_the_remedy():
    sampling = Weighted(SIZES, TYPES, weights={"squad": 0.1}, ends="squad", on_empty="error")
    with pytest.raises(StudyError, match=r"drew another batch of (cola|mrpc) after its") as caught:
        sampling.plan(0, random.Random(0))
    assert "on_empty" in caught.value.problems[0].remedy


def problems(**settings):
    return problems_of("sampling", "weighted", TYPES, settings)


def test_good_settings_have_no_problems():
    assert problems(weights={"squad": 0.8}) == []
    assert problems(weights={"squad": 1, "mnli": 0}) == []
    assert problems(weights={"span": 0.8}, per="type", ends="classification") == []
    assert problems(weights={"squad": 3.0, "mnli": 7.0, "cola": 1.0, "mrpc": 1.0}) == []


@pytest.mark.parametrize(
    ("settings", "where", "said"),
    [
        ({"weights": {}}, "x.weights", "gives no weight"),
        ({"weights": {"sqad": 0.8}}, "x.weights", 'Did you mean "squad"?'),
        ({"weights": {"span": 0.8}}, "x.weights", "Choose from: squad, mnli, cola, mrpc."),
        ({"weights": {"squad": 0.8}, "per": "type"}, "x.weights", "Choose from: span, classification."),
        ({"weights": {"squad": -0.1}}, "x.weights.squad", "should be 0 or more"),
        ({"weights": {"squad": float("nan")}}, "x.weights.squad", "should be 0 or more"),
        ({"weights": {"squad": float("inf")}}, "x.weights.squad", "should be 0 or more"),
        ({"weights": {"squad": 8, "mnli": 2}}, "x.weights", "Name cola, mrpc too"),
        ({"weights": dict.fromkeys(SIZES, 0.0)}, "x.weights", "all 0"),
        ({"weights": {"squad": 0.8}, "ends": "mlni"}, "x.ends", 'Did you mean "mnli"?'),
        ({"weights": {"squad": 1.0}, "ends": "mnli"}, "x.ends", "never drawn"),
    ],
)
def test_bad_settings_have_one_problem_each(settings, where, said):
    (problem,) = problems(**settings)
    assert problem.where == where and said in str(problem)


def test_all_problems_are_reported_at_once():
    assert len(problems(weights={"sqad": 0.8, "mlni": 0.1}, ends="squat")) == 3
    assert len(problems(weights={"squad": -0.8, "mnli": -1.0}, ends=1)) == 3
