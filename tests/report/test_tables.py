import csv
import io
import json

import pytest
from results_example import study_results

from manyheads.report import html_page
from manyheads.report.tables import TextTable, main_table, ordered, tables, terminal, write


def score(arm, task, mean, half=0.01, **more):
    seeds = {"1": mean, "2": mean}
    return {
        "arm": arm, "task": task, "metric": "accuracy", "headline": True, "mean": mean, "seeds": seeds, "sd": 0.0,
        "interval": [mean - half, mean + half], "undefined": None, **more,
    }  # fmt: skip


def comparison(arm, task, difference, verdict, **more):
    return {
        "arm": arm, "task": task, "metric": "accuracy", "headline": True, "difference": difference,
        "interval": [difference - 0.01, difference + 0.01], "p": 0.01, "p_holm": 0.02, "verdict": verdict,
        "sentence": f"{arm} {verdict}.", "noise": 0.004, "missable": None, "seeds_needed": None, "seeds": 2, **more,
    }  # fmt: skip


def arm(**more):
    cost = {"steps": 120.0, "seconds": {"training": 90.0, "scoring": 30.0}}
    return {
        "description": "", "models": "joint", "tasks": ["sst2", "mnli"], "sweep": None, "settings": {}, "runs": [],
        "cost": cost, **more,
    }  # fmt: skip


def task():
    unknown = dict.fromkeys(("dataset", "head", "split", "items", "clusters", "train"))
    return {"metric": "accuracy", "metrics": ["accuracy"], "truncated": 0, "dropped": {}, "warnings": [], **unknown}


@pytest.fixture
def results():
    return {
        "version": "0.1.0",
        "study": {
            "name": "s", "question": "Does it help?", "command": "", "baseline": "alone", "seeds": [1, 2],
            "settings": {},
        },
        "answer": "", "fingerprints": [],
        "tasks": {"sst2": task(), "mnli": task()},
        "arms": {"joint": arm(label="joint"), "alone": arm(label="alone")},
        "scores": [
            score("joint", "sst2", 0.912), score("alone", "sst2", 0.9),
            score("joint", "mnli", 0.7), score("alone", "mnli", 0.71),
        ],
        "comparisons": [comparison("joint", "sst2", 0.012, "helps"), comparison("joint", "mnli", -0.01, "cannot tell")],
        "failed": [],
    }  # fmt: skip


def test_the_main_table(results):
    assert terminal(study_results(results)) == [
        ["arm", "sst2\n(accuracy)", "mnli\n(accuracy)", "steps", "minutes"],
        ["alone (baseline)", "90.0 ± 1.0", "71.0 ± 1.0", "120", "2.0"],
        ["joint", "91.2 ± 1.0\n+1.2 helps", "70.0 ± 1.0\n−1.0 ?", "120", "2.0"],
    ]


def test_what_failed_is_undefined_or_was_not_planned_is_seen(results):
    results["arms"]["joint"] |= {"cost": None}
    results["arms"]["alone"]["tasks"] = ["sst2"]
    results["scores"] = [
        {**score("joint", "sst2", 0.5), "mean": None, "seeds": {}, "interval": None},
        {**score("joint", "mnli", 0.5), "mean": None, "seeds": {"1": None, "2": None}, "interval": None},
        {**score("alone", "sst2", 0.9), "seeds": {"1": 0.9}, "interval": None},
    ]
    results["comparisons"] = [comparison("joint", "sst2", 0, "cannot tell") | {"difference": None, "interval": None}]
    results["failed"] = [{"arm": "joint", "seed": 1, "task": None, "reason": "out of memory"}]
    _, alone, joint = terminal(study_results(results))
    assert alone[1:3] == ["90.0\n(1 of 2 failed)", "–"]
    assert joint[1:] == ["failed\n?", "undefined", "failed", "failed"]
    assert "1 run failed or missing" in main_table(study_results(results)).note


def test_swept_arms_stand_together_by_value(results):
    def swept(value):
        return arm(label=str(value), sweep={"key": "sampling.weights.sst2", "value": value})

    results["arms"] = {"w10": swept(10), "w9": swept(9.5), "alone": arm(), "other": arm(), "w1": swept(-1)}
    assert ordered(study_results(results)) == ["alone", "w1", "w9", "w10", "other"]


