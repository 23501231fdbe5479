"""A whole study: check, plan, execute what is not done yet, compare, present."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from manyheads.core.atomic_files import links_below, room, write_whole
from manyheads.core.problems import Problem, StudyError
from manyheads.data.token_cache import default_folder
from manyheads.report import html_page, plots, tables
from manyheads.results.compare import compare, write_results
from manyheads.results.outline import ArmOutline, PlannedRun, StudyOutline, TaskOutline
from manyheads.results.records import read_records
from manyheads.results.schema import StudyResults, Sweep
from manyheads.runner.analyses import FIGURES, FOLDER, analyse
from manyheads.runner.analysis_inputs import RunsOnDisk
from manyheads.runner.lock import Lock
from manyheads.runner.pool import HUNG, LOCK, execute
from manyheads.runner.progress import Progress
from manyheads.runner.status import state_of
from manyheads.study.parser import read_study
from manyheads.study.spec import Study
from manyheads.study.steps import Run, runs
from manyheads.study.tasks import TaskData, read_tasks
from manyheads.training import checkpoint
from manyheads.training.model import build_model
from manyheads.training.resume import clear
from manyheads.training.run import specification
from manyheads.training.workshop import Workshop


def conduct(
    path: Path, out: Path | None, data: Path | None, code: Path | None, *,
    workers: int, fresh: bool, progress: Progress, retry_failed: bool = False, hung_after: float = HUNG,
) -> tuple[StudyResults, Path]:  # fmt: skip
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
    progress.say(f"{study.path}: reading {len(study.tasks)} tasks")
    tasks = read_tasks(study, data, code)
    _warn(tasks, progress)
    workshop = Workshop(study, tasks, data, code, folder=default_folder(), say=progress.say)
    outline = study_outline(study, tasks)
    state = state_of(workshop, out, outline)
    for run in state.finished:
        clear(out / run.path)  # a run that was killed between its record and its end has left its checkpoints
    jobs = state.jobs(retry_failed)
    needed = _check_models(workshop, [job.run for job in jobs], workers, progress.say)
    _open_folder(out, study, needed)
    progress.say(f"{len(runs(study))} runs in {out}: {state.counts(retry_failed)}")
    for line in state.damaged:
        progress.say(line)
    if jobs:
        workshop.prepare([job.run for job in jobs], progress.prepare)
        progress.say(workshop.prepared())
    progress.expect(sum(len(workshop.layout(job.run).steps) for job in jobs))
    done = execute(jobs, workshop, out, progress.report, workers=workers, hung_after=hung_after, say=progress.say)
    for record in done:
        for note in record.get("notes", []):
            progress.say(f"{record['arm']}/{record['seed']}: {note}")
        if record["status"] == "failed":
            progress.say(f"{record['arm']}/{record['seed']}: failed: {record['reason']}")
    with Lock(out / LOCK, wait=True):
        state_of(workshop, out, outline)  # runs of other commands are of this study too
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
        for reason, count in summary["dropped"].items():
            progress.say(f"{name}: {count} examples left out: {reason}")
        for warning in summary["warnings"]:
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


def _check_models(workshop: Workshop, todo: Sequence[Run], workers: int, say: Callable[[str], None]) -> int:
    """Build every kind of model once, so that an encoder that is not there is known before anything is trained.

    :param say: Called once with each line that encoders have for the user.
    :returns: About how many bytes all models will take, with the checkpoints of the largest: the model and, for each
        parameter, two moments, as often as there may be at the same time.
    """
    problems: list[Problem] = []
    notes: set[str] = set()
    kinds, sizes, models = {}, {}, 0
    for run in todo:
        plain = specification(run, {task: workshop.tasks[task] for task in run.tasks})
        kind = json.dumps([plain["encoder"], plain["sharing"], sorted(plain["tasks"])])
        if kind not in kinds:
            kinds[kind] = (run, plain)
            try:
                learned = workshop.learned(run.arm.encoder)
                model = build_model(plain, workshop.places, seed=0, code=workshop.code, learned=learned)
                workshop.know(run.arm.encoder, model.tokenizer)
                notes |= {f"encoder: {note}" for encoder in model.sharing.encoders() for note in encoder.notes}
                sizes[kind] = sum(4 * parameter.numel() for parameter in model.parameters())
            except StudyError as error:
                problems += [replace(each, where=f"arms.{run.arm.name}: {each.where}") for each in error.problems]
        models += sizes.get(kind, 0)
    if problems:
        raise StudyError(problems)
    for note in sorted(notes):
        say(note)
    return models + max(1, workers) * (checkpoint.KEPT + 1) * 3 * max(sizes.values(), default=0)


def study_outline(study: Study, tasks: Mapping[str, TaskData]) -> StudyOutline:
    """What the comparison is told of a study."""
    scored = {name: task.summary for name, task in tasks.items() if task.reported is not None}
    return StudyOutline(
        name=study.name,
        question=study.question,
        command=f"manyheads run {study.path}",
        baseline=study.baseline,
        seeds=study.seeds,
        settings=study.settings,
        tasks={
            name: TaskOutline(
                head=about["head"],
                dataset=about["dataset"],
                train=about["train"],
                dropped=about["dropped"],
                warnings=about["warnings"],
                hash=about["hash"],
            )
            for name, about in scored.items()
        },
        arms={
            name: ArmOutline(
                tasks=list(arm.tasks),
                runs=[PlannedRun(run.seed, run.task, run.path) for run in runs(study) if run.arm.name == name],
                models="one per task" if arm.alone else "joint",
                label=arm.label,
                description=arm.description,
                sweep=Sweep(key=arm.sweep[0], value=arm.sweep[1]) if arm.sweep else None,
                settings=dict(arm.differs),
            )
            for name, arm in study.arms.items()
        },
    )
