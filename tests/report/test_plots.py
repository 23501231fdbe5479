import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from results_example import hostile, results, study_results, write_metrics

from manyheads.report import plots
from manyheads.results.run_record import StepRecord
from manyheads.results.schema import RunResult

NAMES = ["scores", "differences", "sweep", "losses", "shares"]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_metrics(folder, steps=120)
    return folder


@pytest.fixture(scope="module")
def drawn(out):
    return {figure.name: figure for figure in plots.figures(study_results(), out)}


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return [" ".join("".join(node.itertext()).split()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_every_figure_is_drawn_and_written(out, drawn):
    assert list(drawn) == NAMES
    plots.write(list(drawn.values()), out)
    assert (out / "figures" / "scores.svg").read_text(encoding="utf-8") == drawn["scores"].svg
    assert sorted(path.name for path in (out / "figures").iterdir()) == sorted(f"{name}.svg" for name in NAMES)


def test_figures_say_what_they_show_in_text(drawn):
    shown = texts(drawn["scores"].svg)
    mean = next(
        s["mean"] for s in results()["scores"] if (s["arm"], s["task"], s["metric"]) == ("joint", "squad", "f1")
    )
    assert "squad, f1 × 100" in shown and "joint, proportional" in shown and f"{100 * mean:.1f}" in shown
    assert any(note.endswith("cannot tell") for note in texts(drawn["differences"].svg))
    assert "sampling.weights.squad" in texts(drawn["sweep"].svg)
    assert "examples of mnli seen" in texts(drawn["losses"].svg)


@pytest.mark.parametrize("name", NAMES)
def test_figures_have_a_description_for_those_who_cannot_see_them(drawn, name):
    root = ElementTree.fromstring(drawn[name].svg)
    assert root.get("role") == "img" and root.get("aria-label") == drawn[name].alt
    assert drawn[name].title and drawn[name].reading and "sst2" in drawn[name].alt


@pytest.mark.parametrize("name", NAMES)
def test_same_bytes_every_time_and_nothing_of_the_day_or_the_machine(drawn, out, name):
    again = {figure.name: figure.svg for figure in plots.figures(study_results(), out)}
    assert again[name] == drawn[name].svg
    assert "matplotlib" not in drawn[name].svg and "DejaVu" not in drawn[name].svg


def test_a_users_matplotlibrc_changes_nothing(drawn, out):
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "lines.linewidth": 9}):
        assert {figure.name: figure.svg for figure in plots.figures(study_results(), out)} == {
            n: f.svg for n, f in drawn.items()
        }


@pytest.mark.parametrize("name", NAMES)
def test_inline_figures_follow_the_page_and_share_no_id(drawn, name):
    inline = drawn[name].inline()
    assert "var(--ink, #1d2329)" in inline and "var(--" not in drawn[name].svg
    assert not re.search(
        r'style="[^"]*[^-\w](?<!, )#(?!fefefe)[0-9a-f]{6}', inline
    )  # no colour that dark paper would swallow
    assert "http" not in inline and not inline.startswith("<?xml")
    ids = re.findall(r' id="([^"]*)"', inline)
    assert len(ids) == len(set(ids)) and all(mark.startswith(f"{name}-") for mark in ids)
    assert {mark for pair in re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', inline) for mark in pair if mark} <= set(
        ids
    )


def test_no_steps_no_curves_and_no_sweep_no_line(tmp_path):
    given = results()
    for arm in given["arms"].values():
        arm["sweep"] = None
    assert [figure.name for figure in plots.figures(study_results(given), tmp_path)] == ["scores", "differences"]


def test_a_study_in_which_everything_failed_has_no_figures(tmp_path):
    given = results() | {"scores": [], "comparisons": []}
    assert plots.figures(study_results(given), tmp_path) == []


def test_an_undefined_headline_is_named_and_not_drawn(tmp_path):
    given = results()
    for entry in given["scores"]:
        if entry["arm"] == "alone" and entry["task"] == "mnli":
            entry.update(
                mean=None, interval=None, sd=None, seeds={"1": None, "2": None, "3": None}, undefined="no items"
            )
    assert "undefined" in texts({f.name: f for f in plots.figures(study_results(given), tmp_path)}["scores"].svg)


def test_one_seed_without_interval(tmp_path):
    given = results()
    for entry in (*given["scores"], *given["comparisons"]):
        entry["interval"] = None
    assert [figure.name for figure in plots.figures(study_results(given), tmp_path)] == [
        "scores",
        "differences",
        "sweep",
    ]


def test_swept_words_stand_side_by_side(tmp_path):
    given = results()
    for arm, value in zip([arm for arm, about in given["arms"].items() if about["sweep"]], "edcba", strict=True):
        given["arms"][arm]["sweep"]["value"] = f"method {value}"
    shown = texts(plots.figures(study_results(given), tmp_path)[2].svg)
    assert [text for text in shown if text.startswith("method")][:5] == [f"method {value}" for value in "edcba"]


def test_hostile_names_stay_text(tmp_path):
    given = hostile(study_results(), "<script>$x^2$\x00\ud800</script>漢")
    for figure in plots.figures(given, tmp_path):
        root = ElementTree.fromstring(figure.svg)  # well-formed, so nothing got out of its text
        assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
        assert "<script" not in figure.inline()


def step(losses, examples) -> StepRecord:
    return StepRecord(0, losses, {}, examples, {}, 0, 1e9, 0.1, 1e-3)


def steps(*losses: float, task: str = "a", examples: int = 10):
    return [step({task: loss}, {task: examples}) for loss in losses]


def test_curve_by_hand():
    # Two runs of two steps: after 10 examples the losses are 4 and 2, after 20 they are 1 and 3; bins are 0-10, 10-20.
    x, y = plots._curve([steps(4, 1), steps(2, 3)], "a")
    assert x.tolist() == [15.0] or x.tolist() == [5.0, 15.0]
    assert y[-1] == pytest.approx(2.0 if len(y) == 2 else 2.5)


def test_curve_passes_over_steps_that_diverged():
    _, y = plots._curve([steps(4, float("nan"), 2, float("inf"))], "a")
    assert np.isfinite(y).all() and set(y) == {4.0, 2.0}


def test_smoothing_keeps_a_straight_line_straight():
    line = np.linspace(3, 1, 100)
    assert plots._smooth(line) == pytest.approx(line)


def test_shares_by_hand():
    runs = [[step({}, {"a": 3, "b": 1})] * 8]
    count, seen = plots._seen(runs, ["a", "b"])
    assert count == 8 and seen.tolist() == [[24.0], [8.0]]


def test_failed_runs_and_runs_without_steps_are_not_read(tmp_path):
    for seed in (1, 2):
        (tmp_path / "a" / str(seed)).mkdir(parents=True)
        (tmp_path / "a" / str(seed) / "metrics.jsonl").write_text(step({}, {"a": seed}).line())
    states = {1: "finished", 2: "failed", 3: "finished"}
    runs = [
        RunResult(seed=seed, task=None, status=status, reason=None, path=f"a/{seed}") for seed, status in states.items()
    ]
    assert plots._runs(tmp_path, runs) == [[step({}, {"a": 1})]]


def test_a_comparison_without_a_difference_has_its_row(tmp_path):
    given = results()
    entry = next(e for e in given["comparisons"] if e["headline"])
    entry.update(difference=None, interval=None, p=None, p_holm=None, verdict="cannot tell")
    assert "undefined cannot tell" in texts(plots.figures(study_results(given), tmp_path)[1].svg)
