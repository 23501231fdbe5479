"""What the runs of a study left on disk, read back: records and the answers to each item of the test sets."""

import hashlib
import json
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.sealed import seal_broken
from manyheads.core.strict_json import too_deep
from manyheads.results.formats import FormatError, in_this_format
from manyheads.results.run_record import RECORD, FailedRecord, FileDigest, FinishedRecord, RunCost, RunRecord, model_of
from manyheads.results.schema import Cost as ArmCost
from manyheads.results.schema import Status, StudyOutline, validated

FINISHED: Status = "finished"
FAILED: Status = "failed"
MISSING: Status = "missing"
AGAIN = "Remove the run's folder and run the study again."
CHANGED = "has changed since the run wrote it"
LATER = "Use the version that wrote it, or another --out."


@dataclass(frozen=True, slots=True)
class Record:
    """One run of the plan and what became of it.

    :param task: The task, in an arm that gives every task a model of its own; else None.
    :param path: Its folder, below the study's.
    :param reason: Why it has no result, in one line; None if it has one.
    :param content: Its record.json; None if there is none, or a damaged one.
    """

    arm: str
    seed: int
    task: str | None
    path: str
    status: Status
    reason: str | None
    content: RunRecord | None

    @property
    def result(self) -> FinishedRecord:
        """The record of a run whose status is `finished`."""
        assert isinstance(self.content, FinishedRecord)
        return self.content


@dataclass(frozen=True, slots=True)
class Answers:
    """A file of predictions, as far as a comparison needs it.

    :param items: metric -> [n, k] the numbers that the metric is computed from.
    """

    path: Path
    ids: Sequence[str]
    clusters: Sequence[str] | None
    items: Mapping[str, np.ndarray]


def read_records(out: Path, study: StudyOutline) -> list[Record]:
    """Every planned run, arm by arm, whether it has a record or not.

    :raises StudyError: If a later version wrote one of them, whose format is not known here.
    """
    found, problems = list[Record](), list[Problem]()
    for name, arm in study.arms.items():
        for planned in arm.runs:
            try:
                outcome = _outcome(out, planned.path)
            except FormatError as error:
                problems.append(Problem(str(out / planned.path / RECORD), str(error), "", LATER))
            else:
                found.append(Record(name, planned.seed, planned.task, planned.path, *outcome))
    if problems:
        raise StudyError(problems)
    return found


def _outcome(out: Path, path: str) -> tuple[Status, str | None, RunRecord | None]:
    """Status, reason and record of the run in a folder."""
    file = out / path / RECORD
    if not file.is_file():
        return MISSING, "there is no record: the run was not started, or was stopped", None
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return FAILED, f"{RECORD} cannot be read: {error}", None
    if not isinstance(content, dict) or too_deep(content):
        return FAILED, f"{RECORD} is not a record", None
    if seal_broken(content):
        return FAILED, f"{RECORD} is not as it was written", None
    content = in_this_format(content)
    try:
        record = validated(model_of(content), content, RECORD)
    except StudyError as error:
        return FAILED, f"{error.problems[0]} Was it changed?", None
    if isinstance(record, FailedRecord):
        return FAILED, record.reason, record
    for scored in record.scores:
        if not predictions(out, path, scored).is_file():
            return FAILED, f"predictions/{scored}.jsonl is missing", record
    return FINISHED, None, record


def damage(folder: Path, files: Mapping[str, FileDigest], *, contents: bool = True) -> dict[str, str]:
    """What is wrong with files that were written: name -> that it is missing, or has changed; nothing for the others.

    :param folder: What the names are relative to.
    :param contents: Read them, and compare the SHA-256; without, sizes alone are looked at.
    """
    found = {}
    for name, written in files.items():
        try:
            if not stat.S_ISREG((about := (folder / name).stat()).st_mode):
                found[name] = "is no file"
            elif about.st_size != written.size:
                found[name] = f"{CHANGED}: it has {about.st_size:,} bytes and had {written.size:,}"
            elif contents:
                with (folder / name).open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != written.sha256:
                        found[name] = f"{CHANGED}: it does not have its SHA-256"
        except (FileNotFoundError, NotADirectoryError):
            found[name] = "is missing"
        except OSError as error:
            found[name] = f"cannot be read: {error.strerror}"
    return found


def predictions(out: Path, path: str, task: str) -> Path:
    """The file with a run's answers to a task."""
    return out / path / "predictions" / f"{task}.jsonl"


