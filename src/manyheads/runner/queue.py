"""The runs of a study that wait to be done."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.core.lock import holder
from manyheads.study.steps import Run
from manyheads.training.run import LOCK

AGAIN = 1.0
"""Seconds until a run is tried again that another command has."""


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run to be done.

    :param seen: The `record_hash` of its folder when that was decided. With another one now, somebody else has done it.
    """

    run: Run
    seen: str = ""


class RunQueue:
    """The runs that wait. One that another command has is tried again a little later.

    :param say: Told about runs that others have.

    `begun` are those that this command has begun, done or not.
    """

    def __init__(self, runs: Sequence[WaitingRun], out: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self.waiting: list[tuple[float, WaitingRun]] = [(0.0, one) for one in runs]
        self.out, self.say = out, say
        self.begun: list[WaitingRun] = []
        self._said: set[str] = set()

    def ready(self) -> WaitingRun | None:
        """A run that may be tried now."""
        for index, (when, one) in enumerate(self.waiting):
            if when <= time.monotonic():
                del self.waiting[index]
                self.begun.append(one)
                return one
        return None

    def next(self) -> WaitingRun | None:
        """The next run, as soon as one may be tried; None if none is left."""
        while self.waiting:
            if one := self.ready():
                return one
            time.sleep(AGAIN / 10)
        return None

    def put_back(self, one: WaitingRun) -> None:
        """Have a run tried again later."""
        self.waiting.append((time.monotonic() + AGAIN, one))
        self.begun.remove(one)
        path = one.run.path
        if path not in self._said:
            self._said.add(path)
            self.say(f"{path}: left to {holder(self.out / path / LOCK)}")
