"""What has become of a study's runs, and whether they are of the study as it is now."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from manyheads import registry
from manyheads.core.problems import Problem, StudyError
from manyheads.results.formats import FORMAT, FormatError
from manyheads.results.records import FAILED, FINISHED, LATER, read_records
from manyheads.results.run_record import RECORD, FailedRecord, FinishedRecord, comparable, read_record, record_hash
from manyheads.results.schema import StudyOutline
from manyheads.runner.queue import WaitingRun
from manyheads.study.spec import Choice, Study
from manyheads.study.steps import Run, runs
from manyheads.training.identity import other_run, run_settings, weights_untold
from manyheads.training.inputs import StudyInputs
from manyheads.training.resume import identity_of


@dataclass(frozen=True)
class StudyStatus:
    """The runs of a study by what has become of them.

    :param open: To be done: begun or not, or with a record that cannot be used, which `damaged` says a line of.
    :param untold: Runs that do not say which weights their encoder started from, which is then not compared.
    """

    finished: list[Run] = field(default_factory=list)
    failed: list[WaitingRun] = field(default_factory=list)
    open: list[WaitingRun] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)

    def to_do(self, retry_failed: bool) -> list[WaitingRun]:
        """The runs to be done now."""
        return [*self.failed, *self.open] if retry_failed else self.open

    def counts(self, retry_failed: bool) -> str:
        """How many there are of each kind, in words."""
        text = f"{len(self.finished)} finished, {len(self.to_do(retry_failed))} to do"
        left = f", {len(self.failed)} that failed before and stay so without --retry-failed"
        return text + (left if self.failed and not retry_failed else "")


def as_before(study: Study, out: Path, code: Path | None, say: Callable[[str], None]) -> Study:
    """The study with the settings that data settle today as runs in its folder have them that were done before that.

    :param say: Called with a line for each task of which that is so.
    """
    tasks = dict(study.tasks)
    for task in study.tasks.values():
        settled = registry.constant("heads", task.head.name, "from_data", code)
        keys = [key for key in settled if key not in task.head.settings]
        older = next(filter(None, (_older(out / run.path) for run in runs(study) if task.name in run.tasks)), None)
        head = older["tasks"].get(task.name, {}).get("head", {}) if keys and older else {}
        if head.get("name") != task.head.name:
            continue
        kept = {key: head["settings"][key] for key in keys if key in head["settings"]}
        if not kept:
            continue
        tasks[task.name] = replace(task, head=Choice(task.head.name, {**task.head.settings, **kept}))
        told = ", ".join(f"{key} = {value}" for key, value in kept.items())
        say(f"{task.name}: {told}, as its runs in {out} were trained by an earlier version")
    return replace(study, tasks=tasks)


def _older(folder: Path) -> dict[str, Any] | None:
    """The settings of a run that an older format tells of, finished or with a checkpoint; None if there is none."""
    try:
        before = read_record(folder) if (folder / RECORD).is_file() else None
        before = before if isinstance(before, FinishedRecord) else identity_of(folder)
    except (OSError, ValueError, RecursionError):
        return None  # `study_status` says what is wrong
    return comparable(before.settings, before.format) if before and before.format < FORMAT else None


def study_status(inputs: StudyInputs, out: Path, outline: StudyOutline) -> StudyStatus:
    """What has become of each run.

    :raises StudyError: If a finished run, or one that would go on from its checkpoint, is of other settings or other
        data than the study's, or was written in a format that is not known here.
    """
    problems: list[Problem] = []
    status = StudyStatus()
    # Before the records are read: what comes later is another command's.
    seen = {run.path: record_hash(out / run.path) for run in runs(inputs.study)}
    records = {record.path: record for record in read_records(out, outline)}
    for run in runs(inputs.study):
        record, folder = records[run.path], out / run.path
        if record.status == FINISHED:
            status.finished.append(run)
            before = record.result
        else:
            failed = isinstance(record.content, FailedRecord)
            (status.failed if failed else status.open).append(WaitingRun(run, seen[run.path]))
            if record.status == FAILED and not failed:
                status.damaged.append(f"{run.path}: {record.reason}; the run is done again")
            try:
                before = identity_of(folder)
            except FormatError as error:
                problems.append(Problem(str(folder), f"its checkpoint {error}", "", LATER))
                continue
            if before is None:
                continue
        now = run_settings(run, inputs)
        if weights_untold(before.settings, now):
            status.untold.append(run.path)
        hashes = {task: inputs.tasks[task].hash for task in run.tasks}
        problems += other_run(folder, before, now, hashes)
    if problems:
        raise StudyError(problems)
    return status
