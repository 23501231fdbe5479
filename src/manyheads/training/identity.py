"""What a run is, and whether the run in a folder is the one that the study has now: field by field."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.version import __version__
from manyheads.results.formats import FORMAT
from manyheads.results.run_record import FinishedRecord, Identity, RunRecord, RunSettings, comparable
from manyheads.study.methods import resolved_method
from manyheads.study.spec import Choice
from manyheads.study.steps import Run, batch_sizes
from manyheads.study.tasks import TaskData
from manyheads.training.device import fingerprint, precision
from manyheads.training.inputs import StudyInputs
from manyheads.training.model import Specification

_BOTH = "Use --fresh, or another --out, to keep both; or remove this folder to train the run anew."


class OtherRunError(StudyError):
    """What a folder holds is of another version of the study. It is no failure of the run."""


def identity_now(run: Run, inputs: StudyInputs) -> Identity:
    """What a run is, as the study, its data and this machine have it now."""
    return Identity(
        version=__version__,
        settings=run_settings(run, inputs),
        fingerprint=fingerprint(precision(run.arm.training.precision)),
        data={task: inputs.tasks[task].hash for task in run.tasks},
    )


def specification(run: Run, tasks: Mapping[str, TaskData]) -> Specification:
    """The model of a run as plain values."""
    sharing = Choice("hard") if run.arm.alone else run.arm.sharing
    return {
        "version": __version__,
        "encoder": _plain(run.arm.encoder),
        "sharing": _plain(sharing),
        "tasks": {
            task: {
                "head": _plain(tasks[task].task.head),
                "labels": None if tasks[task].train.labels is None else list(tasks[task].train.labels or ()),
                "columns": list(tasks[task].train.rows.column_names),
            }
            for task in run.tasks
        },
    }


def run_settings(run: Run, inputs: StudyInputs) -> RunSettings:
    """Everything that makes a run what it is, as JSON has it."""
    arm, sizes = run.arm, batch_sizes(run.arm, inputs.study)

    def resolved(family: str, choice: Choice) -> dict[str, object]:
        return resolved_method(family, choice, inputs.code)

    tasks = {
        name: {
            "dataset": resolved("datasets", given.task.dataset),
            "head": resolved("heads", given.task.head),
            "examples": given.task.examples,
            "batch_size": sizes[name],
            "report": given.split,
        }
        for name, given in inputs.tasks.items()
        if name in run.tasks
    }
    methods = () if arm.alone else ("sampling", "weighting", "sharing")
    budget = {"match": "steps", "steps": len(inputs.layout(run).steps)} if arm.match else dict([arm.budget.given])
    settings = {
        "seed": run.seed,
        "models": "one per task" if arm.alone else "joint",
        "encoder": inputs.encoders.described(arm.encoder),
        "training": arm.training.model_dump(mode="json", exclude={"checkpoint"}),
        "budget": budget,
        "tasks": tasks,
        **{family: resolved(family, getattr(arm, family)) for family in methods},
    }
    return RunSettings.model_validate_json(json.dumps(settings))


def _plain(choice: Choice) -> Specification:
    return {"name": choice.name, "settings": dict(choice.settings)}


def other_run(
    folder: Path, before: Identity | RunRecord, now: RunSettings, data: Mapping[str, str | None]
) -> list[Problem]:
    """What a run was trained with that is not what the study has now.

    :param before: What its checkpoint or its record says.
    :param now: The run's settings, as the study has them.
    :param data: Task -> hash of its data.
    """
    problems = _differences(str(folder), *_compared(before, now))
    if isinstance(before, Identity | FinishedRecord):
        for task, hashed in data.items():
            known = before.data.get(task)
            if (known if isinstance(known, str | None) else known.hash) != hashed:
                problems.append(Problem(str(folder), f"the data of {task} has changed since this run", "", _BOTH))
    return problems


def same_settings(before: Identity | RunRecord, now: RunSettings) -> bool:
    """Whether a run was trained with these settings, whatever its data."""
    then, told = _compared(before, now)
    return then == told


def _compared(before: Identity | RunRecord, now: RunSettings) -> tuple[JsonValue, JsonValue]:
    """Both settings in the words of today; without the encoder's weights, if of one of them nobody wrote them down."""
    then = before.settings
    if None in (then.encoder.weights, now.encoder.weights):
        then, now = _without_weights(then), _without_weights(now)
    return comparable(then, before.format), comparable(now, FORMAT)


def weights_untold(then: RunSettings, now: RunSettings) -> bool:
    """Whether an older record does not say which weights the encoder started from, which is now known."""
    return then.encoder.weights is None and now.encoder.weights is not None


def _without_weights(settings: RunSettings) -> RunSettings:
    return settings.model_copy(update={"encoder": settings.encoder.model_copy(update={"weights": None})})


def _differences(where: str, before: JsonValue, now: JsonValue, key: str = "") -> list[Problem]:
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
