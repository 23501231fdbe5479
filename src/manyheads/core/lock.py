"""One writer at a time: a lock on a file, which the death of its holder frees."""

import hashlib
import json
import os
import platform
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from manyheads.core.printable import printable


@contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold a lock on a file, and yield whether it was free. The system's lock counts, not the file, which stays and
    says who holds or held it. A link is not followed.

    :param path: The file. Its folder must exist.
    :param wait: Wait until it is free, instead of going on without it.
    """
    # A lock file of our own making ("soft") would outlive its holder.
    lock = FileLock(path, blocking=wait, fallback_to_soft=False, on_acquired=_sign)
    with suppress(Timeout):
        lock.acquire()
    try:
        yield lock.is_locked
    finally:
        lock.release()


def _sign(file: int) -> None:
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:  # what is written would be in another file too
        return
    about = {"process": os.getpid(), "machine": _machine(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, json.dumps(about).encode())


def _machine() -> str:
    """Tells one machine from another without its name: folders of studies are shared."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:12]


def holder(path: Path) -> str:
    """Who holds this lock, or held it last: process, machine and since when; in words."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        about = json.loads(path.read_bytes())
        where = "this machine" if about["machine"] == _machine() else "another machine"
        return printable(f"process {about['process']} on {where}, since {about['since']}")
    return "another process"
