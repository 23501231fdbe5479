"""A run that was stopped anywhere and taken up again equals one that was not, bit for bit."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from torture import ARMS, ENDS, POINTS, opened, study_text, tripwires
from torture_files import contents

from manyheads.core.problems import StudyError
from manyheads.runner.progress import Progress
from manyheads.runner.run_study import conduct
from manyheads.training import checkpoint, signals
from manyheads.training.resume import saved_step
from manyheads.training.run import run_once
from manyheads.training.signals import StopSignals

STEPS = 12


class Killed(KeyboardInterrupt):
    """What a run does not catch, as a SIGKILL."""


@pytest.fixture
def study_of(tmp_path, tiny):
    def make(arm: str = "accumulating") -> Path:
        path = tmp_path / "study.toml"
        path.write_text(study_text(tiny, arm, STEPS, every=2))
        return path

    return make


def killed_at(steps: set[int]):
    """A progress that kills, once, after each of these steps."""

    def progress(_run, done, _all, what):
        if what == "training" and done in steps:
            steps.remove(done)
            raise Killed

    return progress


ONE = "accumulating"


@pytest.mark.parametrize("arm", [ONE, *(pytest.param(arm, marks=pytest.mark.slow) for arm in ARMS if arm != ONE)])
def test_killed_and_taken_up_equals_uninterrupted(study_of, tmp_path, arm):
    run, inputs = opened(study_of(arm))
    record = run_once(run, inputs, tmp_path / "whole", lambda *_: None)
    assert record.status == "finished", record.reason
    torch.manual_seed(99)  # nothing may depend on the state of the process
    progress = killed_at({1, 5, 8, STEPS})
    for number in range(4):
        with pytest.raises(Killed):
            run_once(run, inputs, tmp_path / "killed", progress)
        assert (tmp_path / "killed" / run.path / "checkpoint").is_dir() is (number > 0)
    record = run_once(run, inputs, tmp_path / "killed", progress)
    assert record.notes == [f"went on at step {STEPS - 2}"]
    assert contents(tmp_path / "killed" / run.path, STEPS) == contents(tmp_path / "whole" / run.path, STEPS)
    assert not (tmp_path / "killed" / run.path / "checkpoint").exists()


def test_a_damaged_checkpoint_is_passed_over_and_said(study_of, tmp_path):
    run, inputs = opened(study_of())
    run_once(run, inputs, tmp_path / "whole", lambda *_: None)
    with pytest.raises(Killed):
        run_once(run, inputs, tmp_path / "killed", killed_at({9}))
    folder = tmp_path / "killed" / run.path
    (folder / "checkpoint" / "step-000000008" / "state.safetensors").write_bytes(b"?")
    notes = run_once(run, inputs, tmp_path / "killed", lambda *_: None).notes
    assert "step-000000008: damaged, and passed over: state.safetensors has 1 bytes" in notes[0]
    assert notes[1:] == ["went on at step 6"]
    assert contents(folder, STEPS) == contents(tmp_path / "whole" / run.path, STEPS)


def test_a_signal_saves_and_stops_at_the_next_step(study_of, tmp_path):
    path = study_of().read_text().replace("{ steps = 2 }", "{ minutes = 99 }")
    (tmp_path / "study.toml").write_text(path)
    run, inputs = opened(tmp_path / "study.toml")

    def progress(_run, done, _all, what):
        if (done, what) == (5, "training"):
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        run_once(run, inputs, tmp_path / "out", progress)
    assert signal.getsignal(signal.SIGTERM) is before
    record = run_once(run, inputs, tmp_path / "out", lambda *_: None)
    assert record.notes == ["went on at step 5"]


def test_a_signal_while_scoring_costs_no_step_of_training(study_of, tmp_path):
    run, inputs = opened(study_of("listening"))
    run_once(run, inputs, tmp_path / "whole", lambda *_: None)
    sent = []

    def progress(_run, done, _all, what):
        if what == "scoring" and not sent:
            sent.append(done)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        run_once(run, inputs, tmp_path / "out", progress)
    record = run_once(run, inputs, tmp_path / "out", progress)
    assert record.notes == [f"went on at step {STEPS}"] and sent == [STEPS]
    assert contents(tmp_path / "out" / run.path, STEPS) == contents(tmp_path / "whole" / run.path, STEPS)


@pytest.mark.usefixtures("hears_interrupts")
def test_what_comes_together_is_one_signal_and_a_second_ctrl_c_stops_at_once(monkeypatch):
    with pytest.raises(KeyboardInterrupt), StopSignals() as stopping:
        monkeypatch.setattr(signals, "TOGETHER", 1e9)
        for one in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            os.kill(os.getpid(), one)
            assert stopping.received
        monkeypatch.setattr(signals, "TOGETHER", 0)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not stopped")


@pytest.mark.parametrize("one", [signal.SIGTERM, signal.SIGHUP])
def test_where_nothing_is_lost_a_signal_stops_at_once_and_only_once(monkeypatch, one):
    monkeypatch.setattr(signals, "TOGETHER", 1e9)
    outside, cleaned = signal.signal(one, signal.SIG_DFL), []  # `nohup` ignores SIGHUP
    before = signal.getsignal(one)
    with pytest.raises(KeyboardInterrupt), StopSignals() as stop, stop.at_once():
        try:
            with StopSignals() as same, same.in_time():
                os.kill(os.getpid(), one)  # where something can be lost
            with same.at_once():
                raise AssertionError("not stopped")
        finally:
            os.kill(os.getpid(), one)
            cleaned.append(same is stop)
    assert cleaned == [True] and signal.getsignal(one) is before
    signal.signal(one, outside)


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as stop, stop.at_once():
            os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.received and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_while_a_checkpoint_is_written_writes_it_once(study_of, tmp_path, monkeypatch):
    run, inputs = opened(study_of())
    real, written = checkpoint.write, []

    def write(folder, content):
        written.append(content.step)
        if content.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        real(folder, content)

    monkeypatch.setattr(checkpoint, "write", write)
    with pytest.raises(KeyboardInterrupt):
        run_once(run, inputs, tmp_path / "out", lambda *_: None)
    assert written == [2, 4] and saved_step(tmp_path / "out" / run.path) == 4


def test_another_study_or_other_data_is_refused_field_by_field(study_of, tmp_path):
    path = study_of()
    run, inputs = opened(path)
    with pytest.raises(Killed):
        run_once(run, inputs, tmp_path / "out", killed_at({5}))
    path.write_text(path.read_text().replace("1e-3", "2e-3").replace("size = 40", "size = 50"))
    with pytest.raises(StudyError) as error, open(os.devnull, "w") as nowhere:
        conduct(path, tmp_path / "out", None, None, workers=0, fresh=False, progress=Progress(nowhere))
    text = str(error.value)
    assert "was trained with training.learning_rate = 0.001. Found 0.002 in the study" in text
    assert "the data of food has changed since this run" in text


def test_another_machine_is_said(study_of, tmp_path, monkeypatch):
    run, inputs = opened(study_of())
    with pytest.raises(Killed):
        run_once(run, inputs, tmp_path / "out", killed_at({5}))
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads + 1)
    notes = run_once(run, inputs, tmp_path / "out", lambda *_: None).notes
    assert notes == [
        "went on under another threads: the bits may differ from one run in one go", "went on at step 4"
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["listening", "accumulating"])
def test_killed_at_every_point_of_a_save_costs_only_time(study_of, tmp_path, monkeypatch, arm):
    run, inputs = opened(study_of(arm))
    run_once(run, inputs, tmp_path / "whole", lambda *_: None)
    whole = contents(tmp_path / "whole" / run.path, STEPS)
    # The third save is the first to remove an old checkpoint; the last of all ends comes after the fifth.
    wanted = [(point, 3) for point in POINTS] + [(point, 6) for point in ENDS]
    for point in wanted[arm == "listening" :: 2]:
        reached = []

        def kill(*here, wanted=point, reached=reached):
            if here == wanted:
                reached.append(here)
                raise Killed

        out = tmp_path / "killed"
        with monkeypatch.context() as patch:
            tripwires(patch.setattr, kill)
            with pytest.raises(Killed):
                run_once(run, inputs, out, lambda *_: None)
        assert reached == [point]
        if not (out / run.path / "record.json").is_file():
            assert run_once(run, inputs, out, lambda *_: None).status == "finished"
        assert contents(out / run.path, STEPS) == whole, point
        shutil.rmtree(out)
    assert len(POINTS) >= 12
