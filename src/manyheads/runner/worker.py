"""What a process that executes runs does: read the data once, then one run after another, as it is told."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow
import torch

from manyheads.core.atomic_files import HaltedError
from manyheads.core.problems import Problem, StudyError
from manyheads.study.spec import Study
from manyheads.study.tasks import read_tasks
from manyheads.training.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is told when it begins.

    :param hashes: Of each task's data, which must not change while a study is trained.
    :param cache: The folder of the token cache, if there is one; `writable` if it can be written to.
    :param out: The study's folder.
    :param threads: For everything that brings its own.
    """

    study: Study
    hashes: Mapping[str, str]
    data: Path | None
    code: Path | None
    cache: Path | None
    writable: bool
    out: Path
    threads: int


def work(pipe: Connection, order: Order, do: Callable[..., dict[str, Any] | None]) -> None:
    """Do runs until the pipe says None or breaks.

    Says ("ready", None) once, then ("progress", …), ("done", record), ("busy", None) for a run that another command
    has, ("halted", why) if the disk takes no more, and ("refused", problems) if the data is not as it was.

    :param do: Called with a job, the workshop, the study's folder and a function to be told of progress.
    """
    # An interrupt goes to every process of a terminal; ours ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    use_threads(order.threads)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        try:
            workshop = _workshop(order)
        except StudyError as error:
            pipe.send(("refused", error.problems))
            return
        pipe.send(("ready", None))
        while (job := pipe.recv()) is not None:
            try:
                record = do(job, workshop, order.out, lambda *progress: pipe.send(("progress", progress)))
                pipe.send(("busy", None) if record is None else ("done", record))
            except HaltedError as error:
                pipe.send(("halted", str(error)))
                return


def _end_with_parent() -> None:
    """A command that is killed leaves nobody behind who holds its runs; checkpoints are whole at any time."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _workshop(order: Order) -> Workshop:
    tasks = read_tasks(order.study, order.data, order.code)
    changed = [name for name, task in tasks.items() if task.summary["hash"] != order.hashes[name]]
    if changed:
        what = "the data has changed since the command began"
        raise StudyError([Problem(f"tasks.{name}", what, "", "Run the study again.") for name in changed])
    workshop = Workshop(order.study, tasks, order.data, order.code, folder=order.cache)
    workshop.cache.writable = order.writable  # what could not be written need not be tried again
    return workshop


def use_threads(number: int) -> None:
    """So many threads for everything that brings its own: torch, Arrow, and the tokenizers (written in Rust)."""
    torch.set_num_threads(number)
    pyarrow.set_cpu_count(number)
    # Read when the first text is tokenised, which in a new process is after this.
    os.environ["RAYON_NUM_THREADS"] = str(number)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if number > 1 else "false"
