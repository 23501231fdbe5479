"""Values at the edges of what may be set, for every setting of every method found, and what `check` and `run` do.

Each trial is a small study with one setting changed: `check` refuses it in a line, or a run of a few steps trains on
it. A new method is tried without being named here: where a family needs partners (a head its data), they are looked
for among what there is.

    PYTHONPATH=tests:tests/support python tests/support/settings_battery.py [FAMILY ...] [ONE IN SO MANY]
"""

import copy
import json
import math
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import annotated_types
import torch
from pydantic import BaseModel
from tiny_encoders import make_family

from manyheads import registry
from manyheads.core import settings
from manyheads.core.problems import StudyError
from manyheads.core.values import derived_seed
from manyheads.results.compare import compare
from manyheads.results.records import read_records
from manyheads.results.run_record import FailedRecord
from manyheads.runner.analyses import analyse
from manyheads.runner.analysis_inputs import RunsOnDisk
from manyheads.runner.run_study import study_outline
from manyheads.study import estimate
from manyheads.study.estimate import planned
from manyheads.study.parser import read_study
from manyheads.study.spec import (
    SGD,
    AdamW,
    ArmTable,
    Budget,
    CheckpointInterval,
    StudyTable,
    TaskTable,
    TrainingSettings,
)
from manyheads.study.steps import runs
from manyheads.study.tasks import read_tasks
from manyheads.training.inputs import StudyInputs
from manyheads.training.run import run_once

LIMIT = 10.0
"""Seconds of this process's own computing for a trial: other programs' work does not count."""
HANGS = 120.0
"""Seconds by the clock after which a trial is ended."""
LONG = 500
"""A run of more steps than these is only checked."""
NUMBERS = [-0.0, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 1e-300, 1e-7, 0.5, 1.0, -1.0, 1.5]
INTEGERS = [0, 1, 2, -1, -5, 2**40, 2**62, 2**63 - 1, -(2**62)]
OTHERS = ["", "x", "x" * 10_000, "\0", [], ["x"], ["x"] * 1000, {}, {"x": 1}, True, False, 1, 0.5, "1"]
Table = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One value of one setting.

    :param path: The keys that lead to the setting in the study file.
    """

    method: str
    setting: str
    value: Any
    base: Table
    path: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: "refused", "trained", "planned" (checked, and too long to train here), or what should not
    be: "traceback", "failed", "slow"."""

    trial: Trial
    kind: str
    seconds: float
    text: str = ""


# ------------------------------------------------------------------------------------------------------------- values


def values_of(kind: Any) -> list[Any]:
    """Values for a setting of a type: its edges and beyond, odd numbers, and what is of no fitting type."""
    found: list[Any] = [*OTHERS]
    for member in settings._members(kind):
        if get_origin(member) is Literal:
            found += get_args(member)
        elif member in (int, float):
            found += [*INTEGERS, *NUMBERS]
        elif get_origin(member) in (dict, Mapping):
            inner = get_args(member)[1]
            found += [
                {task: value} for task in ("a", "b") for value in values_of(inner)[:60] if not isinstance(value, dict)
            ]
    for note in settings._annotations(kind):
        if isinstance(note, annotated_types.Ge | annotated_types.Gt | annotated_types.Le | annotated_types.Lt):
            edge = next(getattr(note, key) for key in ("ge", "gt", "le", "lt") if hasattr(note, key))
            near = [edge - 1, edge + 1] if isinstance(edge, int) else []
            found += [edge, *near, math.nextafter(edge, -math.inf), math.nextafter(edge, math.inf), float(edge)]
    known = {}
    for value in found:
        known.setdefault(f"{type(value).__name__} {value!r}", value)
    return list(known.values())


def shown(value: Any) -> str:
    return repr(value) if len(repr(value)) < 60 else repr(value)[:57] + "..."


# -------------------------------------------------------------------------------------------------------------- bases


def base(head: Table | None = None, dataset: Table | None = None, encoder: Table | None = None, **arm: Any) -> Table:
    """A study of two tasks and one arm, in three steps."""
    data = [
        dataset or {"name": "small_world", "subset": subset, "size": 40}
        for subset in ("film_sentiment", "food_sentiment")
    ]
    head = head or {"name": "classification"}
    return {
        "seeds": [1], "budget": {"steps": 3}, "encoder": encoder or {"name": "bag_of_words", "width": 8},
        "training": {"batch_size": 8, "learning_rate": 1e-3},
        "tasks": {name: {"dataset": dict(one), "head": dict(head)} for name, one in zip("ab", data, strict=True)},
        "arms": {"joint": dict(arm)},
    }  # fmt: skip


