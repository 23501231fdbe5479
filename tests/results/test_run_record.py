"""What a run writes about itself: formats, and whether a run of an older format may be gone on with."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from run_example import FINGERPRINT, header, run_settings

from manyheads.core.problems import StudyError
from manyheads.results import formats
from manyheads.results.formats import FormatError, in_this_format
from manyheads.results.records import cost, read_records
from manyheads.results.run_record import (
    FailedRecord,
    FinishedRecord,
    Method,
    StepRecord,
    comparable,
    read_record,
    record_hash,
    write_record,
)
from manyheads.results.schema import ArmResult, RunResult, StudyInfo, StudyOutline

COST_1 = {
    "steps": 6, "examples": {"food": 48}, "epochs": {"food": 1.2}, "tokens": {"food": 700}, "shares": {"food": 1.0},
    "seconds": {"training": 1.5}, "tokens_per_second": 466.0, "padding": 12, "operations": 1e9,
    "operations_per_second": 6e8, "parameters": 1000, "peak_memory": 5_000_000, "ceiling": 4e11,
}  # fmt: skip
FORMAT_1 = {
    **{key: value for key, value in header("joint", 1, "food").items() if key != "format"},
    "status": "finished", "scores": {"food": {"f1": 0.5, "accuracy": None}},
    "metrics": {"food": {"headline": "f1", "kinds": {"f1": "mean", "accuracy": "mean"}, "split": "validation"}},
    "official": {"food": {"exact": 50.0}},
    "data": {"food": {
        "dataset": "squad", "head": "span", "train": 40, "reported": 20, "split": "validation", "labels": None,
        "dropped": {}, "warnings": [], "hash": "abc", "clipped": 3,
        "encoding": {"train": {"clipped": 2, "unknown": 0.0},
                     "reported": {"clipped": 1, "unknown": 0.1, "unreachable": 2, "ceiling": 0.9}},
    }},
    "files": {"predictions/food.jsonl": {"size": 5, "sha256": "0" * 64}}, "cost": COST_1,
}  # fmt: skip
"""record.json as 0.1.0 wrote it, before files had a format."""
OUTLINE = StudyOutline(
    study=StudyInfo(name="s", question="?", command="manyheads run s.toml", baseline="joint", seeds=[1], settings={}),
    tasks={},
    arms={"joint": ArmResult(tasks=["food"], runs=[RunResult(seed=1, task=None, path="joint/1")])},
)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A study's folder with one finished run, of format 1."""
    (tmp_path / "joint/1/predictions").mkdir(parents=True)
    (tmp_path / "joint/1/predictions/food.jsonl").write_text("{}\n")
    (tmp_path / "joint/1/record.json").write_text(json.dumps(FORMAT_1))
    return tmp_path


def test_a_record_of_format_1_speaks_the_words_of_this_one(folder):
    (record,) = read_records(folder, OUTLINE)
    assert (record.status, record.reason) == ("finished", None)
    found = record.result
    assert (found.format, found.scores) == (1, FORMAT_1["scores"])
    assert (found.cost.flops, found.cost.flops_per_second, found.cost.peak_flops_per_second) == (1e9, 6e8, 4e11)
    assert found.data["food"].truncated == 3 and found.data["food"].hash == "abc"
    assert found.data["food"].encoding["reported"] == {
        "truncated": 1, "unknown": 0.1, "unreachable": 2, "answerable": 0.9,
    }  # fmt: skip
    assert cost([record]).peak_memory == 5_000_000


def test_what_is_written_is_read(tmp_path):
    assert record_hash(tmp_path) == "" == record_hash(tmp_path / "nothing")
    finished = FinishedRecord.model_validate(in_this_format(FORMAT_1)).model_copy(update={"format": 2})
    failed = FailedRecord(**header("joint", 1, "food"), reason="out of memory")
    hashes = set()
    for record in (finished, failed):
        write_record(tmp_path, record)
        assert read_record(tmp_path) == record
        assert json.loads((tmp_path / "record.json").read_text())["format"] == 2
        hashes.add(record_hash(tmp_path))
    assert len(hashes) == 2


def test_a_later_format_is_refused_by_its_name(folder):
    path = folder / "joint/1/record.json"
    path.write_text(json.dumps({**FORMAT_1, "format": 4}))
    with pytest.raises(StudyError, match=r"was written in format 4; this version reads 1 to 3\. Use the version"):
        read_records(folder, OUTLINE)
    for unknown in (0, True, "2", None):
        with pytest.raises(FormatError, match="was written in format"):
            in_this_format({"format": unknown})


def test_a_record_that_was_changed_is_a_run_without_a_result(folder):
    path = folder / "joint/1/record.json"
    for change, says in [
        ({"metrics": {}}, "the task food has scores, but no metrics or no data"),
        ({"cost": {**COST_1, "operations": "many"}}, "cost.flops"),
        ({"scores": {"../x": {}}}, "scores.../x"),
    ]:
        path.write_text(json.dumps({**FORMAT_1, **change}))
        (record,) = read_records(folder, OUTLINE)
        assert record.status == "failed" and says in (record.reason or "") and record.content is None
    with pytest.raises(ValidationError):
        FailedRecord(**header("joint", 1), reason="")


def test_settings_are_written_as_they_were_given():
    settings = run_settings("food").model_dump()
    assert list(settings) == ["seed", "models", "encoder", "training", "budget", "tasks"]
    assert settings["encoder"] == {"name": "pretrained", "settings": {"model": "minilm"}}
    assert Method(name="a", settings={"x": None}).model_dump() == {"name": "a", "settings": {"x": None}}
    # What a later version may add is compared, not dropped.
    assert Method.model_validate({"name": "a", "settings": {}, "new": 1}).model_dump()["new"] == 1
    assert "plain" not in FINGERPRINT.model_dump()


def test_a_step_of_format_1_is_read_and_written_in_this_one():
    plain = {
        "step": 0, "losses": {"food": 0.1}, "weights": {}, "examples": {"food": 8}, "tokens": {"food": 90},
        "padding": 4, "operations": 1e6, "seconds": 0.5, "learning_rate": 1e-3,
    }  # fmt: skip
    step = StepRecord.read(json.dumps(plain).encode())
    assert step.flops == 1e6 and step.losses == {"food": 0.1}
    assert StepRecord.read(step.line().encode()) == step and '"operations"' not in step.line()


def test_a_setting_that_came_later_has_the_value_as_before(monkeypatch):
    monkeypatch.setattr(formats, "FORMAT", 9)
    added = {"training.average": 0.0, "tasks.*.head=span.settings.most": 30, "tasks.*.head=tagging.settings.other": 1}
    monkeypatch.setattr(formats, "ADDED_SETTINGS", {key: (9, value) for key, value in added.items()})
    settings = run_settings("food", "asked")
    found = comparable(settings, 3)
    assert found["training"] == {"learning_rate": 0.001, "optimizer": {"name": "adamw"}, "average": 0.0}
    heads = [task["head"]["settings"] for task in found["tasks"].values()]
    assert heads == [{"max_length": 96, "most": 30}] * 2
    # A run of the format that has the setting says it itself.
    assert comparable(settings, 9) == settings.model_dump()
