"""Runs in processes of their own that divide the cores. Each reads the data once, then does one run after another."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Self

from manyheads.core.atomic_files import HaltedError
from manyheads.core.problems import Problem, StudyError
from manyheads.results.run_record import FailedRecord, RunRecord
from manyheads.runner.queue import AGAIN, RunQueue, WaitingRun
from manyheads.study.spec import Study
from manyheads.study.tasks import read_tasks
from manyheads.training.device import use_threads
from manyheads.training.inputs import StudyInputs
from manyheads.training.run import Progress, record_lost, run_once
from manyheads.training.signals import SIGNALS, StopSignals

STOP_WITHIN = 60.0
"""Seconds that all processes together may take to save their runs when they are told to stop."""
HUNG = 3600.0
"""Seconds without a sign of life after which a run is taken for hung."""
READING = 1800.0
"""Seconds more for a process that is new: it reads all data first."""
LONGEST = 2 * AGAIN
"""Seconds that one look at the processes counts at most: what took longer, such as a Ctrl-Z, a machine that was
suspended, or a debugger, was no time in which this process ran, and says nothing about the others."""
TELL = 10.0
"""Seconds until it is said again who is still saving."""


# ---- In the first process --------------------------------------------------------------------------------------------


def in_processes(
    queue: RunQueue,
    inputs: StudyInputs,
    out: Path,
    progress: Progress,
    *,
    workers: int,
    hung_after: float = HUNG,
    stop_within: float = STOP_WITHIN,
) -> Generator[RunRecord, None, None]:
    """Do the runs of a queue in processes, and yield their records in the order in which they end.

    A run that fails never stops the others, nor does one whose process dies, or hangs. Processes begin when everything
    is tokenised, so that each finds it in the cache.

    :param hung_after: A process of which nothing is heard for so many seconds is ended, and its run has failed. Only
        seconds in which this process runs are counted.
    :param stop_within: Seconds that processes have to save their runs when they are told to stop; then they are ended.
    :raises KeyboardInterrupt: After a signal, when all processes have ended.
    :raises HaltedError: If the disk takes no more. Nothing is lost.
    :raises StudyError: If a process finds the data changed.
    """
    inputs.prepare([one.run for _, one in queue.waiting])
    with StopSignals() as stop, _Pool(inputs, out, min(workers, len(queue.waiting)), queue.say, stop_within) as pool:
        yield from pool.records(queue, progress, hung_after, stop)


@dataclass
class _Worker:
    """A process.

    :param silent: For how many seconds, in which this process ran, nothing was heard of it; a new one, which reads the
        data first, may be silent for longer.
    """

    process: Any
    pipe: Connection
    doing: WaitingRun | None = None
    silent: float = -READING
    ready: bool = False

    def stop(self) -> None:
        """Have it save what it does, and end; there is nothing to be saved in one that is not ready."""
        self.drain()
        if not self.ready:
            self.process.kill()
        elif self.doing is None:
            with suppress(OSError):
                self.pipe.send(None)
        else:
            self.process.terminate()
            with suppress(OSError):  # one that was stopped, as by Ctrl-Z, would not hear it
                os.kill(self.process.pid, signal.SIGCONT)

    def drain(self) -> None:
        """Hear all that it has said; it would wait to be heard."""
        try:
            while not self.pipe.closed and self.pipe.poll():
                self.ready = True
                if self.pipe.recv()[0] in ("done", "busy"):
                    self.doing = None
        except (EOFError, OSError):
            self.pipe.close()


class _Pool:
    """Processes that do one run after another.

    :param say: Called with a line for the user.
    """

    def __init__(
        self, inputs: StudyInputs, out: Path, number: int, say: Callable[[str], None], stop_within: float
    ) -> None:
        self.inputs, self.out, self.number, self.say, self.stop_within = inputs, out, number, say, stop_within
        self.settings = _WorkerSettings(
            inputs.study,
            {name: task.hash for name, task in inputs.tasks.items()},
            inputs.places.data,
            inputs.code,
            inputs.tokens.cache.folder,
            inputs.tokens.cache.writable,
            out,
            max(1, _cores() // number),
        )
        self.workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Those that are in a run are told to save it; the others end by themselves."""
        try:
            for worker in self.workers:
                worker.stop()
            self._ended()
        finally:  # an interrupt too: the second one ends everything at once
            for worker in self.workers:
                worker.process.kill()
                worker.process.join()

    def _ended(self) -> None:
        """Wait until all have ended, as long as they may take; it is said who is waited for."""
        left = told = self.stop_within
        first = True
        while working := [worker for worker in self.workers if worker.process.is_alive()]:
            saving = ", ".join(worker.doing.run.path for worker in working if worker.doing and worker.ready)
            if saving and left <= 0:
                self.say(f"{saving}: not saved within {self.stop_within:g} s, and ended; the checkpoint before stands")
            if left <= 0:
                return
            if saving and (first or left <= told - TELL):
                again = "; Ctrl-C again stops at once, and the checkpoint before stands" if first else ""
                self.say(f"stopping: {saving}: the step is finished and saved, {left:.0f} s left{again}")
                told, first = left, False
            began = time.monotonic()
            sources = [worker.process.sentinel for worker in working] + [w.pipe for w in working if not w.pipe.closed]
            wait(sources, timeout=min(left, AGAIN))
            for worker in working:
                worker.drain()
            left -= min(time.monotonic() - began, LONGEST)

    def records(self, queue: RunQueue, progress: Progress, hung_after: float, stop: StopSignals) -> Iterator[RunRecord]:
        """Give out all runs, and yield each one's record."""
        last = time.monotonic()
        while queue.waiting or any(worker.doing for worker in self.workers):
            stop.obey()
            while (free := self._free()) and (one := queue.ready()):
                free.doing, free.silent = one, min(free.silent, 0.0)
                with suppress(OSError):  # it is dead, as will be heard
                    free.pipe.send(one)
            busy = [worker for worker in self.workers if worker.doing]
            with stop.at_once():
                heard = wait([worker.pipe for worker in busy], timeout=AGAIN if busy else AGAIN / 10)
            now = time.monotonic()
            ran, last = min(now - last, LONGEST), now
            for worker in busy:
                worker.silent += ran
                if worker.pipe in heard:
                    record = self._answer(worker, queue, progress, stop)
                elif worker.silent > hung_after:
                    worker.process.kill()
                    record = self._lost(worker, queue, f"nothing was heard of it for {hung_after / 60:g} minutes")
                else:
                    continue
                if record is not None:
                    yield record

    def _free(self) -> _Worker | None:
        """A process without a run, a new one if there may be one more."""
        for worker in self.workers:
            if worker.doing is None:
                return worker
        if len(self.workers) == self.number:
            return None
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.settings), daemon=True)
        # A signal that comes before the process can hear it waits for it, instead of killing it without a word.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            resource_tracker.ensure_running()  # the first time it lets some signals through again
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self.workers.append(_Worker(process, ours))
        return self.workers[-1]

    def _answer(self, worker: _Worker, queue: RunQueue, progress: Progress, stop: StopSignals) -> RunRecord | None:
        """Hear what a process has to say: the record of its run, or None."""
        assert worker.doing is not None
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            code = worker.process.exitcode
            reason = f"its process ended with code {code}" + (" (killed; out of memory?)" if code == -9 else "")
            return self._lost(worker, queue, reason)
        worker.silent, worker.ready = 0.0, True
        if kind == "ready":
            return None
        if kind == "stopped":  # whoever tells one process to stop means the command
            stop.received = True
            return None
        if kind == "progress":
            progress(worker.doing.run, *content)
            return None
        one, worker.doing = worker.doing, None
        if kind == "halted":
            raise HaltedError(content)
        if kind == "refused":
            raise StudyError(content)
        if kind == "busy":
            queue.put_back(one)
        return content

    def _lost(self, worker: _Worker, queue: RunQueue, reason: str) -> FailedRecord | None:
        """Leave the record of a run whose process is dead, unless another command has it already."""
        worker.process.join()
        worker.pipe.close()
        self.workers.remove(worker)
        assert worker.doing is not None
        record = record_lost(worker.doing.run, self.inputs, self.out, reason, seen=worker.doing.seen)
        if record is None:
            queue.put_back(worker.doing)
        return record


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# ---- In the others ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _WorkerSettings:
    """What a process is given when it begins.

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


def _work(pipe: Connection, settings: _WorkerSettings) -> None:
    """Do runs until the pipe says None or breaks.

    Says ("ready", None) once, then ("progress", …), ("done", record), ("busy", None) for a run that another command
    has, ("halted", why) if the disk takes no more, ("refused", problems) if the data or a run is not as it was, and
    ("stopped", None) after a signal, when what can be saved is saved.
    """
    with suppress(EOFError, BrokenPipeError, ConnectionResetError), StopSignals(insistent=False) as stop:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        use_threads(settings.threads)
        try:
            _do_runs(pipe, settings, stop)
        except KeyboardInterrupt:
            pipe.send(("stopped", None))


def _do_runs(pipe: Connection, settings: _WorkerSettings, stop: StopSignals) -> None:
    try:
        with stop.at_once():
            inputs = _inputs(settings)
    except StudyError as error:
        pipe.send(("refused", error.problems))
        return
    pipe.send(("ready", None))
    while True:
        with stop.at_once():
            one = pipe.recv()
        if one is None:
            return
        try:
            record = run_once(
                one.run, inputs, settings.out, lambda _, *done: pipe.send(("progress", done)), seen=one.seen
            )
            pipe.send(("busy", None) if record is None else ("done", record))
        except HaltedError as error:
            pipe.send(("halted", str(error)))
            return
        except StudyError as error:  # what lies in the run's folder is not this study's
            pipe.send(("refused", error.problems))
            return


def _end_with_parent() -> None:
    """A command that is killed leaves nobody behind who holds its runs; checkpoints are whole at any time."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _inputs(settings: _WorkerSettings) -> StudyInputs:
    tasks = read_tasks(settings.study, settings.data, settings.code)
    changed = [name for name, task in tasks.items() if task.hash != settings.hashes[name]]
    if changed:
        what = "the data has changed since the command began"
        raise StudyError([Problem(f"tasks.{name}", what, "", "Run the study again.") for name in changed])
    inputs = StudyInputs(settings.study, tasks, settings.data, settings.code, cache=settings.cache)
    inputs.tokens.cache.writable = settings.writable  # what could not be written need not be tried again
    return inputs
