"""Send signals to a command, its group or its workers, at every stage, and see what it promised and what it left.

A trial is one command that is disturbed. It must end with 75 (or 0, if it had finished, or only stood still meanwhile),
without a traceback; each run that was trained and is not done must have a checkpoint of every step that it did, and
standard error must say just that. When the study has gone on to its end, its bits are those of one left alone.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from torture_files import contents
from waiting import LIMIT, until

from manyheads.training.resume import saved_step

STEPS = 120
STUDY = f"""
question = "Does it work?"
seeds    = [1]
baseline = "alone"
budget   = {{ steps = {STEPS} }}
encoder  = {{ name = "bag_of_words" }}

[training]
batch_size    = 8
learning_rate = 1e-3
checkpoint    = {{ steps = 15 }}

[tasks.food]
dataset = {{ name = "small_world", subset = "food_sentiment", size = 200 }}
head    = {{ name = "classification", dropout = 0.1 }}

[tasks.film]
dataset = {{ name = "small_world", subset = "film_sentiment", size = 200 }}
head    = {{ name = "classification", dropout = 0.1 }}

[arms.alone]
models = "one per task"

[arms.joint]
sampling = {{ name = "weighted", weights = {{ food = 0.4, film = 0.6 }} }}

[analyses.changed_answers]
"""
HUNG = 1.0
"""Minutes: what `--hung-after` is in trials; a stop is longer. On a busy machine less is too little."""
RUNS = ("alone/1/food", "alone/1/film", "joint/1")
STAGES: dict[str, Callable[[Path, Path], object]] = {
    "reading": lambda *_: True,
    "writing the cache": lambda out, cache: any(cache.glob("tokens/*")),
    "starting workers": lambda out, cache: (out / "study.toml").exists(),
    "beginning a run": lambda out, cache: any(out.rglob("metrics.jsonl")),
    "steps": lambda out, cache: any(one.stat().st_size for one in out.glob("*/1/**/metrics.jsonl")),
    "a save": lambda out, cache: any(out.rglob("part-*")),
    "steps after a save": lambda out, cache: any(out.rglob("step-*")),
    "scoring": lambda out, cache: any(out.rglob("predictions")),
    "writing the model": lambda out, cache: any(out.rglob("model")),
    "between runs": lambda out, cache: any(out.rglob("record.json")),
    "comparing": lambda out, cache: len(list(out.rglob("record.json"))) == len(RUNS),
    "analyses": lambda out, cache: (out / "results.json").exists(),
    "report": lambda out, cache: (out / "tables").exists(),
}
"""Each by what is on the disk when it begins."""


def _children(process: int) -> list[int]:
    """The workers of a command."""
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [int(child) for child in found if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]
    except OSError:
        return []


def _send(numbers: list[int], *signals: int, apart: float = 0.0) -> None:
    for one in signals:
        for number in numbers:
            try:
                os.kill(number, one)
            except ProcessLookupError:
                continue
        time.sleep(apart)


def _stopped(of: Callable[[int], list[int]]) -> Callable[[int], None]:
    """Stand still for longer than `--hung-after`, and go on."""

    def act(process: int) -> None:
        numbers = of(process)
        _send(numbers, signal.SIGSTOP)
        time.sleep(60 * HUNG + 3)
        _send(numbers, signal.SIGCONT)

    return act


TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP
ENDING: dict[str, Callable[[int], None]] = {
    "SIGTERM to the command": lambda p: _send([p], TERM),
    "SIGTERM to the group": lambda p: _send([-p], TERM),
    "SIGINT to the group": lambda p: _send([-p], INT),
    "SIGHUP to the group": lambda p: _send([-p], HUP),
    "SIGTERM twice to the group": lambda p: _send([-p], TERM, TERM, apart=0.003),
    "SIGINT twice to the group": lambda p: _send([-p], INT, INT, apart=0.02),
    "SIGTERM to the command, then to its group, as timeout does": lambda p: (_send([p], TERM), _send([-p], TERM, 18))[
        0
    ],
    "SIGTERM and SIGHUP to the group, as systemd does": lambda p: _send([-p], TERM, HUP),
    "SIGTERM to workers and command": lambda p: _send([*_children(p), p], TERM),
    "SIGTERM to workers, then to the command": lambda p: (_send(_children(p), TERM, apart=0.1), _send([p], TERM))[0],
    "SIGTERM to the group, again after two seconds": lambda p: _send([-p], TERM, TERM, apart=2.0),
}
PAUSING: dict[str, Callable[[int], None]] = {
    "the group stopped and continued": _stopped(lambda p: [-p]),
    "the command stopped and continued": _stopped(lambda p: [p]),
}


def _begun(stage: str, out: Path, cache: Path) -> bool:
    """Whether a stage has begun; folders come and go while it is looked for."""
    try:
        return STAGES[stage](out, cache)
    except FileNotFoundError:
        return False


class Signalled:
    """A study whose commands are sent signals.

    :param folder: For everything that is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.toml").write_text(STUDY)
        code, err = self.command("whole", 1, "", lambda _: None)
        assert code == 0, err
        self.whole = self.left("whole")

    def left(self, name: str) -> dict[str, dict[str, str]]:
        """The hashes of what each run has left."""
        return {run: contents(self.folder / name / run, STEPS) for run in RUNS}

    def command(
        self, name: str, workers: int, stage: str, act: Callable[[int], None], wait: float = 0.0
    ) -> tuple[int, str]:
        """Run the study, and act as soon as a stage has begun, `wait` seconds later; exit code and standard error."""
        out, cache = self.folder / name, self.folder / f"{name}.cache"
        given = ["--out", out, "--workers", workers, "--stop-within", LIMIT, "--hung-after", HUNG]
        command = [sys.executable, "-m", "manyheads", "run", self.folder / "study.toml", *given]
        with (self.folder / "stderr").open("w+") as err:
            process = subprocess.Popen(
                list(map(str, command)),
                stdout=subprocess.DEVNULL,
                stderr=err,
                start_new_session=True,
                env=os.environ | {"MANYHEADS_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            try:
                # Python itself is still starting until it ignores SIGPIPE, and hears no signal of ours.
                until(lambda: process.poll() is not None or _hears(process.pid))
                while stage and process.poll() is None and not _begun(stage, out, cache):
                    time.sleep(0.002)
                time.sleep(wait)
                if process.poll() is None:
                    act(process.pid)
                process.wait(LIMIT)
                until(lambda: not _members(process.pid))
            finally:
                _send([-process.pid], signal.SIGKILL)
            err.seek(0)
            return process.returncode, err.read()

    def disturbed(self, name: str, workers: int, stage: str, act: Callable[[int], None], wait: float) -> list[str]:
        """Disturb one command; what is wrong with how it ended."""
        code, err = self.command(name, workers, stage, act, wait)
        wrong = [] if code in (0, 75) else [f"exit code {code}"]
        if "Traceback" in err or "Exception ignored" in err or "failed:" in err:
            wrong.append(f"said: {err[-3000:]}")
        for run in RUNS if code == 75 else ():
            folder = self.folder / name / run
            if (folder / "record.json").exists() or not (folder / "metrics.jsonl").exists():
                continue
            done, step = len((folder / "metrics.jsonl").read_bytes().splitlines()), saved_step(folder)
            if done and step != done:
                wrong.append(f"{run}: {done} steps were done, the checkpoint is of {step}")
            if f"{run}: goes on from its checkpoint of step {step}" not in err and step and done != step:
                wrong.append(f"{run}: nothing true was said of it: {err[-1000:]}")
        return wrong

    def trial(self, draw: random.Random, most: int) -> tuple[int, list[str]]:
        """Disturb up to `most` commands of one study, then go on to the end; the number, and what was wrong."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        shutil.rmtree(self.folder / "out.cache", ignore_errors=True)
        wrong: list[str] = []
        for number in range(most):
            kind = PAUSING if draw.random() < 0.08 else ENDING
            what, stage, workers = draw.choice(list(kind)), draw.choice(list(STAGES)), draw.choice([1, 2])
            if number and stage in ("reading", "writing the cache"):
                stage = "beginning a run"
            found = self.disturbed("out", workers, stage, kind[what], draw.choice([0, 0, draw.random()]))
            wrong += [f"{what}, {workers} workers, {stage}: {each}" for each in found]
            if (self.folder / "out" / "report.html").exists():
                break
        code, err = self.command("out", 1, "", lambda _: None)
        if code != 0:
            return number + 1, [*wrong, f"it did not go on: {code}: {err[-3000:]}"]
        left = self.left("out")
        return number + 1, wrong + [f"{run}: other bits" for run in RUNS if left[run] != self.whole[run]]


def _hears(process: int) -> bool:
    """Whether the command has its own handler of SIGTERM."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return False
    caught = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt")), 0)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def _members(group: int) -> list[int]:
    """The processes of a group that are more than a name in the table."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its) == group and state != "Z":
            found.append(int(path.parent.name))
    return found


def attack(folder: Path, number: int, draw: random.Random) -> list[str]:
    """So many trials; what was wrong."""
    study, done, wrong = Signalled(folder), 0, list[str]()
    while done < number:
        new, found = study.trial(draw, min(4, number - done))
        done, wrong = done + new, wrong + found
        print(f"{done} commands that were sent signals so far, {len(wrong)} wrong", flush=True)
        for each in found:
            print(f"  {each}", flush=True)
    return wrong
