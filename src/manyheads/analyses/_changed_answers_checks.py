"""Which two arms are compared answer by answer; no torch, see `changed_answers.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.core.problems import Problem, shown, unknown_names


def chosen(plan: Mapping[str, Any], arms: Sequence[str]) -> tuple[str, str]:
    """The arm that answers are compared with, and the other: those that are named, else the only two."""
    before, after = arms or [plan["baseline"], *(arm for arm in plan["arms"] if arm != plan["baseline"])]
    return before, after


def shared(plan: Mapping[str, Any], arms: Sequence[str]) -> list[str]:
    """The scored tasks that all of these arms train, in the order of the study."""
    return [task for task in plan["tasks"] if all(task in plan["arms"][arm]["tasks"] for arm in arms)]


def problems(plan: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> list[Problem]:
    """What in the settings does not fit the study."""
    arms, tasks = settings.get("arms", ()), settings.get("tasks", ())
    names = list(plan["arms"])
    example = f"For example arms = {names[:2]}.".replace("'", '"')
    found = unknown_names(arms, names, f"{where}.arms")
    if arms and (len(arms) != 2 or len(set(arms)) != 2):
        found.append(Problem(f"{where}.arms", "should name two arms", shown(list(arms)), example))
    if not arms and len(names) != 2:
        what = "it compares two arms, and does not know which"
        found.append(Problem(f"{where}.arms", what, f"{len(names)} in the study", example))
    if found:
        return found
    pair = chosen(plan, arms)
    both = shared(plan, pair)
    if not both:
        what = f"the arms {pair[0]} and {pair[1]} train no scored task together"
        return [Problem(f"{where}.arms", what, "", "Choose two arms that answer the same questions.")]
    for key, given in (("tasks", tasks), ("metrics", settings.get("metrics") or {})):
        found += unknown_names(given, both, f"{where}.{key}")
    if settings.get("shown", 1) < 0:
        found.append(Problem(f"{where}.shown", "should be 0 or more", shown(settings["shown"]), ""))
    return found
