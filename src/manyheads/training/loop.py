"""The loop of one run. It yields a record after every update; who calls it evaluates, writes and stops."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn, optim

from manyheads.core.tensors import Batch
from manyheads.core.values import derived_seed
from manyheads.data.batches import TrainingData, parts
from manyheads.results.run_record import StepRecord
from manyheads.study.spec import TrainingSettings
from manyheads.study.steps import Layout
from manyheads.training.model import MultiTaskModel
from manyheads.training.optimizer import set_learning_rate
from manyheads.weighting import Weighting


class NotFiniteError(ArithmeticError):
    """A loss or a gradient is not a number; the update was not made.

    :param rows: Task to the rows of its training data that the batch holds.
    """

    def __init__(self, message: str, rows: Mapping[str, Sequence[int]]) -> None:
        super().__init__(message)
        self.rows = {task: list(given) for task, given in rows.items()}


def train(
    model: MultiTaskModel,
    data: Mapping[str, TrainingData],
    layout: Layout,
    weighting: Weighting,
    optimizer: optim.Optimizer,
    *,
    seed: int,
    settings: TrainingSettings,
    start: int = 0,
) -> Iterator[StepRecord]:
    """Train along a layout, and yield a record after each update.

    :param start: The first step to do; those before were done, and everything stands as they left it.
    :param settings: The study's `[training]`: warmup, schedule, clip, accumulation, precision.
    :raises NotFiniteError: Before the update, naming task, step and rows.
    """
    model.train()
    used: Counter[str] = Counter(task for tasks in layout.steps[:start] for task in tasks)
    for step, tasks in enumerate(layout.steps[start:], start):
        began = time.perf_counter()
        if step in layout.changes:
            _change(model, optimizer, layout, step, seed)
        first, end = layout.schedule(step)
        rate = set_learning_rate(optimizer, step, first, end, warmup=settings.warmup, schedule=settings.schedule)
        batches = {task: data[task].batch(used[task]) for task in tasks}
        used.update(tasks)

        # ---------------------------------------------------------------------------------------------- the update
        torch.manual_seed(derived_seed(seed, "dropout", step))
        losses, padding, flops = _backward(model, batches, data, weighting, settings)
        _check(losses, batches, step)
        _clip(optimizer, settings.clip, step, losses, batches)
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
            padding,
            flops,
            time.perf_counter() - began,
            rate,
        )


def _backward(
    model: MultiTaskModel,
    batches: Mapping[str, Batch],
    data: Mapping[str, TrainingData],
    weighting: Weighting,
    settings: TrainingSettings,
) -> tuple[dict[str, float], int, float]:
    """Fill `.grad`, and return each task's loss, how many tokens of padding were computed, and the operations.

    With accumulation, a batch is computed in parts that weigh by how many of its targets they hold.
    """
    number = settings.accumulation
    pieces = {task: parts(batch, number, data[task].examples) for task, batch in batches.items()}
    totals: dict[str, Tensor] = {}
    padding, flops = 0, 0.0
    for index in range(max(len(piece) for piece in pieces.values())):
        now = {task: piece[index] for task, piece in pieces.items() if index < len(piece)}
        shares = {task: _labelled(batch) / max(1, _labelled(batches[task])) for task, batch in now.items()}
        with autocast(settings.precision):
            found = model(now, separate=weighting.separate_passes)
        losses = {task: loss * shares[task] if number > 1 else loss for task, loss in found.items()}
        weighting.backward(losses, model.shared_parameters())
        for task, loss in losses.items():
            totals[task] = totals.get(task, 0.0) + loss.detach()
        work = model.work(now, separate=weighting.separate_passes)
        padding, flops = padding + work[0], flops + work[1]
    penalty = model.sharing.penalty()
    if penalty is not None:
        penalty.backward()
    # One look at the numbers for all tasks: on an accelerator each look waits for all that came before.
    return dict(zip(totals, torch.stack(list(totals.values())).tolist(), strict=True)), padding, flops


def _clip(
    optimizer: optim.Optimizer, most: float, step: int, losses: Mapping[str, float], batches: Mapping[str, Batch]
) -> None:
    """Scale the gradients down to a norm of `most`, if they are longer and it is not 0 (off)."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = nn.utils.get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
    if not torch.isfinite(norm):
        raise NotFiniteError(
            f"step {step}: the gradient is {norm.item()}, though every loss is finite ({_shown(losses)})",
            {task: batch.rows for task, batch in batches.items()},
        )
    if most and norm > most:
        nn.utils.clip_grads_with_norm_(parameters, most, norm)


def _labelled(batch: Batch) -> int:
    """How many targets count in a batch's loss; heads mark the others with -100."""
    return 0 if batch.targets is None else int((batch.targets.reshape(len(batch.targets), -1)[:, 0] != -100).sum())


def _again(
    model: MultiTaskModel,
    batches: Mapping[str, Batch],
    weighting: Weighting,
    seed: int,
    step: int,
    settings: TrainingSettings,
) -> dict[str, Tensor]:
    """The losses of the same batches under the same dropout masks and the new parameters."""
    torch.manual_seed(derived_seed(seed, "dropout", step))
    with torch.no_grad(), autocast(settings.precision):
        return model(batches, separate=weighting.separate_passes)


def autocast(precision: str) -> AbstractContextManager[Any]:
    """Compute in bfloat16 where that is safe, if asked for; parameters and updates stay in float32."""
    return torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext()


def _change(model: MultiTaskModel, optimizer: optim.Optimizer, layout: Layout, step: int, seed: int) -> None:
    change = layout.changes[step]
    for task in change.fresh_heads:
        model.fresh_head(task, derived_seed(seed, "head", task, step))
        for parameter in model.head(task).parameters():
            optimizer.state.pop(parameter, None)
    if change.fresh_optimizer:
        optimizer.state.clear()


def _check(losses: Mapping[str, float], batches: Mapping[str, Batch], step: int) -> None:
    for task, loss in losses.items():
        if not -float("inf") < loss < float("inf"):
            raise NotFiniteError(f"step {step}: the loss of {task} is {loss}", {task: batches[task].rows})


def _shown(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{task} {loss:.4g}" for task, loss in losses.items())
