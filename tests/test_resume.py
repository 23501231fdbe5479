"""A run that was stopped anywhere and taken up again equals one that was not, bit for bit."""

import hashlib
import json
import os
import signal
from pathlib import Path

import pytest
import torch

from conftest import STUDY
from manyheads.conduct import conduct
from manyheads.plan import runs
from manyheads.progress import Progress
from manyheads.run import Workshop, run_once
from manyheads.stopping import Stopping
from manyheads.study_file import read_study
from manyheads.tasks import read_tasks
from manyheads.types import StudyError

STEPS = 12
ARMS = {
    "round_robin": 'sampling = { name = "round_robin" }',
    "weighted": 'sampling = { name = "weighted", weights = { food = 0.4 } }',
    "alternating": 'sampling = { name = "alternating" }',
    "sequential": 'sampling = { name = "sequential" }',
    "famo": 'sampling = { name = "round_robin", joint = true }\nweighting = { name = "famo" }',
    "listening": 'weighting = { name = "dynamic_task_prioritization" }',
    "pcgrad": 'sampling = { name = "round_robin", joint = true }\nweighting = { name = "pcgrad" }',
    "sluice": 'sharing = { name = "sluice" }',
    "accumulating": "training = { accumulation = 2 }",
    "adamax": 'training = { optimizer = { name = "adamax" } }',
    "momentum": 'training = { optimizer = { name = "sgd", momentum = 0.9 } }',
}


class Killed(BaseException):
    """What no `except Exception` catches, as a SIGKILL."""


@pytest.fixture
def study_of(tmp_path, tiny):
    def make(arm: str, extra: str = "") -> Path:
        text = STUDY.format(tiny=tiny).replace("steps = 6", f"steps = {STEPS}")
        text = text.replace("[training]", f"[training]\nscores_every = 3\ncheckpoint = {{ steps = 2 }}{extra}")
        path = tmp_path / "study.toml"
        path.write_text(f"{text}\n[arms.this]\n{arm}\n")
        return path

    return make


def opened(path: Path):
    study = read_study(path)
    run = next(run for run in runs(study) if run.arm.name == "this")
    return run, Workshop(study, read_tasks(study, None), None, None)


def contents(folder: Path) -> dict[str, str]:
    """What a run leaves, without what it took: hashes of weights and predictions, and each step without seconds."""
    names = [*sorted((folder / "model").glob("*.safetensors")), *sorted((folder / "predictions").iterdir())]
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in names}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(STEPS))
    return found | {"steps": json.dumps([{key: line[key] for key in line if key != "seconds"} for line in lines])}


def killed_at(steps: set[int]):
    """A progress that kills, once, after each of these steps."""

    def progress(done, _all, what):
        if what == "training" and done in steps:
            steps.remove(done)
            raise Killed

    return progress


@pytest.mark.parametrize("arm", ARMS)
def test_killed_and_taken_up_equals_uninterrupted(study_of, tmp_path, arm):
    run, workshop = opened(study_of(ARMS[arm]))
    record = run_once(run, workshop, tmp_path / "whole", lambda *_: None)
    assert record["status"] == "finished", record["reason"]
    torch.manual_seed(99)  # nothing may depend on the state of the process
    progress = killed_at({1, 5, 8, STEPS})
    for number in range(4):
        with pytest.raises(Killed):
            run_once(run, workshop, tmp_path / "killed", progress)
        assert (tmp_path / "killed" / run.path / "checkpoint").is_dir() is (number > 0)
    record = run_once(run, workshop, tmp_path / "killed", progress)
    assert record["notes"] == [f"went on at step {STEPS - 2}"]
    assert contents(tmp_path / "killed" / run.path) == contents(tmp_path / "whole" / run.path)
    assert not (tmp_path / "killed" / run.path / "checkpoint").exists()


def test_a_damaged_checkpoint_is_passed_over_and_said(study_of, tmp_path):
    run, workshop = opened(study_of(""))
    run_once(run, workshop, tmp_path / "whole", lambda *_: None)
    with pytest.raises(Killed):
        run_once(run, workshop, tmp_path / "killed", killed_at({9}))
    folder = tmp_path / "killed" / run.path
    (folder / "checkpoint" / "step-000000008" / "state.safetensors").write_bytes(b"?")
    notes = run_once(run, workshop, tmp_path / "killed", lambda *_: None)["notes"]
    assert "step-000000008: damaged, and passed over: state.safetensors has 1 bytes" in notes[0]
    assert notes[1:] == ["went on at step 6"]
    assert contents(folder) == contents(tmp_path / "whole" / run.path)


def test_a_signal_saves_and_stops_at_the_next_step(study_of, tmp_path):
    path = study_of("", extra="\n").read_text().replace("{ steps = 2 }", "{ minutes = 99 }")
    (tmp_path / "study.toml").write_text(path)
    run, workshop = opened(tmp_path / "study.toml")

    def progress(done, _all, what):
        if (done, what) == (5, "training"):
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        run_once(run, workshop, tmp_path / "out", progress)
    assert signal.getsignal(signal.SIGTERM) is before
    record = run_once(run, workshop, tmp_path / "out", lambda *_: None)
    assert record["notes"] == ["went on at step 5"]


def test_a_second_signal_stops_at_once():
    with pytest.raises(KeyboardInterrupt), Stopping() as stopping:
        os.kill(os.getpid(), signal.SIGINT)
        assert stopping.asked
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not stopped")


def test_another_study_or_other_data_is_refused_field_by_field(study_of, tmp_path):
    path = study_of("")
    run, workshop = opened(path)
    with pytest.raises(Killed):
        run_once(run, workshop, tmp_path / "out", killed_at({5}))
    path.write_text(path.read_text().replace("1e-3", "2e-3").replace("size = 40", "size = 50"))
    with pytest.raises(StudyError) as error, open(os.devnull, "w") as nowhere:
        conduct(path, tmp_path / "out", None, None, workers=1, fresh=False, progress=Progress(nowhere))
    text = str(error.value)
    assert "was trained with training.learning_rate = 0.001. Found 0.002 in the study" in text
    assert "the data of food has changed since this run" in text


def test_another_machine_is_said(study_of, tmp_path, monkeypatch):
    run, workshop = opened(study_of(""))
    with pytest.raises(Killed):
        run_once(run, workshop, tmp_path / "out", killed_at({5}))
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads + 1)
    notes = run_once(run, workshop, tmp_path / "out", lambda *_: None)["notes"]
    assert notes == [
        "went on under another threads: the bits may differ from one run in one go", "went on at step 4"
    ]  # fmt: skip
