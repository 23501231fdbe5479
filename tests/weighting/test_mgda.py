import numpy as np
import pytest
import torch
from asked import problems_of
from scipy.optimize import nnls
from torch import nn
from torch.testing import assert_close

pytest.importorskip("torchjd", reason="needs the extra `methods`")

from torchjd import aggregation

from manyheads.weighting.mgda import MGDA


def step(rows, **settings):
    """The gradient that shared parameters get if the tasks' gradients on them are these rows; and the coefficients."""
    shared = nn.Parameter(torch.zeros(rows.shape[1], dtype=rows.dtype))
    losses = {f"task{index}": row @ shared for index, row in enumerate(rows)}
    method = MGDA(list(losses), **settings)
    method.backward(losses, [shared])
    return shared.grad, list(method.weights().values())


def gradients(seed, tasks, numbers=20):
    torch.manual_seed(seed)
    return torch.randn(tasks, numbers, dtype=torch.float64) * (0.5 + torch.rand(tasks, 1, dtype=torch.float64))


def shortest(rows):
    """The shortest vector in the convex hull: w >= 0 with w @ rows as close to 0 as w.sum() is to 1, then scaled."""
    system = np.vstack([rows.numpy().T, np.ones(len(rows))])
    weights = nnls(system, np.r_[np.zeros(rows.shape[1]), 1.0])[0]
    return torch.from_numpy(weights / weights.sum()) @ rows


def test_value_by_hand():
    # a1 = (g2 - g1) . g2 / |g1 - g2|^2 = 3 / 5, so 2 * (0.6 * (1, 0) + 0.4 * (-1, 1)).
    direction, weights = step(torch.tensor([[1.0, 0.0], [-1.0, 1.0]]))
    assert_close(direction, torch.tensor([0.4, 0.8]))
    assert weights == pytest.approx([1.2, 0.8])


def test_normalised_value_by_hand():
    # Of the unit vectors (1, 0) and (0, 1) half each: 1/6 of (3, 0) and 1/2 of (0, 1), or 1/4 and 3/4, times two.
    direction, weights = step(torch.tensor([[3.0, 0.0], [0.0, 1.0]]), normalise="norm")
    assert_close(direction, torch.tensor([1.5, 1.5]))
    assert weights == pytest.approx([0.5, 1.5])


def test_the_shortest_gradient_takes_all_if_the_others_point_its_way():
    assert_close(step(torch.tensor([[1.0, 0.0], [5.0, 1.0]]))[0], torch.tensor([2.0, 0.0]))


def test_equal_gradients_are_summed():
    assert_close(step(torch.tensor([[1.0, -2.0]] * 3))[0], torch.tensor([3.0, -6.0]))


@pytest.mark.parametrize("normalise", ["none", "norm"])
def test_where_no_direction_helps_all_the_shared_parameters_stay(normalise):
    assert_close(step(torch.tensor([[1.0, -2.0], [-3.0, 6.0]]), normalise=normalise)[0], torch.zeros(2))
    assert_close(step(torch.tensor([[1.0, -2.0], [0.0, 0.0]]), normalise=normalise)[0], torch.zeros(2))


@pytest.mark.parametrize("seed", range(10))
def test_two_tasks_are_the_closed_form(seed):
    rows = gradients(seed, 2, 3)
    one, other = rows
    share = ((other - one) @ other / (one - other).square().sum()).clamp(0, 1)
    assert_close(step(rows)[0], 2 * (share * one + (1 - share) * other))


@pytest.mark.parametrize("seed", range(5))
def test_two_normalised_tasks_go_halfway_between_them(seed):
    one, other = rows = gradients(seed, 2)
    direction = step(rows, normalise="norm")[0]
    halfway = one / one.norm() + other / other.norm()
    assert_close(direction / direction.norm(), halfway / halfway.norm())


@pytest.mark.parametrize("tasks", [2, 3, 6])
def test_same_as_torchjds_aggregator_on_the_jacobian(tasks):
    rows = gradients(tasks, tasks)
    assert_close(step(rows)[0], tasks * aggregation.MGDA()(rows))
    few = aggregation.MGDA(epsilon=0.1, max_iters=2)(rows)
    assert_close(step(rows, epsilon=0.1, max_iters=2)[0], tasks * few)


@pytest.mark.parametrize("tasks", [3, 6])
@pytest.mark.parametrize(("settings", "error"), [({}, 0.05), ({"epsilon": 1e-6, "max_iters": 2000}, 0.01)])
def test_as_close_to_the_shortest_combination_as_the_settings_say(tasks, settings, error):
    for seed in range(3):
        rows = gradients(seed, tasks)
        found = step(rows, **settings)[0] / tasks
        assert (found - shortest(rows)).norm() < error * rows.norm(dim=1).mean()


@pytest.mark.parametrize("normalise", ["none", "norm"])
def test_all_losses_fall_and_coefficients_keep_the_scale_of_a_sum(normalise):
    for seed in range(10):
        rows = gradients(seed, 3)
        direction, weights = step(rows, normalise=normalise)
        assert (rows @ direction > 0).all()
        assert sum(weights) == pytest.approx(3) and min(weights) >= 0


def test_normalised_weights_do_not_depend_on_the_norms_but_for_their_scale():
    rows = gradients(0, 3)
    larger = rows * torch.tensor([[1.0], [10.0], [0.01]], dtype=torch.float64)
    one, other = step(rows, normalise="norm")[0], step(larger, normalise="norm")[0]
    assert_close(one / one.norm(), other / other.norm())


@pytest.mark.parametrize(
    ("setting", "value"), [("epsilon", 0), ("epsilon", 1.0), ("max_iters", 0), ("max_iters", 1.5), ("epsilon", "small")]
)
def test_settings_are_checked(setting, value):
    (problem,) = problems_of("weighting", "mgda", {"a": "span"}, {setting: value})
    assert problem.where == f"x.{setting}" and repr(value) in str(problem)


def test_defaults_are_in_order():
    assert problems_of("weighting", "mgda", {"a": "span"}, {}) == []
