"""A whole study: check, plan, execute what is not done yet, compare, present."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manyheads import __version__, plots, report, tables
from manyheads.compare import compare
from manyheads.execute import execute
from manyheads.plan import Run, runs
from manyheads.progress import Progress
from manyheads.run import RECORD, Workshop, run_settings, write_json
from manyheads.study import Study
from manyheads.study_file import read_study
from manyheads.tasks import TaskData, read_tasks
from manyheads.types import Problem, StudyError, shown

RESULTS = "results.json"


def conduct(
    path: Path, out: Path | None, data: Path | None, code: Path | None, *, workers: int, fresh: bool, progress: Progress
) -> tuple[dict[str, Any], Path, list[dict[str, Any]]]:
    """Run a study to its end.

    :returns: The results, the folder they are in, and the runs that failed (`path` and `reason`).
    :raises StudyError: If the study, its data or the folder is not as it should be; nothing is trained then.
    """
    study = read_study(path, code)
    out = _folder(out or Path("runs") / study.name, fresh)
    progress.say(f"{study.path}: reading {len(study.tasks)} tasks")
    tasks = read_tasks(study, data, code)
    _warn(tasks, progress)
    workshop = Workshop(study, tasks, data, code)
    todo = _unfinished(workshop, out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "study.toml").write_text(study.text, "utf-8")
    all_runs = runs(study)
    progress.say(f"{len(all_runs)} runs in {out}: {len(all_runs) - len(todo)} finished, {len(todo)} to do")
    progress.expect(sum(len(workshop.layout(run).steps) for run in todo))
    execute(todo, workshop, out, progress.report, workers=workers)
    progress.say("comparing")
    results = compare(out, comparison_plan(study, tasks))
    write_json(out / RESULTS, results)
    present(results, out)
    return results, out, _failed(all_runs, out)


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
        return json.loads((out / RESULTS).read_text("utf-8"))
    except (OSError, ValueError) as error:
        remedy = "Give the folder that `manyheads run` wrote; run it to its end first."
        raise StudyError([Problem(str(out / RESULTS), "cannot be read", str(error), remedy)]) from error


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


def _unfinished(workshop: Workshop, out: Path) -> list[Run]:
    """The runs without a finished record.

    :raises StudyError: If a finished record is of other settings or other data than the study's.
    """
    problems, todo = [], []
    hashes = {name: task.summary["hash"] for name, task in workshop.tasks.items()} if out.is_dir() else {}
    for run in runs(workshop.study):
        record = _record(out / run.path / RECORD)
        if record.get("status") != "finished":
            todo.append(run)
            continue
        problems += _differences(str(out / run.path), record["settings"], _as_json(run_settings(run, workshop)))
        for task in run.tasks:
            if record["data"][task]["hash"] != hashes[task]:
                what = f"the data of {task} has changed since this run"
                problems.append(Problem(str(out / run.path), what, "", "Use --fresh, or another --out."))
    if problems:
        raise StudyError(problems)
    return todo


def _record(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


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


def _failed(all_runs: Sequence[Run], out: Path) -> list[dict[str, Any]]:
    records = [(run, _record(out / run.path / RECORD)) for run in all_runs]
    return [
        {"path": run.path, "reason": record.get("reason", "no record")}
        for run, record in records
        if record.get("status") != "finished"
    ]


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
