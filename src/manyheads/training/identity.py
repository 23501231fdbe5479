"""Whether a run in a folder is the run that the study has now: field by field."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.results.run_record import FinishedRecord, Identity, RunRecord, comparable

_BOTH = "Use --fresh, or another --out, to keep both; or remove this folder to train the run anew."


class OtherRunError(StudyError):
    """What a folder holds is of another version of the study. It is no failure of the run."""


def other_run(
    folder: Path, before: Identity | RunRecord, settings: JsonValue, data: Mapping[str, str | None]
) -> list[Problem]:
    """What a run was trained with that is not what the study has now.

    :param before: What its checkpoint or its record says.
    :param settings: Of the run, as the study has them.
    :param data: Task -> hash of its data.
    """
    problems = _differences(str(folder), comparable(before.settings, before.format), settings)
    if isinstance(before, Identity | FinishedRecord):
        for task, now in data.items():
            known = before.data.get(task)
            if (known if isinstance(known, str | None) else known.hash) != now:
                problems.append(Problem(str(folder), f"the data of {task} has changed since this run", "", _BOTH))
    return problems


def _differences(where: str, before: JsonValue, now: JsonValue, key: str = "") -> list[Problem]:
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            problem
            for name in dict.fromkeys([*before, *now])
            for problem in _differences(where, before.get(name), now.get(name), f"{key}.{name}" if key else name)
        ]
    if before == now:
        return []
    return [Problem(where, f"was trained with {key} = {shown(before)}", f"{shown(now)} in the study", _BOTH)]
