"""Read the results of a study back. A file that is not as it was written is refused before anything is made of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.strict_json import read_json
from manyheads.results.schema import Results, unlike

RESULTS = "results.json"
LIMIT = 20
AGAIN = "Give the folder that `manyheads run` wrote; run it to its end first."


def read_results(out: Path) -> dict[str, Any]:
    """The results of a study's folder.

    :raises StudyError: If there are none, or they are not as `manyheads run` writes them.
    """
    path, problems = out / RESULTS, list[Problem]()
    results = read_json(path, problems)
    if not problems:
        problems = list(unlike(Results, results, str(path))) or list(_name_problems(str(path), results))
    if problems:
        raise StudyError([*problems[: LIMIT - 1], Problem(str(path), "cannot be used", "", AGAIN)])
    return results


def _name_problems(where: str, results: Mapping[str, Any]) -> Iterator[Problem]:
    """Arms, tasks and runs that are named and not there."""
    arms, tasks, baseline = results["arms"], results["tasks"], results["study"]["baseline"]
    if baseline not in arms:
        yield Problem(where, "study.baseline is not one of the arms", shown(baseline))
    for part in ("scores", "comparisons"):
        for index, entry in enumerate(results[part]):
            if entry["arm"] not in arms or entry["task"] not in tasks:
                found = shown((entry["arm"], entry["task"]))
                yield Problem(where, f"{part}.{index} is about an arm or a task that is not there", found)
    for index, run in enumerate(results["failed"]):
        planned = [(one["seed"], one["task"]) for one in arms.get(run["arm"], {}).get("runs", ())]
        if (run["seed"], run["task"]) not in planned:
            yield Problem(where, f"failed.{index} is a run that is not there", shown(run))
