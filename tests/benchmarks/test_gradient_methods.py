"""The benchmark of gradient methods runs, and what it compares does the same."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

pytest.importorskip("torchjd", reason="needs the extra `methods`")

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "gradient_methods.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("gradient_methods", BENCHMARK)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "factor"), [("pcgrad", 1), ("upgrad", 3), ("mgda", 3)])
def test_torchjds_engine_finds_the_same_gradients(benchmark, tiny, name, factor):
    model = benchmark.make_model(3, str(tiny)).eval()
    batches = benchmark.make_batches(3, 4, 6, np.arange(1000, 1100))
    methods = benchmark.contestants(model)
    found = []
    for method in (methods[name], methods[f"torchjd {name}"]):
        model.zero_grad(set_to_none=True)
        torch.manual_seed(0)
        method(*benchmark.forward(model, batches))
        shared = {n: p.grad for n, p in model.sharing.named_parameters() if p.grad is not None}
        heads = {n: p.grad for n, p in model.named_parameters() if n.startswith("_heads")}
        found.append((shared, heads))
    (ours, our_heads), (theirs, their_heads) = found
    assert ours and our_heads
    assert_close(our_heads, their_heads)
    assert_close(ours, {n: factor * theirs[n] for n in ours}, rtol=1e-3, atol=1e-6)
    # torchjd gives zeros to parameters that no loss reaches.
    assert not any(gradient.any() for n, gradient in theirs.items() if n not in ours)


def test_forward_is_the_models(benchmark, tiny):
    model = benchmark.make_model(2, str(tiny)).eval()
    batches = benchmark.make_batches(2, 4, 6, np.arange(1000, 1100))
    assert_close(benchmark.forward(model, batches)[0], model(batches, separate=True))


@pytest.mark.slow
def test_quick_run_writes_every_figure(benchmark, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gradient_methods.py", "--quick", "--json", str(tmp_path / "found.json")])
    benchmark.main()
    (found,) = json.loads((tmp_path / "found.json").read_text("utf-8"))["results"]
    assert set(found["milliseconds"]) == {*benchmark.METHODS, "torchjd pcgrad", "torchjd upgrad", "torchjd mgda"}
    assert all(min(taken["backward"], taken["step"]) > 0 for taken in found["milliseconds"].values())
    assert found["jacobian_bytes"] == 4 * 2 * found["shared_parameters"] > 80e6
    assert capsys.readouterr().out.count("\n| 2 |") == 7