def subsets() -> list[Table]:
    """Every kind of data that needs no file, and the files that `files` writes."""
    entry = registry.describe("datasets", "small_world")
    kinds = get_args(next(one for one in entry.settings if one.name == "subset").type)
    return [
        *({"name": "small_world", "subset": kind, "size": 40} for kind in kinds),
        {"name": "table", "train": "numbers.tsv", "validation": "numbers.tsv", "target": "number"},
        {"name": "conll", "train": "words.txt", "validation": "words.txt"},
    ]


def write_files(folder: Path, encoder: Path | None) -> None:
    lines = [f"{word} thing number {index}\t{index / 7}" for index, word in enumerate(["good", "bad", "odd"] * 8)]
    (folder / "numbers.tsv").write_text("text\tlabel\n" + "\n".join(lines) + "\n")
    (folder / "classes.tsv").write_text(
        "text\tlabel\n" + "\n".join(f"{w} {i}\t{w}" for i, w in enumerate(["good", "bad"] * 9)) + "\n"
    )
    (folder / "words.txt").write_text("Ann B-PER\nlives O\nin O\nUlm B-LOC\n\nNobody O\nknows O\n\n" * 6)
    if encoder:
        (folder / "tiny").symlink_to(encoder)


def fits(table: Table, folder: Path) -> bool:
    try:
        check(table, folder)
    except (StudyError, ValueError):
        return False
    return True


def bases(family: str, name: str, folder: Path, tiny: bool) -> Table | None:
    """A study that uses a method, or None if there is none without data that are not here."""
    method, encoders = {"name": name}, [{"name": "bag_of_words", "width": 8}]
    encoders += [{"name": "pretrained", "model": "tiny"}] if tiny else []
    needed = {"weights": {"a": 0.5}} if name == "weighted" else {}
    tries: Iterator[Table] | list[Table]
    if family == "heads":
        known = {one.name for one in registry.describe("heads", name).settings}
        short = {
            key: value for key, value in {"max_length": 48, "stride": 16, "max_question": 8}.items() if key in known
        }
        tries = (base(method | extra, data, one) for extra in ({}, short) for one in encoders for data in subsets())
    elif family == "datasets":
        table = {"train": "classes.tsv", "validation": "classes.tsv"}
        given = [{}, {"subset": "film_sentiment", "size": 40}, table, {"train": "words.txt", "validation": "words.txt"}]
        heads = [{"name": head} for head in registry.names("heads")] + [
            {"name": "tagging", "max_length": 48, "stride": 16}
        ]
        tries = (base(head, method | data, one) for data in given for head in heads for one in encoders)
    elif family == "encoders":
        tries = [base(encoder=method | {key: "tiny" for key in ("model",) if name == "pretrained"})]
    elif family == "analyses":
        tries = [base() | {"analyses": {name: {}}}]
    else:
        tries = [base(encoder=one, **{family: method | needed | joint}) for joint in ({},) for one in encoders]
        if family != "sampling":
            for one in tries:
                one["arms"]["joint"]["sampling"] = {"name": "round_robin", "joint": True}
    return next((one for one in tries if fits(one, folder)), None)


def trials(folder: Path, families: list[str], tiny: bool) -> Iterator[Trial]:
    """Every value of every setting of the methods of these families; `study` stands for the tables of a study."""
    for family in [one for one in families if one in registry.FAMILIES]:
        for name in registry.names(family):
            found = bases(family, name, folder, tiny)
            if found is None:
                continue
            key = {"heads": "head", "datasets": "dataset", "encoders": "encoder"}.get(family, family)
            path = {
                "heads": ("tasks", "a", "head"), "datasets": ("tasks", "a", "dataset"), "encoders": ("encoder",),
                "analyses": ("analyses", name),
            }.get(family, ("arms", "joint", key))  # fmt: skip
            for setting in registry.describe(family, name).settings:
                for value in values_of(setting.type):
                    yield Trial(f"{family}/{name}", setting.name, value, found, (*path, setting.name))
    if "study" in families:
        tables: list[tuple[type[BaseModel], tuple[str, ...], Table]] = [
            (StudyTable, (), {}), (TrainingSettings, ("training",), {}),
            (TrainingSettings, ("arms", "joint", "training"), {}),
            (CheckpointInterval, ("training", "checkpoint"), {"training": {"checkpoint": {}}}),
            (Budget, ("budget",), {"budget": {}}), (TaskTable, ("tasks", "a"), {}), (ArmTable, ("arms", "joint"), {}),
            (AdamW, ("training", "optimizer"), {"training": {"optimizer": {"name": "adamw"}}}),
            (AdamW, ("training", "optimizer"), {"training": {"optimizer": {"name": "adamax"}}}),
            (SGD, ("training", "optimizer"), {"training": {"optimizer": {"name": "sgd"}}}),
        ]  # fmt: skip
        for model, path, changes in tables:
            for name, kind in settings.hints(model).items():
                for value in values_of(kind):
                    start = base()
                    for key, inner in changes.items():
                        start[key] = {**start.get(key, {}), **inner} if inner else {}
                    yield Trial(f"study/{model.__name__}{'.'.join(('', *path))}", name, value, start, (*path, name))


