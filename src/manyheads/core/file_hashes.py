"""SHA-256 of large files, kept by their size and the time of their last change, so that a look at them stays quick."""

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from manyheads.core.atomic_files import write_whole
from manyheads.core.foreign_files import open_plain

PLACE = "hashes"
SETTLED = 2.0
"""Seconds: a file that changed so lately may change again without another time of change."""


def files_hash(paths: Sequence[Path], known: Path | None = None) -> str:
    """SHA-256 of a file; of several, of their names and hashes.

    :param known: The folder in which hashes are kept; None reads every byte.
    :raises OSError: If a file cannot be read.
    """
    hashes = [_hash(path, None if known is None else known / PLACE) for path in paths]
    if len(hashes) == 1:
        return hashes[0]
    lines = (f"{path.name} {digest}\n" for path, digest in zip(paths, hashes, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _hash(path: Path, known: Path | None) -> str:
    path = path.resolve()
    about = path.stat()
    key = [str(path), about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]
    kept = known and known / f"{hashlib.sha256(str(path).encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"
    if kept is not None:
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            before = json.loads(kept.read_text("utf-8"))
            if before["key"] == key and isinstance(before["sha256"], str):
                return before["sha256"]
    with open_plain(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if kept is not None and time.time() - max(about.st_mtime, about.st_ctime) > SETTLED:
        with suppress(OSError, UnicodeError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_whole(kept, json.dumps({"key": key, "sha256": digest}))
    return digest
