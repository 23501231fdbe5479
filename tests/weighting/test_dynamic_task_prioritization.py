import math

import pytest
import torch
from asked import problems_of
from torch.testing import assert_close

from manyheads.weighting.dynamic_task_prioritization import DynamicTaskPrioritization


def heard(*scores, tasks=("a", "b"), **settings):
    weighting = DynamicTaskPrioritization(tasks, **settings)
    for score in scores:
        weighting.hear(score)
    return weighting


@pytest.mark.parametrize(
    ("score", "gamma", "weight"),
    [(0.5, 1.0, 0.346574), (0.9, 1.0, 0.0105361), (0.9, 2.0, 0.00105361), (0.25, 2.0, 0.779791)],
)
def test_focal_weight_by_hand(score, gamma, weight):
    # For example -(1 - 0.5) * log(0.5) = 0.346574.
    weights = heard({"a": score}, gamma=gamma, normalise=False).weights()
    assert weights["a"] == pytest.approx(weight, rel=1e-5)


def test_smoothing_by_hand():
    # 0.1 * 0.7 + 0.9 * 0.6 = 0.61; 0.1 * 0.8 + 0.9 * 0.61 = 0.629.
    assert heard({"a": 0.6}, {"a": 0.7}, {"a": 0.8}, alpha=0.1).smoothed[0].item() == pytest.approx(0.629)


def test_before_any_score_all_weigh_one():
    weighting = heard()
    assert weighting.weights() == {"a": 1.0, "b": 1.0}
    assert_close(weighting.combine({"a": torch.tensor(2.0), "b": torch.tensor(3.0)}), torch.tensor(5.0))


def test_weights_are_normalised_to_a_mean_of_one():
    weights = heard({"a": 0.5, "b": 0.9}).weights()
    total = 0.346574 + 0.0105361
    assert weights == pytest.approx({"a": 2 * 0.346574 / total, "b": 2 * 0.0105361 / total}, rel=1e-4)


def test_a_task_without_a_score_has_the_mean_weight():
    assert heard({"a": 0.5, "b": 0.9}, tasks=("a", "b", "c")).weights()["c"] == pytest.approx(1.0)


def test_weight_falls_as_the_score_rises():
    weights = [heard({"a": k / 20}, normalise=False).weights()["a"] for k in range(1, 20)]
    assert weights == sorted(weights, reverse=True)


def test_gamma_zero_is_minus_log():
    assert heard({"a": 0.3}, gamma=0.0, normalise=False).weights()["a"] == pytest.approx(-math.log(0.3))


@pytest.mark.parametrize("score", [-0.2, 0.0, 1.0, 100.0])
def test_scores_at_and_beyond_the_ends_leave_a_finite_weight(score):
    weights = heard({"a": score, "b": 0.5}).weights()
    assert all(0 < weight < math.inf for weight in weights.values())


def test_score_of_guessing_counts_as_nothing():
    guessing = heard({"a": 0.5}, chance={"a": 0.5}, normalise=False)
    assert guessing.weights() == heard({"a": 0.0}, normalise=False).weights()
    assert heard({"a": 0.75}, chance={"a": 0.5}).weights() == heard({"a": 0.5}).weights()


def test_gradient_of_a_loss_is_the_reported_weight():
    weighting = heard({"a": 0.5, "b": 0.9})
    given = {task: torch.tensor(1.0, requires_grad=True) for task in "ab"}
    weighting.combine({"b": given["b"]}).backward()
    assert given["b"].grad.item() == pytest.approx(weighting.weights()["b"])
    assert given["a"].grad is None


def test_state_survives_a_checkpoint():
    weighting, again = heard({"a": 0.1, "b": 0.7}, {"a": 0.3}), heard()
    again.load_state_dict(weighting.state_dict())
    assert again.weights() == weighting.weights()


def test_problems():
    def where(**settings):
        found = problems_of("weighting", "dynamic_task_prioritization", {"a": "span", "b": "span"}, settings)
        return [problem.where for problem in found]

    assert where() == where(alpha=1.0, gamma=0.0, epsilon=1e-3, chance={"a": 0.5}) == []
    assert where(alpha=0.0, gamma=-1.0, epsilon=0.5) == ["x.alpha", "x.gamma", "x.epsilon"]
    assert where(chance={"c": 0.5, "a": 1.0}) == ["x.chance", "x.chance.a"]
