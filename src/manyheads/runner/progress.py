"""Progress of a study on standard error: a bar with the time left on a terminal, plain lines elsewhere."""

import time
from contextlib import suppress
from typing import Any, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from manyheads.core.printable import printable
from manyheads.study.steps import Run

EVERY = 30.0
"""Seconds between plain lines."""


class _Lasting:
    """A stream that may go away, as a terminal that is closed: what is written then is lost, and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class Progress:
    """Steps done of all steps of all runs, and the time left.

    :param stream: Where it is written.
    """

    def __init__(self, stream: TextIO) -> None:
        self.console = Console(file=cast(TextIO, _Lasting(stream)), highlight=False, markup=False, force_jupyter=False)
        self.bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.done: dict[str, int] = {}
        self.scoring: set[str] = set()
        self.total = 0
        self.began = self.last = time.monotonic()
        self.bar = self.bars.add_task("", total=None, unit="steps")

    def __enter__(self) -> "Progress":
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(printable(text), soft_wrap=True)

    def prepare(self, what: str, done: int, number: int) -> None:
        """How far the tokens of a split are."""
        self.bars.update(self.bar, completed=done, total=number, description=f"tokens of {what}", unit="examples")
        now = time.monotonic()
        if not self.console.is_terminal and now - self.last >= EVERY:
            self.last = now
            self.console.print(f"tokens of {what}: {done:,} of {number:,} examples", soft_wrap=True)

    def expect(self, steps: int) -> None:
        """How many steps there are in all."""
        self.total = steps
        self.began = time.monotonic()
        self.bars.update(self.bar, completed=0, total=steps, description="", unit="steps")

    def report(self, run: Run, done: int, steps: int, what: str) -> None:
        """What a run is doing."""
        self.done[run.path] = done
        all_done = sum(self.done.values())
        self.bars.update(self.bar, completed=all_done, description=f"{run.path} {what}")
        now = time.monotonic()
        first = what == "scoring" and run.path not in self.scoring
        if not self.console.is_terminal and (now - self.last >= EVERY or first):
            self.scoring |= {run.path} if first else set()
            self.last = now
            left = (now - self.began) / max(1, all_done) * (self.total - all_done)
            text = f"{run.path}: {what}, step {done} of {steps}; in all {all_done} of {self.total} steps"
            text += f", about {left / 60:.1f} min left"
            self.console.print(text, soft_wrap=True)
