"""One run from top to bottom: settings, data, model, training, scores, record. A study is many of them."""

import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np

from manyheads import registry
from manyheads.core.atomic_files import halted, halting, refuse_links
from manyheads.core.encoder_info import cut_shares, unread
from manyheads.core.lock import locked
from manyheads.core.printable import printable, private, private_traceback
from manyheads.core.problems import Problem
from manyheads.core.values import Answer
from manyheads.data.batches import TrainingData, vocabulary
from manyheads.results.run_record import (
    METRICS,
    DataSummary,
    FailedRecord,
    FinishedRecord,
    Identity,
    RunCost,
    RunRecord,
    StepRecord,
    TaskMetrics,
    read_record,
    record_hash,
    write_record,
)
from manyheads.study.spec import Choice, TrainingSettings
from manyheads.study.steps import Layout, Run, batch_sizes
from manyheads.study.tasks import Gold, TaskData
from manyheads.training.device import (
    forget_peak_memory,
    keep_freed_memory,
    peak_flops,
    peak_memory,
)
from manyheads.training.identity import OtherRunError, identity_now, other_run, specification
from manyheads.training.inputs import StudyInputs
from manyheads.training.loop import NotFiniteError, train
from manyheads.training.model import MultiTaskModel, build_model
from manyheads.training.model_files import FOLDER, digest, seal_model
from manyheads.training.optimizer import optimizer_for
from manyheads.training.prediction import predict, scores
from manyheads.training.resume import Resume, clear
from manyheads.training.run_files import write_card, write_predictions
from manyheads.training.signals import StopSignals

LOCK = "lock"
"""In a run's folder, held by the command that does the run."""
SHOWN = 20
"""So many ids of a batch are in a message."""
Progress = Callable[[Run, int, int, str], None]
"""Called with a run, the steps done, the steps in all, and what it is doing."""


def run_once(run: Run, inputs: StudyInputs, out: Path, progress: Progress, *, seen: str = "") -> RunRecord | None:
    """Train and score one run, and leave its record behind; or read the record, if somebody else has done it since.

    A run that fails leaves a record that says why; the study goes on. Its last checkpoint stays.

    :param seen: The `record_hash` of the run's folder when it was decided to do it.
    :returns: None while somebody else is doing it.
    :raises HaltedError: If the disk takes no more, which no other run would escape.
    :raises StudyError: If the folder holds a checkpoint or a record of another version of the study, or a link. It
        stays as it is.
    """
    folder = _opened(run, out)
    with locked(folder / LOCK) as free:
        if not free:
            return None
        if record_hash(folder) != seen:
            return _done_by_another(run, inputs, folder)
        record = _record(run, inputs, folder, progress)
        write_record(folder, record)
        if isinstance(record, FinishedRecord):
            clear(folder)
        return record


def record_lost(run: Run, inputs: StudyInputs, out: Path, reason: str, *, seen: str) -> FailedRecord | None:
    """Leave the record of a run whose process ended without a word; None if somebody else has done it, or is at it."""
    folder = _opened(run, out)
    with locked(folder / LOCK) as free:
        if not free or record_hash(folder) != seen:
            return None
        record = FailedRecord(**_header(run, identity_now(run, inputs)), reason=_shareable(reason, folder))
        write_record(folder, record)
        return record


def _opened(run: Run, out: Path) -> Path:
    """The folder of a run, which is made if it is not there.

    :raises StudyError: If something in it is a link, or it is one.
    """
    refuse_links(out, [run.path])
    folder = out / run.path
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _done_by_another(run: Run, inputs: StudyInputs, folder: Path) -> RunRecord:
    """The record of a run that another command has done since, if it is of the same study."""
    record, now = read_record(folder), identity_now(run, inputs)
    if problems := other_run(folder, record, now.settings, now.data):
        raise OtherRunError(problems)
    return record


def _header(run: Run, identity: Identity) -> dict[str, Any]:
    header = {"arm": run.arm.name, "seed": run.seed, "tasks": list(run.tasks), "version": identity.version}
    return header | {"settings": identity.settings, "fingerprint": identity.fingerprint}


