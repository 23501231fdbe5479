"""Several commands on one study, runs that fail or hang, signals: each run is done once, and none sinks the others."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from racing import SERVER, command
from typer.testing import CliRunner
from waiting import LIMIT, until

from manyheads.cli import app
from manyheads.runner import pool
from manyheads.runner.pool import in_processes
from manyheads.runner.queue import RunQueue, WaitingRun
from manyheads.study.parser import read_study
from manyheads.study.steps import runs
from manyheads.study.tasks import read_tasks
from manyheads.training.inputs import StudyInputs


def started(study: Path, folder: Path, number: int, stuck_in: str = "") -> tuple[list, object]:
    """So many commands on a study, which begin at the same moment; and the barrier that they need until then."""
    start = SERVER.Barrier(number)
    given = (study, folder / "out", folder / "log", stuck_in, start)
    commands = [SERVER.Process(target=command, args=given, daemon=True) for _ in range(number)]
    for process in commands:
        process.start()
    return commands, start


@pytest.mark.slow
def test_four_commands_on_24_runs_do_each_once(study_file, tmp_path):
    text = study_file.read_text().replace("seeds    = [1, 2]", "seeds = [1, 2, 3, 4, 5, 6, 7, 8]")
    study_file.write_text(text.replace("steps = 6", "steps = 3"))
    commands, _start = started(study_file, tmp_path, 4)
    for process in commands:
        process.join(LIMIT)
    assert [process.exitcode for process in commands] == [0] * 4
    done = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert len(done) == 24 and len({path for _, path in done}) == 24
    assert len({process for process, _ in done}) == 4
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["failed"] == [] and len(list((tmp_path / "out").rglob("record.json"))) == 24
    assert any("left to process" in path.read_text() for path in tmp_path.glob("*.err"))


def test_the_run_of_a_command_that_is_killed_is_taken_over(study_file, tmp_path):
    study_file.write_text(study_file.read_text().replace("seeds    = [1, 2]", "seeds = [1]"))
    (victim,), _start = started(study_file, tmp_path, 1, stuck_in="alone/1/food")
    until(lambda: (tmp_path / "log").is_file())
    (other,), _second = started(study_file, tmp_path, 1)
    told = f"alone/1/food: left to process {victim.pid} on "
    said = tmp_path / f"{other.pid}.err"
    until(lambda: said.is_file() and told in said.read_text())
    until(lambda: (tmp_path / "out" / "joint" / "1" / "record.json").is_file())
    assert not (tmp_path / "out" / "alone" / "1" / "food" / "record.json").is_file()
    os.kill(victim.pid, signal.SIGKILL)
    other.join(LIMIT)
    assert other.exitcode == 0
    done = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert done[0] == [str(victim.pid), "alone/1/food"] and [str(other.pid), "alone/1/food"] in done
    assert json.loads((tmp_path / "out" / "results.json").read_text())["failed"] == []


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stderr


BROKEN = """
from pathlib import Path
from manyheads.weighting import Weighting

class Broken(Weighting):
    \"\"\"Fails as long as a file is there.\"\"\"

    def __init__(self, tasks, *, file: str = "") -> None:
        super().__init__(tasks)
        self.file = file

    def combine(self, losses):
        if Path(self.file).exists():
            raise OSError(5_000, "the file is there")
        return sum(losses.values())
"""


def test_a_failed_run_stays_failed_until_it_is_asked_for(study_file, tmp_path):
    (tmp_path / "code" / "weighting").mkdir(parents=True)
    (tmp_path / "code" / "weighting" / "broken.py").write_text(BROKEN)
    text = study_file.read_text().replace("seeds    = [1, 2]", "seeds = [1]")
    study_file.write_text(text + f'\n[arms.broken]\nweighting = {{ name = "broken", file = "{tmp_path}/there" }}\n')
    (tmp_path / "there").write_text("")
    command = ("run", study_file, "--out", tmp_path / "out", "--code", tmp_path / "code")
    code, err = call(*command)
    assert code == 1
    assert "failed: broken/1: [Errno 5000] the file is there" in err and "--retry-failed" in err
    (tmp_path / "there").unlink()
    others = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("record.json")}
    code, err = call(*command)
    assert code == 1
    assert "3 finished, 0 to do, 1 that failed before and stay so without --retry-failed" in err
    assert {path: path.stat().st_mtime_ns for path in others} == others
    code, err = call(*command, "--retry-failed")
    assert code == 0 and "3 finished, 1 to do" in err
    changed = [path.parent.parent.name for path, then in others.items() if path.stat().st_mtime_ns != then]
    assert changed == ["broken"]


def test_a_damaged_record_is_no_failed_run(study_file, tmp_path):
    study_file.write_text(study_file.read_text().replace("seeds    = [1, 2]", "seeds = [1]"))
    command = ("run", study_file, "--out", tmp_path / "out")
    assert call(*command)[0] == 0
    record = tmp_path / "out" / "joint" / "1" / "record.json"
    before = json.loads(record.read_text())
    record.write_text(record.read_text()[:100])
    code, err = call(*command)
    assert code == 0 and "2 finished, 1 to do" in err
    assert "joint/1: record.json cannot be read: " in err and "; the run is done again" in err
    assert json.loads(record.read_text())["scores"] == before["scores"]


STUCK = """
import signal
from pathlib import Path
from manyheads.weighting import Weighting

