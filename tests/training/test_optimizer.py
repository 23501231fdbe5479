import pytest
import torch
from torch import nn
from torch.testing import assert_close

from manyheads.study.spec import SGD, AdamW
from manyheads.training.optimizer import DecoupledAdamax, linear_schedule, optimizer_for, set_learning_rate


def test_first_step_of_adamax_by_hand():
    # m / u = 1 at the first step: 1 * (1 - 0.1 * 0.01) - 0.1 = 0.899.
    parameter = nn.Parameter(torch.tensor([1.0]))
    parameter.grad = torch.tensor([0.5])
    DecoupledAdamax([parameter], lr=0.1, weight_decay=0.01).step()
    assert parameter.item() == pytest.approx(0.899, abs=1e-6)


def test_without_decay_it_is_torchs_adamax():
    ours, theirs = (nn.Parameter(torch.arange(1.0, 5.0)) for _ in range(2))
    optimizers = [DecoupledAdamax([ours], lr=0.1, weight_decay=0.0), torch.optim.Adamax([theirs], lr=0.1)]
    for _ in range(5):
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = parameter.detach() ** 2 - 3
            optimizer.step()
    assert torch.equal(ours, theirs)


def test_a_parameter_without_gradient_stays():
    parameter = nn.Parameter(torch.ones(2))
    DecoupledAdamax([parameter], lr=0.1, weight_decay=0.5).step()
    assert parameter.tolist() == [1, 1]


@pytest.mark.parametrize(("step", "share"), [(5, 0.5), (10, 1.0), (55, 0.5), (100, 0.0)])
def test_warmup_and_linear_decay(step, share):
    assert linear_schedule(step, 100, 0.1) == pytest.approx(share)


def test_no_update_is_wasted_at_rate_zero():
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    optimizer.param_groups[0]["peak"] = 1.0
    rates = [set_learning_rate(optimizer, step, 0, 10, warmup=0.2, schedule="linear") for step in range(10)]
    assert min(rates) > 0 and max(rates) <= 1
    assert sum(rates) == pytest.approx(5.0)  # the area of the triangle
    assert set_learning_rate(optimizer, 12, 10, 20, warmup=0.2, schedule="linear") == pytest.approx(rates[2])
    assert set_learning_rate(optimizer, 3, 0, 10, warmup=0.2, schedule="constant") == 1.0


def test_biases_norms_and_what_a_weighting_learns_do_not_decay():
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    weighting = nn.Module()
    weighting.s = nn.Parameter(torch.zeros(()))
    weighting.learning_rate = 0.5
    optimizer = optimizer_for(model, weighting, AdamW(weight_decay=0.1, epsilon=1e-6), 1e-3)
    decayed, rest, own = optimizer.param_groups
    assert [p.shape for p in decayed["params"]] == [(2, 3)] and decayed["weight_decay"] == 0.1
    assert len(rest["params"]) == 3 and rest["weight_decay"] == 0.0
    assert own["params"] == [weighting.s] and (own["lr"], own["weight_decay"]) == (0.5, 0.0)


def test_momentum_takes_heads_that_come_later():
    shared, late = torch.nn.Linear(2, 1, bias=False), torch.nn.Linear(2, 1, bias=False)
    model = torch.nn.ModuleList([shared, late])
    start = late.weight.detach().clone()
    rule = optimizer_for(model, torch.nn.Module(), SGD(momentum=0.5), 0.1)
    for step in range(3):
        shared.weight.grad = torch.ones(1, 2)
        late.weight.grad = torch.ones(1, 2) if step else None
        rule.step()
    # Two steps of 1 and 1 + 0.5 times the learning rate.
    assert_close(late.weight, start - 0.1 * 2.5)
