"""Files that somebody else laid out: only plain ones are opened. A device has no end, and a pipe may never have a
beginning."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from manyheads.core.problems import Problem, counted

READ = (".json", ".txt", ".model", ".jinja", ".safetensors")
"""What files that are read in a model's folder end with."""
LARGEST_TEXT = 1 << 28
"""Bytes of the largest vocabulary or configuration; the largest published are a tenth of it."""


def open_plain(path: Path) -> BinaryIO:
    """A file's bytes. Links are followed, as in the Hub's cache; what they lead to has to be a plain file.

    :raises OSError: If there is none, or it is something else: a folder, a pipe, a device, a socket.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a plain file")
    return os.fdopen(descriptor, "rb")


def unfit_files(folder: Path, where: str) -> list[Problem]:
    """A problem for each entry of a model's folder that a library would open and that is no plain file, or no text of a
    reasonable size.

    :param where: The key of the study that names the folder, or the folder.
    """
    problems = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        try:
            about = entry.stat()
        except OSError:  # a link that leads nowhere is as good as no file
            continue
        kind, read = about.st_mode, entry.name.endswith(READ)
        if not stat.S_ISREG(kind) and (read or not stat.S_ISDIR(kind)):
            what, remedy = f"{entry.name} is not a plain file", "Give the folder of a model as it was published."
            problems.append(Problem(where, what, str(folder), remedy))
        elif read and not entry.name.endswith(READ[-1]) and about.st_size > LARGEST_TEXT:
            what, remedy = f"{entry.name} is larger than {counted(LARGEST_TEXT, 'byte')}", "Is it the right file?"
            problems.append(Problem(where, what, counted(about.st_size, "byte"), remedy))
    return problems
