"""One run from top to bottom: data, model, training, scores, record. A study is many of them."""

import json
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np

from manyheads import registry
from manyheads.core.atomic_files import digest, halted, halting
from manyheads.core.encoder_info import unread
from manyheads.core.values import StepRecord
from manyheads.core.version import __version__
from manyheads.data.batches import TrainingData, vocabulary
from manyheads.study.spec import Choice
from manyheads.study.steps import Layout, Run, batch_sizes
from manyheads.study.tasks import Gold, TaskData
from manyheads.training.device import (
    fingerprint,
    forget_peak_memory,
    keep_freed_memory,
    peak_flops,
    peak_memory,
    precision,
)
from manyheads.training.loop import NotFiniteError, train
from manyheads.training.model import MultiTaskModel, build_model
from manyheads.training.optimizer import optimizer_for
from manyheads.training.prediction import predict, scores
from manyheads.training.resume import Resume, clear
from manyheads.training.run_files import METRICS, write_card, write_predictions, write_record
from manyheads.training.signals import Stopping
from manyheads.training.workshop import Workshop, resolved_method

SHOWN = 20
"""So many ids of a batch are in a message."""
Progress = Callable[[int, int, str], None]


def run_once(run: Run, workshop: Workshop, out: Path, progress: Progress) -> dict[str, Any]:
    """Train and score one run, and leave its record behind.

    A run that fails leaves a record that says why; the study goes on. Its last checkpoint stays.

    :raises HaltedError: If the disk takes no more, which no other run would escape.
    """
    folder = out / run.path
    folder.mkdir(parents=True, exist_ok=True)
    forget_peak_memory()
    keep_freed_memory()
    record = {
        "arm": run.arm.name, "seed": run.seed, "tasks": list(run.tasks), "version": __version__,
        "settings": run_settings(run, workshop), "fingerprint": fingerprint(precision(run.arm.training.precision)),
    }  # fmt: skip
    identity = {key: record[key] for key in ("version", "settings", "fingerprint")}
    identity["data"] = {task: workshop.tasks[task].summary["hash"] for task in run.tasks}
    resume = Resume(folder, folder / METRICS, identity, run.arm.training.checkpoint)
    try:
        record |= {"status": "finished", **_trained_and_scored(run, workshop, folder, resume, progress)}
    except (KeyboardInterrupt, SystemExit, BrokenPipeError):  # with a broken pipe nobody is left to tell
        raise
    except BaseException as error:  # what fails in a library written in Rust is no Exception
        if number := halting(error):
            raise halted(error, number, folder) from error
        record |= {"status": "failed", "reason": _reason(error, workshop), "traceback": traceback.format_exc()}
    record["notes"] = resume.notes
    write_record(folder, record)
    if record["status"] == "finished":
        clear(folder)
    return record


