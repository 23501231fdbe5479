"""What a study will do, laid out before anything is trained: its runs, and every step of each."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manyheads import find
from manyheads.sampling import Change, Sampling, Step
from manyheads.study import Arm, Choice, Study
from manyheads.types import derived_seed


@dataclass(frozen=True, slots=True)
class Run:
    """One arm with one seed: the unit that is executed, resumed, skipped when finished.

    :param task: The task, in an arm that gives every task a model of its own; else None.
    :param path: Its folder below the study's.
    """

    arm: Arm
    seed: int
    task: str | None
    path: str

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks this run trains."""
        return self.arm.tasks if self.task is None else (self.task,)


@dataclass(frozen=True)
class Layout:
    """Every step of a run.

    :param steps: The tasks of each step.
    :param changes: What happens before which step.
    """

    steps: Sequence[Step]
    changes: Mapping[int, Change] = field(default_factory=dict)

    def batches(self) -> Counter[str]:
        """How many batches each task gets."""
        return Counter(task for step in self.steps for task in step)


def runs(study: Study) -> list[Run]:
    """The runs of a study, the baseline's first, seed by seed, so that a comparison is there early."""
    arms = sorted(study.arms.values(), key=lambda arm: arm.name != study.baseline)
    return [
        Run(arm, seed, task, f"{arm.name}/{seed}" + (f"/{task}" if task else ""))
        for seed in study.seeds
        for arm in arms
        for task in (arm.tasks if arm.alone else (None,))
    ]


def sampling_of(arm: Arm, tasks: Sequence[str], study: Study, sizes: Mapping[str, int], code: Path | None) -> Sampling:
    """The schedule of a run over these tasks; a model with one task just takes its batches."""
    choice = Choice("proportional") if arm.alone else arm.sampling
    method: Any = find.load("sampling", choice.name, code)
    types = {task: study.tasks[task].head.name for task in tasks}
    return method({task: sizes[task] for task in tasks}, types, **choice.settings)


def layout(run: Run, study: Study, sizes: Mapping[str, int], code: Path | None = None) -> Layout:
    """Every step of a run. `sizes`: how many batches one pass over each task's training data takes."""
    if run.arm.match == "steps":
        longest = max((_joint_steps(arm, run, study, sizes, code) for arm in study.arms.values()), default=0)
        if longest:
            return _laid_out(sampling_of(run.arm, run.tasks, study, sizes, code), run.seed, "steps", longest, {})
    kind, amount = run.arm.budget
    batch_sizes = {task: study.tasks[task].batch_size for task in run.tasks}
    return _laid_out(sampling_of(run.arm, run.tasks, study, sizes, code), run.seed, kind, amount, batch_sizes)


def _joint_steps(arm: Arm, run: Run, study: Study, sizes: Mapping[str, int], code: Path | None) -> int:
    if arm.alone or run.task not in arm.tasks:
        return 0
    return len(layout(Run(arm, run.seed, None, ""), study, sizes, code).steps)


def _laid_out(sampling: Sampling, seed: int, kind: str, amount: float, batch_sizes: Mapping[str, int]) -> Layout:
    steps: list[Step] = []
    changes: dict[int, Change] = {}
    sampling.epochs = _epochs(sampling, kind, amount, batch_sizes)
    epoch = 0
    while kind != "epochs" or epoch < amount:
        planned = sampling.plan(epoch, random.Random(derived_seed(seed, "sampling", epoch)))
        for at, change in sampling.changes(epoch).items():
            changes[len(steps) + at] = _moved(change, len(steps))
        if kind == "epochs" and amount - epoch < 1:
            planned = planned[: max(1, round(len(planned) * (amount - epoch)))]
        steps += planned
        epoch += 1
        enough = _enough(steps, kind, amount, batch_sizes)
        if enough is not None:
            steps = steps[:enough]
            break
    return Layout(steps, {at: change for at, change in changes.items() if at < len(steps)})


def _epochs(sampling: Sampling, kind: str, amount: float, batch_sizes: Mapping[str, int]) -> float:
    """About how many epochs a budget comes to."""
    if kind == "epochs":
        return amount
    steps = amount if kind == "steps" else amount / (sum(batch_sizes.values()) / len(batch_sizes))
    return max(1.0, steps / sampling.expected_steps())


def _moved(change: Change, by: int) -> Change:
    if change.schedule is None:
        return change
    return Change(change.fresh_heads, change.fresh_optimizer, (change.schedule[0] + by, change.schedule[1] + by))


def _enough(steps: Sequence[Step], kind: str, amount: float, batch_sizes: Mapping[str, int]) -> int | None:
    """After how many steps the budget is spent; None if it is not yet."""
    if kind == "steps":
        return int(amount) if len(steps) >= amount else None
    if kind == "examples":
        seen = 0
        for index, step in enumerate(steps):
            seen += sum(batch_sizes[task] for task in step)
            if seen >= amount:
                return index + 1
    return None