def test_every_format_of_every_table_is_there(results):
    names = {f"{name}.{ending}" for name in ("main", "task_sst2", "task_mnli") for ending in ("md", "tex", "csv")}
    assert set(tables(study_results(results))) == names | {"scores.csv", "comparisons.csv"}


def test_tables_are_written_whole(results, tmp_path):
    paths = write(study_results(results), tmp_path)
    assert (
        {path.name for path in (tmp_path / "tables").iterdir()}
        == {path.name for path in paths}
        == set(tables(study_results(results)))
    )
    assert (tmp_path / "tables" / "scores.csv").read_bytes().count(b"\r\n") == 9


def test_the_long_tables_hold_fractions(results):
    rows = list(csv.DictReader(io.StringIO(tables(study_results(results))["scores.csv"])))
    assert len(rows) == 8
    assert (rows[0]["arm"], rows[0]["seed"], float(rows[0]["score"])) == ("joint", "1", 0.912)
    (first, second) = csv.DictReader(io.StringIO(tables(study_results(results))["comparisons.csv"]))
    assert (first["verdict"], float(first["low"])) == ("helps", pytest.approx(0.002))
    assert float(second["difference"]) == -0.01


def test_a_task_table_has_interval_and_noise(results):
    text = tables(study_results(results))["task_sst2.md"]
    assert "| joint | 91.20 ± 1.00 | +1.20 | 0.20 to 2.20 | 0.020 | helps | 0.40 |" in text


def test_results_read_from_a_file_give_the_same_tables(results):
    first = study_results(results)
    assert tables(study_results(json.loads(json.dumps(first.model_dump(mode="json"))))) == tables(first)


@pytest.mark.parametrize(
    ("difference", "shown"), [(0.012, "+1.2"), (-0.0004, "−0.04"), (-0.00001, "0.0"), (-0.02, "−2.0")]
)
def test_terminal_table_and_page_show_the_same_text_for_a_difference(results, difference, shown, tmp_path):
    results["comparisons"] = [comparison("joint", "sst2", difference, "helps")]
    read = study_results(results)
    assert terminal(read)[2][1] == f"91.2 ± 1.0\n{shown} helps"
    assert main_table(read).rows[1][2] == f"{shown} helps"
    assert f'<div class="verdict">{shown} <span class="chip helps">' in html_page.render(read, tmp_path, figures=[])


# ---- formats ---------------------------------------------------------------------------------------------------------


def test_markdown_keeps_pipes_and_marks_as_text():
    text = TextTable("a|b", ["x|y", "z"], [["one\ntwo", "*<script>*"]], "note").markdown()
    assert text == "**a\\|b**\n\n| x\\|y | z |\n| --- | ---: |\n| one two | \\*\\<script\\>\\* |\n\nnote\n"


def test_latex_is_escaped():
    text = TextTable("50 % & more", ["a_b", "c"], [["{x}~\\", "+1.0 ± 2.0"], ["[y]", "−1 #$^"]]).latex()
    assert r"\caption{50 \% \& more }" in text
    assert r"a\_b & c \\" in text
    assert r"\{x\}\textasciitilde{}\textbackslash{} & $+$1.0 $\pm$ 2.0 \\" in text
    assert r"{}[y] & $-$1 \#\$\textasciicircum{} \\" in text
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 1


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x", "@SUM(A1)", "+1.2 helps", "\tx"])
def test_a_spreadsheet_runs_no_text(text):
    (_, (cell,)) = csv.reader(io.StringIO(TextTable("", ["x"], [[text]]).csv()))
    assert cell == f"'{text}"


@pytest.mark.parametrize("text", ["-0.012", "1e-05", "-1.5e-05", "", "a=b", "90.0 ± 1.0", "−1.0 ?", "1,2"])
def test_numbers_and_plain_text_stay_as_they_are(text):
    rows = list(csv.reader(io.StringIO(TextTable("", ["x", "y"], [[text, "z"]]).csv())))
    assert rows[1][0] == text


@pytest.mark.parametrize(("text", "cell"), [("−1.20", "-1.20"), ("51,300", "51300"), ("−1,234,567", "-1234567")])
def test_a_spreadsheet_reads_numbers_as_numbers(text, cell):
    assert TextTable("", ["x"], [[text]]).csv() == f"x\r\n{cell}\r\n"
