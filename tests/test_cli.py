"""The commands as people script against them: what they print, where, and how they exit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import call
from waiting import LIMIT, until

from manyheads.core.version import __version__


@pytest.fixture(scope="module")
def done(tmp_path_factory, tiny) -> Path:
    """A little study, run once."""
    from conftest import STUDY

    folder = tmp_path_factory.mktemp("study")
    (folder / "little.toml").write_text(STUDY.format(tiny=tiny), "utf-8")
    code, out, _ = call("run", folder / "little.toml", "--out", folder / "out")
    assert code == 0
    (folder / "printed.txt").write_text(out, "utf-8")
    return folder


def test_run_ends_with_the_table_the_answer_and_the_report(done):
    printed = (done / "printed.txt").read_text("utf-8")
    assert "alone" in printed and "joint" in printed and "food" in printed
    assert f"Report: {done / 'out' / 'report.html'}" in printed


def test_what_a_study_leaves_behind(done):
    out = done / "out"
    there = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    run = "joint/1"
    expected = {"study.toml", "results.json", "report.html", f"{run}/record.json", f"{run}/metrics.jsonl"}
    expected |= {f"{run}/predictions/food.jsonl", f"{run}/model/config.json", f"{run}/model/model.safetensors"}
    expected |= {f"{run}/model/README.md", f"{run}/model/tokenizer.json", "alone/2/questions/record.json"}
    assert expected <= there
    assert {Path(path).suffix for path in there if path.startswith("tables/")} == {".md", ".tex", ".csv"}
    assert any(path.startswith("figures/") and path.endswith(".svg") for path in there)
    assert not [path for path in there if path.endswith((".pkl", ".bin", ".pt", ".part"))]


def test_results_are_paired_and_complete(done):
    results = json.loads((done / "out" / "results.json").read_text("utf-8"))
    assert results["study"]["question"] == "Does it work?"
    headline = [(row["arm"], row["task"]) for row in results["scores"] if row["headline"]]
    assert set(headline) == {(arm, task) for arm in ("alone", "joint") for task in ("food", "questions")}
    assert {row["task"] for row in results["comparisons"] if row["headline"]} == {"food", "questions"}
    assert results["failed"] == []


def test_the_same_command_again_trains_nothing(done):
    before = {path: path.stat().st_mtime_ns for path in (done / "out").rglob("record.json")}
    code, out, err = call("run", done / "little.toml", "--out", done / "out", "--json")
    assert code == 0 and "6 finished, 0 to do" in err
    assert json.loads(out)["study"]["name"] == "little"
    assert {path: path.stat().st_mtime_ns for path in (done / "out").rglob("record.json")} == before


def test_another_study_does_not_mix_with_a_finished_one(done, tmp_path):
    text = (done / "little.toml").read_text("utf-8").replace("learning_rate = 1e-3", "learning_rate = 1e-4")
    (tmp_path / "little.toml").write_text(text, "utf-8")
    code, _, err = call("run", tmp_path / "little.toml", "--out", done / "out")
    assert code == 2
    assert "was trained with training.learning_rate = 0.001. Found 0.0001 in the study. Use --fresh" in err


@pytest.mark.slow
def test_two_runs_of_one_study_are_the_same_bits(done, tmp_path):
    assert call("run", done / "little.toml", "--out", tmp_path / "again", "--workers", 2)[0] == 0
    weights = sorted(path.relative_to(done / "out") for path in (done / "out").rglob("*.safetensors"))
    assert len(weights) == 12
    for path in [*weights, Path("joint/1/predictions/food.jsonl")]:
        one, other = (done / "out" / path).read_bytes(), (tmp_path / "again" / path).read_bytes()
        threads = {
            json.loads(p.read_text())["fingerprint"]["threads"] for p in (tmp_path / "again").rglob("record.json")
        }
        if threads == {1}:
            assert one == other, path


def test_report_writes_again_what_was_there(done):
    page = (done / "out" / "report.html").read_bytes()
    code, out, _ = call("report", done / "out")
    assert code == 0 and "Report:" in out
    assert (done / "out" / "report.html").read_bytes() == page
    assert call("report", done)[0] == 2


def test_predict_answers_lines(done):
    model = done / "out" / "joint" / "1" / "model"
    lines = '{"text": "A fine soup.", "id": "x"}\n\n{"text": "Dreadful."}\n'
    code, out, _ = call("predict", model, "--task", "food", stdin=lines)
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [answer["id"] for answer in answers] == ["x", "3"]
    assert set(answers[0]["probabilities"]) == {"negative", "positive"}
    asked = '{"question": "Who cooks?", "context": "Anna cooks at the mill."}\n'
    code, out, _ = call("predict", model, "--task", "questions", stdin=asked)
    assert code == 0 and json.loads(out)["answer"] in ("", *_spans("Anna cooks at the mill."))


def _spans(text: str) -> list[str]:
    return [text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "-:1: not a line of JSON"),
        ("[1]", "-:1: should be a JSON object. Found [1]"),
        ('{"txt": "x"}', '-:1: "text" should be a text that is not empty. Found None'),
        ('{"text": "  "}', '"text" should be a text that is not empty'),
    ],
)
def test_predict_refuses_bad_lines(done, line, message):
    code, _, err = call("predict", done / "out" / "joint" / "1" / "model", "--task", "food", stdin=line + "\n")
    assert code == 2 and message in err


def test_predict_names_the_tasks_there_are(done):
    code, _, err = call("predict", done / "out" / "joint" / "1" / "model", "--task", "fod")
    assert code == 2 and 'Did you mean "food"?' in err


def test_check_shows_the_plan_and_trains_nothing(study_file):
    code, out, _ = call("check", study_file)
    assert code == 0
    assert "6 runs" in out and "share of batches: food 50.0%, questions 50.0%" in out
    assert list(study_file.parent.iterdir()) == [study_file]
    plan = json.loads(call("check", study_file, "--json")[1])
    assert plan["arms"]["alone"]["steps"] == {"food": 6, "questions": 6}
    assert plan["arms"]["joint"]["epochs"]["food"] == pytest.approx(0.6, abs=0.21)


def test_check_shows_all_mistakes_of_study_and_data(tmp_path):
    text = '[tasks.a]\ndataset = { name = "table", train = "no.csv" }\nhead = { name = "classification" }\n[arms.x]\n'
    (tmp_path / "bad.toml").write_text(text)
    code, _, err = call("check", tmp_path / "bad.toml")
    assert code == 2 and "no.csv" in err and "Traceback" not in err
    (tmp_path / "bad.toml").write_text(text.replace("[arms.x]", "[arms.x]\nmodel = 1\n[arms.y]\ntask = 2"))
    code, out, _ = call("check", tmp_path / "bad.toml", "--json")
    assert code == 2 and [p["where"] for p in json.loads(out)["problems"]] == ["arms.x.model", "arms.y.task"]


def test_a_failed_run_is_shown_and_the_others_finish(study_file, tmp_path):
    (tmp_path / "weighting").mkdir()
    (tmp_path / "weighting" / "wild.py").write_text(
        "from manyheads.weighting import Weighting\n\n\nclass Wild(Weighting):\n"
        '    """No number."""\n\n'
        "    def combine(self, losses):\n        return sum(losses.values()) * float('nan')\n"
    )
    text = study_file.read_text("utf-8") + '\n[arms.wild]\ntasks = ["food"]\nweighting = { name = "wild" }\n'
    study_file.write_text(text, "utf-8")
    code, out, err = call("run", study_file, "--out", tmp_path / "out", "--code", tmp_path)
    assert code == 1, err
    assert "failed: wild/1" in err and "the batch held the examples" in err
    results = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert [(row["arm"], row["seed"]) for row in results["failed"]] == [("wild", 1), ("wild", 2)]
    assert "failed" in out and "wild" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_a_weighting_of_ones_own_needs_one_file(study_file, tmp_path):
    (tmp_path / "mine" / "weighting").mkdir(parents=True)
    (tmp_path / "mine" / "weighting" / "halved.py").write_text(
        '"""Half of everything."""\n\nfrom manyheads.weighting import Weighting\n\n\nclass Halved(Weighting):\n'
        '    """Half the sum."""\n\n    def combine(self, losses):\n        return sum(losses.values()) / 2\n'
    )
    text = study_file.read_text("utf-8") + '\n[arms.halved]\nweighting = { name = "halved" }\n'
    study_file.write_text(text.replace("seeds    = [1, 2]", "seeds = [1]"), "utf-8")
    assert call("check", study_file)[0] == 2
    code, _, _ = call("run", study_file, "--out", tmp_path / "out", "--code", tmp_path / "mine")
    assert code == 0 and (tmp_path / "out" / "halved" / "1" / "record.json").is_file()


def test_fresh_starts_beside_the_old(study_file, tmp_path):
    study_file.write_text(study_file.read_text("utf-8").replace("seeds    = [1, 2]", "seeds = [1]"), "utf-8")
    assert call("run", study_file, "--out", tmp_path / "out")[0] == 0
    assert call("run", study_file, "--out", tmp_path / "out", "--fresh")[0] == 0
    assert (tmp_path / "out-2" / "results.json").is_file()


@pytest.mark.usefixtures("hears_interrupts")
def test_interrupted_it_exits_with_75_and_goes_on(study_file, tmp_path):
    study_file.write_text(study_file.read_text("utf-8").replace("steps = 6", "steps = 100000"), "utf-8")
    command = [sys.executable, "-m", "manyheads", "run", str(study_file), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    metrics = tmp_path / "out" / "alone" / "1" / "food" / "metrics.jsonl"
    until(lambda: metrics.is_file() and metrics.stat().st_size)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 75, err
    assert "goes on from here" in err and "Traceback" not in err


def test_list_shows_names_and_settings():
    code, out, _ = call("list")
    assert code == 0 and "weighting" in out and "pcgrad" in out and "small_world" in out
    out = call("list", "sampling")[1]
    assert """on_empty: "cycle", "drop", "stop" or "error" = 'cycle'""" in out and "required" in out
    code, _, err = call("list", "wighting")
    assert code == 2 and 'Did you mean "weighting"?' in err


def test_version_and_help():
    assert call("--version")[1] == f"manyheads {__version__}\n"
    for command in ("run", "check", "report", "list", "predict", "score", "cache"):
        assert call(command, "--help")[0] == 0


def test_help_needs_no_torch():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom manyheads.cli import app\n"
        "for a in (['--help'], ['--version'], ['list']): assert CliRunner().invoke(app, a).exit_code == 0\n"
        "assert not {'torch', 'transformers', 'datasets', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_score_prints_what_the_official_script_prints(tmp_path):
    questions = [{"id": "1", "question": "?", "answers": [{"text": "a fox", "answer_start": 0}]}]
    gold = {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "a fox", "qas": questions}]}]}
    (tmp_path / "gold.json").write_text(json.dumps(gold))
    (tmp_path / "predictions.json").write_text('{"1": "The fox!"}')
    code, out, _ = call(
        "score", "span", "--gold", tmp_path / "gold.json", "--predictions", tmp_path / "predictions.json"
    )
    assert code == 0 and "exact_match" in out and "100.0" in out
    code, _, err = call(
        "score", "spam", "--gold", tmp_path / "gold.json", "--predictions", tmp_path / "predictions.json"
    )
    assert code == 2 and "span" in err
