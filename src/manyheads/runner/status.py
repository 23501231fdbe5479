"""What has become of a study's runs, and whether they are of the study as it is now."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.version import __version__
from manyheads.results.outline import StudyOutline
from manyheads.results.records import FAILED, FINISHED, read_records
from manyheads.runner.pool import Job
from manyheads.study.steps import Run, runs
from manyheads.training.resume import identity_of
from manyheads.training.run import run_settings
from manyheads.training.run_files import mark
from manyheads.training.workshop import Workshop

_BOTH = "Use --fresh, or another --out, to keep both; or remove this folder to train the run anew."


@dataclass(frozen=True)
class State:
    """The runs of a study by what has become of them.

    :param open: To be done: begun or not, or with a record that cannot be used, which `damaged` says a line of.
    """

    finished: list[Run]
    failed: list[Job]
    open: list[Job]
    damaged: list[str]

    def jobs(self, retry_failed: bool) -> list[Job]:
        """The runs to be done now."""
        return [*self.failed, *self.open] if retry_failed else self.open

    def counts(self, retry_failed: bool) -> str:
        """How many there are of each kind, in words."""
        text = f"{len(self.finished)} finished, {len(self.jobs(retry_failed))} to do"
        left = f", {len(self.failed)} that failed before and stay so without --retry-failed"
        return text + (left if self.failed and not retry_failed else "")


def state_of(workshop: Workshop, out: Path, study: StudyOutline) -> State:
    """What has become of each run.

    :raises StudyError: If a finished run, or one that would go on from its checkpoint, is of other settings, another
        version or other data than the study's.
    """
    problems: list[Problem] = []
    state = State([], [], [], [])
    # Before the records are read: what comes later is another command's.
    seen = {run.path: mark(out / run.path) for run in runs(workshop.study)}
    records = {record.path: record for record in read_records(out, study)}
    for run in runs(workshop.study):
        folder = out / run.path
        record = records[run.path]
        if record.status == FINISHED:
            state.finished.append(run)
            content = record.content
            hashes = {task: content.get("data", {}).get(task, {}).get("hash") for task in run.tasks}
        else:
            failed = record.content.get("status") == "failed"
            (state.failed if failed else state.open).append(Job(run, seen[run.path]))
            if record.status == FAILED and not failed:
                state.damaged.append(f"{run.path}: {record.reason}; the run is done again")
            content = identity_of(folder)
            hashes = content.get("data", {})
        if content:
            problems += _changes(run, workshop, str(folder), content, hashes)
    if problems:
        raise StudyError(problems)
    return state


def _changes(
    run: Run, workshop: Workshop, where: str, content: Mapping[str, Any], hashes: Mapping[str, Any]
) -> list[Problem]:
    """Field by field, what a run was trained with that is not what the study says now."""
    now = {"version": __version__, **run_settings(run, workshop)}
    before = {"version": content.get("version"), **content.get("settings", {})}
    problems = _differences(where, before, _as_json(now))
    for task in run.tasks:
        if hashes.get(task) != workshop.tasks[task].summary["hash"]:
            what = f"the data of {task} has changed since this run"
            problems.append(Problem(where, what, "", _BOTH))
    return problems


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _differences(where: str, before: Any, now: Any, key: str = "") -> list[Problem]:
    """Field by field, what a finished run was trained with and what the study says now."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(name for name in now if name not in before)]
        return [
            problem
            for name in keys
            for problem in _differences(where, before.get(name), now.get(name), f"{key}.{name}" if key else name)
        ]
    if before == now:
        return []
    return [Problem(where, f"was trained with {key} = {shown(before)}", f"{shown(now)} in the study", _BOTH)]
