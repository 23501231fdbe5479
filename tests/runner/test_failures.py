"""What goes wrong in a run: said in one line, with where and with what; nothing that was done is lost."""

import errno
import json
import os
import resource
import shutil
from pathlib import Path

import pytest
import torch
from torture_files import contents
from typer.testing import CliRunner

from manyheads.cli import app
from manyheads.core.atomic_files import HALTING, HaltedError, halting
from manyheads.heads.classification import Classification
from manyheads.study.parser import read_study
from manyheads.study.steps import runs
from manyheads.study.tasks import read_tasks
from manyheads.training import run as run_module
from manyheads.training.inputs import StudyInputs
from manyheads.training.run import run_once


@pytest.fixture
def opened(study_file, tmp_path):
    """A joint run of 6 steps with checkpoints, and its inputs."""
    text = study_file.read_text().replace("[training]", "[training]\ncheckpoint = { steps = 2 }")
    study_file.write_text(text.replace("proportional", "round_robin"))
    study = read_study(study_file)
    run = next(run for run in runs(study) if run.arm.name == "joint")
    return run, StudyInputs(study, read_tasks(study, None), None, None)


def failing_loss(monkeypatch, value: float, after: int):
    """From its `after`-th call on, the loss of a classification is `value`."""
    real, calls = Classification.loss, []

    def loss(self, outputs, targets, counts):
        calls.append(1)
        return real(self, outputs, targets, counts) * (value if len(calls) > after else 1.0)

    monkeypatch.setattr(Classification, "loss", loss)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_names_task_step_and_examples_and_keeps_the_checkpoint(
    opened, tmp_path, monkeypatch, value
):
    run, inputs = opened
    failing_loss(monkeypatch, value, after=1)
    record = run_once(run, inputs, tmp_path / "out", lambda *_: None)
    first, _, listed = record.reason.partition("; the batch held the examples of food ")
    assert first.startswith("step ") and first.endswith(f"the loss of food is {value}")
    ids = listed.split(", ")
    assert len(ids) == 8 and set(ids) <= set(inputs.tasks["food"].train.rows["id"])
    assert record.status == "failed" and "Traceback" in record.traceback
    step = int(first.split()[1].rstrip(":"))
    lines = [json.loads(line) for line in (tmp_path / "out" / run.path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(step))
    kept = sorted((tmp_path / "out" / run.path / "checkpoint").iterdir())
    assert step >= 2 and [int(path.name[5:]) for path in kept] == list(range(2, step + 1, 2))[-2:]


def test_what_rust_raises_is_a_failed_run(opened, tmp_path, monkeypatch):
    class PanicException(BaseException):
        """As pyo3's, no Exception."""

    def panic(*_, **__):
        raise PanicException("index out of bounds")

    run, inputs = opened
    monkeypatch.setattr(run_module, "build_model", panic)
    record = run_once(run, inputs, tmp_path / "out", lambda *_: None)
    assert (record.status, record.reason) == ("failed", "index out of bounds")


CALLS = ("fsync", "replace", "rename")


def faulty(monkeypatch, code: int, left: int) -> list[str]:
    """Let `left` calls to the file system pass, and fail in every one after that; what was called."""
    called: list[str] = []

    def wrapped(name, real):
        def call(*given, **named):
            called.append(name)
            if len(called) > left:
                raise OSError(code, os.strerror(code))
            return real(*given, **named)

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, wrapped(name, getattr(os, name)))
    return called


