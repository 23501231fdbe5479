"""What a study will do, laid out before anything is trained: its runs, and every step of each."""

import math
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from manyheads import registry
from manyheads.core.values import derived_seed
from manyheads.sampling import Change, Sampling, Step
from manyheads.study.spec import Arm, Choice, Study


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

    def schedule(self, step: int) -> tuple[int, int]:
        """The first step, and one past the last, of the learning rate's schedule that a step belongs to."""
        begun = bisect_right(self._schedules, step, key=lambda one: one[0])
        return self._schedules[begun - 1][1] if begun else (0, len(self.steps))

    @cached_property
    def _schedules(self) -> list[tuple[int, tuple[int, int]]]:
        return sorted((at, change.schedule) for at, change in self.changes.items() if change.schedule)


@dataclass(frozen=True, slots=True)
class Extent:
    """How long a run is expected to be, by arithmetic. What a schedule draws at random may come out a little otherwise.

    :param steps: Its steps; infinity, where there are too many to count.
    :param batches: The batches of each task; none, where there are too many to count.
    """

    steps: float
    batches: Mapping[str, float]


def runs(study: Study) -> list[Run]:
    """The runs of a study, the baseline's first, seed by seed, so that a comparison is there early."""
    arms = sorted(study.arms.values(), key=lambda arm: arm.name != study.baseline)
    return [run for seed in study.seeds for arm in arms for run in of_arm(arm, seed)]


def of_arm(arm: Arm, seed: int) -> list[Run]:
    """The runs of an arm with one seed."""
    return [
        Run(arm, seed, task, f"{arm.name}/{seed}" + (f"/{task}" if task else ""))
        for task in (arm.tasks if arm.alone else (None,))
    ]


def batch_sizes(arm: Arm, study: Study) -> dict[str, int]:
    """How many examples of each of an arm's tasks a batch holds: the task's own number, or the arm's."""
    return {task: study.tasks[task].batch_size or arm.training.batch_size for task in arm.tasks}


