"""How a run goes on where it was stopped, as if nothing had happened: what is kept, when, and how it is put back."""

import json
import random
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import JsonValue, ValidationError
from torch import Tensor, nn, optim

from manyheads.core.atomic_files import write_whole
from manyheads.results.formats import known_format
from manyheads.results.run_record import METRICS, Identity, StepRecord
from manyheads.results.schema import Part
from manyheads.study.spec import CheckpointInterval
from manyheads.training import checkpoint
from manyheads.training.checkpoint import Checkpoint
from manyheads.training.identity import OtherRunError, other_run

FOLDER = "checkpoint"


class OptimizerState(Part):
    """An optimizer's groups, and of each parameter's state what is no tensor."""

    groups: list[dict[str, JsonValue]]
    plain: dict[str, dict[str, JsonValue]]


class RandomState(Part):
    """The generators of Python and numpy; torch's is a tensor."""

    python: list[JsonValue]
    numpy: dict[str, JsonValue]


class RunState(Part):
    """state.json of a checkpoint.

    :param seconds: That the run was trained before it was written.
    """

    identity: Identity | None = None
    seconds: float
    optimizer: OptimizerState
    random: RandomState


class Resume:
    """The checkpoints of one run.

    :param folder: The run's folder.
    :param identity: What the run is and where it is done, kept with each checkpoint.
    :param every: How often one is written.
    """

    def __init__(self, folder: Path, identity: Identity, every: CheckpointInterval) -> None:
        self.folder, self.metrics, self.identity, self.every = folder / FOLDER, folder / METRICS, identity, every
        self.notes: list[str] = []
        self.spent = 0.0
        self._saved = 0
        self._began = self._last = time.monotonic()

    def start(self, model: nn.Module, weighting: nn.Module, optimizer: optim.Optimizer) -> list[StepRecord]:
        """Put everything where the newest whole checkpoint has it, and return the steps that were done; none without.

        What a person should know is in `notes`: damaged checkpoints, another machine.

        :raises OtherRunError: If the checkpoint is of other settings or other data. Nothing is changed then.
        """
        found = checkpoint.newest(self.folder, self.notes.append)
        records = [StepRecord.read(line) for line in found.log.splitlines()] if found else []
        if found is None:
            write_whole(self.metrics, "")
            return []
        state = RunState.model_validate(found.values)
        if state.identity is None:
            self.notes.append("its checkpoint does not say what it was trained with; it was taken for this run's")
        elif problems := other_run(self.folder.parent, state.identity, self.identity.settings, self.identity.data):
            raise OtherRunError(problems)
        _restore(found.tensors, state, model, weighting, optimizer)
        write_whole(self.metrics, "".join(record.line() for record in records))
        self.spent, self._saved = state.seconds, found.step
        before, now = (
            {"version": one.version, **one.fingerprint.model_dump()}
            for one in (state.identity or self.identity, self.identity)
        )
        if changed := [name for name in {**now, **before} if now.get(name) != before.get(name)]:
            self.notes.append(f"went on under another {', '.join(changed)}: the bits may differ from one run in one go")
        self.notes.append(f"went on at step {found.step}")
        return records

    def due(self, step: int) -> bool:
        """Whether it is time for a checkpoint after so many steps."""
        if self.every.steps:
            return step % self.every.steps == 0
        return time.monotonic() - self._last >= 60 * (self.every.minutes or 0)

    def save(self, step: int, model: nn.Module, weighting: nn.Module, optimizer: optim.Optimizer) -> None:
        """Write a checkpoint, unless the newest is of this step; it is not put at risk for its like.

        :raises CheckpointError: If it cannot be written; the ones before are as they were.
        """
        if step == self._saved:
            return
        seconds = self.spent + time.monotonic() - self._began
        tensors, state = _kept(self.identity, seconds, model, weighting, optimizer)
        checkpoint.write(self.folder, Checkpoint(step, tensors, state.model_dump(), self.metrics.read_bytes()))
        self._saved, self._last = step, time.monotonic()


def _kept(
    identity: Identity, seconds: float, model: nn.Module, weighting: nn.Module, optimizer: optim.Optimizer
) -> tuple[dict[str, Tensor], RunState]:
    """All that training changes, as tensors and plain values; the generators of random numbers too, for methods that
    draw from them, though the loop itself seeds every step anew."""
    state = optimizer.state_dict()
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"weighting.{name}": tensor for name, tensor in weighting.state_dict().items()}
    tensors["random.torch"] = torch.get_rng_state()
    plain: dict[str, dict[str, JsonValue]] = {}
    for index, of_parameter in state["state"].items():
        for name, value in of_parameter.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                plain.setdefault(str(index), {})[name] = value
    numpy_state: Any = np.random.get_state(legacy=False)
    numpy_state["state"]["key"] = numpy_state["state"]["key"].tolist()
    version, internal, gauss = random.getstate()
    groups = json.loads(json.dumps(state["param_groups"]))
    return tensors, RunState(
        identity=identity,
        seconds=seconds,
        optimizer=OptimizerState(groups=groups, plain=plain),
        random=RandomState(python=[version, list(internal), gauss], numpy=numpy_state),
    )


def _restore(
    tensors: Mapping[str, Tensor], state: RunState, model: nn.Module, weighting: nn.Module, optimizer: optim.Optimizer
) -> None:
    """Put everything back where `_kept` found it.

    :raises RuntimeError: If the checkpoint is of another model.
    """
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "weighting": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part in parts:
            parts[part][rest] = tensor
    model.load_state_dict(parts["model"])
    weighting.load_state_dict(parts["weighting"])
    of_parameters: dict[int, dict[str, Any]] = {int(index): dict(one) for index, one in state.optimizer.plain.items()}
    for name, tensor in parts["optimizer"].items():
        index, _, key = name.partition(".")
        of_parameters.setdefault(int(index), {})[key] = tensor
    groups: list[dict[str, Any]] = [dict(group) for group in state.optimizer.groups]
    for group in groups:
        if "betas" in group:
            group["betas"] = tuple(group["betas"])
    optimizer.load_state_dict({"state": of_parameters, "param_groups": groups})
    version, internal, gauss = state.random.python
    random.setstate((version, tuple(internal), gauss))  # type: ignore[arg-type]
    numpy_state: Any = state.random.numpy
    key = np.array(numpy_state["state"]["key"], np.uint32)
    np.random.set_state({**numpy_state, "state": {**numpy_state["state"], "key": key}})
    torch.set_rng_state(tensors["random.torch"])


def identity_of(folder: Path) -> Identity | None:
    """What the run in this folder was when its newest checkpoint was written; None without one.

    :raises FormatError: If a later version wrote it.
    """
    identity = checkpoint.newest_values(folder / FOLDER).get("identity")
    if not isinstance(identity, dict):
        return None
    try:
        return Identity.model_validate({**identity, "format": known_format(identity)})
    except ValidationError:
        return None


def saved_step(folder: Path) -> int | None:
    """The step from which the run in this folder would go on: that of its newest whole checkpoint; None without one."""
    found = checkpoint.newest(folder / FOLDER, lambda _: None)
    return None if found is None else found.step


def clear(folder: Path) -> None:
    """Remove the checkpoints of the run in this folder: it is finished, and its model saved."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