@pytest.mark.slow
def test_a_disk_that_takes_no_more_at_any_call_costs_only_time(opened, tmp_path, monkeypatch):
    run, inputs = opened
    run_once(run, inputs, tmp_path / "whole", lambda *_: None)
    with monkeypatch.context() as patch:
        calls = faulty(patch, errno.ENOSPC, 10**9)
        run_once(run, inputs, tmp_path / "counted", lambda *_: None)
    assert len(calls) >= 20
    for left in range(len(calls)):
        out = tmp_path / f"full-{left}"
        code = sorted(HALTING)[left % len(HALTING)]
        with monkeypatch.context() as patch:
            faulty(patch, code, left)
            with pytest.raises(HaltedError, match=os.strerror(code)) as error:
                run_once(run, inputs, out, lambda *_: None)
        assert str(error.value).startswith(str(out / run.path)) and "\n" not in str(error.value)
        # The record is moved into its place whole; only the flush of its folder comes after that.
        assert not (out / run.path / "record.json").exists() or left == len(calls) - 1
        assert not list(out.rglob("*.part")) and not list(out.rglob("part-*"))
        record = run_once(run, inputs, out, lambda *_: None)
        assert record.status == "finished", record.reason
        assert contents(out / run.path, 6) == contents(tmp_path / "whole" / run.path, 6)
        shutil.rmtree(out)


def test_a_limit_on_files_ends_the_command_with_75_and_a_line_and_it_goes_on(study_file, tmp_path):
    study_file.write_text(study_file.read_text().replace("seeds    = [1, 2]", "seeds = [1]"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    command = ["run", str(study_file), "--out", str(tmp_path / "out")]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
        result = CliRunner().invoke(app, command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert result.exit_code == 75, result.output
    assert "cannot be written to: File too large" in result.stderr and "bytes are free" in result.stderr
    assert "Nothing is lost" in result.stderr and "Traceback" not in result.stderr
    assert CliRunner().invoke(app, command).exit_code == 0


def test_a_study_that_has_no_room_is_refused_before_it_begins(study_file, tmp_path, monkeypatch):
    from manyheads.runner import run_study

    monkeypatch.setattr(run_study, "room", lambda _: 1000)
    result = CliRunner().invoke(app, ["run", str(study_file), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "need about" in result.stderr and "Found 1,000 that are free" in result.stderr
    assert not list((tmp_path / "out").rglob("record.json"))


def test_a_folder_that_cannot_be_made_is_said_in_a_line(study_file, tmp_path):
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["run", str(study_file), "--out", str(tmp_path / "file" / "out")])
    assert result.exit_code == 2
    assert "file/out: cannot be written to: Not a directory. Choose another --out." in result.stderr


def test_which_errors_halt_a_study():
    class SafetensorError(Exception):
        """As the library's."""

    assert halting(OSError(errno.ENOSPC, "x")) == errno.ENOSPC
    assert halting(OSError(errno.ENOENT, "x")) is None and halting(ValueError("error 28")) is None
    assert halting(SafetensorError("I/O error: File too large (os error 27)")) == errno.EFBIG
    assert halting(SafetensorError("invalid header")) is None


def test_a_damaged_file_of_predictions_is_named(study_file, tmp_path):
    study_file.write_text(study_file.read_text().replace("seeds    = [1, 2]", "seeds = [1]"))
    command = ["run", str(study_file), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(app, command).exit_code == 0
    path = tmp_path / "out" / "joint" / "1" / "predictions" / "food.jsonl"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert f"{path}: has changed since the run wrote it" in result.stderr and "Remove the run's folder" in result.stderr
    record = json.loads((path.parents[1] / "record.json").read_text())
    assert set(record["files"]) >= {"predictions/food.jsonl", "model/model.safetensors", "model/heads.safetensors"}
    shutil.rmtree(path.parents[1])
    assert CliRunner().invoke(app, command).exit_code == 0


def test_the_fixture_fails_where_it_should(monkeypatch, tmp_path):
    calls = faulty(monkeypatch, errno.EIO, 1)
    Path(tmp_path / "a").write_text("")
    os.rename(tmp_path / "a", tmp_path / "b")
    with pytest.raises(OSError, match="Input/output"):
        os.rename(tmp_path / "b", tmp_path / "a")
    assert calls == ["rename", "rename"] and torch.get_num_threads() == 1
