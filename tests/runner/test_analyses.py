"""A study's analyses from its file to its report: checked, done once, kept, shown, never in the way of the study."""

import base64
import csv
import hashlib
import json
from pathlib import Path

import pytest
from browser import Page
from command import call
from results_example import study_results

from conftest import STUDY
from manyheads.analyses import Column, DataTable, Section
from manyheads.core.problems import StudyError
from manyheads.core.values import HighlightedText
from manyheads.report import drawing, html_page
from manyheads.results.reader import read_results
from manyheads.results.records import read_records
from manyheads.results.schema import Analysis, AnalysisFigure, AnalysisTable, StudyResults
from manyheads.runner.analysis_inputs import RunsOnDisk
from manyheads.runner.analysis_sections import LONGEST, section_entry
from manyheads.runner.run_study import study_outline
from manyheads.study.parser import read_study
from manyheads.study.tasks import read_tasks

PROBE = '''"""Counts answers, for a test."""

from pathlib import Path

from manyheads.analyses import Analysis, Column, DataTable, Section
from manyheads.core.problems import Problem
from manyheads.core.values import HighlightedText
from manyheads.report import drawing


class Probe(Analysis):
    """Reads everything once.

    :param task: Which task.
    :param broken: Fail.
    """

    def __init__(self, *, task: str = "food", broken: bool = False) -> None:
        self.task, self.broken = task, broken

    @classmethod
    def problems(cls, study, settings, where):
        known = settings.get("task", "food") in study.scored
        return [] if known else [Problem(f"{where}.task", "there is no such task", settings["task"])]

    def analyse(self, runs):
        path = Path(__file__).with_name("calls.txt")
        path.write_text(path.read_text() + "x" if path.exists() else "x")
        if self.broken:
            raise RuntimeError("it is\\nbroken")
        rows = []
        for run in runs.finished(task=self.task):
            table = runs.table(self.task)
            answers, again = runs.answers(run, self.task), runs.predict(run, self.task, table)
            assert [one["label"] for one in answers] == [one["label"] for one in again]
            targets = [example.targets for example in runs.encoded(run, self.task, table)]
            right = sum(one["label"] == one["gold"] for one in answers)
            rows.append([run.arm, run.seed, right, len(targets), HighlightedText("=1+1 <b>good</b>", 5, 9)])
        with drawing.house_look():
            sheet = drawing.new_sheet(60)
            figure = drawing.finish(sheet, "empty", "Nothing <drawn>", "Read nothing.", "An empty sheet")
        columns = ["arm", "seed", Column("right"), "of", "text"]
        parts = ["A text.", DataTable("counts", columns, rows), figure]
        return Section("Counts", f"{len(rows)} runs <answered>.", parts)
'''