# ------------------------------------------------------------------------------------------------------------- trying


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else {"inf": "inf", "-inf": "-inf", "nan": "nan"}[repr(value)]
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def write(table: Table, folder: Path) -> Path:
    path = folder / "study.toml"
    path.write_text("".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in table.items()), "utf-8")
    return path


def check(table: Table, folder: Path) -> Table:
    estimate._matrix_product_speed = lambda: 1e11  # nobody reads the minutes here
    return planned(write(table, folder), None, None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """An end to what never ends."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def changed(trial: Trial) -> Table:
    table = copy.deepcopy(trial.base)
    at = table
    for key in trial.path[:-1]:
        at = at.setdefault(key, {})
    at[trial.path[-1]] = trial.value
    return table


def tried(trial: Trial, folder: Path) -> Outcome:
    """What `check`, then a run, make of a trial."""
    began, stage = time.process_time(), "check"
    try:
        with within(HANGS), tempfile.TemporaryDirectory() as out:
            try:
                plan = check(changed(trial), folder)
            except StudyError as error:
                assert error.problems and "\n" not in str(error.problems[0])
                return Outcome(trial, "refused", time.process_time() - began, str(error.problems[0]))
            if max(steps for arm in plan["arms"].values() for steps in arm["steps"].values()) > LONG:
                seconds = time.process_time() - began
                return Outcome(trial, "planned" if seconds < LIMIT else "slow", seconds)
            stage = "run"
            failed = trained(folder / "study.toml", Path(out))
    except TimeoutError:
        return Outcome(trial, "slow", time.process_time() - began, stage)
    except Exception as error:
        last = "".join(traceback.format_exception(error)[-2:]).strip().replace("\n", " | ")
        return Outcome(trial, "traceback", time.process_time() - began, f"{stage}: {last[-300:]}")
    seconds = time.process_time() - began
    if failed:
        return Outcome(trial, "failed", seconds, failed)
    return Outcome(trial, "trained" if seconds < LIMIT else "slow", seconds)


def trained(path: Path, out: Path) -> str:
    """Do the first run of a study and its analyses, as `run` does them; why it failed, or nothing."""
    study = read_study(path, None)
    tasks = read_tasks(study, None, None)
    inputs = StudyInputs(study, tasks, None, None)
    todo = runs(study)[:1]
    inputs.prepare(todo)
    record = run_once(todo[0], inputs, out, lambda *_: None)
    if isinstance(record, FailedRecord):
        return record.reason
    if study.analyses:
        outline = study_outline(study, tasks)
        known = RunsOnDisk(out, study, tasks, compare(out, outline), read_records(out, outline), None)
        return "; ".join(one.failed for one in analyse(study.analyses, known, None, lambda _: None) if one.failed)
    return ""


def battery(families: list[str], encoder: Path | None, *, share: int = 1) -> Iterator[Outcome]:
    """The outcomes of every trial, or of one in `share` of them, drawn by what is tried."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, encoder)
        for trial in trials(folder, families, encoder is not None):
            if derived_seed(trial.method, trial.setting, shown(trial.value)) % share == 0:
                yield tried(trial, folder)


def main(families: list[str], share: int) -> None:
    torch.set_num_threads(1)
    counts: dict[str, int] = {}
    methods: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        encoder = make_family("bert", Path(name) / "tiny")
        for one in battery(families or [*registry.FAMILIES, "study"], encoder, share=share):
            counts[one.kind] = counts.get(one.kind, 0) + 1
            methods[one.trial.method] = methods.get(one.trial.method, 0) + 1
            if one.kind not in ("refused", "trained", "planned"):
                what = f"{one.kind}: {one.trial.method} {one.trial.setting} = {shown(one.trial.value)}"
                print(f"{what}: {one.seconds:.1f} s {one.text[:300]}", flush=True)
    print(json.dumps({"methods": methods, "outcomes": counts, "trials": sum(counts.values())}, indent=1))


if __name__ == "__main__":
    given = sys.argv[1:]
    shares = [int(one) for one in given if one.isdigit()]
    main([one for one in given if not one.isdigit()], *(shares or [1]))
