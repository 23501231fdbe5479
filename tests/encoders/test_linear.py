"""Linear layers by oneDNN: the same products, gradients, names and special cases as torch's."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from manyheads.core import matmul
from manyheads.core.matmul import faster_by_onednn, slower_product
from manyheads.core.plain import plain
from manyheads.encoders import _linear
from manyheads.encoders._linear import Linear, replace_linear

NEEDED = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this build of torch has no oneDNN"
)


def pair(bias: bool = True) -> tuple[nn.Linear, Linear]:
    torch.manual_seed(0)
    theirs = nn.Linear(7, 5, bias=bias)
    ours = nn.Linear(7, 5, bias=bias)
    ours.load_state_dict(theirs.state_dict())
    ours.__class__ = Linear
    return theirs, ours  # pyright: ignore[reportReturnType]


@pytest.fixture(autouse=True)
def ask_the_processor_anew():
    faster_by_onednn.cache_clear()
    yield
    faster_by_onednn.cache_clear()


@NEEDED
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(11, 7), (1, 11, 7), (2, 3, 7)])
def test_product_and_gradients_are_torchs(shape, bias, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "AMD EPYC", "avx512_f": True})
    results = []
    values = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    for layer in pair(bias):
        given = values.clone().requires_grad_()
        output = layer(given)
        output.square().sum().backward()
        results.append([output, given.grad, *(parameter.grad for parameter in layer.parameters())])
    for one, other in zip(*results, strict=True):
        assert_close(one, other, rtol=1e-5, atol=1e-5)


@NEEDED
def test_nothing_is_computed_for_frozen_weights(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "AMD EPYC", "avx512_f": True})
    _, ours = pair()
    ours.requires_grad_(False)
    given = torch.randn(3, 7, requires_grad=True)
    ours(given).sum().backward()
    assert_close(given.grad, ours.weight.sum(0).expand(3, 7))
    assert ours.weight.grad is None


def test_other_types_take_torchs_way(monkeypatch):
    monkeypatch.setattr(_linear, "product", None)
    theirs, ours = pair()
    values = torch.randn(4, 7)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ours(values), theirs(values))
    assert torch.equal(ours.double()(values.double()), theirs.double()(values.double()))


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_f": True}, True),
        ({"cpu_name": "AMD EPYC", "avx512_f": False}, False),
        ({"cpu_name": "Intel(R) Xeon(R)", "avx512_f": True}, False),
        ({}, False),
    ],
)
@pytest.mark.skipif(plain(), reason="MANYHEADS_PLAIN takes torch's own products on every processor")
def test_the_processor_decides_not_the_clock(able, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert faster_by_onednn() is (expected and hasattr(torch.ops.mkldnn, "_linear_pointwise"))


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda *_: (_ for _ in ()).throw(AttributeError("no such operator")), "no such operator"),
        (lambda one, other, bias=None: one @ other.T, "computes something else by it"),
    ],
)
def test_a_torch_without_the_operator_multiplies_its_own_way_and_says_so(broken, why, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "AMD EPYC", "avx512_f": True})
    monkeypatch.setattr(matmul, "product", broken)
    assert not faster_by_onednn()
    line = slower_product()
    assert line.startswith("matrix products take torch's own way, which is slower") and why in line and "\n" not in line
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "Intel(R) Xeon(R)", "avx512_f": True})
    assert slower_product() == ""


def test_replacing_keeps_parameters_and_names():
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    before = dict(module.named_parameters())
    replace_linear(module)
    assert [type(one) is Linear for one in module] == [True, False, True]
    after = dict(module.named_parameters())
    assert list(after) == list(before) and all(after[name] is before[name] for name in before)
