"""Read the results of a study back. A file that is not as it was written is refused before anything is made of it."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.sealed import seal_broken
from manyheads.core.strict_json import read_json
from manyheads.results.formats import COST_IN_FORMAT_1, DATA_IN_FORMAT_1, renamed
from manyheads.results.schema import FORMAT, StudyResults, validated

RESULTS = "results.json"
LIMIT = 20
AGAIN = "Give the folder that `manyheads run` wrote; run it to its end first."


def read_results(out: Path) -> StudyResults:
    """The results of a study's folder, in this format or an earlier one.

    :raises StudyError: If there are none, or they are not as `manyheads run` writes them.
    """
    path, problems = out / RESULTS, list[Problem]()
    content = read_json(path, problems)
    version = content.get("format", 1) if isinstance(content, dict) else FORMAT
    if not problems and version != FORMAT:
        if version != 1 or "format" in content:
            what, remedy = "its format is not one that this version reads, 1 or 2", "Use the manyheads that wrote it."
            raise StudyError([Problem(str(path), what, f"format {shown(version)}", remedy)])
        content = _from_format_1(content)
    if not problems:
        try:
            results = validated(StudyResults, content, str(path))
        except StudyError as error:
            problems = error.problems
        else:
            problems = list(_unknown_names(str(path), results))
            if not problems:
                return results
    raise StudyError([*problems[: LIMIT - 1], Problem(str(path), "cannot be used", "", AGAIN)])


def results_changed(out: Path) -> bool:
    """Whether `results.json` is not as `manyheads run` wrote it; False for one that does not say what it was."""
    content = read_json(out / RESULTS, [])
    return isinstance(content, dict) and seal_broken(content)


def _unknown_names(where: str, results: StudyResults) -> Iterator[Problem]:
    """Arms, tasks and runs that are named and not there."""
    arms, tasks, baseline = results.arms, results.tasks, results.study.baseline
    if baseline not in arms:
        yield Problem(where, "study.baseline is not one of the arms", shown(baseline))
    for part, entries in (("scores", results.scores), ("comparisons", results.comparisons)):
        for index, entry in enumerate(entries):
            if entry.arm not in arms or entry.task not in tasks:
                found = shown((entry.arm, entry.task))
                yield Problem(where, f"{part}.{index} is about an arm or a task that is not there", found)
    for index, run in enumerate(results.failed):
        planned = arms[run.arm].runs if run.arm in arms else ()
        if (run.seed, run.task) not in [(one.seed, one.task) for one in planned]:
            yield Problem(where, f"failed.{index} is a run that is not there", shown(run.model_dump()))


def _from_format_1(old: dict[str, Any]) -> dict[str, Any]:
    """The same as format 2 has it; what is no results at all stays so, for the check that follows.

    Format 1 held the drawings of analyses inside, where they now are files: those of the same content lie beside it.
    """

    def each(value: Any, change: Callable[[Any], Any]) -> Any:
        if isinstance(value, dict):
            return {key: change(part) for key, part in value.items()}
        return [change(part) for part in value] if isinstance(value, list) else value

    def arm(about: Any) -> Any:
        cost = {"cost": renamed(about.get("cost"), COST_IN_FORMAT_1) or None} if isinstance(about, dict) else {}
        return about | cost if cost else about

    def analysis(entry: Any) -> Any:
        def part(one: Any) -> Any:
            if not isinstance(one, dict) or not isinstance(svg := one.get("svg"), str):
                return one
            file = f"figures/{entry.get('name')}-{one.get('name')}.svg"
            return one | {"file": file, "sha256": hashlib.sha256(svg.encode("utf-8", "replace")).hexdigest()}

        return entry | {"parts": each(entry.get("parts"), part)} if isinstance(entry, dict) else entry

    machines = old.get("fingerprint", [])
    return old | {
        "format": FORMAT,
        "tasks": each(old.get("tasks"), lambda about: renamed(about, DATA_IN_FORMAT_1)),
        "arms": each(old.get("arms"), arm),
        "analyses": each(old.get("analyses", []), analysis),
        "fingerprints": [machines] if isinstance(machines, dict) else machines,
    }