def analysed(folder: Path, tiny: Path, settings: str) -> tuple[int, str, dict]:
    """Run the little study with the probe. A second call in the same folder goes on from the first."""
    code = folder / "code"
    (code / "analyses").mkdir(parents=True, exist_ok=True)
    (code / "analyses" / "probe.py").write_text(PROBE, "utf-8")
    study = folder / "little.toml"
    study.write_text(STUDY.format(tiny=tiny).replace("[1, 2]", "[1]") + f"\n[analyses.probe]\n{settings}\n", "utf-8")
    exit_code, _, err = call("run", study, "--out", folder / "out", "--code", code)
    return exit_code, err, json.loads((folder / "out" / "results.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def done(tmp_path_factory, tiny) -> Path:
    folder = tmp_path_factory.mktemp("analysed")
    assert analysed(folder, tiny, "")[0] == 0
    return folder


def times(folder: Path) -> int:
    return len((folder / "code" / "analyses" / "calls.txt").read_text())


def test_an_analysis_reads_answers_data_and_models(done):
    entry = read_results(done / "out").analyses[0]
    assert (entry.name, entry.title, entry.failed) == ("probe", "Counts", None)
    assert entry.finding == "2 runs <answered>." and [part.kind for part in entry.parts] == ["text", "table", "figure"]
    table = entry.parts[1]
    answers = (done / "out" / "joint" / "1" / "predictions" / "food.jsonl").read_text("utf-8").splitlines()
    right = sum(line["label"] == line["gold"] for line in map(json.loads, answers))
    assert table.rows[1][:4] == ["joint", 1, right, len(answers)]
    assert table.csv == "analyses/probe/counts.csv" and table.total == 2


def test_its_tables_and_figures_are_files_and_a_spreadsheet_runs_no_cell(done):
    with (done / "out" / "analyses" / "probe" / "counts.csv").open(encoding="utf-8", newline="") as file:
        header, first, _ = csv.reader(file)
    assert header == ["arm", "seed", "right", "of", "text"] and first[4] == "'=1+1 <b>good</b>"
    assert (done / "out" / "figures" / "probe-empty.svg").read_text("utf-8").startswith("<?xml")


def test_the_report_has_a_section_that_opens_with_the_finding(done):
    page = (done / "out" / "report.html").read_text("utf-8")
    read = Page(page)
    assert read.wrong == [] and len(read.ids) == len(set(read.ids))
    section = page.partition('<section id="analysis-probe"')[2].partition("</section>")[0]
    assert section.index("2 runs &lt;answered&gt;.") < section.index("A text.") < section.index("<table")
    assert "=1+1 <mark>&lt;b&gt;g</mark>ood&lt;/b&gt;" in section
    assert 'href="#analysis-probe"' in page and 'href="analyses/probe/counts.csv"' in section


def test_nothing_is_computed_twice_unless_something_changed(done, tiny):
    before = times(done)
    code, err, results = analysed(done, tiny, "")
    assert code == 0 and times(done) == before and "3 finished, 0 to do" in err
    assert results["analyses"][0]["finding"] == "2 runs <answered>."
    file = done / "out" / "analyses" / "probe" / "counts.csv"
    content = file.read_bytes()
    file.write_bytes(b"changed")
    assert analysed(done, tiny, "")[0] == 0 and times(done) == before + 1 and file.read_bytes() == content
    assert analysed(done, tiny, 'task = "food"')[0] == 0 and times(done) == before + 1  # the default, written down


def test_an_analysis_that_fails_does_not_sink_the_study(done, tiny):
    code, err, results = analysed(done, tiny, "broken = true")
    assert code == 1 and "3 finished, 0 to do" in err
    assert "failed: analysis probe: it is" in err and "--retry-failed" not in err
    assert results["analyses"][0]["failed"] == "it is" and results["failed"] == []
    page = (done / "out" / "report.html").read_text("utf-8")
    assert "This analysis failed: it is" in page and 'Failed: <a href="#analysis-probe">' in page
    code, err, results = analysed(done, tiny, "")
    assert code == 0 and results["analyses"][0]["failed"] is None


def test_report_shows_the_same_again_from_the_results_alone(done, tiny):
    analysed(done, tiny, "")
    page = (done / "out" / "report.html").read_bytes()
    (done / "out" / "report.html").unlink()
    assert call("report", done / "out")[0] == 0
    assert (done / "out" / "report.html").read_bytes() == page
    before, figure = times(done), done / "out" / "figures" / "probe-empty.svg"
    figure.unlink()
    assert call("report", done / "out")[0] == 0
    assert "figures/probe-empty.svg is not there" in (done / "out" / "report.html").read_text("utf-8")
    assert analysed(done, tiny, "")[0] == 0 and times(done) == before + 1  # made anew
    assert figure.is_file() and (done / "out" / "report.html").read_bytes() == page


def test_answers_that_were_changed_are_refused(done, tiny):
    path = done / "out" / "joint" / "1" / "predictions" / "food.jsonl"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"positive", b"negative", 1))
    try:
        assert "has changed since the run wrote it" in call("run", done / "little.toml", "--out", done / "out",
                                                           "--code", done / "code")[2]  # fmt: skip
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "[analyses.chnged_answers]",
            'analyses.chnged_answers: there is no "chnged_answers". Did you mean "chang',
        ),
        (
            "[analyses.changed_answers]\nshwn = 3",
            "analyses.changed_answers.shwn: there is no such key. Did you mean ",
        ),
        ('[analyses.changed_answers]\nshown = "3"', "analyses.changed_answers.shown: input should be a valid integer"),
        ("[analyses.changed_answers]\nshown = -1", "analyses.changed_answers.shown: should be 0 or more. Found -1."),
        (
            "[analyses.word_importance]\npermutations = 9",
            "analyses.word_importance.permutations: should be from 99 to 100000.",
        ),
        ("[analyses]\nchanged_answers = 3", "analyses.changed_answers: should be a table. Found 3."),
        ("[arms.analyses]", "arms.analyses: is the name of a file of the study"),
    ],
)
def test_mistakes_in_the_study_file_are_told_before_anything_is_read(tmp_path, tiny, table, message):
    path = tmp_path / "little.toml"
    path.write_text(STUDY.format(tiny=tiny) + f"\n{table}\n", "utf-8")
    with pytest.raises(StudyError) as error:
        read_study(path)
    assert any(str(problem).startswith(message) for problem in error.value.problems), str(error.value)


