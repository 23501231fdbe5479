"""A study file becomes a `Study`; all its mistakes are reported at once, before anything is loaded."""

import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from manyheads import registry
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.strict_json import too_deep
from manyheads.core.values import SPLITS
from manyheads.study.checks import NAME, Checker
from manyheads.study.spec import (
    ALONE,
    ARM_KEYS,
    DEFAULTS,
    FAMILY_OF,
    STUDY_KEYS,
    TASK_KEYS,
    UNSCORED,
    Arm,
    Choice,
    Study,
    Task,
)

RESERVED = {"figures", "tables", "analyses", "study.toml", "results.json", "report.html", "lock"}
LARGEST = 1_000_000
"""A study file is text that a person writes; anything larger than this many bytes is something else."""
MOST_POINTS = 1_000
"""Lists of a sweep are multiplied, so that a short file could ask for more arms than there are atoms."""


def read_study(path: Path, code: Path | None = None) -> Study:
    """Parse and check a study file.

    :raises StudyError: With every mistake in it.
    """
    text, raw = _toml(path)
    reader = _Reader(raw, code)
    study = reader.study(path, text)
    if reader.problems:
        # What arms inherit is checked for each of them.
        raise StudyError(list(dict.fromkeys(reader.problems)))
    return study


def _toml(path: Path) -> tuple[str, dict[str, Any]]:
    where = str(path)
    if path.exists() and not path.is_file() and not path.is_dir():  # to read from a pipe would wait for ever
        raise StudyError(
            [Problem(where, "not a regular file (a pipe, a socket or a device)", "", "Copy it to a file.")]
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        near = [item.name for item in sorted(path.parent.glob("*.toml"))] if path.parent.is_dir() else []
        remedy = registry.close(path.name, near) if near else "Give the path of a study file (TOML)."
        raise StudyError([Problem(where, f"cannot be read: {error.strerror}", "", remedy)]) from error
    if len(data) > LARGEST:
        raise StudyError([Problem(where, "too large for a study file", f"{len(data):,} bytes", "Is it the data?")])
    try:
        text = data.decode("utf-8-sig")
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problem = Problem(
            f"{where}:{line}", "not UTF-8", shown(data[error.start : error.start + 1]), "Save it as UTF-8."
        )
        raise StudyError([problem]) from error
    except (ValueError, RecursionError) as error:  # the mistakes of TOML, and numbers of more than 4300 digits
        raise StudyError([Problem(where, f"not valid TOML: {error}", "", "See https://toml.io.")]) from error
    if too_deep(raw):
        raise StudyError([Problem(where, "tables or lists stand in one another too often", "", "Flatten them.")])
    if large := [number for number in _numbers(raw) if not -(2**63) <= number < 2**63]:
        raise StudyError([Problem(where, "TOML's whole numbers have 64 bits", shown(large[0]), "Write a smaller one.")])
    return text, raw


def _numbers(value: Any) -> Iterator[int]:
    """The whole numbers in nested tables and lists."""
    if isinstance(value, int):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _numbers(part)


class _Reader(Checker):
    """Walks through a parsed file."""

    def study(self, path: Path, text: str) -> Study:
        self.keys("", self.raw, STUDY_KEYS)
        name = path.stem
        if not NAME.fullmatch(name):
            self.problem(
                str(path), "the file's name names the study", shown(name), "Use letters, digits, '.', '_' and '-'."
            )
        question = self.value("", self.raw, "question", str, "")
        seeds = self.seeds()
        tasks = self.tasks()
        arms = self.arms(tasks)
        self.unused(tasks, arms)
        baseline = self.baseline(arms)
        study = Study(name, question, seeds, baseline, tasks, arms, path, self.raw, text)
        return replace(study, analyses=self.analyses(study))

    def seeds(self) -> tuple[int, ...]:
        seeds = self.value("", self.raw, "seeds", list[int], [1, 2, 3])
        if not seeds or len(set(seeds)) < len(seeds) or any(seed < 0 for seed in seeds):
            self.problem("seeds", "should be different whole numbers from 0 up", shown(seeds), "For example [1, 2, 3].")
        return tuple(seeds)

    def baseline(self, arms: Mapping[str, Arm]) -> str:
        baseline = self.value("", self.raw, "baseline", str, next(iter(arms), ""))
        if arms and baseline not in arms:
            self.problem("baseline", f'there is no arm "{baseline}"', "", registry.close(baseline, arms))
        return baseline

    def tasks(self) -> dict[str, Task]:
        tables = self.tables("tasks", "task", "[tasks.sst2]")
        return {name: self.task(name, table) for name, table in tables.items()}

    def task(self, name: str, table: dict[str, Any]) -> Task:
        where = f"tasks.{name}"
        self.keys(where, table, TASK_KEYS)
        task = Task(
            name,
            self.choice(where, table, "dataset"),
            self.choice(where, table, "head"),
            self.value(where, table, "examples", int, 0),
            self.value(where, table, "batch_size", int, 0),
            self.value(where, table, "report", str, ""),
        )
        if task.batch_size < 1 and "batch_size" in table:
            self.problem(f"{where}.batch_size", "should be 1 or more", shown(task.batch_size), "")
        if task.examples < 0:
            self.problem(f"{where}.examples", "should be 1 or more; leave it out for all", shown(task.examples), "")
        if task.report and task.report not in (*SPLITS, UNSCORED):
            remedy = registry.close(task.report, (*SPLITS, UNSCORED))
            self.problem(f"{where}.report", "not a split", shown(task.report), remedy)
        return task

    def arms(self, tasks: Mapping[str, Task]) -> dict[str, Arm]:
        arms: dict[str, Arm] = {}
        for name, table in self.tables("arms", "arm", "[arms.joint]").items():
            for arm in self.swept(name, table, tasks):
                if arm.name in arms or arm.name.lower() in {other.lower() for other in arms}:
                    self.problem(f"arms.{name}", "two arms get the same name", shown(arm.name), "Rename one.")
                if arm.name.lower() in RESERVED:
                    self.problem(f"arms.{name}", "is the name of a file of the study", shown(arm.name), "Rename it.")
                arms[arm.name] = arm
        return arms

    def swept(self, name: str, table: dict[str, Any], tasks: Mapping[str, Task]) -> list[Arm]:
        leaves = list(_leaves(table.get("sweep", {})))
        if not leaves:
            if "sweep" in table:
                remedy = "For example { training.learning_rate = [1e-5, 3e-5] }."
                self.problem(f"arms.{name}.sweep", "should be a table of lists", shown(table["sweep"]), remedy)
            return [self.arm(name, name, table, tasks, None)]
        for key, values in leaves:
            if not isinstance(values, list) or not values:
                what = "a sweep needs a list of values"
                self.problem(f"arms.{name}.sweep.{key}", what, shown(values), "For example [0.5, 0.7, 0.9].")
                return []
        if (points := math.prod(len(values) for _, values in leaves)) > MOST_POINTS:
            what, found = f"a sweep makes at most {MOST_POINTS} arms", f"{points:,} combinations"
            self.problem(f"arms.{name}.sweep", what, found, "Sweep fewer values, or in several studies.")
            return []
        arms, before = [], len(self.problems)
        for point in itertools.product(*(values for _, values in leaves)):
            changed = {key: value for key, value in table.items() if key != "sweep"}
            for (key, _), value in zip(leaves, point, strict=True):
                root = key.split(".")[0]
                inherited = {} if root in changed or root not in self.raw else {root: self.raw[root]}
                changed = _with({**changed, **inherited}, key.split("."), value)
            sweep = (leaves[0][0], point[0]) if len(leaves) == 1 else None
            text = "-".join(str(value) for value in point)
            label = ", ".join(f"{key.split('.')[-1]} {value}" for (key, _), value in zip(leaves, point, strict=True))
            full_name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{name}-{text}")[:64]
            arms.append(self.arm(full_name, f"{table.get('label', name)}: {label}", changed, tasks, sweep, origin=name))
        # Each point repeats the mistakes of the arm it comes from.
        self.problems[before:] = dict.fromkeys(self.problems[before:])
        return arms

    def arm(
        self, name: str, label: str, table: dict[str, Any], tasks: Mapping[str, Task], sweep: Any, origin: str = ""
    ) -> Arm:
        where = f"arms.{origin or name}"
        self.keys(where, table, ARM_KEYS)
        alone = self.value(where, table, "models", Literal["one per task", "joint"], "joint") == ALONE
        match = self.value(where, table, "match", Literal["", "steps"], "")
        if match and not alone:
            self.problem(f"{where}.match", 'goes with `models = "one per task"` only', shown(match), "Leave it out.")
        chosen = self.value(where, table, "tasks", list[str], list(tasks))
        for unknown in [task for task in chosen if task not in tasks]:
            self.problem(f"{where}.tasks", f'there is no task "{unknown}"', "", registry.close(unknown, tasks))
        for twice in dict.fromkeys(task for task in chosen if chosen.count(task) > 1):
            self.problem(f"{where}.tasks", "names a task twice", shown(twice), "Name it once.")
        chosen = tuple(task for task in dict.fromkeys(chosen) if task in tasks)
        if tasks and not chosen:
            self.problem(f"{where}.tasks", "an arm trains at least one task", shown(table.get("tasks")), "Name some.")
        for key in ("sampling", "weighting", "sharing"):
            if alone and key in table:
                what = "has no effect where each task has a model of its own"
                self.problem(f"{where}.{key}", what, "", "Leave it out, or leave out `models`.")
        if isinstance(table.get("training"), dict) and "selection_examples" in table["training"]:
            what = "is the same for all arms"
            self.problem(f"{where}.training.selection_examples", what, "", "Set it in [training].")
        training = self.training(where, table)
        inherited = {key: self.choice(where if key in table else "", {**self.raw, **table}, key) for key in DEFAULTS}
        arm = Arm(
            name, label if origin else self.value(where, table, "label", str, name),
            self.value(where, table, "description", str, ""), alone, match, chosen,
            inherited["encoder"], training, inherited["sampling"], inherited["weighting"], inherited["sharing"],
            self.budget(where, table), sweep,
            {key: table[key] for key in table if key not in ("label", "description", "sweep")},
        )  # fmt: skip
        self.fits(where, arm, tasks)
        return arm

    def fits(self, where: str, arm: Arm, tasks: Mapping[str, Task]) -> None:
        """What methods themselves say about their settings in this arm."""
        if arm.alone:
            return
        types = {task: tasks[task].head.name for task in arm.tasks}
        for key, about in (("sampling", types), ("weighting", list(types)), ("sharing", list(types))):
            choice: Choice = getattr(arm, key)
            if any(
                problem.where.startswith(f"{where}.{key}") or problem.where.startswith(key) for problem in self.problems
            ):
                continue
            try:
                checks = registry.checks(FAMILY_OF[key], choice.name, self.code)
                accumulates = key != "weighting" or registry.constant(key, choice.name, "accumulates", self.code)
            except StudyError as error:
                self.problems.extend(error.problems)
                continue
            if checks is not None:
                self.problems.extend(checks.problems(about, dict(choice.settings), f"{where}.{key}"))
            if arm.training.accumulation > 1 and not accumulates:
                what = f'"{choice.name}" needs the losses of whole batches'
                found = f"accumulation = {arm.training.accumulation}"
                self.problem(f"{where}.weighting", what, found, "Set training.accumulation = 1, or use fixed weights.")

    def analyses(self, study: Study) -> tuple[Choice, ...]:
        """The analyses that the study asks for, each checked against the rest of it."""
        given = self.raw.get("analyses", {})
        if not isinstance(given, dict):
            self.problem("analyses", "should be a table", shown(given), "Begin one with [analyses.changed_answers].")
            return ()
        return tuple(self.analysis(name, table, study) for name, table in given.items())

    def unused(self, tasks: Mapping[str, Task], arms: Mapping[str, Arm]) -> None:
        used = {task for arm in arms.values() for task in arm.tasks}
        for task in tasks:
            if arms and task not in used:
                self.problem(f"tasks.{task}", "no arm trains this task", "", "Name it in an arm, or remove it.")


def _leaves(table: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items() if isinstance(table, dict) else ():
        full = f"{prefix}.{key}" if prefix else key
        yield from _leaves(value, full) if isinstance(value, dict) else [(full, value)]


def _with(table: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    """A copy of nested tables with one value set. What is no table where one is needed stays, for the check to find."""
    inner = table.get(keys[0], {}) if len(keys) > 1 else None
    if inner is not None and not isinstance(inner, dict):
        return table
    return {**table, keys[0]: value if inner is None else _with(dict(inner), keys[1:], value)}
