import json

import pytest
from typer.testing import CliRunner

from manyheads.cli import app
from manyheads.core.problems import StudyError
from manyheads.study.parser import read_study
from manyheads.study.tasks import Gold, content_hash, read_tasks

LISTENING = (
    '\n[arms.listening]\nweighting = { name = "dynamic_task_prioritization" }\ntraining = { scores_every = 2 }\n'
)


def tasks_of(study_file, change=lambda text: text):
    study_file.write_text(change(study_file.read_text("utf-8")), "utf-8")
    return read_tasks(read_study(study_file), None)


def test_examples_are_drawn_once_for_the_study(study_file):
    whole = tasks_of(study_file)["food"]
    some = tasks_of(study_file, lambda text: text.replace("[tasks.food]", "[tasks.food]\nexamples = 10"))["food"]
    assert (len(whole.train.rows), len(some.train.rows)) == (40, 10)
    assert set(some.train.rows["id"]) < set(whole.train.rows["id"])
    assert some.reported.rows["id"] == whole.reported.rows["id"]
    assert some.summary["hash"] != whole.summary["hash"]


def test_equal_hashes_mean_equal_rows(study_file):
    one, other = tasks_of(study_file), tasks_of(study_file)
    assert one["food"].summary["hash"] == other["food"].summary["hash"]
    assert content_hash(one["food"].train) != content_hash(one["food"].train, one["food"].reported)


def test_what_a_method_hears_is_neither_trained_on_nor_reported(study_file):
    assert tasks_of(study_file)["food"].selection is None
    food = tasks_of(study_file, lambda text: text + LISTENING)["food"]
    heard = set(food.selection.rows["id"])
    assert len(heard) == 8
    assert not heard & set(food.train.rows["id"]) and not heard & set(food.reported.rows["id"])


def test_a_method_that_listens_trains_and_its_weights_move(study_file, tmp_path):
    text = study_file.read_text("utf-8").replace("seeds    = [1, 2]", "seeds = [1]") + LISTENING
    study_file.write_text(text, "utf-8")
    result = CliRunner().invoke(app, ["run", str(study_file), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "out" / "listening" / "1" / "metrics.jsonl").read_text("utf-8").splitlines()
    weights = [json.loads(line)["weights"] for line in lines]
    assert weights[0] != weights[-1]


def test_a_task_that_only_helps_is_trained_and_not_scored(study_file, tmp_path):
    text = study_file.read_text("utf-8").replace("seeds    = [1, 2]", "seeds = [1]")
    text = text.replace("[tasks.food]", '[tasks.food]\nreport = "none"').replace(
        "[arms.alone]", '[arms.alone]\ntasks = ["questions"]'
    )
    study_file.write_text(text, "utf-8")
    result = CliRunner().invoke(app, ["run", str(study_file), "--out", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0, result.output
    results = json.loads(result.stdout)
    assert {row["task"] for row in results["scores"]} == {"questions"}
    record = json.loads((tmp_path / "out" / "joint" / "1" / "record.json").read_text("utf-8"))
    assert record["cost"]["examples"]["food"] > 0 and set(record["scores"]) == {"questions"}
    assert {"HasAns_exact", "HasAns_f1", "NoAns_exact"} < set(record["scores"]["questions"])


def test_the_mistakes_of_all_tasks_come_at_once(study_file):
    text = study_file.read_text("utf-8").replace("max_question = 24, nullable = true", "max_question = 24")
    text = text.replace(
        '{ name = "small_world", subset = "food_sentiment", size = 40 }', '{ name = "table", train = "no" }'
    )
    with pytest.raises(StudyError) as error:
        tasks_of(study_file, lambda _: text)
    wheres = [problem.where for problem in error.value.problems]
    assert any("food" in where for where in wheres) and any("questions" in where for where in wheres)
    assert "nullable = true" in str(error.value)


def test_gold_is_the_rows(study_file, monkeypatch):
    for task in tasks_of(study_file).values():
        gold = Gold(task.reported)
        monkeypatch.setattr("manyheads.study.tasks.BLOCK", 70)
        assert list(gold) == list(task.reported.rows) and len(gold) == len(task.reported.rows) == 200
        assert gold[3] == task.reported.rows[3] and gold[198:] == list(task.reported.rows)[198:]