class Stuck(Weighting):
    \"\"\"Says in a file that it hangs, and is silent for ever.\"\"\"

    def __init__(self, tasks, *, file: str = "") -> None:
        super().__init__(tasks)
        self.file = file

    def combine(self, losses):
        Path(self.file).touch()
        signal.pause()
"""


@pytest.fixture
def stuck(study_file, tmp_path):
    """A study with an arm that hangs, the folder of its method, and the file that says so."""
    (tmp_path / "code" / "weighting").mkdir(parents=True)
    (tmp_path / "code" / "weighting" / "stuck.py").write_text(STUCK)
    arm = f'\n[arms.stuck]\nweighting = {{ name = "stuck", file = "{tmp_path}/hangs" }}\n'
    study_file.write_text(study_file.read_text() + arm)
    return study_file, tmp_path / "code", tmp_path / "hangs"


@pytest.mark.slow
def test_a_run_that_hangs_has_failed_and_the_others_go_on(stuck, tmp_path, monkeypatch):
    """By a clock on which an hour goes by at each look as long as the run hangs, and none after that."""
    path, code, hangs = stuck
    hours = []

    def clock() -> float:
        hours.extend([1] * hangs.exists())
        return time.monotonic() + 3600 * len(hours)

    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(pool, "LONGEST", 10.0**9)
    study = read_study(path, code)
    inputs = StudyInputs(study, read_tasks(study, None, code), None, code)
    waiting = sorted(
        (WaitingRun(run) for run in runs(study) if run.seed == 1), key=lambda one: one.run.arm.name != "stuck"
    )
    records, queue = [], RunQueue(waiting, tmp_path / "out")
    for record in in_processes(queue, inputs, tmp_path / "out", lambda *_: None, workers=1, hung_after=3600):
        records.append(record)
        hangs.unlink(missing_ok=True)
    assert [record.arm for record in records] == ["stuck", "alone", "alone", "joint"]
    assert [record.status for record in records] == ["failed", "finished", "finished", "finished"]
    assert records[0].reason == "nothing was heard of it for 60 minutes"
    assert json.loads((tmp_path / "out" / "stuck" / "1" / "record.json").read_text()) == records[0].model_dump()


def alive(process: int) -> bool:
    """Whether a process exists and is more than a name in the table."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGTERM], [signal.SIGKILL]])
@pytest.mark.usefixtures("hears_interrupts")
def test_a_signal_ends_a_command_and_leaves_no_process(study_file, tmp_path, signals):
    study_file.write_text(study_file.read_text().replace("steps = 6", "steps = 100000"))
    command = [sys.executable, "-m", "manyheads", "run", study_file, "--out", tmp_path / "out"]
    command += ["--workers", 2, "--stop-within", LIMIT]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    metrics = [tmp_path / "out" / "alone" / "1" / task / "metrics.jsonl" for task in ("food", "questions")]
    until(lambda: all(path.is_file() and path.stat().st_size for path in metrics))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    for one in signals:
        process.send_signal(one)
    _, err = process.communicate(timeout=LIMIT)
    until(lambda: not any(alive(int(child)) for child in children))
    assert "Traceback" not in err
    if signals == [signal.SIGKILL]:
        assert process.returncode == -signal.SIGKILL
        return
    assert process.returncode == 75, err
    assert "goes on from here" in err
    if len(signals) == 1:
        saved = [list((path.parent / "checkpoint").glob("step-*/manifest.json")) for path in metrics]
        assert all(saved), "no checkpoint was written"
