"""The benchmark of growth measures what it says; how fast this machine is, is no matter for a test."""

import importlib.util
import json
import math
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "scaling.py"
SPEC = importlib.util.spec_from_file_location("scaling", SCRIPT)
scaling = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(scaling)


def test_exponents_by_hand():
    assert scaling.exponent([1e4, 1e5, 1e6], [2.0, 20.0, 200.0]) == pytest.approx(1.0)
    assert scaling.exponent([10, 100], [3.0, 3.0 * 10**1.5]) == pytest.approx(1.5)
    assert scaling.exponent([10, 100, 1000], [7.0, 7.0, 7.0]) == pytest.approx(0.0)


def test_summary_by_hand():
    def one(rows, seconds):
        return {"rows": rows, "stages": {stage: {"seconds": seconds, "memory": rows} for stage in scaling.STAGES}}

    found = scaling.summary([one(100, 1.0), one(1000, 10.0)])
    assert found["exponent_of_preparing"] == pytest.approx(1.0) and found["memory"] == 1000
    assert found["microseconds_per_row"] == pytest.approx([30_000, 30_000])


def test_tables_are_the_same_each_time_and_as_long_as_asked(tmp_path):
    scaling.write_table(tmp_path / "a.csv", 400, 12, seed=1)
    first = (tmp_path / "a.csv").read_text()
    scaling.write_table(tmp_path / "a.csv", 400, 12, seed=1)
    assert (tmp_path / "a.csv").read_text() == first
    rows = [line.split(",") for line in first.splitlines()[1:]]
    assert len(rows) == 400 and {row[2] for row in rows} == {"y", "n"} and rows[7][0] == "a-7"
    lengths = [len(row[1].split()) for row in rows]
    assert sum(lengths) / 400 == pytest.approx(12, abs=4 * math.sqrt(12 / 400))


@pytest.mark.slow
def test_a_small_run_measures_every_stage(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scaling, "QUICK_SIZES", (60, 120))
    monkeypatch.setattr(scaling, "QUICK_TASKS", (1,))
    monkeypatch.setattr(scaling, "QUICK_WORDS", ())
    monkeypatch.setattr(sys, "argv", ["scaling.py", "--quick", "--json", str(tmp_path / "found.json")])
    scaling.main()
    found = json.loads((tmp_path / "found.json").read_text())
    assert [(one["rows"], one["tasks"], one["words"]) for one in found["rows"]] == [(60, 1, 12), (120, 1, 12)]
    for one in found["rows"]:
        assert set(one["stages"]) == {*scaling.STAGES, "building"}
        assert all(stage["seconds"] > 0 for stage in one["stages"].values())
        # A text of twelve made-up words has at least two pieces a word and two special tokens.
        assert one["tokens"] > one["rows"] * 20 and one["cached"] > 4 * one["tokens"] and one["base"] > 2**20
    printed = capsys.readouterr().out
    assert "Exponent of time over rows: reading " in printed and "120" in printed
