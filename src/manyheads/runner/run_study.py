"""A whole study: check, plan, execute what is not done yet, compare, present."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from manyheads.core.atomic_files import room
from manyheads.core.lock import locked
from manyheads.core.printable import printable, private
from manyheads.core.problems import Problem, StudyError
from manyheads.data.token_cache import default_folder
from manyheads.report import html_page, plots, tables
from manyheads.results.compare import compare, write_results
from manyheads.results.records import read_records
from manyheads.results.run_record import FailedRecord, RunRecord, record_hash
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
from manyheads.runner.analyses import analyse
from manyheads.runner.analysis_inputs import RunsOnDisk
from manyheads.runner.kept_models import damaged_lines, leave_out, left_out_line
from manyheads.runner.pool import HUNG, STOP_WITHIN, in_processes
from manyheads.runner.progress import Progress
from manyheads.runner.queue import RunQueue
from manyheads.runner.status import as_before, study_status
from manyheads.runner.study_folder import (
    check_owner,
    holds_a_run_of,
    keep_text,
    left_over,
    refuse_obstacles,
    take,
)
from manyheads.study.limits import check_steps
from manyheads.study.parser import read_study
from manyheads.study.spec import Study
from manyheads.study.steps import Run, runs
from manyheads.study.tasks import TaskData, examples, read_tasks
from manyheads.training import checkpoint
from manyheads.training.identity import specification
from manyheads.training.inputs import StudyInputs
from manyheads.training.model import build_model
from manyheads.training.resume import clear, saved_step
from manyheads.training.run import LOCK, run_once
from manyheads.training.signals import StopSignals

TOLD_APART = 5
"""So many differences are named of a folder that is another study's."""


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
    stop_within: float = STOP_WITHIN,
    verify: bool = True,
) -> tuple[StudyResults, Path]:
    """Run a study to its end. Several commands may do so at once; they share the work.

    After a signal to stop, runs are saved first, and it is said what each can go on from.

    :param workers: How many processes do runs; with 0, this one does.
    :param retry_failed: Do the runs again that failed before; without, they stay failed.
    :param hung_after: Seconds without a sign of life after which a run has failed.
    :param stop_within: Seconds that workers have to save their runs after a signal.
    :param verify: Read the files of finished runs, to see that they are as they were written; without, only whether
        they are there, and their sizes.
    :returns: The results, and the folder they are in.
    :raises StudyError: If the study, its data or the folder is not as it should be; nothing is trained then.
    :raises HaltedError: If the disk takes no more; what was done is kept.
    :raises KeyboardInterrupt: After a signal to stop.
    """
    with StopSignals() as stop, stop.at_once():
        study = read_study(path, code)
        out, paths = _folder(out or Path("runs") / study.name, fresh), [run.path for run in runs(study)]
        refuse_obstacles(out, paths)
        study = as_before(study, out, code, progress.say)
        progress.say(f"{study.path}: reading {len(study.tasks)} tasks")
        tasks = read_tasks(study, data, code)
        check_steps(study, examples(tasks), code)
        _warn(tasks, progress)
        inputs = StudyInputs(study, tasks, data, code, cache=default_folder(), say=progress.say)
        outline = study_outline(study, tasks)

        def explained() -> bool:
            return holds_a_run_of(inputs, out, outline)

        try:
            check_owner(out, study.name, explained)
        except StudyError as error:
            raise StudyError([*error.problems, *_told_apart(inputs, out, outline)]) from None
        status = study_status(inputs, out, outline)
        for run in status.finished:
            clear(out / run.path)  # a run that was killed between its record and its end has left its checkpoints
        waiting = status.to_do(retry_failed)
        to_do = [one.run for one in waiting]
        needed = _check_models(inputs, to_do, workers, progress.say)
        _open_folder(out, study, explained, needed)
        progress.say(f"{len(runs(study))} runs in {out}: {status.counts(retry_failed)}")
        records = read_records(out, outline)
        for line in [*status.damaged, *damaged_lines(out, records, study.keep_models, contents=verify)]:
            progress.say(line)
        if status.untold:
            which = f"{status.untold[0]} and {len(status.untold) - 1} more" if status.untold[1:] else status.untold[0]
            progress.say(f"{which}: not recorded which weights the encoder started from, so they are not compared")
        if left := left_over(out, paths):
            progress.say(f"kept, though no longer in the study: {', '.join(left)}")
        if waiting:
            inputs.prepare(to_do, progress.prepare)
            progress.say(inputs.tokens.told())
        progress.expect(sum(inputs.steps(run) for run in to_do))
        queue = RunQueue(waiting, out, progress.say)
        if workers and waiting:
            done = in_processes(
                queue, inputs, out, progress.report, workers=workers, hung_after=hung_after, stop_within=stop_within
            )
        else:
            done = _in_this_process(queue, inputs, out, progress, stop)
        try:
            with stop.in_time(), closing(done):
                for record in done:
                    for note in record.notes:
                        progress.say(f"{record.arm}/{record.seed}: {note}")
                    if isinstance(record, FailedRecord):
                        progress.say(f"{record.arm}/{record.seed}: failed: {record.reason}")
                    elif study.keep_models != "all" and not study.analyses:  # which may read any model
                        leave_out(out, read_records(out, outline), study.keep_models)
            stop.obey()
        except KeyboardInterrupt:
            _say_what_is_saved(queue, out, progress)
            raise
        with locked(out / LOCK, wait=True):
            refuse_obstacles(out, paths)
            study_status(inputs, out, outline)  # runs of other commands are of this study too
            keep_text(out, study.name, study.text)
            progress.say("comparing")
            results = compare(out, outline)
            if study.analyses:
                known = RunsOnDisk(out, study, tasks, results, read_records(out, outline), code)
                found = analyse(study.analyses, known, code, progress.say)
                results = results.model_copy(update={"analyses": found})
                write_results(out, results)
            present(results, out)
            if without := leave_out(out, read_records(out, outline), study.keep_models):
                progress.say(left_out_line(without, study.keep_models))
        return results, out


