import pytest
import torch
from torch import nn
from torch.testing import assert_close

pytest.importorskip("torchjd", reason="needs the extra `methods`")

from manyheads.weighting.pcgrad import PCGrad


def step(rows, method=None):
    """The gradient that shared parameters get if the tasks' gradients on them are these rows."""
    jacobian = torch.tensor(rows)
    shared = nn.Parameter(torch.zeros(jacobian.shape[1]))
    losses = {f"task{index}": row @ shared for index, row in enumerate(jacobian)}
    (method or PCGrad(list(losses))).backward(losses, [shared])
    return shared.grad


def test_value_by_hand():
    # g1 . g2 = -1: g1 becomes (1, 0) + (-1, 1) / 2 = (0.5, 0.5), g2 becomes (-1, 1) + (1, 0) = (0, 1).
    assert_close(step([[1.0, 0.0], [-1.0, 1.0]]), torch.tensor([0.5, 1.5]))


@pytest.mark.parametrize("tasks", [2, 3, 6])
def test_same_as_torchjds_aggregator_on_the_jacobian(tasks):
    aggregation = pytest.importorskip("torchjd.aggregation")
    torch.manual_seed(tasks)
    rows = torch.randn(tasks, 7) - 0.3
    torch.manual_seed(1)
    expected = aggregation.PCGrad()(rows)
    torch.manual_seed(1)
    assert_close(step(rows.tolist()), expected)


def test_without_conflict_it_is_the_sum():
    assert_close(step([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([2.0, 1.0]))


def test_one_task_is_an_ordinary_step():
    assert_close(step([[3.0, -2.0]]), torch.tensor([3.0, -2.0]), rtol=0, atol=0)


def test_a_task_without_a_gradient_changes_nothing():
    assert_close(step([[3.0, -2.0], [0.0, 0.0]]), torch.tensor([3.0, -2.0]))


def test_two_tasks_come_out_in_no_conflict_with_either():
    torch.manual_seed(0)
    for _ in range(50):
        rows = torch.randn(2, 6)
        assert (rows @ step(rows.tolist()) >= -1e-5).all()


def test_scale_of_all_gradients_passes_through():
    rows = torch.tensor([[1.0, -2.0, 0.5], [-1.0, 1.0, 2.0]])
    assert_close(step((1024 * rows).tolist()), 1024 * step(rows.tolist()))


def test_order_of_three_tasks_is_random_and_repeats_with_the_seed():
    rows = [[1.0, 0.0], [-1.0, 1.0], [-1.0, -2.0]]
    found = set()
    for seed in range(20):
        torch.manual_seed(seed)
        first = step(rows)
        torch.manual_seed(seed)
        assert_close(step(rows), first, rtol=0, atol=0)
        found.add(tuple(first.tolist()))
    assert len(found) > 1
