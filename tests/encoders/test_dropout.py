"""Dropout with cheap random numbers: shares, scale, gradient, reproducibility."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from manyheads.encoders._dropout import Dropout, replace_dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_a_share_p_is_zero_and_the_rest_is_scaled(p, dtype):
    torch.manual_seed(0)
    values = torch.ones(1001, 1003, dtype=dtype, requires_grad=True)
    output = Dropout(p)(values)
    # Three standard deviations of a binomial share of a million draws.
    assert (output == 0).float().mean().item() == pytest.approx(p, abs=3 * (p * (1 - p) / values.numel()) ** 0.5)
    assert_close(output[output != 0].unique().float(), torch.tensor([1 / (1 - p)]), rtol=0.005, atol=0)
    output.sum().backward()
    assert torch.equal(values.grad, output)


def test_rows_and_neighbours_are_independent():
    torch.manual_seed(1)
    kept = (Dropout(0.5)(torch.ones(1000, 1024)) != 0).double() - 0.5
    for lag in (1, 2, 3, 4, 8, 1024):
        flat = kept.flatten()
        assert abs((flat[lag:] * flat[:-lag]).mean().item() * 4) < 4 / len(flat) ** 0.5


def test_the_seed_decides():
    def draw():
        torch.manual_seed(5)
        return Dropout(0.3)(torch.ones(7, 9))

    assert torch.equal(draw(), draw())


def test_none_in_evaluation_nor_at_zero():
    values = torch.randn(3, 4)
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values


def test_replacing_keeps_each_probability():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.2), nn.Sequential(nn.Dropout(0.4)))
    replace_dropout(module)
    assert [one.p for one in module.modules() if isinstance(one, Dropout)] == [0.2, 0.4]
    assert not any(type(one) is nn.Dropout for one in module.modules())
