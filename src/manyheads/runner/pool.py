"""Where runs are executed: in processes of their own that divide the cores, or in this one."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from manyheads.core.atomic_files import HaltedError
from manyheads.core.problems import StudyError
from manyheads.core.version import __version__
from manyheads.runner.lock import Lock, holder
from manyheads.runner.worker import Order, work
from manyheads.study.steps import Run
from manyheads.training.device import fingerprint, precision
from manyheads.training.run import run_once, run_settings
from manyheads.training.run_files import mark, read_record, write_record
from manyheads.training.workshop import Workshop

LOCK = "lock"
PATIENCE = 8.0
"""Seconds that all processes together may take to save their runs when they are told to stop."""
AGAIN = 1.0
"""Seconds until a run is tried again that another command has."""
HUNG = 3600.0
"""Seconds without a sign of life after which a run is taken for hung."""
READING = 1800.0
"""Seconds more for a process that is new: it reads all data first."""
Report = Callable[[Run, int, int, str], None]
"""Called with a run, the steps done, the steps in all, and what it is doing."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A run to be done.

    :param seen: The `mark` of its folder when that was decided. With another one now, somebody else has done it.
    """

    run: Run
    seen: str = ""


def execute(
    jobs: Sequence[Job], workshop: Workshop, out: Path, report: Report, *,
    workers: int, hung_after: float = HUNG, say: Say = lambda _: None,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Execute runs, and yield their records in the order in which they end.

    A run that fails never stops the others, nor does one whose process dies, or hangs. Other commands may do runs of
    the same study meanwhile: each run is done by one of them, and by another if that one dies. Processes begin when
    everything is tokenised, so that each finds it in the workshop's cache.

    :param workers: How many processes; with 0, everything happens in this one.
    :param hung_after: A process of which nothing is heard for so many seconds is ended, and its run has failed.
    :param say: Told about runs that others have.
    :raises HaltedError: If the disk takes no more. Nothing is lost.
    :raises StudyError: If a process finds the data changed.
    """
    queue = _Queue(jobs, out, say)
    if workers == 0 or not jobs:
        while job := queue.next():
            record = claimed(job, workshop, out, lambda *done, run=job.run: report(run, *done))
            if record is None:
                queue.put_back(job)
            else:
                yield record
        return
    workshop.prepare([job.run for job in jobs])
    with _Pool(workshop, out, min(workers, len(jobs))) as pool:
        yield from pool.records(queue, report, hung_after)


def claimed(job: Job, workshop: Workshop, out: Path, progress: Callable[[int, int, str], None]) -> dict | None:
    """Do a run, or read its record if somebody else has done it since; None while somebody else is doing it."""
    folder = out / job.run.path
    folder.mkdir(parents=True, exist_ok=True)
    with Lock(folder / LOCK) as lock:
        if not lock.mine:
            return None
        if mark(folder) != job.seen:
            return read_record(folder)
        return run_once(job.run, workshop, out, progress)


class _Queue:
    """The runs that wait. One that another command has is tried again a little later."""

    def __init__(self, jobs: Sequence[Job], out: Path, say: Say) -> None:
        self.waiting: list[tuple[float, Job]] = [(0.0, job) for job in jobs]
        self.out, self.say = out, say
        self.told: set[str] = set()

    def ready(self) -> Job | None:
        """A run that may be tried now."""
        for index, (when, job) in enumerate(self.waiting):
            if when <= time.monotonic():
                del self.waiting[index]
                return job
        return None

    def next(self) -> Job | None:
        """The next run, as soon as one may be tried; None if none is left."""
        while self.waiting:
            if job := self.ready():
                return job
            time.sleep(AGAIN / 10)
        return None

    def put_back(self, job: Job) -> None:
        self.waiting.append((time.monotonic() + AGAIN, job))
        if job.run.path not in self.told:
            self.told.add(job.run.path)
            self.say(f"{job.run.path}: left to {holder(self.out / job.run.path / LOCK)}")


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    job: Job | None = None
    heard: float = field(default_factory=time.monotonic)
    ready: bool = False

    def silent(self) -> float:
        """Seconds since anything was heard of it, beyond what it may take to read the data."""
        return time.monotonic() - self.heard - (0 if self.ready else READING)


