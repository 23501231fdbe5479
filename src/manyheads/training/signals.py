"""A signal to stop is heard at once, and obeyed where nothing is lost by it.

The kernel, a terminal, a shell, `timeout`, systemd and a batch system may each send one, to the command, to its group,
or to every process; so what comes within a second is one request. Only a person has a second thought: Ctrl-C again.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
TOGETHER = 1.0
"""Seconds after the first signal in which further ones are the same request."""

_hearing: list["StopSignals"] = []
"""The one that hears signals in this process, if there is one."""


class StopSignals:
    """While it is entered, a signal to stop only sets `received`, for whoever is at work to stop where it can.

    Where nothing can be lost, inside `at_once`, it raises KeyboardInterrupt. Everywhere else a second SIGINT does so,
    of a person who does not want to wait; SIGTERM and SIGHUP, which programs send, mean the same however often they
    come. Inside another one it is that one. A signal that this process ignores (`nohup`, a script's background) stays
    ignored. Outside the main thread, where Python allows no handlers, nothing changes.

    :param insistent: Whether a second SIGINT stops at once. Not in a process that its parent ends.
    """

    def __init__(self, *, insistent: bool = True) -> None:
        self.received = False
        self._insistent = insistent
        self._raises = False
        self._first = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        if _hearing:
            return _hearing[0]  # type: ignore[return-value]
        _hearing.append(self)
        heard = [one for one in SIGNALS if signal.getsignal(one) not in (signal.SIG_IGN, None)]
        self._before = {one: signal.signal(one, self._hear) for one in heard}
        return self

    def __exit__(self, *_: object) -> None:
        if _hearing and _hearing[0] is self:
            for one, handler in self._before.items():
                signal.signal(one, handler)
            _hearing.clear()

    def obey(self) -> None:
        """Stop here, if that was asked for.

        :raises KeyboardInterrupt: If it was.
        """
        if self.received:
            raise KeyboardInterrupt

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Nothing is lost in here: a signal, also one that has come before, raises KeyboardInterrupt."""
        with self._raising(True):
            self.obey()
            yield

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Inside `at_once`: something can be lost in here, so a signal only sets `received`."""
        with self._raising(False):
            yield

    @contextmanager
    def _raising(self, now: bool) -> Iterator[None]:
        before, self._raises = self._raises, now
        try:
            yield
        finally:
            self._raises = before

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        first, self.received = not self.received, True
        if first:
            self._first = now
        later = now - self._first >= TOGETHER
        if (self._raises and (first or later)) or (self._insistent and later and number == signal.SIGINT):
            raise KeyboardInterrupt
