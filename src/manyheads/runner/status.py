"""What has become of a study's runs, and whether they are of the study as it is now."""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.results.records import FAILED, FINISHED, LATER, read_records
from manyheads.results.run_record import FORMAT, FailedRecord, FormatError, RunSettings, comparable, record_hash
from manyheads.results.schema import StudyOutline
from manyheads.runner.queue import WaitingRun
from manyheads.study.steps import Run, runs
from manyheads.training.inputs import StudyInputs
from manyheads.training.resume import identity_of
from manyheads.training.run import run_settings

_BOTH = "Use --fresh, or another --out, to keep both; or remove this folder to train the run anew."


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
            before, hashes = record.result, {task: about.hash for task, about in record.result.data.items()}
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
            hashes = before.data
        settings, now = before.settings, run_settings(run, inputs)
        if settings.encoder.weights is None or now.encoder.weights is None:
            if now.encoder.weights is not None:
                status.untold.append(run.path)
            settings, now = _without_weights(settings), _without_weights(now)
        problems += _differences(str(folder), comparable(settings, before.format), comparable(now, FORMAT))
        for task in run.tasks:
            if hashes.get(task) != inputs.tasks[task].hash:
                problems.append(Problem(str(folder), f"the data of {task} has changed since this run", "", _BOTH))
    if problems:
        raise StudyError(problems)
    return status


def _without_weights(settings: RunSettings) -> RunSettings:
    return settings.model_copy(update={"encoder": settings.encoder.model_copy(update={"weights": None})})


def _differences(where: str, before: JsonValue, now: JsonValue, key: str = "") -> list[Problem]:
    """Field by field, what a run was trained with that is not what the study says now."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            problem
            for name in dict.fromkeys([*before, *now])
            for problem in _differences(where, before.get(name), now.get(name), f"{key}.{name}" if key else name)
        ]
    if before == now:
        return []
    if key == "encoder.weights":
        what, found = "the weights that the encoder starts from have changed since this run", f"SHA-256 {shown(now)}"
        return [Problem(where, what, f"{found}, before {shown(before)}", _BOTH)]
    return [Problem(where, f"was trained with {key} = {shown(before)}", f"{shown(now)} in the study", _BOTH)]