def _told_apart(inputs: StudyInputs, out: Path, outline: StudyOutline) -> list[Problem]:
    """In what runs of a folder that is not this study's differ from the study's runs of the same names, in part."""
    try:
        study_status(inputs, out, outline)
    except StudyError as error:
        return error.problems[:TOLD_APART]
    return []


def _in_this_process(
    queue: RunQueue, inputs: StudyInputs, out: Path, progress: Progress, stop: StopSignals
) -> Generator[RunRecord, None, None]:
    """Do the runs of a queue one after another. Other commands may do runs of the same study meanwhile: each run is
    done by one of them, and by another if that one dies."""
    said: list[str] = []

    def report(run: Run, done: int, steps: int, what: str) -> None:
        progress.report(run, done, steps, what)
        if stop.received and not said:
            said.append(f"stopping: {run.path} is saved first; Ctrl-C again stops at once")
            progress.say(said[0])

    while True:
        with stop.at_once():
            one = queue.next()
        if one is None:
            return
        record = run_once(one.run, inputs, out, report, seen=one.seen)
        if record is None:
            queue.put_back(one)
        else:
            yield record


def _say_what_is_saved(queue: RunQueue, out: Path, progress: Progress) -> None:
    """Of each run that was begun and is not done, what is on the disk to go on from."""
    for one in queue.begun:
        folder = out / one.run.path
        if record_hash(folder) == one.seen:
            step = saved_step(folder)
            saved = (
                "has no checkpoint, and begins anew" if step is None else f"goes on from its checkpoint of step {step}"
            )
            progress.say(f"{one.run.path}: {saved}")


def present(results: StudyResults, out: Path, notes: Sequence[str] = ()) -> None:
    """Write tables, figures and the report.

    :param notes: What the report says of the folder: files that are damaged, or do not agree.
    """
    tables.write(results, out)
    figures = plots.figures(results, out)
    plots.write(figures, out)
    html_page.write(results, out, figures, notes)


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


def _open_folder(out: Path, study: Study, explained: Callable[[], bool], needed: int) -> None:
    """Make the study's folder, if it may have it, and see that there is room."""
    try:
        take(out, study.name, study.text, explained)
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


def _shared_path(path: Path) -> str:
    """A study's file as others may be told: from where the command was given, or its name alone."""
    return printable(path.name if path.is_absolute() or ".." in path.parts else path)


def study_outline(study: Study, tasks: Mapping[str, TaskData]) -> StudyOutline:
    """What the comparison is told of a study."""
    scored = {name: task.summary for name, task in tasks.items() if task.reported is not None}
    info = {key: getattr(study, key) for key in ("name", "question", "baseline", "seeds")}
    info["settings"] = private(study.settings)
    known = ("head", "dataset", "train", "dropped", "warnings")
    arms = {
        name: ArmResult(
            label=arm.label,
            description=arm.description,
            models="one per task" if arm.alone else "joint",
            tasks=list(arm.tasks),
            sweep=Sweep(key=arm.sweep[0], value=json_value(arm.sweep[1])) if arm.sweep else None,
            settings=json_value(private(arm.differs)),
            runs=[RunResult(seed=run.seed, task=run.task, path=run.path) for run in runs(study) if run.arm is arm],
        )
        for name, arm in study.arms.items()
    }
    return StudyOutline(
        study=StudyInfo.model_validate(json_value(info | {"command": f"manyheads run {_shared_path(study.path)}"})),
        tasks={task: TaskResult(**private(about.model_dump(include=set(known)))) for task, about in scored.items()},
        arms=arms,
    )
