"""Kill runs at random times and at every point of a save, and compare what they leave with a run that was left alone.

    make torture

Each run is killed (SIGKILL, nothing is cleaned up) and started again until it ends. Then the SHA-256 of its weights, of
the optimizer's last state, of its metrics and of its predictions must be those of the run that nobody disturbed. Then
commands are sent signals to stop, or stand still: see signal_trials.py.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from racing import SERVER
from signal_trials import attack
from torture_files import contents
from waiting import LIMIT

from conftest import STUDY, make_tiny
from manyheads.results.run_record import RECORD, record_hash
from manyheads.study.parser import read_study
from manyheads.study.steps import runs
from manyheads.study.tasks import read_tasks
from manyheads.training import checkpoint, model, run
from manyheads.training.inputs import StudyInputs

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
"""Every sampling, every weighting with a state, every optimizer, accumulation, two kinds of sharing; with dropout."""
FILES = ("state.safetensors", "state.json", "metrics.jsonl", "manifest.json")
POINTS = [
    "before making the folder", "after making the folder",
    *(f"{when} {name}" for name in FILES for when in ("before", "half of", "after")),
    "before flushing the folder", "after flushing the folder", "before renaming", "after renaming",
    "before flushing above", "after flushing above", "before removing", "half removed", "after removing",
]  # fmt: skip
"""Inside a save. An old checkpoint is removed from the third save on."""
ENDS = ["before the model", "after the model", "before the record", "after the record", "half cleared"]
"""After the last step."""


def study_text(tiny: Path, arm: str, steps: int, every: int) -> str:
    """A study with one arm to be trained."""
    text = STUDY.format(tiny=tiny).replace("steps = 6", f"steps = {steps}")
    text = text.replace("[training]", f"[training]\nscores_every = 3\ncheckpoint = {{ steps = {every} }}")
    return f"{text}\n[arms.this]\n{ARMS[arm]}\n"


def opened(path: Path) -> tuple[Any, StudyInputs]:
    """The one run of a study, and its inputs."""
    study = read_study(path)
    only = next(each for each in runs(study) if each.arm.name == "this")
    return only, StudyInputs(study, read_tasks(study, None), None, None)


def tripwires(patch: Callable[[Any, str, Any], None], reached: Callable[[str, int], None]) -> None:
    """Have `reached` called with the name of each point, and the number of the save."""
    saves = Counter[str]()

    def wrapped(thing: Any, name: str, before: str, after: str, only: Callable[..., bool] = lambda *_, **__: True):
        real = getattr(thing, name)

        def call(*given, **named):
            if not only(*given, **named):
                return real(*given, **named)
            reached(before, saves["all"])
            result = real(*given, **named)
            reached(after, saves["all"])
            return result

        patch(thing, name, call)

    real_write, real_save, real_remove = checkpoint._write, checkpoint.write, shutil.rmtree

    def save(*given):
        saves["all"] += 1
        real_save(*given)

    def write(path, content):
        reached(f"before {path.name}", saves["all"])
        path.write_bytes(content[: len(content) // 2])
        reached(f"half of {path.name}", saves["all"])
        real_write(path, content)
        reached(f"after {path.name}", saves["all"])

    def remove(path, **named):
        old, cleared = Path(path).name.startswith("step-"), Path(path).name == "checkpoint"
        if old:
            reached("before removing", saves["all"])
        if old or cleared:
            inside = sorted(one for one in Path(path).rglob("*") if one.is_file())
            for one in inside[: len(inside) // 2]:
                one.unlink()
            reached("half removed" if old else "half cleared", saves["all"])
        real_remove(path, **named)
        if old:
            reached("after removing", saves["all"])

    patch(checkpoint, "write", save)
    patch(checkpoint, "_write", write)
    patch(shutil, "rmtree", remove)
    of_part = {"only": lambda path, *_, **__: path.name.startswith("part-")}
    wrapped(Path, "mkdir", "before making the folder", "after making the folder", **of_part)
    flush = checkpoint.flush_folder

    def flushed(path):
        where = "the folder" if path.name.startswith("part-") else "above"
        reached(f"before flushing {where}", saves["all"])
        flush(path)
        reached(f"after flushing {where}", saves["all"])

    patch(checkpoint, "flush_folder", flushed)
    wrapped(os, "rename", "before renaming", "after renaming")
    wrapped(model.MultiTaskModel, "save", "before the model", "after the model")
    wrapped(run, "write_record", "before the record", "after the record")


def remember_optimizer(patch: Callable[[Any, str, Any], None], file: Path) -> None:
    """Have the hash of the optimizer's state after the last step written to a file; it is nowhere else kept."""
    kept: list[Any] = []
    make, train = run.optimizer_for, run._RunInProgress.train

    def made(*given):
        kept[:] = [make(*given)]
        return kept[0]

    def trained(*given):
        result = train(*given)
        hashed = hashlib.sha256()
        for index, state in sorted(kept[0].state_dict()["state"].items()):
            for name, value in sorted(state.items()):
                content = value.numpy().tobytes() if isinstance(value, torch.Tensor) else repr(value).encode()
                hashed.update(f"{index} {name} ".encode() + content)
        file.write_text(hashed.hexdigest())
        return result

    patch(run, "optimizer_for", made)
    patch(run._RunInProgress, "train", trained)