def _reason(error: BaseException, workshop: Workshop) -> str:
    """Why a run failed, in one line; for a loss that is no number with the examples that it was computed on."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if not isinstance(error, NotFiniteError):
        return reason
    held = []
    for task, rows in error.rows.items():
        ids = [str(name) for name in workshop.tasks[task].train.rows.select(sorted(rows))["id"]]
        more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
        held.append(f"of {task} {', '.join(ids[:SHOWN])}{more}")
    return f"{reason}; the batch held the examples {'; '.join(held)}"


def _trained_and_scored(
    run: Run, workshop: Workshop, folder: Path, resume: Resume, progress: Progress
) -> dict[str, Any]:
    seconds: dict[str, float] = {}
    began = time.perf_counter()
    tasks = {task: workshop.tasks[task] for task in run.tasks}
    learned = workshop.learned(run.arm.encoder)
    model = build_model(
        specification(run, tasks), workshop.places, seed=run.seed, code=workshop.code, learned=learned
    )  # fmt: skip
    sizes = batch_sizes(run.arm, workshop.study)
    data = {
        task: TrainingData(
            task, workshop.examples(model, run.arm.encoder, task, "train", given.train), sizes[task], run.seed
        )
        for task, given in tasks.items()
    }
    seconds["preparation"] = time.perf_counter() - began

    began = time.perf_counter()
    steps = workshop.layout(run)
    with Stopping() as stopping:
        trained, save = _train(run, workshop, model, data, steps, resume, stopping, progress)
        seconds["training"] = resume.spent + time.perf_counter() - began

        def scoring() -> None:
            progress(len(trained), len(trained), "scoring")
            if stopping.asked:
                save()
                raise KeyboardInterrupt

        began = time.perf_counter()
        result = _scored(run, workshop, model, tasks, folder, scoring)
    model.widen()
    seconds["scoring"] = time.perf_counter() - began
    model.save(folder / "model")
    write_card(folder / "model", run, result["scores"])
    result["files"] |= {f"model/{path.name}": digest(path) for path in sorted((folder / "model").glob("*.safetensors"))}
    kind = precision(run.arm.training.precision)
    return {
        **result,
        "cost": _cost(trained, steps, tasks, model, seconds) | {"peak_flops_per_second": peak_flops(kind)},
    }


def _train(
    run: Run, workshop: Workshop, model: MultiTaskModel, data: Mapping[str, TrainingData], steps: Layout,
    resume: Resume, stopping: Stopping, progress: Progress,
) -> tuple[list[StepRecord], Callable[[], None]]:  # fmt: skip
    """Train, and return a record of each step, and what saves the state in which training left everything."""
    settings = run.arm.training.model_copy(update={"precision": precision(run.arm.training.precision)})
    # Words that no example holds are not trained; see Encoder.narrow.
    model.narrow(reduce(np.union1d, [vocabulary(one.examples) for one in data.values()]))
    choice = Choice("fixed") if run.arm.alone else run.arm.weighting
    weighting_class: Any = registry.load("weighting", choice.name, workshop.code)
    weighting = weighting_class(run.tasks, **choice.settings)
    optimizer = optimizer_for(model, weighting, settings.optimizer, settings.learning_rate)
    records = resume.start(model, weighting, optimizer)

    def save() -> None:
        resume.save(len(records), model, weighting, optimizer)

    loop = train(
        model, data, steps, weighting, optimizer, seed=run.seed, settings=settings, start=len(records)
    )  # fmt: skip
    with resume.metrics.open("a", encoding="utf-8", buffering=1) as file:
        for record in loop:
            records.append(record)
            file.write(json.dumps(asdict(record)) + "\n")
            progress(record.step + 1, len(steps.steps), "training")
            if weighting.needs_scores and (record.step + 1) % settings.scores_every == 0:
                alive = partial(progress, record.step + 1, len(steps.steps), "training")
                weighting.hear(_selection_scores(run, workshop, model, alive))
                model.train()
            if stopping.asked or resume.due(len(records)):
                save()
            if stopping.asked:
                raise KeyboardInterrupt
    return records, save


def _selection_scores(
    run: Run, workshop: Workshop, model: MultiTaskModel, alive: Callable[[], None]
) -> dict[str, float]:
    heard = {}
    for task in run.tasks:
        table = workshop.tasks[task].selection
        assert table is not None
        examples = workshop.examples(model, run.arm.encoder, task, "selection", table)
        answers = predict(model, {task: examples}, precision(run.arm.training.precision), alive=alive)[task]
        head = model.head(task)
        heard[task] = scores(head.measures(answers, Gold(table)))[head.metric] or 0.0
    return heard


def _scored(
    run: Run, workshop: Workshop, model: MultiTaskModel, tasks: Mapping[str, TaskData], folder: Path,
    alive: Callable[[], None],
) -> dict[str, Any]:  # fmt: skip
    result: dict[str, dict[str, Any]] = {"scores": {}, "metrics": {}, "official": {}, "data": {}, "files": {}}
    (folder / "predictions").mkdir(exist_ok=True)
    for task, given in tasks.items():
        head = model.head(task)
        lost = {"train": workshop.lost(model, run.arm.encoder, task, "train", given.train)}
        if given.reported is not None:
            examples = workshop.examples(model, run.arm.encoder, task, "reported", given.reported)
            lost["reported"] = workshop.lost(model, run.arm.encoder, task, "reported", given.reported)
            gold = Gold(given.reported)
            answers = predict(model, {task: examples}, precision(run.arm.training.precision), alive=alive)[task]
            measures = head.measures(answers, gold)
            kinds = {name: measure.kind for name, measure in measures.items()}
            result["scores"][task] = scores(measures)
            result["metrics"][task] = {"headline": head.metric, "kinds": kinds, "split": given.split}
            result["official"][task] = head.official(answers, gold)
            written = folder / "predictions" / f"{task}.jsonl"
            files = write_predictions(written, answers, gold, head.gold, measures)
            result["files"][f"predictions/{task}.jsonl"] = files
        truncated = sum(split["truncated"] for split in lost.values())
        warnings = [*given.summary["warnings"], *_unread(task, lost)]
        result["data"][task] = {**given.summary, "truncated": truncated, "encoding": lost, "warnings": warnings}
    return result


def _unread(task: str, lost: Mapping[str, Mapping[str, Any]]) -> list[str]:
    warnings = [unread(split["unknown"], f"tasks.{task} ({name})") for name, split in lost.items()]
    return [str(warning) for each in warnings for warning in each]


def _cost(
    records: Sequence[StepRecord], steps: Layout, tasks: Mapping[str, TaskData], model: MultiTaskModel,
    seconds: Mapping[str, float],
) -> dict[str, Any]:  # fmt: skip
    examples: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for record in records:
        examples.update(record.examples)
        tokens.update(record.tokens)
    batches, busy = steps.batches(), max(1e-9, sum(record.seconds for record in records))
    flops = sum(record.flops for record in records)
    return {
        "steps": len(records),
        "examples": dict(examples),
        "epochs": {task: examples[task] / len(given.train.rows) for task, given in tasks.items()},
        "tokens": dict(tokens),
        "shares": {task: batches[task] / max(1, batches.total()) for task in tasks},
        "seconds": dict(seconds),
        "tokens_per_second": tokens.total() / busy,
        "padding": sum(record.padding for record in records),
        "flops": flops,
        "flops_per_second": flops / busy,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "peak_memory": peak_memory(),
    }


def specification(run: Run, tasks: Mapping[str, TaskData]) -> dict[str, Any]:
    """The model of a run as plain values."""
    sharing = Choice("hard") if run.arm.alone else run.arm.sharing
    return {
        "version": __version__,
        "encoder": _plain(run.arm.encoder),
        "sharing": _plain(sharing),
        "tasks": {
            task: {
                "head": _plain(given.task.head),
                "labels": None if given.train.labels is None else list(given.train.labels),
                "columns": list(given.train.rows.column_names),
            }
            for task, given in tasks.items()
        },
    }


def run_settings(run: Run, workshop: Workshop) -> dict[str, Any]:
    """Everything that makes a run what it is. The same settings mean the same run."""
    arm, sizes = run.arm, batch_sizes(run.arm, workshop.study)

    def resolved(family: str, choice: Choice) -> dict[str, Any]:
        return resolved_method(family, choice, workshop.code)

    tasks = {
        name: {
            "dataset": resolved("datasets", task.task.dataset), "head": resolved("heads", task.task.head),
            "examples": task.task.examples, "batch_size": sizes[name], "report": task.split,
        }
        for name, task in workshop.tasks.items() if name in run.tasks
    }  # fmt: skip
    methods = () if arm.alone else ("sampling", "weighting", "sharing")
    shared = {family: resolved(family, getattr(arm, family)) for family in methods}
    budget = {"match": "steps", "steps": len(workshop.layout(run).steps)} if arm.match else dict([arm.budget.given])
    return {
        "seed": run.seed,
        "models": "one per task" if arm.alone else "joint",
        "encoder": workshop.described(arm.encoder),
        "training": arm.training.model_dump(mode="json", exclude={"checkpoint"}),
        "budget": budget,
        "tasks": tasks,
        **shared,
    }


def _plain(choice: Choice) -> dict[str, Any]:
    return {"name": choice.name, "settings": dict(choice.settings)}
