"""Two versions of a study on one folder: which run is whose is looked at once the lock is won, at what lies there."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bit_flips import STUDY
from waiting import LIMIT, until

from manyheads.core.problems import StudyError
from manyheads.study.parser import read_study
from manyheads.study.steps import Run, runs
from manyheads.study.tasks import read_tasks
from manyheads.training import checkpoint
from manyheads.training.inputs import StudyInputs
from manyheads.training.run import run_once

LONG = STUDY.replace("steps = 4", "steps = 100000").replace(
    "batch_size = 8", "batch_size = 8\ncheckpoint = { steps = 2 }"
)
LONG = LONG.replace("seeds = [1, 2]", "seeds = [1]").replace("\n[analyses.changed_answers]\n", "")


class Killed(KeyboardInterrupt):
    """What stands for the end of a process."""


def opened(path: Path, text: str) -> tuple[Run, StudyInputs]:
    path.write_text(text)
    study = read_study(path)
    return next(run for run in runs(study) if run.arm.name == "joint"), StudyInputs(
        study, read_tasks(study, None), None, None
    )


def stopped(run: Run, inputs: StudyInputs, out: Path, step: int = 5) -> None:
    """Do a run as far as a step, behind which nothing is saved."""

    def progress(_run, done, _all, _what):
        if done == step:
            raise Killed

    with pytest.raises(Killed):
        run_once(run, inputs, out, progress)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("1e-2", "2e-2", "was trained with training.learning_rate = 0.01. Found 0.02 in the study"),
        ("batch_size = 8", "batch_size = 4", "tasks.food.batch_size = 8"),
        ("size = 40", "size = 44", "the data of food has changed since this run"),
    ],
)
def test_a_checkpoint_of_another_version_is_not_gone_on_from(tmp_path, old, new, says):
    stopped(*opened(tmp_path / "little.toml", LONG), tmp_path / "out")
    kept = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != "lock"}
    run, inputs = opened(tmp_path / "little.toml", LONG.replace(old, new))
    with pytest.raises(StudyError) as error:
        run_once(run, inputs, tmp_path / "out", lambda *_: None)
    assert says in str(error.value) and "Use --fresh" in str(error.value)
    assert {path: path.read_bytes() for path in kept} == kept


def test_the_whole_checkpoint_is_looked_at_and_not_a_damaged_newer_one(tmp_path):
    """The newest says that it is of this version, but is damaged; the one before is not of it."""
    stopped(*opened(tmp_path / "little.toml", LONG), tmp_path / "out")
    run, inputs = opened(tmp_path / "little.toml", LONG.replace("1e-2", "2e-2"))
    stopped(run, inputs, tmp_path / "other")
    place = f"{run.path}/checkpoint/step-000000004"
    shutil.rmtree(tmp_path / "out" / place)
    shutil.copytree(tmp_path / "other" / place, tmp_path / "out" / place)
    (tmp_path / "out" / place / "state.safetensors").write_bytes(b"?")
    with pytest.raises(StudyError, match=r"was trained with training\.learning_rate"):
        run_once(run, inputs, tmp_path / "out", lambda *_: None)


def test_the_record_of_another_version_is_not_taken_for_this_one(tmp_path):
    short = LONG.replace("100000", "3")
    run_once(*opened(tmp_path / "little.toml", short), tmp_path / "out", lambda *_: None)
    run, inputs = opened(tmp_path / "little.toml", short.replace("1e-2", "2e-2"))
    with pytest.raises(StudyError, match=r"was trained with training\.learning_rate"):
        run_once(run, inputs, tmp_path / "out", lambda *_: None)


def test_a_checkpoint_that_does_not_say_whose_it_is_is_gone_on_from_and_said(tmp_path):
    run, inputs = opened(tmp_path / "little.toml", LONG.replace("100000", "6"))
    stopped(run, inputs, tmp_path / "out")
    folder = tmp_path / "out" / run.path / "checkpoint"
    found = checkpoint.newest(folder, print)
    shutil.rmtree(folder)
    values = {key: value for key, value in found.values.items() if key != "identity"}
    checkpoint.write(folder, checkpoint.Checkpoint(found.step, found.tensors, values, found.log))
    notes = run_once(run, inputs, tmp_path / "out", lambda *_: None).notes
    assert notes[0].startswith("its checkpoint does not say what it was trained with") and len(notes) == 2


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.usefixtures("hears_interrupts")
def test_a_command_that_waits_for_another_version_refuses_its_checkpoint(tmp_path, workers):
    """By the command alone: A trains, B of the edited file waits for its lock, A is interrupted."""
    path, out = tmp_path / "little.toml", tmp_path / "out"
    # Nothing is saved before the interrupt; so B has nothing to compare before it waits.
    long = LONG.replace("checkpoint = { steps = 2 }", "").replace('[arms.alone]\nmodels = "one per task"\n', "")
    path.write_text(long)
    command = [sys.executable, "-m", "manyheads", "run", str(path), "--out", str(out), "--workers", workers]
    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    metrics = out / "joint/1/metrics.jsonl"
    until(lambda: metrics.is_file() and metrics.stat().st_size)
    path.write_text(long.replace("1e-2", "2e-2"))
    said = tmp_path / "said"
    with said.open("w") as file:
        second = subprocess.Popen(command, stderr=file)
    until(lambda: "left to process" in said.read_text())
    first.send_signal(signal.SIGINT)
    assert first.wait(LIMIT) == 75
    assert second.wait(LIMIT) == 2, said.read_text()
    assert "was trained with training.learning_rate = 0.01. Found 0.02 in the study" in said.read_text()
    assert (out / "study.toml").read_text() == long and not (out / "joint/1/record.json").exists()
    state = next((out / "joint/1/checkpoint").glob("step-*/state.json"))
    assert json.loads(state.read_text())["identity"]["settings"]["training"]["learning_rate"] == 0.01