def _record(run: Run, inputs: StudyInputs, folder: Path, progress: Progress) -> RunRecord:
    forget_peak_memory()
    keep_freed_memory()
    identity = identity_now(run, inputs)
    header = _header(run, identity)
    resume = Resume(folder, identity, run.arm.training.checkpoint)
    settings = run.arm.training.model_copy(update={"precision": identity.fingerprint.precision})
    try:
        result = _RunInProgress(run, inputs, folder, settings, resume, partial(progress, run)).result()
        return FinishedRecord(**header, notes=[_shareable(note, folder) for note in resume.notes], **result)
    except (KeyboardInterrupt, SystemExit, BrokenPipeError, OtherRunError):  # with a broken pipe nobody is left to tell
        raise
    except BaseException as error:  # what fails in a library written in Rust is no Exception
        if number := halting(error):
            raise halted(error, number, folder) from error
        reason, notes = (
            _shareable(_reason(error, inputs.tasks), folder),
            [_shareable(one, folder) for one in resume.notes],
        )
        trace = private_traceback(printable(traceback.format_exc().replace(f"{folder}/", ""), "\n"))
        return FailedRecord(**header, notes=notes, reason=reason, traceback=trace)


def _shareable(text: str, folder: Path) -> str:
    """A line of a record, which people share: without the folders of this machine."""
    return private(printable(text.replace(f"{folder}/", "")))