def read_answers(path: Path, written: FileDigest | None = None) -> Answers:
    """Read a file of predictions.

    :param written: What was written, as the run's record has it.
    :raises StudyError: If it has changed since, or a line is not as `docs/outputs.md` has it.
    """
    data = path.read_bytes()
    if written and (len(data), hashlib.sha256(data).hexdigest()) != (written.size, written.sha256):
        raise StudyError([Problem(str(path), CHANGED, f"{len(data):,} bytes", AGAIN)])
    ids: list[str] = []
    clusters: list[str] = []
    items: dict[str, list[list[float]]] = {}
    number = 0
    try:
        for line in data.splitlines():
            number += 1
            row = json.loads(line)
            ids.append(_name(row["id"]))
            if "cluster" in row:
                clusters.append(_name(row["cluster"]))
            for metric, numbers in row["items"].items():
                items.setdefault(metric, []).append(numbers)
        arrays = {metric: np.array(rows, dtype=np.float64).reshape(len(ids), -1) for metric, rows in items.items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        what = f"line {number} is damaged"
        raise StudyError([Problem(str(path), what, repr(error), AGAIN)]) from error
    if clusters and len(clusters) != len(ids):
        what = f"only {len(clusters)} of {len(ids)} lines have a cluster"
        raise StudyError([Problem(str(path), what, "", AGAIN)])
    return Answers(path, ids, clusters or None, arrays)


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{shown(value)} is not a text")
    return value


def differences(found: Sequence[Answers]) -> list[Problem]:
    """Why these files cannot be compared item by item: other ids, another order, other clusters."""
    problems = []
    first = found[0] if found else None
    for other in found[1:]:
        assert first is not None
        if other.ids != first.ids:
            problems.append(
                Problem(str(other.path), f"the ids are not those of {first.path}", _first_other(first, other), AGAIN)
            )
        elif other.clusters != first.clusters:
            problems.append(Problem(str(other.path), f"the clusters are not those of {first.path}", "", AGAIN))
    return problems


def _first_other(first: Answers, other: Answers) -> str:
    if len(first.ids) != len(other.ids):
        return f"{len(other.ids)} lines where the other has {len(first.ids)}"
    line = next(i for i, (a, b) in enumerate(zip(first.ids, other.ids, strict=True)) if a != b)
    return f"{other.ids[line]!r} in line {line + 1}, where the other has {first.ids[line]!r}"


def cost(runs: Sequence[Record]) -> ArmCost | None:
    """The cost of an arm: the mean over the seeds of which all runs finished, summed over the models of a seed.

    None if there is no such seed.
    """
    seeds: dict[int, list[Record]] = {}
    for run in runs:
        seeds.setdefault(run.seed, []).append(run)
    whole = [of_seed for of_seed in seeds.values() if all(run.status == FINISHED for run in of_seed)]
    costs = [_of_seed([run.result.cost for run in of_seed]).model_dump() for of_seed in whole]
    return ArmCost.model_validate(_mean(costs)) if costs else None


def _of_seed(models: Sequence[RunCost]) -> RunCost:
    """The costs of the models of one seed as one. Memory is the largest: they are trained one after another."""
    steps = sum(model.steps for model in models)
    shares = [{task: share * model.steps for task, share in model.shares.items()} for model in models]
    tokens = _sum([model.tokens for model in models])
    flops = sum(model.flops for model in models)
    busy = max(1e-9, sum(sum(model.tokens.values()) / max(1e-9, model.tokens_per_second) for model in models))
    return RunCost(
        steps=steps,
        examples=_sum([model.examples for model in models]),
        epochs=_sum([model.epochs for model in models]),
        tokens=tokens,
        shares={task: part / steps if steps else 0.0 for task, part in _sum(shares).items()},
        seconds=_sum([model.seconds for model in models]),
        parameters=sum(model.parameters for model in models),
        peak_memory=max((model.peak_memory for model in models if model.peak_memory is not None), default=None),
        tokens_per_second=sum(tokens.values()) / busy,
        padding=sum(model.padding for model in models),
        flops=flops,
        flops_per_second=flops / busy,
        peak_flops_per_second=sum(model.peak_flops_per_second for model in models) / len(models),
    )


def _sum(parts: Sequence[Mapping[str, int | float]]) -> dict[str, Any]:
    keys = dict.fromkeys(key for part in parts for key in part)
    return {key: sum(part.get(key, 0) for part in parts) for key in keys}


def _mean(costs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    mean: dict[str, Any] = {}
    for key in costs[0]:
        values = [one[key] for one in costs]
        if isinstance(values[0], Mapping):
            mean[key] = {part: total / len(costs) for part, total in _sum(values).items()}
        else:
            mean[key] = None if None in values else sum(values) / len(values)
    return mean