class _Pool:
    """Processes that do one run after another."""

    def __init__(self, workshop: Workshop, out: Path, number: int) -> None:
        self.workshop, self.out = workshop, out
        self.order = Order(
            workshop.study, {name: task.summary["hash"] for name, task in workshop.tasks.items()},
            workshop.places.data, workshop.code, workshop.cache.folder, workshop.cache.writable, out,
            max(1, _cores() // number),
        )  # fmt: skip
        self.number = number
        self.workers: list[_Worker] = []

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, *_: object) -> None:
        """Those that are in a run are told to save it; the others end by themselves."""
        for worker in self.workers:
            if worker.job is None:
                with suppress(OSError):
                    worker.pipe.send(None)
            else:
                worker.process.terminate()
        end = time.monotonic() + PATIENCE
        try:
            for worker in self.workers:
                worker.process.join(max(0.0, end - time.monotonic()))
        finally:  # an interrupt too: the second one ends everything at once
            for worker in self.workers:
                worker.process.kill()
                worker.process.join()

    def records(self, queue: _Queue, report: Report, hung_after: float) -> Iterator[dict[str, Any]]:
        """Give out all runs, and yield each one's record."""
        while queue.waiting or any(worker.job for worker in self.workers):
            while (free := self._free()) and (job := queue.ready()):
                self._give(free, job)
            busy = [worker for worker in self.workers if worker.job]
            if not busy:
                time.sleep(AGAIN / 10)
                continue
            heard = wait([worker.pipe for worker in busy], timeout=AGAIN)
            for worker in busy:
                if worker.pipe in heard:
                    record = self._answer(worker, queue, report)
                elif worker.silent() > hung_after:
                    worker.process.kill()
                    record = self._lost(worker, queue, f"nothing was heard of it for {hung_after / 60:g} minutes")
                else:
                    continue
                if record is not None:
                    yield record

    def _free(self) -> _Worker | None:
        """A process without a run, a new one if there may be one more."""
        for worker in self.workers:
            if worker.job is None:
                return worker
        if len(self.workers) == self.number:
            return None
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, self.order, claimed), daemon=True)
        process.start()
        theirs.close()
        self.workers.append(_Worker(process, ours))
        return self.workers[-1]

    def _give(self, worker: _Worker, job: Job) -> None:
        worker.job, worker.heard = job, time.monotonic()
        with suppress(OSError):  # it is dead, as will be heard
            worker.pipe.send(job)

    def _answer(self, worker: _Worker, queue: _Queue, report: Report) -> dict[str, Any] | None:
        """Hear what a process has to say: the record of its run, or None."""
        assert worker.job is not None
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            code = worker.process.exitcode
            reason = f"its process ended with code {code}" + (" (killed; out of memory?)" if code == -9 else "")
            return self._lost(worker, queue, reason)
        worker.heard, worker.ready = time.monotonic(), True
        if kind == "ready":
            return None
        if kind == "progress":
            report(worker.job.run, *content)
            return None
        job, worker.job = worker.job, None
        if kind == "halted":
            raise HaltedError(content)
        if kind == "refused":
            raise StudyError(content)
        if kind == "busy":
            queue.put_back(job)
        return content

    def _lost(self, worker: _Worker, queue: _Queue, reason: str) -> dict[str, Any] | None:
        """Leave the record of a run whose process ended without a word, unless another command has it already."""
        worker.process.join()
        worker.pipe.close()
        self.workers.remove(worker)
        job = worker.job
        assert job is not None
        folder = self.out / job.run.path
        folder.mkdir(parents=True, exist_ok=True)
        with Lock(folder / LOCK) as lock:
            if not lock.mine or mark(folder) != job.seen:
                queue.put_back(job)
                return None
            run = job.run
            record = {
                "arm": run.arm.name, "seed": run.seed, "tasks": list(run.tasks), "version": __version__,
                "settings": run_settings(run, self.workshop),
                "fingerprint": fingerprint(precision(run.arm.training.precision)),
                "status": "failed", "reason": reason,
            }  # fmt: skip
            write_record(folder, record)
        return record


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
