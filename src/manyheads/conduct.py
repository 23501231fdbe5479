"""A whole study: check, plan, execute what is not done yet, compare, present."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from manyheads import __version__, plots, report, tables
from manyheads.compare import compare
from manyheads.execute import execute
from manyheads.model import build_model
from manyheads.plan import Run, runs
from manyheads.progress import Progress
from manyheads.records import FINISHED, read_records
from manyheads.resume import identity_of
from manyheads.run import run_settings, specification
from manyheads.study import Study
from manyheads.study_file import read_study
from manyheads.tasks import TaskData, read_tasks
from manyheads.token_cache import default_folder
from manyheads.types import Problem, StudyError, shown
from manyheads.workshop import Workshop

RESULTS = "results.json"


def conduct(
    path: Path, out: Path | None, data: Path | None, code: Path | None, *, workers: int, fresh: bool, progress: Progress
) -> tuple[dict[str, Any], Path, list[dict[str, Any]]]:
    """Run a study to its end.

    :returns: The results, the folder they are in, and the runs that failed (`arm`, `seed`, `task`, `reason`).
    :raises StudyError: If the study, its data or the folder is not as it should be; nothing is trained then.
    """
    study = read_study(path, code)
    out = _folder(out or Path("runs") / study.name, fresh)
    progress.say(f"{study.path}: reading {len(study.tasks)} tasks")
    tasks = read_tasks(study, data, code)
    _warn(tasks, progress)
    workshop = Workshop(study, tasks, data, code, folder=default_folder(), say=progress.say)
    plan = comparison_plan(study, tasks)
    todo = _unfinished(workshop, out, plan)
    _check_models(workshop, todo)
    _open_folder(out, study)
    all_runs = runs(study)
    progress.say(f"{len(all_runs)} runs in {out}: {len(all_runs) - len(todo)} finished, {len(todo)} to do")
    if todo:
        workshop.prepare(todo, progress.prepare)
        progress.say(workshop.prepared())
    progress.expect(sum(len(workshop.layout(run).steps) for run in todo))
    for record in execute(todo, workshop, out, progress.report, workers=workers):
        for note in record.get("notes", []):
            progress.say(f"{record['arm']}/{record['seed']}: {note}")
    progress.say("comparing")
    results = compare(out, plan)
    present(results, out)
    return results, out, results["failed"]


def present(results: Mapping[str, Any], out: Path) -> None:
    """Write tables, figures and the report."""
    tables.write(results, out)
    figures = plots.figures(results, out)
    plots.write(figures, out)
    report.write(results, out, figures)


def read_results(out: Path) -> dict[str, Any]:
    """The results of a study's folder.

    :raises StudyError: If there are none.
    """
    try:
        results = json.loads((out / RESULTS).read_text("utf-8"))
        missing = {"study", "arms", "tasks", "scores", "comparisons", "answer"} - set(results)
        if missing:
            raise ValueError(f"lacks {', '.join(sorted(missing))}")
    except (OSError, ValueError, TypeError) as error:
        remedy = "Give the folder that `manyheads run` wrote; run it to its end first."
        raise StudyError([Problem(str(out / RESULTS), "cannot be read", str(error), remedy)]) from error
    return results


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


def _open_folder(out: Path, study: Study) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "study.toml").write_text(study.text, "utf-8")
    except OSError as error:
        raise StudyError(
            [Problem(str(out), f"cannot be written to: {error.strerror}", "", "Choose another --out.")]
        ) from error


def _check_models(workshop: Workshop, todo: Sequence[Run]) -> None:
    """Build every kind of model once, so that an encoder that is not there is known before anything is trained."""
    problems: list[Problem] = []
    kinds = {}
    for run in todo:
        plain = specification(run, {task: workshop.tasks[task] for task in run.tasks})
        kinds.setdefault(json.dumps([plain["encoder"], plain["sharing"], sorted(plain["tasks"])]), (run, plain))
    for run, plain in kinds.values():
        try:
            model = build_model(plain, workshop.places, seed=0, code=workshop.code)
            workshop.know(run.arm.encoder, model.tokenizer)
        except StudyError as error:
            problems += [replace(problem, where=f"arms.{run.arm.name}: {problem.where}") for problem in error.problems]
    if problems:
        raise StudyError(problems)


def _unfinished(workshop: Workshop, out: Path, plan: Mapping[str, Any]) -> list[Run]:
    """The runs without a finished record and its predictions.

    :raises StudyError: If a finished run, or one that would go on from its checkpoint, is of other settings, another
        version or other data than the study's.
    """
    problems, todo = [], []
    records = {record.path: record for record in read_records(out, plan)}
    for run in runs(workshop.study):
        record = records[run.path]
        where, content = str(out / run.path), record.content
        if record.status == FINISHED:
            hashes = {task: content.get("data", {}).get(task, {}).get("hash") for task in run.tasks}
        else:
            todo.append(run)
            content = identity_of(out / run.path)
            if not content:
                continue
            hashes = content["data"]
        now = {"version": __version__, **run_settings(run, workshop)}
        before = {"version": content.get("version"), **content.get("settings", {})}
        problems += _differences(where, before, _as_json(now))
        for task in run.tasks:
            if hashes.get(task) != workshop.tasks[task].summary["hash"]:
                what = f"the data of {task} has changed since this run"
                problems.append(Problem(where, what, "", "Use --fresh, or another --out."))
    if problems:
        raise StudyError(problems)
    return todo


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
    remedy = "Use --fresh, or another --out, to keep both."
    return [Problem(where, f"was trained with {key} = {shown(before)}", f"{shown(now)} in the study", remedy)]


def comparison_plan(study: Study, tasks: Mapping[str, TaskData]) -> dict[str, Any]:
    """What the comparison must know of a study, as plain values."""
    arms = {}
    for name, arm in study.arms.items():
        arms[name] = {
            "label": arm.label,
            "description": arm.description,
            "models": "one per task" if arm.alone else "joint",
            "tasks": list(arm.tasks),
            "sweep": {"key": arm.sweep[0], "value": arm.sweep[1]} if arm.sweep else None,
            "settings": dict(arm.differs),
            "runs": [
                {"seed": run.seed, "task": run.task, "path": run.path} for run in runs(study) if run.arm.name == name
            ],
        }
    return {
        "version": __version__,
        "name": study.name,
        "question": study.question,
        "command": f"manyheads run {study.path}",
        "baseline": study.baseline,
        "seeds": list(study.seeds),
        "settings": study.settings,
        "tasks": {name: task.summary for name, task in tasks.items() if task.reported is not None},
        "arms": arms,
    }
