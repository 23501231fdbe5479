"""Where runs are executed: here, or in several processes that divide the cores."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import pyarrow
import torch

from manyheads import __version__
from manyheads.machine import fingerprint
from manyheads.plan import Run, runs
from manyheads.run import RECORD, run_once, run_settings, write_json
from manyheads.study import Study
from manyheads.tasks import read_tasks
from manyheads.workshop import Workshop

PATIENCE = 10.0
"""Seconds that a process may take to save its run when it is told to stop."""
Report = Callable[[Run, int, int, str], None]
"""Called with a run, the steps done, the steps in all, and what it is doing."""


def execute(
    todo: Sequence[Run], workshop: Workshop, out: Path, report: Report, *, workers: int
) -> list[dict[str, Any]]:
    """Execute runs, and return their records in the order in which they ended.

    One run that fails never stops the others: an error is in its record, and so is the death of its process. Several
    processes begin when everything is tokenised, so that each finds it in the workshop's cache.

    :param workers: How many processes. With one, everything happens in this one.
    """
    if workers <= 1 or len(todo) <= 1:
        return [
            run_once(run, workshop, out, lambda done, all_, what, run=run: report(run, done, all_, what))
            for run in todo
        ]
    workshop.prepare(todo)
    return list(_in_processes(list(todo), workshop, out, report, min(workers, len(todo))))


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _use_threads(number: int) -> None:
    """So many threads for everything that brings its own: torch, Arrow, and the tokenizers (written in Rust)."""
    torch.set_num_threads(number)
    pyarrow.set_cpu_count(number)
    # Read when the first text is tokenised, which in a new process is after this.
    os.environ["RAYON_NUM_THREADS"] = str(number)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if number > 1 else "false"


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    run: Run | None = field(default=None)


def _in_processes(
    waiting: list[Run], workshop: Workshop, out: Path, report: Report, number: int
) -> Iterator[dict[str, Any]]:
    context = multiprocessing.get_context("spawn")
    threads = max(1, _cores() // number)

    def start() -> _Worker:
        ours, theirs = context.Pipe()
        hashes = {name: task.summary["hash"] for name, task in workshop.tasks.items()}
        cache = (workshop.cache.folder, workshop.cache.writable)
        arguments = (theirs, workshop.study, hashes, workshop.places.data, workshop.code, cache, out, threads)
        process = context.Process(target=_work, args=arguments, daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    workers = [start() for _ in range(number)]
    try:
        for worker in workers:
            _give(worker, waiting)
        while busy := [worker for worker in workers if worker.run is not None]:
            for pipe in wait([worker.pipe for worker in busy]):
                worker = next(worker for worker in busy if worker.pipe is pipe)
                run = worker.run
                assert run is not None
                try:
                    kind, content = worker.pipe.recv()
                except (EOFError, ConnectionResetError):
                    worker.process.join()
                    yield _died(run, worker.process.exitcode, workshop, out)
                    workers.remove(worker)
                    if waiting:
                        workers.append(start())
                        _give(workers[-1], waiting)
                    continue
                if kind == "progress":
                    report(run, *content)
                else:
                    _give(worker, waiting)
                    yield content
    finally:
        _stop(workers)


def _give(worker: _Worker, waiting: list[Run]) -> None:
    worker.run = waiting.pop(0) if waiting else None
    with suppress(BrokenPipeError):
        worker.pipe.send(worker.run.path if worker.run else None)


def _stop(workers: Sequence[_Worker]) -> None:
    """Those that were told to stop end by themselves and clean up; those that are in a run are told to save it."""
    for worker in workers:
        if worker.run is not None:
            worker.process.terminate()
    for worker in workers:
        worker.process.join(PATIENCE)
        worker.process.kill()
        worker.process.join()


def _died(run: Run, code: int | None, workshop: Workshop, out: Path) -> dict[str, Any]:
    """The record of a run whose process ended without a word, killed for memory perhaps."""
    reason = f"its process ended with code {code}" + (" (killed; out of memory?)" if code == -9 else "")
    record = {
        "arm": run.arm.name, "seed": run.seed, "tasks": list(run.tasks), "version": __version__,
        "settings": run_settings(run, workshop), "fingerprint": fingerprint(run.arm.training["precision"]),
        "status": "failed", "reason": reason,
    }  # fmt: skip
    (out / run.path).mkdir(parents=True, exist_ok=True)
    write_json(out / run.path / RECORD, record)
    return record


def _work(
    pipe: Connection,
    study: Study,
    hashes: Mapping[str, str],
    data: Path | None,
    code: Path | None,
    cache: tuple[Path | None, bool],
    out: Path,
    threads: int,
) -> None:
    """What a worker does: read the data once, then one run after another."""
    # An interrupt goes to every process of a terminal; ours ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _use_threads(threads)
    tasks = read_tasks(study, data, code)
    if {name: task.summary["hash"] for name, task in tasks.items()} != hashes:
        raise RuntimeError("the data has changed since the study began")
    workshop = Workshop(study, tasks, data, code, folder=cache[0])
    workshop.cache.writable = cache[1]  # what could not be written need not be tried again
    known = {run.path: run for run in runs(study)}
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while (path := pipe.recv()) is not None:
            record = run_once(known[path], workshop, out, lambda *progress: pipe.send(("progress", progress)))
            pipe.send(("done", record))
