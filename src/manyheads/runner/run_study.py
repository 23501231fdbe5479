"""A whole study: check, plan, execute what is not done yet, compare, present."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from manyheads.core.atomic_files import links_below, room, write_whole
from manyheads.core.lock import locked
from manyheads.core.problems import Problem, StudyError
from manyheads.data.token_cache import default_folder
from manyheads.report import html_page, plots, tables
from manyheads.results.compare import compare, write_results
from manyheads.results.records import read_records
from manyheads.results.run_record import FailedRecord, RunRecord
from manyheads.results.schema import (
    ArmResult,
    RunResult,
    StudyInfo,
    StudyOutline,
    StudyResults,
    Sweep,
    TaskResult,
    json_value,
)
from manyheads.runner.analyses import FIGURES, FOLDER, analyse
from manyheads.runner.analysis_inputs import RunsOnDisk
from manyheads.runner.pool import HUNG, in_processes
from manyheads.runner.progress import Progress
from manyheads.runner.queue import RunQueue
from manyheads.runner.status import as_before, study_status
from manyheads.study.parser import read_study
from manyheads.study.spec import Study
from manyheads.study.steps import Run, runs
from manyheads.study.tasks import TaskData, read_tasks
from manyheads.training import checkpoint
from manyheads.training.inputs import StudyInputs
from manyheads.training.model import build_model
from manyheads.training.resume import clear
from manyheads.training.run import LOCK, run_once, specification


def conduct(
    path: Path,
    out: Path | None,
    data: Path | None,
    code: Path | None,
    *,
    workers: int,
    fresh: bool,
    progress: Progress,
    retry_failed: bool = False,
    hung_after: float = HUNG,
) -> tuple[StudyResults, Path]:
    """Run a study to its end. Several commands may do so at once; they share the work.

    :param workers: How many processes do runs; with 0, this one does.
    :param retry_failed: Do the runs again that failed before; without, they stay failed.
    :param hung_after: Seconds without a sign of life after which a run has failed.
    :returns: The results, and the folder they are in.
    :raises StudyError: If the study, its data or the folder is not as it should be; nothing is trained then.
    :raises HaltedError: If the disk takes no more; what was done is kept.
    """
    study = read_study(path, code)
    out = _folder(out or Path("runs") / study.name, fresh)
    study = as_before(study, out, code, progress.say)
    progress.say(f"{study.path}: reading {len(study.tasks)} tasks")
    tasks = read_tasks(study, data, code)
    _warn(tasks, progress)
    inputs = StudyInputs(study, tasks, data, code, cache=default_folder(), say=progress.say)
    outline = study_outline(study, tasks)
    status = study_status(inputs, out, outline)
    for run in status.finished:
        clear(out / run.path)  # a run that was killed between its record and its end has left its checkpoints
    waiting = status.to_do(retry_failed)
    to_do = [one.run for one in waiting]
    needed = _check_models(inputs, to_do, workers, progress.say)
    _open_folder(out, study, needed)
    progress.say(f"{len(runs(study))} runs in {out}: {status.counts(retry_failed)}")
    for line in status.damaged:
        progress.say(line)
    if waiting:
        inputs.prepare(to_do, progress.prepare)
        progress.say(inputs.tokens.told())
    progress.expect(sum(len(inputs.layout(run).steps) for run in to_do))
    queue = RunQueue(waiting, out, progress.say)
    if workers and waiting:
        done = in_processes(queue, inputs, out, progress.report, workers=workers, hung_after=hung_after)
    else:
        done = _in_this_process(queue, inputs, out, progress)
    for record in done:
        for note in record.notes:
            progress.say(f"{record.arm}/{record.seed}: {note}")
        if isinstance(record, FailedRecord):
            progress.say(f"{record.arm}/{record.seed}: failed: {record.reason}")
    with locked(out / LOCK, wait=True):
        study_status(inputs, out, outline)  # runs of other commands are of this study too
        progress.say("comparing")
        results = compare(out, outline)
        if study.analyses:
            _refuse_links(out, [FOLDER, FIGURES])
            known = RunsOnDisk(out, study, tasks, results, read_records(out, outline), code)
            found = analyse(study.analyses, known, code, progress.say)
            results = results.model_copy(update={"analyses": found})
            write_results(out, results)
        present(results, out)
    return results, out


def _in_this_process(queue: RunQueue, inputs: StudyInputs, out: Path, progress: Progress) -> Iterator[RunRecord]:
    """Do the runs of a queue one after another. Other commands may do runs of the same study meanwhile: each run is
    done by one of them, and by another if that one dies."""
    while one := queue.next():
        record = run_once(one.run, inputs, out, progress.report, seen=one.seen)
        if record is None:
            queue.put_back(one)
        else:
            yield record


def present(results: StudyResults, out: Path) -> None:
    """Write tables, figures and the report.

    :raises StudyError: If their folders are links.
    """
    _refuse_links(out, ["tables", "figures"])
    tables.write(results, out)
    figures = plots.figures(results, out)
    plots.write(figures, out)
    html_page.write(results, out, figures)


def _refuse_links(out: Path, places: Sequence[str]) -> None:
    if problems := links_below(out, places):
        raise StudyError(problems)


def _folder(out: Path, fresh: bool) -> Path:
    if not fresh:
        return out
    number = 2
    folder = out
    while folder.exists():
        folder = out.with_name(f"{out.name}-{number}")
        number += 1
    return folder


def _warn(tasks: Mapping[str, TaskData], progress: Progress) -> None:
    for name, task in tasks.items():
        summary = task.summary
        for reason, count in summary.dropped.items():
            progress.say(f"{name}: {count} examples left out: {reason}")
        for warning in summary.warnings:
            progress.say(f"{name}: warning: {warning}")


def _open_folder(out: Path, study: Study, needed: int) -> None:
    """Make the study's folder, and see that what the study writes stays there and has room."""
    _refuse_links(out, [run.path for run in runs(study)])
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / "study.toml", study.text)
    except OSError as error:
        raise StudyError(
            [Problem(str(out), f"cannot be written to: {error.strerror}", "", "Choose another --out.")]
        ) from error
    free = room(out)
    if free is not None and free < needed:
        what = f"the models and checkpoints of this study need about {needed:,} bytes"
        raise StudyError([Problem(str(out), what, f"{free:,} that are free", "Make room, or choose another --out.")])


