"""The plan of a study in figures: runs, steps, shares, epochs, and about what it will cost.

Nothing is trained and no model is built; torch is not even imported, if the methods of the study are ours.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyheads import registry
from manyheads.core.printable import printable
from manyheads.core.problems import Problem
from manyheads.study.flops import Work, unreadable, works
from manyheads.study.limits import check_steps
from manyheads.study.parser import read_study
from manyheads.study.spec import Arm, Study
from manyheads.study.steps import Run, batch_sizes, extent, of_arm, passes, runs, sampling_of
from manyheads.study.tasks import SAMPLE, TaskData, examples, read_tasks

EFFICIENCY = 0.6
"""The share of a matrix product's speed that training is assumed to reach. A guess, not a measurement."""


def planned(path: Path, data: Path | None, code: Path | None) -> dict[str, Any]:
    """The plan of a study as plain values; its minutes, and an arm's, are None if they cannot be told beforehand.

    :raises StudyError: With every mistake in the study and its data.
    """
    study = read_study(path, code)
    tasks = read_tasks(study, data, code)
    check_steps(study, examples(tasks), code)
    costs = works(study, tasks, data, code)
    unread = unreadable(study, tasks, data, code)
    speed = _matrix_product_speed() * EFFICIENCY
    arms = {name: _arm(arm, study, tasks, costs[name], speed, code) for name, arm in study.arms.items()}
    minutes = [arm["minutes"] for arm in arms.values()]
    return {
        "study": study.name,
        "question": study.question,
        "seeds": list(study.seeds),
        "tasks": {name: _task(task, unread[name], code) for name, task in tasks.items()},
        "arms": arms,
        "runs": len(runs(study)),
        "minutes": None if None in minutes else sum(minutes),
    }


def _task(task: TaskData, unread: Sequence[Problem], code: Path | None) -> dict[str, Any]:
    summary, head = task.summary, task.task.head
    about = summary.model_dump(exclude={"truncated", "encoding", "positive"})
    settings = registry.describe("heads", head.name, code).resolved(head.settings)
    notes = registry.checks("heads", head.name, code).notes(summary.labels, settings)
    return {**about, "notes": notes, "warnings": [*summary.warnings, *map(str, unread)]}


def _arm(
    arm: Arm,
    study: Study,
    tasks: Mapping[str, TaskData],
    costs: Mapping[str, Work] | None,
    speed: float,
    code: Path | None,
) -> dict[str, Any]:
    counts = examples(tasks)
    of_one_seed = of_arm(arm, study.seeds[0])
    extents = [(run, extent(run, study, counts, code)) for run in of_one_seed]
    batches = {task: count for _, found in extents for task, count in found.batches.items()}
    if arm.alone:
        shares, notes = dict.fromkeys(arm.tasks, 1.0), []
    else:
        sampling = sampling_of(of_one_seed[0], study, counts, code)
        shares = sampling.expected_shares()
        # Of a budget that is less than one epoch, what an epoch repeats would tell the contrary of what happens.
        notes = sampling.notes() if extents[0][1].steps >= sampling.expected_steps() else []
    minutes = None
    if costs is not None:
        flops = sum(_flops(run, batches, costs, study, tasks, code) for run in of_one_seed)
        minutes = flops * len(study.seeds) / speed / 60
    return {
        "models": "one per task" if arm.alone else "joint",
        "runs": len(of_one_seed) * len(study.seeds),
        "steps": {run.task or "all": int(found.steps) for run, found in extents},
        "shares": shares,
        "epochs": {task: batches[task] / each for task, each in passes(arm, study, counts).items()},
        "notes": notes,
        "minutes": minutes,
    }


def _flops(
    run: Run,
    batches: Mapping[str, float],
    costs: Mapping[str, Work],
    study: Study,
    tasks: Mapping[str, TaskData],
    code: Path | None,
) -> float:
    """Of training and scoring. A backward pass costs two forward passes (Kaplan et al., "Scaling Laws for Neural
    Language Models", 2020, section 2.1)."""
    sizes, total = batch_sizes(run.arm, study), 0.0
    for task in run.tasks:
        reported = tasks[task].reported
        scored = 0 if reported is None else len(reported.rows)
        total += 3 * batches[task] * sizes[task] * costs[task].train + scored * costs[task].reported
    several = not run.arm.alone and registry.constant("sharing", run.arm.sharing.name, "encoder_per_task", code)
    return total * (len(run.tasks) if several else 1)


def _matrix_product_speed(seconds: float = 0.1) -> float:
    """Operations per second of this machine's float32 matrix product."""
    a, b = np.ones((1536, 1536), np.float32), np.ones((1536, 1536), np.float32)
    np.matmul(a, b)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        np.matmul(a, b)
        count += 1
    return 2 * 1536**3 * count / (time.perf_counter() - began)


def planned_lines(plan: Mapping[str, Any]) -> list[str]:
    """The plan as a person reads it."""
    return [printable(line) for line in _lines(plan)]


def _lines(plan: Mapping[str, Any]) -> list[str]:
    lines = [plan["question"] or plan["study"], "", "Tasks"]
    for name, task in plan["tasks"].items():
        trained = f"{task['train']:,} to train on"
        reported = f"{task['reported']:,} reported ({task['split']})" if task["reported"] else "not scored"
        lines.append(f"  {name}: {task['dataset']}, {task['head']}; {trained}, {reported}")
        lines += [f"    {note}" for note in task["notes"]]
        lines += [f"    {count} left out: {reason}" for reason, count in task["dropped"].items()]
        lines += [f"    warning: {warning}" for warning in task["warnings"]]
    lines += ["", "Arms"]
    for name, arm in plan["arms"].items():
        steps = ", ".join(
            f"{count:,}" if task == "all" else f"{task} {count:,}" for task, count in arm["steps"].items()
        )
        cost = "cost unknown" if arm["minutes"] is None else f"about {arm['minutes']:.1f} min"
        lines.append(f"  {name}: {arm['models']}, {arm['runs']} runs, steps: {steps}, {cost}")
        if arm["models"] == "joint":
            lines.append("    share of batches: " + ", ".join(f"{task} {s:.1%}" for task, s in arm["shares"].items()))
        lines.append("    epochs: " + ", ".join(f"{task} {epochs:.2f}" for task, epochs in arm["epochs"].items()))
        lines += [f"    {note}" for note in arm["notes"]]
    counted = f"{plan['runs']} runs, {len(plan['seeds'])} seeds"
    if plan["minutes"] is None:
        return [*lines, "", f"{counted}; cost unknown: the encoder's files do not tell its size or how it cuts texts."]
    estimated = f"estimated from {SAMPLE} examples of each split and the speed of matrix products"
    return [*lines, "", f"{counted}; about {plan['minutes']:.0f} minutes on this machine, {estimated}."]
