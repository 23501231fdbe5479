"""How a run goes on where it was stopped: when checkpoints are written, what is in them, what must be the same."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn, optim

from manyheads.core.values import StepRecord
from manyheads.study.spec import CheckpointInterval
from manyheads.training import checkpoint
from manyheads.training.checkpoint import Checkpoint

FOLDER = "checkpoint"


class Resume:
    """The checkpoints of one run.

    :param folder: The run's folder.
    :param metrics: The file of its steps, which goes with the checkpoints.
    :param identity: What the run is (settings, data, version) and where (fingerprint), kept with each checkpoint.
    :param every: How often one is written.
    """

    def __init__(self, folder: Path, metrics: Path, identity: Mapping[str, Any], every: CheckpointInterval) -> None:
        self.folder, self.metrics, self.identity, self.every = folder / FOLDER, metrics, identity, every
        self.notes: list[str] = []
        self.spent = 0.0
        self._began = self._last = time.monotonic()

    def start(self, model: nn.Module, weighting: nn.Module, optimizer: optim.Optimizer) -> list[StepRecord]:
        """Put everything where the newest whole checkpoint has it, and return the steps that were done; none without.

        What a person should know is in `notes`: damaged checkpoints, another machine.
        """
        found = checkpoint.newest(self.folder, self.notes.append)
        self.metrics.write_bytes(found.log if found else b"")
        if found is None:
            return []
        checkpoint.restore(found, model, weighting, optimizer)
        self.spent = found.values["seconds"]
        before, now = found.values["identity"]["fingerprint"], self.identity["fingerprint"]
        changed = [name for name in now if json.loads(json.dumps(now[name])) != before.get(name)]
        if changed:
            self.notes.append(f"went on under another {', '.join(changed)}: the bits may differ from one run in one go")
        self.notes.append(f"went on at step {found.step}")
        return [StepRecord(**json.loads(line)) for line in found.log.splitlines()]

    def due(self, step: int) -> bool:
        """Whether it is time for a checkpoint after so many steps."""
        if self.every.steps:
            return step % self.every.steps == 0
        return time.monotonic() - self._last >= 60 * (self.every.minutes or 0)

    def save(self, step: int, model: nn.Module, weighting: nn.Module, optimizer: optim.Optimizer) -> None:
        """Write a checkpoint.

        :raises CheckpointError: If it cannot be written; the ones before are as they were.
        """
        tensors, values = checkpoint.state_of(model, weighting, optimizer)
        values |= {"identity": self.identity, "seconds": self.spent + time.monotonic() - self._began}
        checkpoint.write(self.folder, Checkpoint(step, tensors, values, self.metrics.read_bytes()))
        self._last = time.monotonic()


def identity_of(folder: Path) -> dict[str, Any]:
    """What the run in this folder was when its newest checkpoint was written; empty without one."""
    identity = checkpoint.peek(folder / FOLDER).get("identity")
    parts = [identity.get(key) for key in ("settings", "data")] if isinstance(identity, dict) else [None]
    return identity if isinstance(identity, dict) and all(isinstance(part, dict) for part in parts) else {}


def clear(folder: Path) -> None:
    """Remove the checkpoints of the run in this folder: it is finished, and its model saved."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
