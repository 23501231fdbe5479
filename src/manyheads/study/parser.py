"""A study file becomes a `Study`; all its mistakes are reported at once, before anything is loaded."""

import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from manyheads import registry
from manyheads.core.problems import Problem, StudyError, among, shown
from manyheads.core.settings import NAME
from manyheads.core.strict_json import too_deep
from manyheads.study.checks import Checker
from manyheads.study.limits import MOST_RUNS, run_problems
from manyheads.study.spec import (
    ALONE,
    DEFAULTS,
    FAMILY_OF,
    Arm,
    ArmTable,
    Choice,
    Study,
    StudyTable,
    Table,
    Task,
    TaskTable,
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


def _toml(path: Path) -> tuple[str, Table]:
    where = str(path)
    if path.exists() and not path.is_file() and not path.is_dir():  # to read from a pipe would wait for ever
        raise StudyError(
            [Problem(where, "not a regular file (a pipe, a socket or a device)", "", "Copy it to a file.")]
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        near = [item.name for item in sorted(path.parent.glob("*.toml"))] if path.parent.is_dir() else []
        remedy = among(path.name, near) if near else "Give the path of a study file (TOML)."
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
        remedy = "See https://toml.io."
        if found := WINDOWS_PATH.search(text):
            remedy = f"A path of Windows stands in single quotes, '{found[1]}', or is written with /."
        raise StudyError([Problem(where, f"not valid TOML: {error}", "", remedy)]) from error
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


WINDOWS_PATH = re.compile(r'"([A-Za-z]:\\[^"\n]*|[^"\n/\\]+\\[^"\n]*\.[A-Za-z]{2,7})"')
"""In double quotes, where TOML takes the backslash for an escape."""


class _Reader(Checker):
    """Walks through a parsed file."""

    def study(self, path: Path, text: str) -> Study:
        given = self.read(StudyTable, self.raw, "")
        if not NAME.fullmatch(path.stem):
            remedy = "Use letters, digits, '.', '_' and '-'."
            self.problem(str(path), "the file's name names the study", shown(path.stem), remedy)
        tasks = self.tasks()
        arms = self.arms(given, tasks)
        for task in tasks:
            if arms and not any(task in arm.tasks for arm in arms.values()):
                self.problem(f"tasks.{task}", "no arm trains this task", "", "Name it in an arm, or remove it.")
        baseline = given.baseline or next(iter(arms), "")
        if arms and baseline not in arms:
            self.problem("baseline", f'there is no arm "{baseline}"', "", among(baseline, arms))
        self.problems += run_problems(arms, len(given.seeds))
        study = Study(
            path.stem,
            given.question,
            given.seeds,
            baseline,
            tasks,
            arms,
            path,
            self.raw,
            text,
            longest_text=given.longest_text,
            keep_models=given.keep_models,
        )
        return replace(study, analyses=self.analyses(given, study))

    def tasks(self) -> dict[str, Task]:
        tables = self.tables("tasks", "task", "[tasks.sst2]")
        return {name: self.task(name, table) for name, table in tables.items()}

    def task(self, name: str, table: Table) -> Task:
        where = f"tasks.{name}"
        given = self.read(TaskTable, table, where)
        dataset, head = self.choice(where, table, "dataset"), self.choice(where, table, "head")
        held: dict[str, float] = {**given.hold_out}
        return Task(name, dataset, head, given.examples, given.batch_size, given.report, held, given.allow_train)

    def arms(self, given: StudyTable, tasks: Mapping[str, Task]) -> dict[str, Arm]:
        arms: dict[str, Arm] = {}
        tables, known = self.tables("arms", "arm", "[arms.joint]"), set[str]()
        if (number := sum(map(_points, tables.values()))) > MOST_RUNS:  # refused before they are made
            found = f"{number:,} arms, those of sweeps included"
            self.problem("arms", f"a study has at most {MOST_RUNS:,} runs", found, "Sweep fewer values.")
            return {}
        for name, table in tables.items():
            for arm in self.swept(name, table, given, tasks):
                if arm.name.lower() in known:
                    self.problem(f"arms.{name}", "two arms get the same name", shown(arm.name), "Rename one.")
                if arm.name.lower() in RESERVED:
                    self.problem(f"arms.{name}", "is the name of a file of the study", shown(arm.name), "Rename it.")
                arms[arm.name] = arm
                known.add(arm.name.lower())
        return arms

    def swept(self, name: str, table: Table, study: StudyTable, tasks: Mapping[str, Task]) -> list[Arm]:
        leaves = list(_leaves(table.get("sweep", {})))
        if not leaves:
            if "sweep" in table:
                remedy = "For example { training.learning_rate = [1e-5, 3e-5] }."
                self.problem(f"arms.{name}.sweep", "should be a table of lists", shown(table["sweep"]), remedy)
            return [self.arm(name, name, table, study, tasks, None)]
        for key, values in leaves:
            if not isinstance(values, list) or not values:
                what = "a sweep needs a list of values"
                self.problem(f"arms.{name}.sweep.{key}", what, shown(values), "For example [0.5, 0.7, 0.9].")
                return []
        if (points := _points(table)) > MOST_POINTS:
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
            label = f"{table.get('label', name)}: {label}"
            arms.append(self.arm(full_name, label, changed, study, tasks, sweep, origin=name))
        # Each point repeats the mistakes of the arm it comes from.
        self.problems[before:] = dict.fromkeys(self.problems[before:])
        return arms

    def arm(
        self,
        name: str,
        label: str,
        table: Table,
        study: StudyTable,
        tasks: Mapping[str, Task],
        sweep: tuple[str, Any] | None,
        origin: str = "",
    ) -> Arm:
        where = f"arms.{origin or name}"
        given = self.read(ArmTable, table, where)
        alone = given.models == ALONE
        if given.match and not alone:
            what = f'goes with `models = "{ALONE}"` only'
            self.problem(f"{where}.match", what, shown(given.match), "Leave it out.")
        chosen = list(tasks) if given.tasks is None else given.tasks
        for unknown in [task for task in chosen if task not in tasks]:
            self.problem(f"{where}.tasks", f'there is no task "{unknown}"', "", among(unknown, tasks))
        for twice in dict.fromkeys(task for task in chosen if chosen.count(task) > 1):
            self.problem(f"{where}.tasks", "names a task twice", shown(twice), "Name it once.")
        chosen = tuple(task for task in dict.fromkeys(chosen) if task in tasks)
        if tasks and not chosen:
            self.problem(f"{where}.tasks", "an arm trains at least one task", shown(table.get("tasks")), "Name some.")
        for key in ("sampling", "weighting", "sharing"):
            if alone and key in table:
                what = "has no effect where each task has a model of its own"
                self.problem(f"{where}.{key}", what, "", "Leave it out, or leave out `models`.")
        own = given.training.model_fields_set
        if "selection_examples" in own:
            what = "is the same for all arms"
            self.problem(f"{where}.training.selection_examples", what, "", "Set it in [training].")
        training = study.training.model_copy(update={key: getattr(given.training, key) for key in own})
        if (taken := training.learning_rate * training.optimizer.weight_decay) > 1:
            what, remedy = "an update would take away more than a whole weight", "Choose a smaller one."
            found = f"{training.optimizer.weight_decay:g}, which times the learning rate is {taken:.3g}"
            self.problem(f"{where}.training.optimizer.weight_decay", what, found, remedy)
        before = len(self.problems)
        choices = {key: self.choice(where if key in table else "", {**self.raw, **table}, key) for key in DEFAULTS}
        differs = {key: table[key] for key in table if key not in ("label", "description", "sweep")}
        arm = Arm(
            name,
            label if origin else given.label or name,
            given.description,
            alone,
            given.match,
            chosen,
            training=training,
            budget=given.budget or study.budget,
            sweep=sweep,
            differs=differs,
            **choices,
        )
        if not alone and len(self.problems) == before:
            self.fits(where, arm, tasks)
        return arm

    def fits(self, where: str, arm: Arm, tasks: Mapping[str, Task]) -> None:
        """Ask the methods of an arm that trains tasks together whether their settings fit it."""
        types = {task: tasks[task].head.name for task in arm.tasks}
        for key, about in (("sampling", types), ("weighting", list(types)), ("sharing", list(types))):
            choice: Choice = getattr(arm, key)
            entry = registry.describe(FAMILY_OF[key], choice.name, self.code)
            problems = entry.problems(choice.settings, f"{where}.{key}", tasks=list(types))
            self.problems += problems
            if not problems:
                self.asked(FAMILY_OF[key], choice, about, f"{where}.{key}")
        accumulation, name = arm.training.accumulation, arm.weighting.name
        if accumulation > 1 and not registry.constant("weighting", name, "accumulates", self.code):
            what, found = f'"{name}" needs the losses of whole batches', f"accumulation = {accumulation}"
            self.problem(f"{where}.weighting", what, found, "Set training.accumulation = 1, or use fixed weights.")

    def analyses(self, given: StudyTable, study: Study) -> tuple[Choice, ...]:
        """The analyses that the study asks for, each checked against the rest of it."""
        return tuple(self.analysis(name, table, study) for name, table in (given.analyses or {}).items())


def _points(table: Table) -> int:
    """How many arms a table makes."""
    return math.prod(len(values) for _, values in _leaves(table.get("sweep", {})) if isinstance(values, list))


def _leaves(table: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items() if isinstance(table, dict) else ():
        full = f"{prefix}.{key}" if prefix else key
        yield from _leaves(value, full) if isinstance(value, dict) else [(full, value)]


def _with(table: Table, keys: list[str], value: Any) -> Table:
    """A copy of nested tables with one value set. What is no table where one is needed stays, for the check to find."""
    inner = table.get(keys[0], {}) if len(keys) > 1 else None
    if inner is not None and not isinstance(inner, dict):
        return table
    return {**table, keys[0]: value if inner is None else _with(dict(inner), keys[1:], value)}
