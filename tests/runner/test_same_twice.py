"""The same study twice: the same results, report, tables and figures, but for what was measured with a clock."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from command import call
from results_example import study_results, write_metrics

from conftest import STUDY
from manyheads.report import html_page, plots, tables
from manyheads.results.reader import read_results
from manyheads.results.schema import StudyResults
from manyheads.runner import run_study

MEASURED = {
    "seconds", "tokens_per_second", "flops_per_second", "peak_memory", "peak_flops_per_second",  # of a cost
    "metrics.jsonl",  # in a record: the hash of a file that holds such figures
    "seal",  # a hash of a file that holds such figures
}  # fmt: skip
"""The keys that hold what a clock or the machine's memory says. All else is a function of the study."""
SPEEDS = ("tokens_per_second", "flops_per_second", "peak_memory", "peak_flops_per_second")


@pytest.fixture(scope="module")
def twice(tmp_path_factory, tiny) -> tuple[Path, Path]:
    folders = []
    for name in ("once", "again"):
        folder = tmp_path_factory.mktemp(name)
        text = STUDY.format(tiny=tiny).replace("seeds    = [1, 2]", "seeds = [1]").replace("steps = 6", "steps = 3")
        (folder / "little.toml").write_text(text, "utf-8")
        before = Path.cwd()
        os.chdir(folder)  # so that the command that the report shows is the same
        try:
            assert call("run", "little.toml", "--out", "out")[0] == 0
        finally:
            os.chdir(before)
        folders.append(folder / "out")
    return folders[0], folders[1]


def without(value, keys):
    """Nested values with 0 in place of what these keys hold."""
    if isinstance(value, dict):
        return {key: 0 if key in keys else without(part, keys) for key, part in value.items()}
    return [without(part, keys) for part in value] if isinstance(value, list) else value


def read(path: Path):
    return json.loads(path.read_text("utf-8"))


def timed(given, seconds=60.0):
    """Results in which every measured figure is the same."""
    given = json.loads(json.dumps(given))
    for arm in given["arms"].values():
        arm["cost"]["seconds"] = dict.fromkeys(arm["cost"]["seconds"], seconds)
        arm["cost"] |= dict.fromkeys(SPEEDS, 1e6)
    return given


def test_all_the_same_files_are_there(twice):
    once, again = ({str(path.relative_to(out)) for path in out.rglob("*")} for out in twice)
    assert once == again and len(once) > 40


def test_results_differ_in_measured_figures_only(twice):
    once, again = (read(out / "results.json") for out in twice)
    assert without(once, MEASURED) == without(again, MEASURED)
    # What is left out is a part of the cost and of nothing else.
    kept = without(once, MEASURED)
    assert kept["scores"] == once["scores"] and kept["comparisons"] == once["comparisons"]
    assert kept["arms"]["joint"]["cost"]["steps"] == 3


def test_records_and_steps_differ_in_measured_figures_only(twice):
    for path in sorted(twice[0].rglob("record.json")):
        other = twice[1] / path.relative_to(twice[0])
        assert without(read(path), MEASURED) == without(read(other), MEASURED), path
    for path in sorted(twice[0].rglob("metrics.jsonl")):
        other = twice[1] / path.relative_to(twice[0])
        once, again = ([json.loads(line) for line in one.read_text().splitlines()] for one in (path, other))
        assert without(once, {"seconds"}) == without(again, {"seconds"}), path


def test_everything_else_is_the_same_byte_by_byte(twice):
    same, measured = (
        0,
        ("record.json", "metrics.jsonl", "results.json", "report.html", "main.md", "main.tex", "main.csv", "lock"),
    )
    for path in sorted(path for path in twice[0].rglob("*") if path.is_file()):
        if path.name in measured:
            continue
        other = twice[1] / path.relative_to(twice[0])
        assert path.read_bytes() == other.read_bytes(), path
        same += 1
    assert same > 25


def test_with_the_same_times_report_tables_and_figures_are_the_same_bytes(twice, tmp_path):
    hashes = []
    for out in twice:
        given = study_results(timed(read(out / "results.json")))
        drawn = plots.figures(given, out)
        parts = [html_page.render(given, out, drawn), *tables.tables(given).values(), *(figure.svg for figure in drawn)]
        hashes.append([hashlib.sha256(part.encode()).hexdigest() for part in parts])
    assert hashes[0] == hashes[1] and len(hashes[0]) > 12


def test_a_measured_figure_is_shown_in_the_report_and_the_main_table_only(twice):
    timings = [timed(read(twice[0] / "results.json"), seconds) for seconds in (60.0, 6000.0)]
    given, slower = map(study_results, timings)
    before, after = tables.tables(given), tables.tables(slower)
    assert {name for name in before if before[name] != after[name]} == {"main.md", "main.tex", "main.csv"}
    assert html_page.render(given, twice[0], []) != html_page.render(slower, twice[0], [])
    assert [one.svg for one in plots.figures(given, twice[0])] == [one.svg for one in plots.figures(slower, twice[0])]


def test_to_render_again_changes_no_byte(twice):
    out = twice[0]
    shown = [out / "report.html", *(out / "tables").iterdir(), *(out / "figures").iterdir()]
    before = {path: path.read_bytes() for path in shown}
    assert call("report", out)[0] == 0
    assert {path: path.read_bytes() for path in before} == before and len(before) > 10


@pytest.mark.parametrize("name", ["report.html", "results.json", "tables/main.csv", "figures/scores.svg"])
def test_a_kill_while_a_file_is_written_leaves_the_old_one(twice, tmp_path, monkeypatch, name):
    """The last step of writing is to move a whole file to its place. Before it, the old one is still there."""
    out = tmp_path / "out"
    write_metrics(out, steps=5)
    run_study.present(study_results(), out)
    (out / "results.json").write_text("{}")
    for path in (out / "report.html", *out.glob("tables/*"), *out.glob("figures/*")):
        path.write_text("the old one")
    moved = []

    def kill(source, goal):
        moved.append(Path(goal).name)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", kill)
    writers = {
        "report.html": lambda: html_page.write(study_results(), out, []),
        "tables/main.csv": lambda: tables.write(study_results(), out),
        "figures/scores.svg": lambda: plots.write(plots.figures(study_results(), out), out),
        "results.json": lambda: run_study.compare(twice[0], _outline(twice[0]), resamples=50),
    }  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        writers[name]()
    assert moved
    old = read(twice[0] / "results.json")["version"] if name == "results.json" else (out / name).read_text()
    assert old != "another" and (name == "results.json" or old == "the old one")


def _outline(out: Path) -> StudyResults:
    """Of the study that was run, in another version."""
    return read_results(out).model_copy(update={"version": "another"})
