"""The page of speeds shows the figures that are kept, and says where they come from."""

import json
import sys
from pathlib import Path

import inference
import machine_and_table
import pytest
import speed_page

ROOT = Path(__file__).parents[2]


def figures_of(results):
    machine = {"processor": "A Chip", "cores": 2, "memory_bytes": 3 * 2**30, "threads": 1, "versions": {"torch": "9"}}
    return json.dumps({"date": "2026-01-02", "command": "python x", "machine": machine, "results": results})


def test_figures_go_between_their_marks_and_nothing_else_changes(tmp_path):
    page = (ROOT / "docs/results/speed.md").read_text("utf-8")
    empty = speed_page.filled(page, tmp_path)
    seconds = {inference.ONE_HEAD: [1.0], inference.ONE_PASS: [1.0], inference.FOUR: [4.0]}
    results = {"fp32": {"texts": 4, "seconds": {"tokens": seconds, "texts": seconds}, "agreement": {"all": 1.0}}}
    (tmp_path / "inference.json").write_text(figures_of(results), encoding="utf-8")
    filled = speed_page.filled(empty, tmp_path)
    source = "2026-01-02, `python x`, A Chip, 2 cores, 3 GiB of memory, 1 thread; torch 9."
    expected = f"<!-- inference: figures -->\n\n{source}\n\n{inference.report(results)}\n\n<!-- inference: end -->"
    assert filled == empty.replace("<!-- inference: figures -->\n<!-- inference: end -->", expected) != empty
    assert speed_page.filled(filled, tmp_path) == filled
    (tmp_path / "inference.json").unlink()
    assert speed_page.filled(filled, tmp_path) == empty


def test_a_page_without_marks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="training: figures"):
        speed_page.filled("# Speed", tmp_path)


def test_the_page_shows_the_figures_that_are_kept():
    page = ROOT / "docs/results/speed.md"
    if (page.with_suffix("") / "gradient_methods.json").is_file():
        pytest.importorskip("torchjd", reason="its table is made by its benchmark, which needs the extra `methods`")
    assert speed_page.filled(page.read_text("utf-8"), page.with_suffix("")) == page.read_text("utf-8")


def test_a_table_by_hand():
    assert (
        machine_and_table.table(["a", ""], [[1, None], ["x", 2.5]]) == "| a |  |\n| --- | --- |\n| 1 |  |\n| x | 2.5 |"
    )


def test_the_command_can_be_typed_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/training.py", "--only", "by hand, bf16"])
    assert machine_and_table.command() == "python benchmarks/training.py --only 'by hand, bf16'"