def attempt(path: Path, out: Path, point: tuple[str, int] | None, started: Any) -> None:
    """In a process of its own: do a study's run, or go on with it; die at a point of the save of this number."""
    torch.set_num_threads(1)
    only, inputs = opened(path)
    folder = out / only.path
    if point:
        tripwires(setattr, lambda *here: os.kill(os.getpid(), signal.SIGKILL) if here == point else None)
    remember_optimizer(setattr, out.parent / f"{out.name}.optimizer")
    started.set()
    if not (folder / RECORD).is_file():
        record = run.run_once(only, inputs, out, lambda *_: None, seen=record_hash(folder))
        assert record is not None and record.status == "finished", record


class Attacked:
    """A study whose runs are killed.

    :param folder: For everything that is written.
    """

    def __init__(self, folder: Path, tiny: Path, arm: str, *, steps: int, every: int) -> None:
        self.folder, self.steps = folder / arm, steps
        self.folder.mkdir(parents=True)
        self.path = self.folder / "study.toml"
        self.path.write_text(study_text(tiny, arm, steps, every))
        assert self.process(self.folder / "whole", None, None) == 0
        began = time.monotonic()
        assert self.process(self.folder / "again", None, None) == 0
        self.seconds = time.monotonic() - began
        self.whole = self.left(self.folder / "whole")
        assert self.left(self.folder / "again") == self.whole, "two runs that nobody disturbed differ"

    def process(self, out: Path, point: tuple[str, int] | None, after: float | None) -> int:
        """One attempt; its exit code, negative if it was killed, by itself at `point` or by us `after` seconds."""
        started = SERVER.Event()
        process = SERVER.Process(target=attempt, args=(self.path, out, point, started), daemon=True)
        process.start()
        assert started.wait(LIMIT), "it did not begin"
        process.join(LIMIT if after is None else after)
        if process.is_alive():
            assert after is not None, "it hangs"
            process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        return process.exitcode or 0

    def left(self, out: Path) -> dict[str, str]:
        """The hashes of what a finished run has left."""
        optimizer = (out.parent / f"{out.name}.optimizer").read_text()
        return contents(out / "this" / "1", self.steps) | {"optimizer": optimizer}

    def killed_at(self, point: str, save: int) -> str | None:
        """Kill at a point, go on; what differs from the run that was left alone, or None."""
        out = self.folder / "killed"
        if self.process(out, (point, save), None) == 0:
            return "the point was not reached"
        assert self.process(out, None, None) == 0
        return self._compared(out)

    def killed_at_random(self, draw: random.Random, most: int) -> tuple[int, str | None]:
        """Kill up to `most` times at random moments, then go on to the end; the kills, and what differs or None."""
        out, kills = self.folder / "killed", 0
        while kills < most and self.process(out, None, draw.uniform(0, 0.7 * self.seconds)) != 0:
            kills += 1
        assert self.process(out, None, None) == 0
        return kills, self._compared(out)

    def _compared(self, out: Path) -> str | None:
        left = self.left(out)
        shutil.rmtree(out)
        wrong = [name for name in self.whole if left.get(name) != self.whole[name]]
        return ", ".join(wrong) or None


def main() -> None:
    """Attack every kind of arm, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="at random times, over all studies")
    parser.add_argument("--signals", type=int, default=200, help="commands that are sent signals")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arms", nargs="*", default=list(ARMS))
    given = parser.parse_args()
    draw, wrong, kills, points = random.Random(given.seed), [], 0, 0
    with tempfile.TemporaryDirectory(prefix="manyheads-torture-") as name:
        tiny = make_tiny(Path(name) / "tiny")
        for number, arm in enumerate(given.arms):
            attacked = Attacked(Path(name), tiny, arm, steps=24, every=3)
            # Every point in every study would take hours: each study is killed at its share of them.
            mine = [(point, 3) for point in POINTS] + [(point, 8) for point in ENDS]
            for point, save in mine[number % 3 :: 3]:
                points += 1
                if found := attacked.killed_at(point, save):
                    wrong.append(f"{arm}: killed {point}, save {save}: {found}")
            goal = kills + -(-(given.kills - kills) // (len(given.arms) - number))
            while kills < goal:
                new, found = attacked.killed_at_random(draw, min(6, goal - kills))
                kills += new
                if found:
                    wrong.append(f"{arm}: killed {new} times at random: {found}")
            print(f"{arm}: {points} points and {kills} random kills so far, {len(wrong)} differ", flush=True)
        wrong += attack(Path(name) / "signals", given.signals, draw) if given.signals else []
    print(f"{kills} kills at random times and {points} at points inside a save or after the last step")
    print(f"{given.signals} commands that were sent signals")
    print("\n".join(wrong) or "every run ended with the bits of the one that was left alone")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
