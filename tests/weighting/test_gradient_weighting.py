"""The contract of all methods that combine gradients, on a method that takes their sum."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from manyheads.weighting import GradientWeighting


class Sum(GradientWeighting):
    def aggregate(self, jacobian):
        self.jacobian = jacobian
        return jacobian.sum(dim=0)


class Model(nn.Module):
    """A trunk with a frozen and an unused parameter, and a head for each of two tasks."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
        self.frozen = nn.Parameter(torch.ones(3), requires_grad=False)
        self.unused = nn.Parameter(torch.ones(2))
        self.heads = nn.ModuleDict({"a": nn.Linear(3, 1), "b": nn.Linear(3, 1)})
        self.x = {"a": torch.randn(6, 4, dtype=dtype), "b": torch.randn(7, 4, dtype=dtype)}
        self.to(dtype)

    def shared(self):
        return [*self.trunk.parameters(), self.frozen, self.unused]

    def losses(self, joined, tasks=("a", "b")):
        if joined:
            states = dict(
                zip(tasks, self.trunk(torch.cat([self.x[task] for task in tasks])).split([6, 7]), strict=True)
            )
        else:
            states = {task: self.trunk(self.x[task]) for task in tasks}
        return {task: self.heads[task](states[task] * self.frozen).square().mean() for task in tasks}

    def gradients(self):
        return {name: parameter.grad for name, parameter in self.named_parameters()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("joined", [True, False], ids=["one graph", "a graph each"])
def test_sum_of_gradients_is_the_ordinary_step(joined, dtype):
    model, expected = Model(dtype), Model(dtype)
    Sum(["a", "b"]).backward(model.losses(joined), model.shared())
    sum(expected.losses(joined).values()).backward()
    assert_close(model.gradients(), expected.gradients())


def test_rows_are_the_tasks_gradients():
    model, alone, method = Model(), Model(), Sum(["a", "b"])
    method.backward(model.losses(joined=True), model.shared())
    for row, task in zip(method.jacobian, ("a", "b"), strict=True):
        alone.zero_grad()
        alone.losses(joined=False, tasks=(task,))[task].backward()
        flat = [torch.zeros_like(p) if p.grad is None else p.grad for p in alone.shared() if p.requires_grad]
        assert_close(row, torch.cat([gradient.flatten() for gradient in flat]))


def test_one_task_is_an_ordinary_step():
    class Refusing(GradientWeighting):
        def aggregate(self, jacobian):
            raise AssertionError(f"asked to aggregate {jacobian}")

    model, expected = Model(), Model()
    Refusing(["a", "b"]).backward(model.losses(False, ("b",)), model.shared())
    expected.losses(False, ("b",))["b"].backward()
    assert_close(model.gradients(), expected.gradients(), rtol=0, atol=0)
    assert model.heads["a"].weight.grad is None


def test_gradients_are_added_to_those_that_are_there():
    model, once = Model(), Model()
    method = Sum(["a", "b"])
    method.backward(once.losses(True), once.shared())
    for _ in range(3):
        method.backward(model.losses(True), model.shared())
    for name, gradient in model.gradients().items():
        assert (
            gradient is None if once.gradients()[name] is None else torch.allclose(gradient, 3 * once.gradients()[name])
        )


def test_what_no_task_reaches_has_no_gradient_so_that_adamw_leaves_it_alone():
    model = Model()
    Sum(["a", "b"]).backward(model.losses(True), model.shared())
    assert model.unused.grad is None and model.frozen.grad is None
    torch.optim.AdamW(model.parameters(), weight_decay=1.0).step()
    assert_close(model.unused.detach(), torch.ones(2), rtol=0, atol=0)


def test_heads_have_their_ordinary_gradients_whatever_happens_to_the_shared():
    class Nothing(GradientWeighting):
        def aggregate(self, jacobian):
            return torch.zeros_like(jacobian[0])

    model, expected = Model(), Model()
    Nothing(["a", "b"]).backward(model.losses(True), model.shared())
    sum(expected.losses(True).values()).backward()
    for head in ("a", "b"):
        assert_close(model.heads[head].weight.grad, expected.heads[head].weight.grad)
    assert all(not parameter.grad.any() for parameter in model.trunk.parameters())


def test_half_precision_is_aggregated_in_single_precision():
    model, method = Model(torch.bfloat16), Sum(["a", "b"])
    method.backward(model.losses(True), model.shared())
    assert method.jacobian.dtype == torch.float32
    assert model.trunk[0].weight.grad.dtype == torch.bfloat16


def test_gradients_do_not_share_memory_with_the_aggregate():
    model, method = Model(), Sum(["a", "b"])
    method.backward(model.losses(True), model.shared())
    storages = {p.grad.untyped_storage().data_ptr() for p in model.trunk.parameters()}
    assert len(storages) == 4


def test_graph_is_freed():
    model = Model()
    losses = model.losses(True)
    Sum(["a", "b"]).backward(losses, model.shared())
    with pytest.raises(RuntimeError, match="second time"):
        losses["b"].backward()


def test_without_shared_parameters_it_is_the_sum():
    model, expected = Model(), Model()
    Sum(["a", "b"]).backward(model.losses(True), [])
    sum(expected.losses(True).values()).backward()
    assert_close(model.gradients(), expected.gradients())
