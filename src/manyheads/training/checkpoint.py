"""Everything a run needs to go on as if nothing had happened: tensors as safetensors, the rest as JSON, no pickle.

A checkpoint is a folder `step-<n>` with a manifest of every file's size and SHA-256. It is written under another name,
flushed to the disk, and renamed; so it is there whole or not at all, and a file that was damaged later is noticed.
"""

import errno
import hashlib
import json
import os
import random
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn, optim

from manyheads.core.atomic_files import FULL, flush_folder, room
from manyheads.core.problems import shown
from manyheads.core.strict_json import too_deep

FORMAT = 1
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
    values: Mapping[str, Any]
    log: bytes


def state_of(model: nn.Module, weighting: nn.Module, optimizer: optim.Optimizer) -> tuple[dict[str, Tensor], dict]:
    """All that training changes, as tensors and plain values; the generators of random numbers too, for methods that
    draw from them, though the loop itself seeds every step anew."""
    state = optimizer.state_dict()
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"weighting.{name}": tensor for name, tensor in weighting.state_dict().items()}
    tensors["random.torch"] = torch.get_rng_state()
    plain: dict[str, dict[str, Any]] = {}
    for index, of_parameter in state["state"].items():
        for name, value in of_parameter.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                plain.setdefault(str(index), {})[name] = value
    numpy_state = np.random.get_state(legacy=False)
    numpy_state["state"]["key"] = numpy_state["state"]["key"].tolist()
    version, internal, gauss = random.getstate()
    values = {"optimizer": {"groups": state["param_groups"], "plain": plain}}
    return tensors, values | {"random": {"python": [version, list(internal), gauss], "numpy": numpy_state}}


def restore(checkpoint: Checkpoint, model: nn.Module, weighting: nn.Module, optimizer: optim.Optimizer) -> None:
    """Put everything back where `state_of` found it.

    :raises RuntimeError: If the checkpoint is of another model.
    """
    parts: dict[str, dict[str, Any]] = {"model": {}, "weighting": {}, "optimizer": {}}
    for name, tensor in checkpoint.tensors.items():
        part, _, rest = name.partition(".")
        if part in parts:
            parts[part][rest] = tensor
    model.load_state_dict(parts["model"])
    weighting.load_state_dict(parts["weighting"])
    given = checkpoint.values["optimizer"]
    state: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in given["plain"].items()}
    for name, tensor in parts["optimizer"].items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = tensor
    groups = [{**group, "betas": tuple(group["betas"])} if "betas" in group else group for group in given["groups"]]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    version, internal, gauss = checkpoint.values["random"]["python"]
    random.setstate((version, tuple(internal), gauss))
    numpy_state = checkpoint.values["random"]["numpy"]
    key = np.array(numpy_state["state"]["key"], np.uint32)
    np.random.set_state({**numpy_state, "state": {**numpy_state["state"], "key": key}})
    torch.set_rng_state(checkpoint.tensors["random.torch"])


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
    manifest = {
        "format": FORMAT,
        "step": checkpoint.step,
        "files": {name: {"size": len(content), "sha256": _hash(content)} for name, content in files.items()},
    }
    files[MANIFEST] = json.dumps(manifest, indent=1).encode()
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


def peek(folder: Path) -> dict[str, Any]:
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
        manifest = json.loads((path / MANIFEST).read_bytes())
        if manifest["format"] != FORMAT:
            return f"its format is {shown(manifest['format'])}, this version reads {FORMAT}"
        contents = {}
        for name in (TENSORS, VALUES, LOG):
            content = (path / name).read_bytes()
            wanted = manifest["files"][name]
            if len(content) != wanted["size"]:
                return f"{name} has {len(content)} bytes and should have {shown(wanted['size'])}"
            if _hash(content) != wanted["sha256"]:
                return f"{name} does not have the SHA-256 of its manifest"
            contents[name] = content
        step = manifest["step"]
        if type(step) is not int or _path(path.parent, step) != path:
            return f"it is of step {shown(step)}"
        return Checkpoint(step, load(contents[TENSORS]), _table(contents[VALUES]), contents[LOG])
    except OSError as error:
        return f"{Path(str(error.filename)).name}: {error.strerror}"
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        return f"{MANIFEST} cannot be read ({type(error).__name__})"


def _table(content: bytes) -> dict[str, Any]:
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


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