def _reason(error: BaseException, tasks: Mapping[str, TaskData]) -> str:
    """Why a run failed, in one line; for a loss that is no number with the examples that it was computed on."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if not isinstance(error, NotFiniteError):
        return reason
    held = []
    for task, rows in error.rows.items():
        ids = [str(name)[:80] for name in tasks[task].train.rows.select(sorted(rows))["id"]]
        more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
        held.append(f"of {task} {', '.join(ids[:SHOWN])}{more}")
    return f"{reason}; the batch held the examples {'; '.join(held)}"


class _RunInProgress:
    """A run that is being done.

    :param settings: As the arm has them, with the precision that this machine computes in.
    :param progress: Called with the steps done, the steps in all, and what it is doing.
    """

    def __init__(
        self,
        run: Run,
        inputs: StudyInputs,
        folder: Path,
        settings: TrainingSettings,
        resume: Resume,
        progress: Callable[[int, int, str], None],
    ) -> None:
        self.run, self.inputs, self.folder, self.settings = run, inputs, folder, settings
        self.resume, self.progress = resume, progress
        self.encoder = run.arm.encoder

    def result(self) -> dict[str, Any]:
        """Train, score, and save the model; what the record says about it."""
        run, inputs = self.run, self.inputs
        began = time.perf_counter()
        learned, plain = inputs.encoders.learned(self.encoder), specification(run, inputs.tasks)
        model = build_model(plain, inputs.places, seed=run.seed, code=inputs.code, learned=learned)
        inputs.encoders.check_weights(self.encoder)
        inputs.encoders.keep_tokenizer(self.encoder, model.tokenizer)
        sizes = batch_sizes(run.arm, inputs.study)
        data = {
            task: TrainingData(task, inputs.examples(self.encoder, task, "train"), sizes[task], run.seed)
            for task in run.tasks
        }
        seconds = {"preparation": time.perf_counter() - began}

        began = time.perf_counter()
        layout = inputs.layout(run)
        with StopSignals() as stop:
            records, save = self.train(model, data, layout, stop)
            seconds["training"] = self.resume.spent + time.perf_counter() - began

            def alive() -> None:
                self.progress(len(records), len(records), "scoring")
                if stop.received:
                    save()
                stop.obey()

            began = time.perf_counter()
            result = self._scored(model, alive)
        model.widen()
        seconds["scoring"] = time.perf_counter() - began
        shutil.rmtree(self.folder / FOLDER, ignore_errors=True)  # of the same run, damaged since or not finished
        model.save(self.folder / FOLDER)
        write_card(self.folder / FOLDER, run, result["scores"])
        result["files"] |= seal_model(self.folder / FOLDER) | {METRICS: digest(self.resume.metrics)}
        return result | {"cost": self._cost(records, layout, model, seconds)}

    def train(
        self, model: MultiTaskModel, data: Mapping[str, TrainingData], layout: Layout, stop: StopSignals
    ) -> tuple[list[StepRecord], Callable[[], None]]:
        """Train, and return a record of each step, and what saves the state in which training left everything."""
        run, settings, steps = self.run, self.settings, len(layout.steps)
        # Words that no example holds are not trained; see Encoder.narrow.
        model.narrow(reduce(np.union1d, [vocabulary(one.examples) for one in data.values()]))
        choice = Choice("fixed") if run.arm.alone else run.arm.weighting
        weighting_class: Any = registry.load("weighting", choice.name, self.inputs.code)
        weighting = weighting_class(run.tasks, **choice.settings)
        optimizer = optimizer_for(model, weighting, settings.optimizer, settings.learning_rate)
        records = self.resume.start(model, weighting, optimizer)

        def save() -> None:
            self.resume.save(len(records), model, weighting, optimizer)

        stop.obey()  # all that was done is in the checkpoint that it goes on from
        start = len(records)
        loop = train(model, data, layout, weighting, optimizer, seed=run.seed, settings=settings, start=start)
        with self.resume.metrics.open("a", encoding="utf-8", buffering=1) as file:
            for record in loop:
                records.append(record)
                file.write(record.line())
                self.progress(len(records), steps, "training")
                if weighting.needs_scores and len(records) % settings.scores_every == 0:
                    weighting.hear(
                        self._selection_scores(model, partial(self.progress, len(records), steps, "training"))
                    )
                    model.train()
                if stop.received or self.resume.due(len(records)):
                    save()
                stop.obey()
        return records, save

    def _selection_scores(self, model: MultiTaskModel, alive: Callable[[], None]) -> dict[str, float]:
        heard = {}
        for task in self.run.tasks:
            table, head = self.inputs.tasks[task].selection, model.head(task)
            assert table is not None
            answers = self._answers(model, task, "selection", alive)
            heard[task] = scores(head.measures(answers, Gold(table)))[head.metric] or 0.0
        return heard

    def _answers(self, model: MultiTaskModel, task: str, split: str, alive: Callable[[], None]) -> list[Answer]:
        examples = self.inputs.examples(self.encoder, task, split)
        return predict(model, {task: examples}, self.settings.precision, alive=alive)[task]

    def _scored(self, model: MultiTaskModel, alive: Callable[[], None]) -> dict[str, dict[str, Any]]:
        """Write each scored task's predictions; what the record says about scores, data and files."""
        result: dict[str, dict[str, Any]] = {"scores": {}, "metrics": {}, "official": {}, "data": {}, "files": {}}
        (self.folder / "predictions").mkdir(exist_ok=True)
        for task in self.run.tasks:
            given, head = self.inputs.tasks[task], model.head(task)
            counts = {"train": self.inputs.encoding_counts(self.encoder, task, "train")}
            if given.reported is not None:
                counts["reported"] = self.inputs.encoding_counts(self.encoder, task, "reported")
                gold = Gold(given.reported)
                answers = self._answers(model, task, "reported", alive)
                measures = head.measures(answers, gold)
                kinds = {name: measure.kind for name, measure in measures.items()}
                result["scores"][task] = scores(measures)
                result["metrics"][task] = TaskMetrics(headline=head.metric, kinds=kinds, split=given.split)
                result["official"][task] = head.official(answers, gold)
                name = f"predictions/{task}.jsonl"
                result["files"][name] = write_predictions(self.folder / name, answers, gold, head.gold, measures)
            result["data"][task] = _about_data(task, given, head, counts, self.inputs.code)
        return result

    def _cost(
        self, records: Sequence[StepRecord], layout: Layout, model: MultiTaskModel, seconds: dict[str, float]
    ) -> RunCost:
        examples, tokens, batches = Counter[str](), Counter[str](), layout.batches()
        for record in records:
            examples.update(record.examples)
            tokens.update(record.tokens)
        busy, flops = max(1e-9, sum(record.seconds for record in records)), sum(record.flops for record in records)
        rows = {task: len(self.inputs.tasks[task].train.rows) for task in self.run.tasks}
        return RunCost(
            steps=len(records),
            examples=dict(examples),
            epochs={task: examples[task] / number for task, number in rows.items()},
            tokens=dict(tokens),
            shares={task: batches[task] / max(1, batches.total()) for task in rows},
            seconds=seconds,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            peak_memory=peak_memory(),
            tokens_per_second=tokens.total() / busy,
            padding=sum(record.padding for record in records),
            flops=flops,
            flops_per_second=flops / busy,
            peak_flops_per_second=peak_flops(self.settings.precision),
        )


def _about_data(
    task: str, given: TaskData, head: Any, counts: Mapping[str, dict[str, Any]], code: Path | None
) -> DataSummary:
    choice, found = given.task.head, list[Problem]()
    overflow = registry.describe("heads", choice.name, code).resolved(choice.settings).get("overflow", "")
    for split, about in counts.items():
        where = f"tasks.{task} ({given.split if split == 'reported' else split})"
        rows = given.reported if split == "reported" and given.reported is not None else given.train
        pieces = (about["truncated"], about["truncated"] + about["pieces"])
        examples, length = (about["examples_cut"], len(rows.rows)), getattr(head, head.cut_by, 0)
        found += unread(about["unknown"], f"tasks.{task} ({split})")
        found += cut_shares(head.cut_by, length, pieces, examples, where, overflow=overflow)
    added = {
        "truncated": sum(split["truncated"] for split in counts.values()),
        "encoding": counts,
        "positive": head.positive,
        "warnings": [*given.summary.warnings, *map(str, found)],
    }
    return given.summary.model_copy(update=added)
