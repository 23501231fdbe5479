from functools import partial
from itertools import combinations

import pytest
import torch
from asked import problems_of
from torch import nn
from torch.testing import assert_close

pytest.importorskip("torchjd", reason="needs the extra `methods`")

from torchjd import aggregation
from torchjd.linalg import QuadprogProjector

from manyheads.weighting.pcgrad import PCGrad
from manyheads.weighting.upgrad import UPGrad


def step(rows, method=UPGrad):
    """The gradient that shared parameters get if the tasks' gradients on them are these rows."""
    shared = nn.Parameter(torch.zeros(rows.shape[1], dtype=rows.dtype))
    losses = {f"task{index}": row @ shared for index, row in enumerate(rows)}
    method(list(losses)).backward(losses, [shared])
    return shared.grad


def gradients(seed, tasks, numbers, spread=1.0):
    """Gradients in double precision, whose norms are up to `spread` apart."""
    torch.manual_seed(seed)
    sizes = torch.logspace(0, 1, tasks, base=spread, dtype=torch.float64)[torch.randperm(tasks)]
    return sizes[:, None] * (torch.randn(tasks, numbers, dtype=torch.float64) - 0.3)


def cosines(rows, direction):
    return (rows @ direction) / (rows.norm(dim=1) * direction.norm())


def projected(rows, x):
    """The point closest to x with rows @ y >= 0: of all sets of rows that could bind, the one with the best y."""
    best = None
    for size in range(len(rows) + 1):
        for binding in combinations(range(len(rows)), size):
            active = rows[list(binding)]
            y = x - active.T @ torch.linalg.pinv(active.T) @ x if size else x
            better = best is None or (y - x).norm() < (best - x).norm()
            if better and (rows @ y >= -1e-9 * rows.norm(dim=1)).all():
                best = y
    return best


def test_value_by_hand():
    # g1 . g2 = -1: g1 becomes (1, 0) + (-1, 1) / 2 = (0.5, 0.5), g2 becomes (-1, 1) + (1, 0) = (0, 1). Neither harms.
    assert_close(step(torch.tensor([[1.0, 0.0], [-1.0, 1.0]])), torch.tensor([0.5, 1.5]), rtol=1e-5, atol=1e-5)


def test_three_tasks_by_hand():
    # In the plane, nobody is harmed between (1, 1), on the edge of g2 = (-1, 1), and (0, 1), on that of g1 = (1, 0);
    # g3 = (0, 1). P(g1) = (0.5, 0.5), P(g2) = (0, 1), P(g3) = g3.
    rows = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [0.0, 1.0]])
    assert_close(step(rows), torch.tensor([0.5, 2.5]), rtol=1e-5, atol=1e-5)


def test_without_conflict_it_is_the_sum():
    assert_close(step(torch.tensor([[1.0, 0.0], [1.0, 1.0]])), torch.tensor([2.0, 1.0]))


def test_opposite_gradients_come_to_nothing():
    assert_close(step(torch.tensor([[1.0, -2.0], [-3.0, 6.0]])), torch.zeros(2), rtol=0, atol=1e-4)


def test_a_task_without_a_gradient_changes_nothing():
    assert_close(step(torch.tensor([[3.0, -2.0], [0.0, 0.0]])), torch.tensor([3.0, -2.0]))


@pytest.mark.parametrize("seed", range(5))
def test_two_tasks_are_pcgrad(seed):
    rows = gradients(seed, 2, 5, spread=10)
    assert_close(step(rows), step(rows, PCGrad), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("tasks", [3, 4, 6])
@pytest.mark.parametrize("numbers", [2, 9], ids=["dependent", "independent"])
def test_same_as_projections_found_by_trying_all_sets(tasks, numbers):
    for seed in range(5):
        rows = gradients(seed, tasks, numbers)
        expected = torch.stack([projected(rows, row) for row in rows]).sum(dim=0)
        # With the default, what should be 0 may come out as sqrt(1e-6).
        found = step(rows, partial(UPGrad, reg_eps=1e-10))
        assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spread", [1.0, 1e3])
@pytest.mark.parametrize("tasks", [3, 8])
def test_no_task_is_harmed_however_far_the_norms_are_apart(tasks, spread):
    for seed in range(10):
        rows = gradients(seed, tasks, 20, spread)
        assert cosines(rows, step(rows)).min() > -1e-3


def test_coefficients_stay_bounded_where_gradients_nearly_cancel():
    # The exact projection of g1 is 0 = g1 + 500,000 (g2 + g3); with reg_eps its square root bounds the coefficients.
    rows = torch.tensor([[0.0, -1.0], [1.0, 1e-6], [-1.0, 1e-6]], dtype=torch.float64)
    coefficients = UPGrad(["a", "b", "c"]).coefficients(rows @ rows.T)
    assert coefficients.max() < 3 / 1e-6**0.5
    assert (coefficients @ rows).norm() <= rows.norm(dim=1).sum()


@pytest.mark.parametrize("factor", [2.0**-40, 2.0**40])
def test_scale_of_all_gradients_passes_through(factor):
    rows = gradients(0, 3, 6)
    assert_close(step(factor * rows), factor * step(rows))


@pytest.mark.parametrize("tasks", [2, 3, 6])
def test_same_as_torchjds_aggregator_on_the_jacobian(tasks):
    rows = gradients(tasks, tasks, 7)
    aggregator = aggregation.UPGrad(projector=UPGrad(["a"]).mean.projector)
    assert_close(step(rows), tasks * aggregator(rows))


@pytest.mark.parametrize("tasks", [2, 3, 6])
def test_same_as_with_torchjds_own_projector(tasks):
    for package in ("quadprog", "qpsolvers"):
        pytest.importorskip(package, reason="torchjd's projector needs it")
    rows = gradients(tasks, tasks, 7)
    aggregator = aggregation.UPGrad(projector=QuadprogProjector(norm_eps=0.0, reg_eps=1e-7))
    assert_close(step(rows), tasks * aggregator(rows), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [0, 1, -1e-6, "small"])
def test_reg_eps_is_checked(value):
    (problem,) = problems_of("weighting", "upgrad", {"a": "span"}, {"reg_eps": value})
    assert problem.where == "x.reg_eps" and repr(value) in str(problem)


def test_defaults_are_in_order():
    assert problems_of("weighting", "upgrad", {"a": "span"}, {}) == []
