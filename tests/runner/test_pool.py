"""Runs in several processes: each done once, and a death among them sinks nothing else."""

import json
import os
import signal
from pathlib import Path

import pytest

from manyheads.runner.pool import in_processes
from manyheads.runner.queue import RunQueue, WaitingRun
from manyheads.study.parser import read_study
from manyheads.study.steps import runs
from manyheads.study.tasks import read_tasks
from manyheads.training.inputs import StudyInputs


@pytest.fixture
def inputs(study_file):
    study = read_study(study_file)
    return StudyInputs(study, read_tasks(study, None), None, None)


def test_two_processes_do_each_run_once(inputs, tmp_path):
    todo = runs(inputs.study)
    done = []
    queue = RunQueue([WaitingRun(run) for run in todo], tmp_path)
    records = list(
        in_processes(queue, inputs, tmp_path, lambda run, step, *_: done.append((run.path, step)), workers=2)
    )
    assert sorted(f"{r.arm}/{r.seed}" for r in records) == sorted(f"{r.arm.name}/{r.seed}" for r in todo)
    assert all(record.status == "finished" for record in records)
    assert {path for path, step in done if step == 6} == {run.path for run in todo}


@pytest.mark.slow
def test_a_process_that_dies_is_a_failed_run_and_the_others_go_on(inputs, tmp_path):
    todo = runs(inputs.study)[:4]
    victims = []

    def kill_the_first(run, step, steps, what):
        if not victims:
            victims.append(run.path)
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            workers = [int(child) for child in children if "spawn_main" in _command(child)]
            for worker in workers[:1]:
                os.kill(worker, signal.SIGKILL)

    queue = RunQueue([WaitingRun(run) for run in todo], tmp_path)
    records = list(in_processes(queue, inputs, tmp_path, kill_the_first, workers=2))
    failed = [record for record in records if record.status == "failed"]
    assert len(records) == 4 and len(failed) == 1
    assert "ended with code -9 (killed; out of memory?)" in failed[0].reason
    saved = [json.loads(path.read_text())["status"] for path in tmp_path.rglob("record.json")]
    assert sorted(saved) == ["failed", "finished", "finished", "finished"]


def _command(process: str) -> str:
    return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
