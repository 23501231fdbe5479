import pytest
import torch
from asked import problems_of
from torch.testing import assert_close

from manyheads.weighting.fixed import Fixed


def losses(**values):
    return {task: torch.tensor(value, requires_grad=True) for task, value in values.items()}


def test_value_by_hand():
    assert_close(Fixed(["a", "b"], weights={"a": 0.5}).combine(losses(a=2.0, b=3.0)), torch.tensor(4.0))


def test_without_weights_it_is_the_sum():
    assert_close(Fixed(["a", "b"]).combine(losses(a=2.0, b=3.0)), torch.tensor(5.0))


def test_weight_one_leaves_a_single_loss_as_it_is_to_the_bit():
    given = losses(a=0.1)
    assert Fixed(["a"]).combine(given).item() == given["a"].item()


def test_gradient_of_a_loss_is_the_reported_weight():
    weighting, given = Fixed(["a", "b"], weights={"a": 0.25, "b": 2.0}), losses(a=1.0, b=1.0)
    weighting.backward(given, [])
    assert {task: loss.grad.item() for task, loss in given.items()} == weighting.weights() == {"a": 0.25, "b": 2.0}


def test_double_precision_stays():
    assert Fixed(["a"]).combine({"a": torch.tensor(1.0, dtype=torch.float64)}).dtype == torch.float64


AB = {"a": "span", "b": "span"}


def test_problems():
    settings = {"weights": {"sts2": 1.0, "mnli": -1.0, "sst2": float("nan")}}
    found = problems_of("weighting", "fixed", {"sst2": "", "mnli": ""}, settings)
    assert [problem.where for problem in found] == ["x.weights", "x.weights.mnli", "x.weights.sst2"]
    assert 'Did you mean "sst2"?' in str(found[0])
    assert problems_of("weighting", "fixed", AB, {}) == []
    assert problems_of("weighting", "fixed", AB, {"weights": {"a": 0.0}}) == []
    (none,) = problems_of("weighting", "fixed", AB, {"weights": {"a": 0.0, "b": 0.0}})
    assert none.where == "x.weights" and "nothing is learned" in none.what


def test_unnamed_tasks_weigh_one():
    assert Fixed(["a", "b"], weights={"b": 3.0}).weights() == pytest.approx({"a": 1.0, "b": 3.0})