def passes(arm: Arm, study: Study, examples: Mapping[str, int]) -> dict[str, int]:
    """How many batches one pass over each task's training examples takes."""
    return {task: -(-examples[task] // size) for task, size in batch_sizes(arm, study).items()}


def sampling_of(run: Run, study: Study, examples: Mapping[str, int], code: Path | None) -> Sampling:
    """The schedule of a run; a model with one task just takes its batches."""
    choice = Choice("proportional") if run.arm.alone else run.arm.sampling
    method: Any = registry.load("sampling", choice.name, code)
    sizes = passes(run.arm, study, examples)
    types = {task: study.tasks[task].head.name for task in run.tasks}
    return method({task: sizes[task] for task in run.tasks}, types, **choice.settings)


def layout(run: Run, study: Study, examples: Mapping[str, int], code: Path | None = None) -> Layout:
    """Every step of a run. `examples`: how many training examples each task has."""
    matched = [len(layout(one, study, examples, code).steps) for one in _matched(run, study)]
    return _laid_out(sampling_of(run, study, examples, code), run.seed, _budget(run, study, examples, matched))


def extent(run: Run, study: Study, examples: Mapping[str, int], code: Path | None = None) -> Extent:
    """How long a run is expected to be; `examples` as in `layout`, of which it is the arithmetic."""
    matched = [extent(one, study, examples, code).steps for one in _matched(run, study)]
    sampling = sampling_of(run, study, examples, code)
    steps = _budget(run, study, examples, matched).steps(sampling)
    return Extent(steps, sampling.expected_batches(int(steps)) if math.isfinite(steps) else {})


def _matched(run: Run, study: Study) -> list[Run]:
    """The joint runs of whose steps a run gets as many as the longest has; none if it has a budget of its own."""
    if run.arm.match != "steps":
        return []
    arms = [arm for arm in study.arms.values() if not arm.alone and run.task in arm.tasks]
    return [Run(arm, run.seed, None, "") for arm in arms]


def _budget(run: Run, study: Study, examples: Mapping[str, int], matched: Sequence[float]) -> "_Budget":
    kind, amount = ("steps", max(matched)) if matched else run.arm.budget.given
    return _Budget(kind, amount, batch_sizes(run.arm, study), examples)


@dataclass
class _Budget:
    """When a run has had enough.

    :param sizes: Examples in a batch of each task.
    :param examples: Training examples of each task.
    """

    kind: str
    amount: float
    sizes: Mapping[str, int]
    examples: Mapping[str, int]
    seen: int = 0
    used: Counter[str] = field(default_factory=Counter)

    def epochs(self, sampling: Sampling) -> float:
        """About how many epochs the budget comes to."""
        if self.kind == "epochs":
            return self.amount
        batch = sum(share * self.sizes[task] for task, share in sampling.expected_shares().items())
        batches = sum(sampling.sizes.values()) / sampling.expected_steps()
        steps = self.amount if self.kind == "steps" else self.amount / (batch * max(1.0, batches))
        return steps / sampling.expected_steps()

    def steps(self, sampling: Sampling) -> float:
        """How many steps it is expected to come to."""
        if self.kind == "steps":
            return self.amount
        epoch = sampling.expected_steps()
        if self.kind == "epochs":
            whole = math.floor(self.amount)
            part, steps = self.amount - whole, whole * epoch
            return round(steps) + (max(1, round(epoch * part)) if part else 0) if math.isfinite(steps) else math.inf
        # A pass over a task's data ends with a batch that may be smaller than the others.
        batches = sampling.expected_batches(max(1, round(epoch)))
        held = {task: self.examples[task] / sampling.sizes[task] for task in batches}
        seen = sum(count * held[task] for task, count in batches.items()) / max(1, round(epoch))
        return max(1, math.ceil(self.amount / seen))

    def spent(self, step: Step) -> bool:
        """Count a step; True if the budget is spent with it."""
        if self.kind != "examples":
            return False
        for task in step:
            at = self.used[task] * self.sizes[task] % (-(-self.examples[task] // self.sizes[task]) * self.sizes[task])
            self.seen += min(self.sizes[task], self.examples[task] - at)
            self.used[task] += 1
        return self.seen >= self.amount


def _laid_out(sampling: Sampling, seed: int, budget: _Budget) -> Layout:
    steps: list[Step] = []
    known: dict[Step, Step] = {}  # a step is kept once, however often it is done
    changes: dict[int, Change] = {}
    sampling.epochs = budget.epochs(sampling)
    epoch = 0
    while not _done(steps, epoch, budget):
        planned = sampling.plan(epoch, random.Random(derived_seed(seed, "sampling", epoch)))
        for at, change in sampling.changes(epoch).items():
            changes[len(steps) + at] = _moved(change, len(steps))
        if budget.kind == "epochs" and budget.amount - epoch < 1:
            planned = planned[: max(1, round(len(planned) * (budget.amount - epoch)))]
        epoch += 1
        for step in planned:
            steps.append(known.setdefault(step, step))
            if budget.spent(step) or (budget.kind == "steps" and len(steps) >= budget.amount):
                return Layout(steps, _kept(changes, len(steps)))
    return Layout(steps, _kept(changes, len(steps)))


def _done(steps: Sequence[Step], epoch: int, budget: _Budget) -> bool:
    return budget.kind == "epochs" and epoch >= budget.amount and bool(steps)


def _moved(change: Change, by: int) -> Change:
    if change.schedule is None:
        return change
    return replace(change, schedule=(change.schedule[0] + by, change.schedule[1] + by))


def _kept(changes: Mapping[int, Change], steps: int) -> dict[int, Change]:
    """The changes within the run; the last schedule ends with it, sooner or later than was expected."""
    kept = {at: change for at, change in changes.items() if at < steps}
    for at in sorted(kept, reverse=True):
        schedule = kept[at].schedule
        if schedule is not None:
            kept[at] = replace(kept[at], schedule=(schedule[0], steps))
            break
    return kept
