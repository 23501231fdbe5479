"""Signals to a command, its group and its workers, and time in which nobody runs: no step that was done is lost."""

import multiprocessing
import os
import random
import signal
from types import SimpleNamespace

import pytest
from signal_trials import ENDING, PAUSING, STUDY, Signalled

from manyheads.runner import pool
from manyheads.runner.queue import RunQueue, WaitingRun
from manyheads.study.parser import read_study
from manyheads.study.steps import runs
from manyheads.study.tasks import read_tasks
from manyheads.training.inputs import StudyInputs
from manyheads.training.signals import StopSignals


class Process:
    """Stands for one; says whether it was killed, and never ends by itself."""

    def __init__(self) -> None:
        self.pid, self.exitcode, self.told = os.getpid(), None, []
        self.sentinel, self._end = multiprocessing.Pipe()

    def is_alive(self):
        return "kill" not in self.told

    def kill(self):
        self.told.append("kill")

    def terminate(self):
        self.told.append("terminate")

    def join(self):
        pass


@pytest.fixture
def working(tmp_path):
    """A pool whose one process is in a run, that process, its end of the pipe, and what is said."""
    (tmp_path / "study.toml").write_text(STUDY)
    study = read_study(tmp_path / "study.toml")
    inputs = StudyInputs(study, read_tasks(study, None), None, None)
    ours, theirs = multiprocessing.Pipe()
    said = []
    made = pool._Pool(inputs, tmp_path, 1, said.append, 60.0)
    one = WaitingRun(runs(study)[0])
    made.workers = [pool._Worker(Process(), ours, one, silent=0.0, ready=True)]
    return made, made.workers[0], theirs, said


@pytest.mark.parametrize("forward", [True, False])
def test_time_in_which_this_process_did_not_run_is_nobodys_silence(working, tmp_path, monkeypatch, forward):
    made, worker, theirs, _ = working
    clock, looks = [1e6], []

    def monotonic():
        looks.append(1)
        clock[0] += 1e5 if forward else -1e5  # a night between two looks
        if len(looks) == 6:
            theirs.send(("done", "the record"))
        return clock[0]

    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=monotonic))
    monkeypatch.setattr(pool, "AGAIN", 0.01)
    found = list(made.records(RunQueue([], tmp_path), lambda *_: None, 3600.0, StopSignals()))
    assert found == ["the record"] and worker.process.told == [] and len(looks) >= 6


def test_a_process_that_is_told_to_stop_stops_the_command(working, tmp_path):
    made, worker, theirs, _ = working
    theirs.send(("progress", (1, 2, "training")))
    theirs.send(("stopped", None))
    with pytest.raises(KeyboardInterrupt):
        list(made.records(RunQueue([], tmp_path), lambda *_: None, 3600.0, StopSignals()))
    assert worker.doing is not None


def test_who_is_waited_for_is_said_with_the_time_left_and_a_limit_ends_it(working, monkeypatch):
    made, worker, _, said = working
    monkeypatch.setattr(signal, "SIGCONT", 0)  # to this process, which stands for the worker's
    clock = [0.0]

    def monotonic():
        clock[0] += 1
        return clock[0]

    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=monotonic))
    monkeypatch.setattr(pool, "AGAIN", 0.001)
    made.__exit__()
    assert worker.process.told == ["terminate", "kill"]
    path = worker.doing.run.path
    assert said[0].startswith(f"stopping: {path}: the step is finished and saved, 60 s left; Ctrl-C again")
    assert said[1] == f"stopping: {path}: the step is finished and saved, 50 s left"
    assert said[-1] == f"{path}: not saved within 60 s, and ended; the checkpoint before stands"
    assert len(said) == 7


def test_what_a_process_says_while_it_ends_is_heard(working):
    _, worker, theirs, _ = working
    for step in range(50):
        theirs.send(("progress", (step, 50, "training")))
    theirs.send(("done", "the record"))
    theirs.close()
    worker.drain()
    assert worker.doing is None and worker.pipe.closed


@pytest.fixture(scope="module")
def signalled(tmp_path_factory):
    return Signalled(tmp_path_factory.mktemp("signalled"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("what", list(ENDING))
def test_a_signal_loses_no_step(signalled, what, workers):
    name = f"{what} {workers}".replace(" ", "-")
    stage = ("steps", "a save")[workers - 1]
    assert signalled.disturbed(name, workers, stage, ENDING[what], 0.0) == []
    code, err = signalled.command(name, workers, "", lambda _: None)
    assert code == 0 and signalled.left(name) == signalled.whole, err


@pytest.mark.slow
@pytest.mark.parametrize("what", list(PAUSING))
def test_who_stands_still_is_not_hung(signalled, what):
    name = what.replace(" ", "-")
    assert signalled.command(name, 2, "steps", PAUSING[what])[0] == 0
    assert signalled.left(name) == signalled.whole


@pytest.mark.slow
def test_signals_at_random(signalled):
    draw = random.Random(7)
    for _ in range(3):
        assert signalled.trial(draw, 3)[1] == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["reading", "writing the cache", "comparing", "report"])
def test_in_one_process_too(signalled, stage):
    name = f"alone {stage}".replace(" ", "-")
    assert signalled.disturbed(name, 0, stage, ENDING["SIGINT twice to the group"], 0.0) == []
    assert signalled.command(name, 0, "", lambda _: None)[0] == 0 and signalled.left(name) == signalled.whole
