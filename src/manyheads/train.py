"""The loop of one run. It yields a record after every update; who calls it evaluates, writes and stops."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn, optim

from manyheads.batches import TrainingData, parts
from manyheads.model import MultiTaskModel
from manyheads.optimization import set_learning_rate
from manyheads.plan import Layout
from manyheads.tensors import Batch
from manyheads.types import StepRecord, derived_seed
from manyheads.weighting import Weighting


class NotFiniteError(ArithmeticError):
    """A loss or a gradient is not a number; the update was not made."""


def train(
    model: MultiTaskModel,
    data: Mapping[str, TrainingData],
    layout: Layout,
    weighting: Weighting,
    optimizer: optim.Optimizer,
    *,
    seed: int,
    settings: Mapping[str, Any],
) -> Iterator[StepRecord]:
    """Train along a layout, and yield a record after each update.

    :param settings: The study's `[training]`: warmup, schedule, clip, accumulation, precision.
    :raises NotFiniteError: Before the update, naming task, step and rows.
    """
    model.train()
    used: Counter[str] = Counter()
    first, end = 0, len(layout.steps)
    for step, tasks in enumerate(layout.steps):
        began = time.perf_counter()
        if step in layout.changes:
            first, end = _change(model, optimizer, layout, step, seed, (first, end))
        rate = set_learning_rate(optimizer, step, first, end, warmup=settings["warmup"], schedule=settings["schedule"])
        batches = {task: data[task].batch(used[task]) for task in tasks}
        used.update(tasks)

        # ---------------------------------------------------------------------------------------------- the update
        torch.manual_seed(derived_seed(seed, "dropout", step))
        losses = _backward(model, batches, data, weighting, settings)
        _check(losses, batches, step)
        norm = nn.utils.clip_grad_norm_(_parameters(optimizer), settings["clip"] or float("inf"))
        if not torch.isfinite(norm):
            raise NotFiniteError(
                f"step {step}: the gradient is {norm.item()}, though every loss is finite ({_shown(losses)})"
            )
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        weighting.after_step(lambda now=batches, at=step: _again(model, now, weighting, seed, at, settings))
        # ---------------------------------------------------------------------------------------------------------

        yield StepRecord(
            step,
            losses,
            weighting.weights(),
            {task: len(batch.rows) for task, batch in batches.items()},
            {task: sum(batch.tokens.lengths) for task, batch in batches.items()},
            time.perf_counter() - began,
            rate,
        )


def _backward(
    model: MultiTaskModel,
    batches: Mapping[str, Batch],
    data: Mapping[str, TrainingData],
    weighting: Weighting,
    settings: Mapping[str, Any],
) -> dict[str, float]:
    """Fill `.grad`, and return each task's loss.

    With accumulation, a batch is computed in parts that weigh by how many of its targets they hold.
    """
    number = settings["accumulation"]
    pieces = {task: parts(batch, number, data[task].examples) for task, batch in batches.items()}
    totals = dict.fromkeys(batches, 0.0)
    for index in range(max(len(piece) for piece in pieces.values())):
        now = {task: piece[index] for task, piece in pieces.items() if index < len(piece)}
        shares = {task: _labelled(batch) / max(1, _labelled(batches[task])) for task, batch in now.items()}
        with autocast(settings["precision"]):
            found = model(now, separate=weighting.separate_passes)
        losses = {task: loss * shares[task] if number > 1 else loss for task, loss in found.items()}
        weighting.backward(losses, model.shared_parameters())
        for task, loss in losses.items():
            totals[task] += loss.item()
    penalty = model.sharing.penalty()
    if penalty is not None:
        penalty.backward()
    return totals


def _labelled(batch: Batch) -> int:
    """How many targets count in a batch's loss; heads mark the others with -100."""
    return 0 if batch.targets is None else int((batch.targets.reshape(len(batch.targets), -1)[:, 0] != -100).sum())


def _again(
    model: MultiTaskModel,
    batches: Mapping[str, Batch],
    weighting: Weighting,
    seed: int,
    step: int,
    settings: Mapping[str, Any],
) -> dict[str, Tensor]:
    """The losses of the same batches under the same dropout masks and the new parameters."""
    torch.manual_seed(derived_seed(seed, "dropout", step))
    with torch.no_grad(), autocast(settings["precision"]):
        return model(batches, separate=weighting.separate_passes)


def autocast(precision: str) -> AbstractContextManager[Any]:
    """Compute in bfloat16 where that is safe, if asked for; parameters and updates stay in float32."""
    return torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext()


def _change(
    model: MultiTaskModel, optimizer: optim.Optimizer, layout: Layout, step: int, seed: int, schedule: tuple[int, int]
) -> tuple[int, int]:
    change = layout.changes[step]
    for task in change.fresh_heads:
        model.fresh_head(task, derived_seed(seed, "head", task, step))
        for parameter in model.head(task).parameters():
            optimizer.state.pop(parameter, None)
    if change.fresh_optimizer:
        optimizer.state.clear()
    return schedule if change.schedule is None else change.schedule


def _parameters(optimizer: optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _check(losses: Mapping[str, float], batches: Mapping[str, Batch], step: int) -> None:
    for task, loss in losses.items():
        if not -float("inf") < loss < float("inf"):
            rows = ", ".join(str(row) for row in batches[task].rows)
            raise NotFiniteError(f"step {step}: the loss of {task} is {loss}; its batch holds the training rows {rows}")


def _shown(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{task} {loss:.4g}" for task, loss in losses.items())
