"""Which heads can be given another task's texts; no torch, see `crossed_heads.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.core.problems import Problem, shown, unknown_names

HEAD = "classification"


def crossings(plan: Mapping[str, Any], arms: Sequence[str], tasks: Sequence[str]) -> list[tuple[str, str]]:
    """(whose texts, whose head) of two tasks with a classification head: those that an arm trains jointly, else all
    that arms train at all."""
    arms = arms or list(plan["arms"])
    tasks = tasks or list(plan["tasks"])
    wanted = [task for task, about in plan["tasks"].items() if about["head"] == HEAD and task in tasks]
    trained = {task for arm in arms for task in plan["arms"][arm]["tasks"]}
    every = [(one, other) for one in wanted for other in wanted if one != other and {one, other} <= trained]
    joint = [pair for pair in every if any(_together(plan, arm, pair) for arm in arms)]
    return joint or every


def _together(plan: Mapping[str, Any], arm: str, pair: tuple[str, str]) -> bool:
    about = plan["arms"][arm]
    return about["models"] == "joint" and set(pair) <= set(about["tasks"])


def problems(plan: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> list[Problem]:
    """What in the settings does not fit the study."""
    arms, tasks = settings.get("arms", ()), settings.get("tasks", ())
    found = unknown_names(arms, plan["arms"], f"{where}.arms") + unknown_names(tasks, plan["tasks"], f"{where}.tasks")
    if settings.get("probed", 0) < 0:
        found.append(Problem(f"{where}.probed", "should be 0 or more", shown(settings["probed"])))
    if found:
        return found
    for task in tasks:
        if plan["tasks"][task]["head"] != HEAD:
            what, head = "only heads of this kind can be crossed: classification", plan["tasks"][task]["head"]
            found.append(Problem(f"{where}.tasks", what, f'{task}, whose head is "{head}"', "Leave the task out."))
    if not found and not crossings(plan, arms, tasks):
        what = "there are no two tasks with a classification head that these arms train"
        found.append(Problem(where, what, "", "Name other arms or tasks, or leave this analysis out."))
    return found
