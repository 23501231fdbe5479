"""The plan of a study in figures: runs, steps, shares, epochs, and about what it will cost. Nothing is trained."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.batches import encoded
from manyheads.model import MultiTaskModel, build_model
from manyheads.plan import Run, batch_sizes, passes, runs, sampling_of
from manyheads.run import Workshop, specification
from manyheads.study import Arm
from manyheads.study_file import read_study
from manyheads.tasks import examples, read_tasks
from manyheads.types import Table

SAMPLE = 64
"""Examples of a split from which its tokens are estimated."""
EFFICIENCY = 0.6
"""The share of a matrix product's speed that training is assumed to reach. A guess, not a measurement."""


def planned(path: Path, data: Path | None, code: Path | None) -> dict[str, Any]:
    """The plan of a study as plain values.

    :raises StudyError: With every mistake in the study and its data.
    """
    study = read_study(path, code)
    workshop = Workshop(study, read_tasks(study, data, code), data, code)
    speed = _matrix_product_speed()
    arms = {name: _arm(arm, workshop, speed) for name, arm in study.arms.items()}
    return {
        "study": study.name,
        "question": study.question,
        "seeds": list(study.seeds),
        "tasks": {name: task.summary for name, task in workshop.tasks.items()},
        "arms": arms,
        "runs": len(runs(study)),
        "minutes": sum(arm["minutes"] for arm in arms.values()),
    }


def _arm(arm: Arm, workshop: Workshop, speed: float) -> dict[str, Any]:
    study, counts = workshop.study, examples(workshop.tasks)
    of_one_seed = [run for run in runs(study) if run.arm.name == arm.name and run.seed == study.seeds[0]]
    layouts = [(run, workshop.layout(run)) for run in of_one_seed]
    batches = {task: sum(plan.batches()[task] for _, plan in layouts) for task in arm.tasks}
    flops = sum(_flops(run, workshop, plan.batches()) for run, plan in layouts)
    if arm.alone:
        shares, notes = dict.fromkeys(arm.tasks, 1.0), []
    else:
        sampling = sampling_of(of_one_seed[0], study, counts, workshop.code)
        shares, notes = sampling.expected_shares(), sampling.notes()
    return {
        "models": "one per task" if arm.alone else "joint",
        "runs": len(of_one_seed) * len(study.seeds),
        "steps": {run.task or "all": len(plan.steps) for run, plan in layouts},
        "shares": shares,
        "epochs": {task: batches[task] / each for task, each in passes(arm, study, counts).items()},
        "notes": notes,
        "minutes": flops * len(study.seeds) / (speed * EFFICIENCY) / 60,
    }


def _flops(run: Run, workshop: Workshop, batches: Mapping[str, int]) -> float:
    """About 6 operations per parameter and token for training, 2 for scoring (Kaplan et al., 2020, section 2.1)."""
    tasks = {task: workshop.tasks[task] for task in run.tasks}
    model = build_model(specification(run, tasks), workshop.places, seed=0, code=workshop.code)
    busy = sum(
        parameter.numel()
        for encoder in model.sharing.encoders()
        for name, parameter in encoder.named_parameters()
        if "embeddings" not in name and "pooler" not in name
    )
    sizes, total = batch_sizes(run.arm, workshop.study), 0.0
    for task, given in tasks.items():
        trained = batches[task] * sizes[task] * _tokens(model, task, given.train)
        scored = 0 if given.reported is None else len(given.reported.rows) * _tokens(model, task, given.reported)
        total += busy * (6 * trained + 2 * scored)
    return total


def _tokens(model: MultiTaskModel, task: str, table: Table) -> float:
    """Tokens of an example, on average over some spread through the split."""
    number = min(SAMPLE, len(table.rows))
    some = table.rows.select(range(0, len(table.rows), len(table.rows) // number)).select(range(number))
    examples = encoded(model.head(task), Table(some, table.labels), model.tokenizer)
    return sum(len(one.ids) for example in examples for one in example.inputs) / number


def _matrix_product_speed(seconds: float = 0.3) -> float:
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
    lines = [plan["question"] or plan["study"], "", "Tasks"]
    for name, task in plan["tasks"].items():
        trained = f"{task['train']:,} to train on"
        reported = f"{task['reported']:,} reported ({task['split']})" if task["reported"] else "not scored"
        lines.append(f"  {name}: {task['dataset']}, {task['head']}; {trained}, {reported}")
        lines += [f"    {count} left out: {reason}" for reason, count in task["dropped"].items()]
        lines += [f"    warning: {warning}" for warning in task["warnings"]]
    lines += ["", "Arms"]
    for name, arm in plan["arms"].items():
        steps = ", ".join(
            f"{count:,}" if task == "all" else f"{task} {count:,}" for task, count in arm["steps"].items()
        )
        lines.append(f"  {name}: {arm['models']}, {arm['runs']} runs, steps: {steps}, about {arm['minutes']:.1f} min")
        if arm["models"] == "joint":
            lines.append("    share of batches: " + ", ".join(f"{task} {s:.1%}" for task, s in arm["shares"].items()))
        lines.append("    epochs: " + ", ".join(f"{task} {epochs:.2f}" for task, epochs in arm["epochs"].items()))
        lines += [f"    {note}" for note in arm["notes"]]
    lines += [
        "",
        f"{plan['runs']} runs, {len(plan['seeds'])} seeds; about {plan['minutes']:.0f} minutes on this machine.",
    ]
    return lines