def test_an_analysis_is_asked_whether_it_fits_the_study(done, tmp_path, tiny):
    path = tmp_path / "little.toml"
    path.write_text(STUDY.format(tiny=tiny) + '\n[analyses.probe]\ntask = "wine"\n', "utf-8")
    with pytest.raises(StudyError, match=r"analyses\.probe\.task: there is no such task\. Found wine"):
        read_study(path, done / "code")
    with pytest.raises(StudyError, match=r"analyses: should be a table. Found 3"):
        path.write_text("analyses = 3\n" + STUDY.format(tiny=tiny), "utf-8")
        read_study(path)


def test_an_analysis_is_no_part_of_what_a_run_is(done, tiny, tmp_path):
    path = tmp_path / "little.toml"
    path.write_text(STUDY.format(tiny=tiny).replace("[1, 2]", "[1]"), "utf-8")
    code, _, err = call("run", path, "--out", done / "out")
    assert code == 0 and "3 finished, 0 to do" in err
    assert read_results(done / "out").analyses == []


def runs_of(done: Path) -> RunsOnDisk:
    study, out = read_study(done / "little.toml", done / "code"), done / "out"
    tasks = read_tasks(study, None)
    return RunsOnDisk(out, study, tasks, read_results(out), read_records(out, study_outline(study, tasks)))


def test_runs_on_disk_give_data_and_models_and_keep_one_model(done):
    runs = runs_of(done)
    assert [(run.arm, run.tasks) for run in runs.finished()] == [
        ("alone", ("food",)), ("alone", ("questions",)), ("joint", ("food", "questions")),
    ]  # fmt: skip
    assert [run.arm for run in runs.finished(task="food")] == ["alone", "joint"]
    assert [run.path for run in runs.finished("alone", "food")] == ["alone/1/food"]
    assert runs.labels("food") == ("negative", "positive") and runs.labels("questions") is None
    assert len(runs.table("food", "train").rows) == 40
    alone, joint = runs.finished(task="food")
    model = runs.model(joint)
    assert runs.model(joint) is model and runs.model(alone) is not model
    crossed = runs.predict(alone, "food", runs.table("food", "train"))
    assert len(crossed) == 40 and {"label", "probabilities"} <= set(crossed[0])


def test_a_model_that_was_changed_is_refused(done):
    runs = runs_of(done)
    path = done / "out" / "joint" / "1" / "model" / "heads.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        with pytest.raises(StudyError, match=r"heads\.safetensors: has changed since the run wrote it"):
            runs.model(runs.finished("joint")[0])
    finally:
        path.write_bytes(content)


def test_a_study_of_pairs_ends_with_its_matrix(tmp_path, tiny):
    text = (
        STUDY.format(tiny=tiny).partition("[arms.alone]")[0].replace("[1, 2]", "[1]").replace("steps = 6", "steps = 2")
    )
    text += '\n[analyses.changed_answers]\narms = ["alone", "food_questions"]\n'
    (tmp_path / "tasks.toml").write_text(text, "utf-8")
    assert call("init", "--pairs", tmp_path / "tasks.toml")[0] == 0
    code, _, err = call("run", tmp_path / "tasks_pairs.toml", "--out", tmp_path / "out")
    assert code == 0, err
    changed, matrix = read_results(tmp_path / "out").analyses
    assert matrix.title == "Who helps whom" and "of 2 directions" in matrix.finding
    differences = {one.task: one.difference for one in read_results(tmp_path / "out").comparisons if one.headline}
    table = next(part for part in matrix.parts if part.kind == "table" and part.name == "matrix")
    assert {row[0]: row[3] for row in table.rows} == differences
    counts = next(part for part in changed.parts if part.kind == "table" and part.name == "counts")
    place = [column.title for column in counts.columns].index("Difference")
    assert {row[0]: row[place] for row in counts.rows} == pytest.approx(differences)
    page = Page((tmp_path / "out" / "report.html").read_text("utf-8"))
    assert page.wrong == [] and len(page.ids) == len(set(page.ids))


