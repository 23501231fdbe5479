"""One writer at a time: a lock on a file, which the death of its holder frees.

The lock is the system's (`flock`), not the file: the file stays, and only says who holds or held it. Where the system
has no `flock` nothing is locked; run one command at a time there.
"""

import json
import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


class Lock:
    """A lock to be entered. `mine` says whether it was free.

    :param path: The file. Its folder must exist.
    :param wait: Wait until it is free, instead of going on without it.
    """

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        self.path, self.wait = path, wait
        self.mine = False
        self._file = -1

    def __enter__(self) -> Self:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | (0 if self.wait else fcntl.LOCK_NB))
            self.mine = True
            os.ftruncate(self._file, 0)
            about = {"process": os.getpid(), "host": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
            os.pwrite(self._file, json.dumps(about).encode(), 0)
        except BlockingIOError:
            self._close()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        self.mine = False
        if self._file >= 0:
            os.close(self._file)  # which frees the lock
        self._file = -1


def holder(path: Path) -> str:
    """Who holds this lock, or held it last: process, host and since when; in words."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        about = json.loads(path.read_bytes())
        return f"process {about['process']} on {about['host']}, since {about['since']}"
    return "another process"
