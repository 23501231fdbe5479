"""What the processes of tests do; in a module that they can import."""

import multiprocessing
import os
import signal
from pathlib import Path

import torch
from waiting import LIMIT, until

from manyheads.core.lock import locked
from manyheads.runner.progress import Progress
from manyheads.runner.run_study import conduct
from manyheads.training import run as training_run

SERVER = multiprocessing.get_context("forkserver")
"""Processes that begin quickly and share nothing: each is forked from one that has imported what they need."""
SERVER.set_forkserver_preload([
    "manyheads.runner.run_study", "manyheads.encoders.pretrained", "manyheads.datasets.small_world",
    "manyheads.heads.span",
    "manyheads.heads.classification", "manyheads.sharing.hard", "manyheads.sharing.sluice",
    "manyheads.weighting.pcgrad",
    "datasets", "transformers.models.bert.modeling_bert", "racing", "torture",
])  # fmt: skip


def race(path, start, results):
    """Wait for the others, try once for a lock, and hold what was won until the end comes from outside."""
    start.wait(LIMIT)
    with locked(path) as mine:
        results.put((os.getpid(), mine))
        signal.pause()


def command(study: Path, out: Path, log: Path, stuck_in: str, start) -> None:
    """Run a study as one of several commands, and write down the runs that it does; never leave the run `stuck_in`.

    No run ends before each of the commands that begin together is in a run of its own.
    """
    torch.set_num_threads(1)
    real = training_run._record  # what is done with a run once it is this command's

    def all_at_work() -> bool:
        return len({line.split()[0] for line in log.read_text().splitlines()}) >= start.parties

    def record(run, inputs, folder, progress):
        with log.open("a") as file:
            file.write(f"{os.getpid()} {run.path}\n")
        if run.path == stuck_in:
            signal.pause()
        until(all_at_work)
        return real(run, inputs, folder, progress)

    training_run._record = record
    start.wait(LIMIT)
    with (log.parent / f"{os.getpid()}.err").open("w") as file:
        results, _ = conduct(study, out, None, None, workers=0, fresh=False, progress=Progress(file))
    assert not results.failed