def _check_models(inputs: StudyInputs, todo: Sequence[Run], workers: int, say: Callable[[str], None]) -> int:
    """Build every kind of model once, so that an encoder that is not there is known before anything is trained.

    :param say: Called once with each line that encoders have for the user.
    :returns: About how many bytes all models will take, with the checkpoints of the largest: the model and, for each
        parameter, two moments, as often as there may be at the same time.
    """
    problems: list[Problem] = []
    notes: set[str] = set()
    sizes, models = dict[str, int](), 0
    for run in todo:
        plain = specification(run, inputs.tasks)
        kind = json.dumps([plain["encoder"], plain["sharing"], sorted(plain["tasks"])])
        if kind not in sizes:
            sizes[kind] = 0
            try:
                learned = inputs.encoders.learned(run.arm.encoder)
                model = build_model(plain, inputs.places, seed=0, code=inputs.code, learned=learned)
                inputs.encoders.keep_tokenizer(run.arm.encoder, model.tokenizer)
                notes |= {f"encoder: {note}" for encoder in model.sharing.encoders() for note in encoder.notes}
                sizes[kind] = sum(4 * parameter.numel() for parameter in model.parameters())
            except StudyError as error:
                problems += [replace(each, where=f"arms.{run.arm.name}: {each.where}") for each in error.problems]
        models += sizes[kind]
    if problems:
        raise StudyError(problems)
    for note in sorted(notes):
        say(note)
    return models + max(1, workers) * (checkpoint.KEPT + 1) * 3 * max(sizes.values(), default=0)


def study_outline(study: Study, tasks: Mapping[str, TaskData]) -> StudyOutline:
    """What the comparison is told of a study."""
    scored = {name: task.summary for name, task in tasks.items() if task.reported is not None}
    info = {key: getattr(study, key) for key in ("name", "question", "baseline", "seeds", "settings")}
    known = ("head", "dataset", "train", "dropped", "warnings")
    arms = {
        name: ArmResult(
            label=arm.label,
            description=arm.description,
            models="one per task" if arm.alone else "joint",
            tasks=list(arm.tasks),
            sweep=Sweep(key=arm.sweep[0], value=json_value(arm.sweep[1])) if arm.sweep else None,
            settings=json_value(arm.differs),
            runs=[RunResult(seed=run.seed, task=run.task, path=run.path) for run in runs(study) if run.arm is arm],
        )
        for name, arm in study.arms.items()
    }
    return StudyOutline(
        study=StudyInfo.model_validate(json_value(info | {"command": f"manyheads run {study.path}"})),
        tasks={task: TaskResult(**about.model_dump(include=set(known))) for task, about in scored.items()},
        arms=arms,
    )
