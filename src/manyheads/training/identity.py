"""Whether a run in a folder is the run that the study has now: field by field."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.results.run_record import FORMAT, FinishedRecord, Identity, RunRecord, RunSettings, comparable

_BOTH = "Use --fresh, or another --out, to keep both; or remove this folder to train the run anew."


class OtherRunError(StudyError):
    """What a folder holds is of another version of the study. It is no failure of the run."""


def other_run(
    folder: Path, before: Identity | RunRecord, now: RunSettings, data: Mapping[str, str | None]
) -> list[Problem]:
    """What a run was trained with that is not what the study has now.

    :param before: What its checkpoint or its record says.
    :param now: The run's settings, as the study has them.
    :param data: Task -> hash of its data.
    """
    then = before.settings
    if None in (then.encoder.weights, now.encoder.weights):  # of one of them nobody wrote down
        then, now = _without_weights(then), _without_weights(now)
    problems = _differences(str(folder), comparable(then, before.format), comparable(now, FORMAT))
    if isinstance(before, Identity | FinishedRecord):
        for task, hashed in data.items():
            known = before.data.get(task)
            if (known if isinstance(known, str | None) else known.hash) != hashed:
                problems.append(Problem(str(folder), f"the data of {task} has changed since this run", "", _BOTH))
    return problems


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
