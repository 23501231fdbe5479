"""How tests wait for other processes: for what has happened, never for a time."""

import time
from collections.abc import Callable

LIMIT = 1200.0
"""Seconds after which what is waited for is taken to hang. Only a guard: no result depends on it."""


def until(happened: Callable[[], object]) -> None:
    """Wait until something has happened."""
    end = time.monotonic() + LIMIT
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
