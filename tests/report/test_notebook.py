"""Results in Python: the same figures as in `results.json`, nothing left out, and nothing of the data run as HTML."""

import json
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from results_example import FAILED, SEEDS, hostile, results, study_results, write_metrics

from manyheads.core.problems import StudyError
from manyheads.report import plots, tables
from manyheads.report.notebook import COLUMNS, Results, open_results


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    write_metrics(out, steps=60)
    (out / "results.json").write_text(json.dumps(results()), "utf-8")
    return out


@pytest.fixture
def opened(folder):
    return open_results(folder)


def test_what_was_written_is_what_is_opened(opened, folder):
    assert opened.content == study_results() and opened.folder == folder
    assert (opened.question, opened.answer) == (results()["study"]["question"], results()["answer"])
    (lost,) = opened.failed
    assert (lost.arm, lost.seed, lost.task) == (*FAILED, None)
    assert repr(opened) == f"Results({str(folder)!r}: 27 runs, 1 failed)"


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"results\.json"):
        open_results(tmp_path)


def test_the_frame_has_a_row_for_each_planned_arm_task_metric_and_seed(opened):
    frame = opened.frame()
    assert list(frame.columns) == list(COLUMNS)
    # Seven arms, three seeds, and sst2's accuracy and matthews, mnli's accuracy, squad's f1 and exact.
    assert len(frame) == 7 * 3 * 5 == len(frame[["arm", "task", "metric", "seed"]].drop_duplicates())
    assert list(frame.arm.unique()) == tables.ordered(opened.content)


def test_the_frames_scores_are_those_of_the_results(opened):
    frame = opened.frame().set_index(["arm", "task", "metric", "seed"])
    count = 0
    for entry in opened.content.scores:
        for seed, score in entry.seeds.items():
            row = frame.loc[(entry.arm, entry.task, entry.metric, seed)]
            assert row.headline == entry.headline and row.status == "finished"
            assert row.score == score or (score is None and row.score != row.score)
            count += 1
    assert count == 7 * 3 * 5 - 5  # of the failed run, nothing has a score


def test_the_frames_means_are_those_of_the_results(opened):
    means = opened.frame().groupby(["arm", "task", "metric"]).score.mean()
    for entry in opened.content.scores:
        if entry.mean is not None:
            assert means[entry.arm, entry.task, entry.metric] == pytest.approx(entry.mean)


def test_what_has_no_score_says_why(opened):
    frame = opened.frame()
    lost = frame[frame.score.isna()]
    failed, undefined = lost[lost.status == "failed"], lost[lost.status == "finished"]
    assert set(zip(failed.arm, failed.seed, strict=True)) == {FAILED} and len(failed) == 5
    assert set(failed.reason) == {"the loss of squad became NaN at step 412"}
    assert list(undefined.metric) == ["matthews"] * 2
    assert set(undefined.reason) == {"every prediction is the same class"}
    assert set(frame[frame.score.notna()].reason) == {""}


def test_a_task_of_which_no_run_finished_is_in_the_frame(folder):
    content = json.loads((folder / "results.json").read_text("utf-8"))
    content["tasks"]["mnli"] |= {"metric": None, "metrics": []}
    content["scores"] = [entry for entry in content["scores"] if entry["task"] != "mnli"]
    frame = Results(study_results(content), folder).frame()
    lost = frame[frame.task == "mnli"]
    assert len(lost) == 7 * len(SEEDS) and lost.metric.isna().all() and lost.score.isna().all()


def test_comparisons_are_those_of_the_results(opened):
    frame, entries = opened.comparisons(), opened.content.comparisons
    assert len(frame) == len(entries)
    first = frame.iloc[0]
    assert [first.arm, first.verdict, first.difference] == [entries[0].arm, entries[0].verdict, entries[0].difference]
    assert (first.low, first.high) == entries[0].interval


def test_the_table_in_a_terminal_has_every_cell_in_its_column(opened):
    lines = str(opened.table).splitlines()
    table = tables.main_table(opened.content)
    end = lines[0].index("sst2 (accuracy)") + len("sst2 (accuracy)")
    for line, row in zip(lines[1:], table.rows, strict=False):
        assert line.startswith(row[0]) and line[:end].endswith(row[1])
    assert lines[-1] == table.note
    assert opened.table == table
    assert str(opened).startswith(opened.question) and str(opened).endswith(opened.answer)


def test_the_table_of_a_task_has_all_its_metrics(opened):
    assert opened.task_table("squad").header[1:3] == ["f1", "exact"]
    with pytest.raises(StudyError, match='there is no task "sqaud"'):
        opened.task_table("sqaud")


class Cells(HTMLParser):
    def __init__(self, source: str):
        super().__init__()
        self.tags, self.rows = [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_a_notebook_shows_the_answer_and_the_table(opened):
    grid, page = tables.main_table(opened.content), opened._repr_html_()
    shown = Cells(opened.table._repr_html_()).rows
    assert shown[0] == list(grid.header) and [row[:-1] for row in shown[1:]] == [list(row)[:-1] for row in grid.rows]
    assert opened.answer in page and "1 run failed." in page and "report.html" in page


def test_a_notebook_runs_nothing_that_is_in_the_data(folder):
    page = Results(hostile(study_results()), folder)._repr_html_()
    assert "script" not in Cells(page).tags and "&lt;script&gt;" in page


def test_figures_are_matplotlibs_and_show_themselves(opened, folder):
    from matplotlib.figure import Figure

    figures = opened.figures()
    assert list(figures) == [drawn.name for drawn in plots.figures(study_results(), folder)]
    assert all(isinstance(figure, Figure) and figure.axes for figure in figures.values())
    assert figures["scores"]._repr_png_().startswith(b"\x89PNG")


def test_the_report_is_written_if_it_is_not_there(opened, folder):
    path = opened.report()
    assert path == folder / "report.html" and opened.question in path.read_text("utf-8")
    path.write_text("kept", "utf-8")
    assert opened.report().read_text("utf-8") == "kept"


def test_the_folder_of_a_model(opened, folder):
    assert opened.model("joint", 2) == folder / "joint" / "2" / "model"
    assert opened.model("joint", 2, "mnli") == folder / "joint" / "2" / "model"  # one model for all tasks
    assert opened.model("alone", 1, "mnli") == folder / "alone" / "1" / "mnli" / "model"
    for wrong in (("alone", 1), FAILED, ("joint", 9)):
        with pytest.raises(StudyError, match="no finished run"):
            opened.model(*wrong)
    with pytest.raises(StudyError, match='there is no arm "joined"'):
        opened.model("joined", 1)


QUICK = """
import sys
before = set(sys.modules)
import manyheads
assert not [name for name in set(sys.modules) - before if not name.startswith(("manyheads", "importlib", "typing"))
            and name.split(".")[0] in ("torch", "pandas", "numpy", "pydantic", "matplotlib", "datasets")]
assert {"Study", "open_results", "StudyError"} <= set(dir(manyheads))
opened = manyheads.open_results(sys.argv[1])
opened.frame(), opened._repr_html_(), opened.figures()
assert "torch" not in sys.modules and "transformers" not in sys.modules
assert isinstance(opened, manyheads.Results)
try:
    manyheads.Studie
except AttributeError as error:
    print(error)
"""


def test_importing_loads_nothing_and_opening_results_no_torch(folder):
    done = subprocess.run([sys.executable, "-c", QUICK, str(folder)], capture_output=True, text=True)
    assert done.stderr == "" and done.stdout == "module 'manyheads' has no attribute 'Studie'\n"
