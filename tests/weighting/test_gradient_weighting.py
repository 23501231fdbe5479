"""The contract of all methods that combine gradients, on a method that takes their sum."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from manyheads.weighting import GradientWeighting


class Sum(GradientWeighting):
    def coefficients(self, gramian):
        self.gramian = gramian
        return torch.ones(len(gramian))


class Given(GradientWeighting):
    """Multiplies the tasks' gradients by given numbers."""

    def __init__(self, tasks, *numbers):
        super().__init__(tasks)
        self.numbers = torch.tensor(numbers)

    def coefficients(self, gramian):
        return self.numbers


class Refusing(GradientWeighting):
    def coefficients(self, gramian):
        raise AssertionError(f"asked about {gramian}")


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

    def alone(self, task):
        """The gradients of one task's loss on the shared parameters."""
        self.zero_grad()
        self.losses(joined=False, tasks=(task,))[task].backward()
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in self.shared() if p.requires_grad]

    def gradients(self):
        return {name: parameter.grad for name, parameter in self.named_parameters()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("joined", [True, False], ids=["one graph", "a graph each"])
def test_sum_of_gradients_is_the_ordinary_step(joined, dtype):
    model, expected = Model(dtype), Model(dtype)
    Sum(["a", "b"]).backward(model.losses(joined), model.shared())
    sum(expected.losses(joined).values()).backward()
    assert_close(model.gradients(), expected.gradients())


@pytest.mark.parametrize("joined", [True, False], ids=["one graph", "a graph each"])
def test_gramian_holds_the_inner_products_of_the_tasks_gradients(joined):
    model, method = Model(), Sum(["a", "b"])
    method.backward(model.losses(joined), model.shared())
    rows = torch.stack([torch.cat([gradient.flatten() for gradient in model.alone(task)]) for task in ("a", "b")])
    assert method.gramian.dtype == torch.float64
    assert_close(method.gramian, rows.double() @ rows.double().T, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("joined", [True, False], ids=["one graph", "a graph each"])
def test_each_tasks_gradient_is_multiplied_by_its_coefficient(joined):
    model, method = Model(), Given(["a", "b"], 2.0, -0.5)
    method.backward(model.losses(joined), model.shared())
    found = [parameter.grad for parameter in model.trunk.parameters()]
    for gradient, a, b in zip(found, model.alone("a"), model.alone("b"), strict=False):
        assert_close(gradient, 2 * a - b / 2)
    assert method.weights() == {"a": 2.0, "b": -0.5}


def test_a_parameter_that_one_task_reaches_has_that_tasks_share():
    first, second = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    method = Given(["a", "b", "c"], 2.0, 3.0, 5.0)
    losses = {"a": first.sum(), "b": (first * second).sum(), "c": 4 * second.sum()}
    method.backward(losses, [first, second])
    assert first.grad.tolist() == [2 + 3, 2 + 3]
    assert second.grad.tolist() == [3 + 20, 3 + 20]


def test_gramian_where_tasks_do_not_reach_the_same_by_hand():
    first, second, method = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2)), Sum(["a", "b", "c"])
    method.backward({"a": first.sum(), "b": (first * second).sum(), "c": 4 * second.sum()}, [first, second])
    assert method.gramian.tolist() == [[2, 2, 0], [2, 4, 8], [0, 8, 32]]


def test_gramian_of_many_numbers_is_exact():
    # 4 million numbers added up one after another in single precision are off by about 1 %.
    torch.manual_seed(0)
    x, y = torch.rand(2, 2**22 + 3)
    shared, method = nn.Parameter(torch.zeros(2**22 + 3)), Sum(["a", "b"])
    method.backward({"a": x @ shared, "b": y @ shared}, [shared])
    expected = torch.stack([x, y]).double()
    assert_close(method.gramian, expected @ expected.T, rtol=1e-5, atol=0)


def test_gradients_that_autograd_lets_be_one_tensor_are_combined_each_for_itself():
    def gradients(method):
        x, y = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(2, 3))
        method.backward({"a": (x.T + y.T).square().sum(), "b": (x - y).sum()}, [x, y])
        return x.grad, y.grad

    x, y = gradients(Given(["a", "b"], 3.0, 1.0))
    assert_close(x, torch.full((2, 3), 3 * 4.0 + 1))
    assert_close(y, torch.full((2, 3), 3 * 4.0 - 1))


def test_one_task_is_an_ordinary_step():
    model, expected, method = Model(), Model(), Refusing(["a", "b"])
    method.backward(model.losses(False, ("b",)), model.shared())
    expected.losses(False, ("b",))["b"].backward()
    assert_close(model.gradients(), expected.gradients(), rtol=0, atol=0)
    assert model.heads["a"].weight.grad is None
    assert method.weights() == {"b": 1.0}


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_gradient_that_is_not_finite_is_passed_on_for_the_loop_to_find(bad):
    shared = nn.Parameter(torch.ones(2))
    Refusing(["a", "b"]).backward({"a": shared.sum(), "b": bad * shared.sum()}, [shared])
    assert not shared.grad.isfinite().any()


def test_gradients_of_one_step_outlive_the_next():
    model, method = Model(), Sum(["a", "b"])
    method.backward(model.losses(False), model.shared())
    held = model.gradients()
    kept = {name: gradient.clone() for name, gradient in held.items() if gradient is not None}
    model.zero_grad(set_to_none=True)
    model.x = {task: 3 * x for task, x in model.x.items()}
    method.backward(model.losses(False), model.shared())
    assert_close({name: held[name] for name in kept}, kept, rtol=0, atol=0)
    assert not torch.equal(model.trunk[0].weight.grad, kept["trunk.0.weight"])


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
    model, expected = Model(), Model()
    Given(["a", "b"], 0.0, 0.0).backward(model.losses(True), model.shared())
    sum(expected.losses(True).values()).backward()
    for head in ("a", "b"):
        assert_close(model.heads[head].weight.grad, expected.heads[head].weight.grad)
    assert all(not parameter.grad.any() for parameter in model.trunk.parameters())


def test_half_precision_is_combined_in_single_precision():
    # 256 + 1 - 256 is 0 in bfloat16, which has 8 bits.
    shared = nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    losses = {task: (number * shared).sum() for task, number in (("a", 256), ("b", 1), ("c", -256))}
    Sum(["a", "b", "c"]).backward(losses, [shared])
    assert shared.grad.dtype == torch.bfloat16 and shared.grad.item() == 1


def test_graphs_of_their_own_are_freed():
    model = Model()
    losses = model.losses(joined=False)
    Sum(["a", "b"]).backward(losses, model.shared())
    for loss in losses.values():
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


def test_a_graph_that_is_shared_is_kept_as_long_as_a_task_needs_it():
    def losses(shared):
        states = shared.exp()
        return {"a": states.sum(), "b": (2 * shared).exp().sum(), "c": (3 * states).square().sum()}

    shared, expected = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    found = losses(shared)
    Sum(["a", "b", "c"]).backward(found, [shared])
    sum(losses(expected).values()).backward()
    assert_close(shared.grad, expected.grad)
    for loss in (found["b"], found["c"]):
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


def test_without_shared_parameters_it_is_the_sum():
    model, expected = Model(), Model()
    Sum(["a", "b"]).backward(model.losses(True), [])
    sum(expected.losses(True).values()).backward()
    assert_close(model.gradients(), expected.gradients())