# ---- sections as results.json has them -------------------------------------------------------------------------------


def table_of(*rows: list, columns=("a",), **about) -> AnalysisTable:
    return section_entry("x", Section("T", "F.", [DataTable("t", columns, rows, **about)]))[0].parts[0]


def test_the_page_holds_the_first_rows_and_the_file_all():
    entry, files = section_entry("x", Section("T", "F.", [DataTable("t", ["a"], [[n] for n in range(250)], shown=3)]))
    assert entry.parts[0].rows == [[0], [1], [2]] and entry.parts[0].total == 250
    assert len(files["analyses/x/t.csv"].decode().splitlines()) == 251


def test_a_long_text_keeps_what_stands_around_its_mark():
    text = "a" * 3000 + "GOLD" + "b" * 3000
    cell = table_of([HighlightedText(text, 3000, 3004)]).rows[0][0]
    assert cell.text[cell.start : cell.end] == "GOLD" and len(cell.text) == LONGEST + 2
    assert cell.text.startswith("…a") and cell.text.endswith("b…")
    assert len(table_of(["c" * 5000]).rows[0][0]) == LONGEST


def test_what_is_not_finite_is_null():
    assert table_of([float("nan")], [float("inf")], [0.5]).rows == [[None], [None], [0.5]]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([DataTable("t", ["a", "b"], [["one"]])], "not as wide as the 2 columns"),
        ([DataTable("../t", ["a"], [])], "cannot be the name"),
        ([DataTable("t", ["a"], []), DataTable("T", ["a"], [])], "two tables, or two figures"),
        ([DataTable("t", ["a"], [[HighlightedText("abc", 2, 9)]])], "not inside a text"),
    ],
)
def test_a_section_that_cannot_be_shown_is_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        section_entry("x", Section("T", "F.", parts))


# ---- what comes back from a file -------------------------------------------------------------------------------------

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">{}</svg>'


def with_figure(folder: Path, content: bytes | None, named: str = "") -> Page:
    """A page whose results speak of a figure file; None: the file is not there."""
    figure = AnalysisFigure(
        name="f", title="F", alt="An f", reading="Read it.", file="figures/x-f.svg",
        sha256=named or hashlib.sha256(content or b"").hexdigest(),
    )  # fmt: skip
    entry = Analysis(name="x", title="X", finding="x", failed=None, parts=[figure])
    (folder / "figures").mkdir(exist_ok=True)
    if content is not None:
        (folder / "figures" / "x-f.svg").write_bytes(content)
    results = study_results().model_copy(update={"analyses": [entry]})
    return Page(html_page.render(results, folder, figures=[]))


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>", '<g onclick="x()"/>', '<use href="javascript:alert(1)"/>', "</svg><h1>mine</h1>",
        "<style>body { display: none }</style>", '"><img src="x" onerror="alert(1)">', "<!-- x",
    ],
)  # fmt: skip
def test_nothing_in_a_figure_s_file_becomes_a_part_of_the_page(tmp_path, inside):
    plain, odd = with_figure(tmp_path, SVG.format("").encode()), with_figure(tmp_path, SVG.format(inside).encode())
    assert odd.tags == plain.tags and odd.wrong == [] and odd.tags.count("img") == 1
    (source,) = [value for tag, name, value in odd.attributes if (tag, name) == ("img", "src")]
    assert source.startswith("data:image/svg+xml;base64,") and inside in base64.b64decode(source[26:]).decode()


def test_a_figure_whose_file_is_missing_or_changed_is_said_in_its_place(tmp_path):
    (tmp_path / "a").mkdir()
    for folder, content, what in (("a", None, "is not there"), ("", b"<svg/>", "has changed since it was drawn")):
        page = with_figure(tmp_path / folder, content, named="0" * 64)
        assert f"This figure is not shown: figures/x-f.svg {what}." in page.texts and "img" not in page.tags


