"""One bit of any file of a finished study, or of the token cache: no score, answer or verdict changes in silence."""

import pytest
from bit_flips import KINDS, battery, cache_battery


def test_a_bit_of_each_kind_of_file(tmp_path):
    assert battery(tmp_path, len(KINDS)) == []


@pytest.mark.slow
def test_540_bits(tmp_path):
    assert battery(tmp_path, 540, seed=2) == []


@pytest.mark.slow
def test_60_bits_of_the_token_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "study").mkdir()
    assert cache_battery(tmp_path / "study", tmp_path / "cache", 60) == []
