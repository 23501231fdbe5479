"""Files that are there whole or not at all, and what it means when a disk takes no more."""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from manyheads.core.problems import Problem, StudyError, shown

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
HALTING = (*FULL, errno.EROFS, errno.EIO)
"""What a run can do nothing about, and the next run neither."""
_NUMBER = re.compile(r"\(os error (\d+)\)")


class HaltedError(RuntimeError):
    """The disk takes no more. Nothing is lost: the same command goes on from here when it does again."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, flush it to the disk, and move it there; so it is the old or the new, always.

    :raises OSError: If that fails; the file that was there stays.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:  # an interrupt too leaves nothing behind
        with suppress(OSError):
            part.unlink()
        raise
    flush_folder(path.parent)


def links_below(folder: Path, places: Iterable[str]) -> list[Problem]:
    """A problem for each link on the way to these places in the folder, or inside them: what is written there would be
    written elsewhere."""
    links: dict[Path, None] = {}
    for place in places:
        path = folder
        for part in Path(place).parts:
            path /= part
            if path.is_symlink():
                links[path] = None
                break
        else:
            links |= dict.fromkeys(inside for inside in path.rglob("*") if inside.is_symlink())
    what, remedy = "this is a link, and what is written there would be written elsewhere", "Remove it."
    return [Problem(str(path), what, shown(os.readlink(path)), remedy) for path in links]


def refuse_links(folder: Path, places: Iterable[str]) -> None:
    """See that what is written to these places in the folder stays in it.

    :raises StudyError: With every link on the way to them, or inside them.
    """
    if problems := links_below(folder, places):
        raise StudyError(problems)


def flush_folder(folder: Path) -> None:
    """Names in a folder are data of the folder. Systems on which a folder cannot be opened write them at once."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def halting(error: BaseException) -> int | None:
    """The system's number for an error that no other run would escape; None for any other error.

    Libraries written in Rust give the number in their message only.
    """
    if isinstance(error, OSError):
        return error.errno if error.errno in HALTING else None
    if isinstance(error, Exception) and (match := _NUMBER.search(str(error))):
        number = int(match[1])
        return number if number in HALTING else None
    return None


def room(folder: Path) -> int | None:
    """How many bytes are free where this folder is, or will be; None if the system does not say."""
    there = next((one for one in (folder, *folder.absolute().parents) if one.exists()), None)
    with suppress(OSError):
        return None if there is None else shutil.disk_usage(there).free
    return None


def halted(error: BaseException, number: int, folder: Path) -> HaltedError:
    """The error in one line: where, what, how much is free, what to do."""
    free = room(folder) if number in FULL else None
    left = "" if free is None else f"; {free:,} bytes are free"
    needs = str(error).partition("it needs ")[2].partition(" bytes")[0]
    wanted = f"; it needs {needs} bytes" if needs else ""
    return HaltedError(f"{folder}: cannot be written to: {os.strerror(number)}{wanted}{left}")