def test_results_of_format_1_show_the_figures_that_lie_beside_them(done, tiny, tmp_path):
    """They had the drawing inside; the file has the same content."""
    analysed(done, tiny, "")
    results = json.loads((done / "out" / "results.json").read_text("utf-8"))
    svg = (done / "out" / "figures" / "probe-empty.svg").read_text("utf-8")
    figure = results["analyses"][0]["parts"][2]
    del figure["file"], figure["sha256"], results["format"]
    figure["svg"] = svg
    results["fingerprint"] = results.pop("fingerprints")[0]
    for about in results["tasks"].values():
        about["clipped"] = about.pop("truncated")
    for arm in results["arms"].values():
        for old, new in (("operations", "flops"), ("ceiling", "peak_flops_per_second")):
            arm["cost"][old] = arm["cost"].pop(new)
        arm["cost"]["operations_per_second"] = arm["cost"].pop("flops_per_second")
    (tmp_path / "results.json").write_text(json.dumps(results), "utf-8")
    assert read_results(tmp_path) == read_results(done / "out")
    page = Page(html_page.render(read_results(tmp_path), tmp_path, figures=[]))
    assert any("figures/probe-empty.svg is not there" in text for text in page.texts)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "probe-empty.svg").write_text(svg, "utf-8")
    assert "img" in Page(html_page.render(read_results(tmp_path), tmp_path, figures=[])).tags


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("points", 0.8123, "81.2"), ("gain", -0.0123, "−1.2"), ("share", 0.5, "50.0 %"),
        ("chance", 0.0001, "&lt; 0.001"), ("", 1234, "1,234"), ("", -3, "−3"),
        ("", 12.345, "12.3"), ("", 0.5, "0.500"), ("", None, "–"),
        ("verdict", "helps", "helps</span>"),
    ],
)  # fmt: skip
def test_numbers_are_shown_as_their_column_says(done, kind, value, shown):
    results = json.loads((done / "out" / "results.json").read_text("utf-8"))
    part = table_of([value], columns=[Column("a", kind)])
    entry = {"name": "x", "title": "X", "finding": "x", "failed": None, "parts": [part]}
    read = StudyResults.model_validate(results | {"analyses": [entry]})
    page = html_page.render(read, done / "out", figures=[])
    assert f"{shown}</th>" in page


def test_a_page_with_many_long_examples_stays_small(done):
    results = json.loads((done / "out" / "results.json").read_text("utf-8"))
    context = HighlightedText("It evolved into <b>Modern</b> English. " * 300, 5000, 5020)
    tables = [
        DataTable(f"examples-{n}", ["question", "context", "gold"], [["Which?", context, "a" * 300]] * 500, shown=60)
        for n in range(10)
    ]
    entry, files = section_entry("changed_answers", Section("T", "F.", tables))
    read = StudyResults.model_validate(results | {"analyses": [entry]})
    page = html_page.render(read, done / "out", figures=[])
    assert len(page.encode()) < 2_000_000 and page.count("440 more rows are left out here.") == 10
    assert all(len(content) > 5_000_000 for content in files.values())


def test_no_text_of_an_analysis_becomes_a_part_of_the_page(done, tmp_path):
    mark = "<script>alert('x')</script>\"&"
    table = DataTable(
        "t",
        [mark],
        [[mark], [HighlightedText(mark + "x" * 400 + mark, 3, 440)], [HighlightedText(mark, 0, 8)]],
        note=mark,
        title=mark,
    )
    with drawing.house_look():
        sheet = drawing.new_sheet(60)
        drawing.panel(sheet, mark, 0, 30)
        figure = drawing.finish(sheet, "f", mark, mark, mark)
    entry, _ = section_entry("x", Section(mark, mark, [mark, table, figure]))
    results = json.loads((done / "out" / "results.json").read_text("utf-8"))
    (tmp_path / "results.json").write_text(json.dumps(results | {"analyses": [entry.model_dump()]}), "utf-8")
    read = Page(html_page.render(read_results(tmp_path), tmp_path, figures=[]))
    assert read.wrong == [] and read.tags.count("script") == 1
    assert not [value for _, name, value in read.attributes if name.startswith("on")]
    assert "".join(read.texts).count(mark) >= 6
