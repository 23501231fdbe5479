import pytest
import torch

from manyheads.training import device


@pytest.mark.parametrize(
    ("able", "chosen"), [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx512_f": True}, "fp32")]
)
def test_auto_takes_bf16_where_the_processor_has_it(able, chosen, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert device.precision("auto") == chosen
    assert device.fingerprint(device.precision("auto")).precision == chosen


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
def test_what_was_asked_for_is_kept(asked, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert device.precision(asked) == asked


def test_the_switch_is_told_apart_and_its_absence_is_as_before(monkeypatch):
    monkeypatch.delenv("MANYHEADS_PLAIN", raising=False)
    before = device.fingerprint("fp32").model_dump()
    assert "plain" not in before
    monkeypatch.setenv("MANYHEADS_PLAIN", "1")
    assert device.fingerprint("fp32").model_dump() == before | {"plain": True}


def test_the_peak_is_measured_once():
    first = device.peak_flops("fp32", seconds=0.01)
    assert first == device.peak_flops("fp32", seconds=0.01) > 1e8


def test_memory_is_kept_and_its_peak_forgotten():
    device.keep_freed_memory()
    block = torch.ones(64 << 20, dtype=torch.uint8)
    before = device.peak_memory()
    del block
    device.forget_peak_memory()
    after = device.peak_memory()
    assert before is None or (after is not None and 0 < after <= before)
