"""Checkpoints as files: tensors as safetensors, the rest as JSON, no pickle. `resume.py` says what is in them.

A checkpoint is a folder `step-<n>` with a manifest of every file's size and SHA-256. It is written under another name,
flushed to the disk, and renamed; so it is there whole or not at all, and a file that was damaged later is noticed.
"""

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, JsonValue, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from manyheads.core.atomic_files import FULL, flush_folder, room
from manyheads.core.sealed import SEAL, seal_broken
from manyheads.core.strict_json import too_deep
from manyheads.results.formats import FORMAT, FormatError, known_format
from manyheads.results.run_record import FileDigest
from manyheads.results.schema import SealedFile

TENSORS, VALUES, LOG, MANIFEST = "state.safetensors", "state.json", "metrics.jsonl", "manifest.json"
KEPT = 2
"""How many valid checkpoints stay: the newest, and the one before, in case a disk damages the newest."""


class CheckpointError(OSError):
    """A checkpoint could not be written; the ones before are as they were."""


@dataclass(frozen=True)
class Checkpoint:
    """What was saved after `step` updates.

    :param tensors: Name to tensor.
    :param values: Plain JSON values.
    :param log: A file that grows with the run, as it was then.
    """

    step: int
    tensors: Mapping[str, Tensor]
    values: Mapping[str, JsonValue]
    log: bytes


class Manifest(SealedFile):
    """manifest.json: what a checkpoint's other files were when they were written."""

    model_config = ConfigDict(extra="forbid")

    format: int
    step: int
    files: dict[str, FileDigest]


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, then remove those that are no longer needed.

    :raises CheckpointError: If the disk is full, or the folder cannot be written to. Says what is needed and free.
    """
    part = folder / f"part-{checkpoint.step}-{uuid.uuid4().hex}"
    files = {
        TENSORS: save({name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}),
        VALUES: json.dumps(checkpoint.values, ensure_ascii=True).encode(),
        LOG: checkpoint.log,
    }
    digests = {name: _digest(content) for name, content in files.items()}
    files[MANIFEST] = Manifest(format=FORMAT, step=checkpoint.step, files=digests).model_dump_json(indent=1).encode()
    try:
        part.mkdir(parents=True)
        for name, content in files.items():
            _write(part / name, content)
        flush_folder(part)
        goal = _path(folder, checkpoint.step)
        if goal.exists():  # the same step, found damaged before or from an earlier attempt
            shutil.rmtree(goal)
        os.rename(part, goal)
        flush_folder(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise _explained(error, folder, sum(map(len, files.values()))) from error
    _tidy(folder)


def newest(folder: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint that is whole, or None. Every one that is passed over is reported.

    :param say: Told about each damaged checkpoint, a line.
    """
    for step in sorted(_steps(folder), reverse=True):
        found = _read(_path(folder, step))
        if isinstance(found, Checkpoint):
            return found
        say(f"{_path(folder, step)}: damaged, and passed over: {found}")
    return None


def newest_values(folder: Path) -> dict[str, JsonValue]:
    """The values of the newest checkpoint, whole or not; empty if there is none that can be read."""
    for step in sorted(_steps(folder), reverse=True):
        with suppress(OSError, ValueError, RecursionError):
            return _table((_path(folder, step) / VALUES).read_bytes())
    return {}


def _steps(folder: Path) -> list[int]:
    names = [path.name for path in folder.glob("step-*")] if folder.is_dir() else []
    return [int(name[5:]) for name in names if name[5:].isascii() and name[5:].isdigit()]


def _path(folder: Path, step: int) -> Path:
    return folder / f"step-{step:09d}"


def _read(path: Path) -> Checkpoint | str:
    """A checkpoint, or what is wrong with it."""
    try:
        content = _table((path / MANIFEST).read_bytes())
        known_format(content)
        if seal_broken(content):
            return f"{MANIFEST} is not as it was written"
        content.pop(SEAL, None)  # there is none before format 3
        manifest, contents = Manifest.model_validate(content), dict[str, bytes]()
        for name in (TENSORS, VALUES, LOG):
            contents[name] = (path / name).read_bytes()
            found, wanted = _digest(contents[name]), manifest.files[name]
            if found.size != wanted.size:
                return f"{name} has {found.size} bytes and should have {wanted.size}"
            if found != wanted:
                return f"{name} does not have the SHA-256 of its manifest"
        if _path(path.parent, manifest.step) != path:
            return f"it is of step {manifest.step}"
        return Checkpoint(manifest.step, load(contents[TENSORS]), _table(contents[VALUES]), contents[LOG])
    except OSError as error:
        return f"{Path(str(error.filename)).name}: {error.strerror}"
    except FormatError as error:
        return f"it {error}"
    except ValidationError:
        return f"{MANIFEST} is not a manifest"
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        return f"{MANIFEST} cannot be read ({type(error).__name__})"


def _table(content: bytes) -> dict[str, JsonValue]:
    value = json.loads(content)
    if not isinstance(value, dict) or too_deep(value):
        raise ValueError("no table of values")
    return value


def _tidy(folder: Path) -> None:
    """Keep the newest valid checkpoints. Only what was just verified lets older ones go."""
    steps = sorted(_steps(folder), reverse=True)
    valid = 0
    for step in steps:
        if valid >= KEPT:
            shutil.rmtree(_path(folder, step), ignore_errors=True)
        elif isinstance(_read(_path(folder, step)), Checkpoint):
            valid += 1
    for path in folder.glob("part-*"):
        shutil.rmtree(path, ignore_errors=True)


def _digest(content: bytes) -> FileDigest:
    return FileDigest(size=len(content), sha256=hashlib.sha256(content).hexdigest())


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _explained(error: OSError, folder: Path, needed: int) -> CheckpointError:
    what = os.strerror(error.errno) if error.errno else str(error)
    free = room(folder) if error.errno in FULL else None
    left = "" if free is None else f"; it needs {needed:,} bytes, {free:,} are free"
    return CheckpointError(error.errno or errno.EIO, f"no checkpoint could be written: {what}{left}", str(folder))
