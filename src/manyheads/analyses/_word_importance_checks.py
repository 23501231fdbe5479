"""Which models' words can be compared; no torch, see `word_importance.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.core.problems import Problem, shown, unknown_names

HEAD = "classification"


def chosen(plan: Mapping[str, Any], tasks: Sequence[str]) -> list[str]:
    """The tasks to look at: those that are named, else all with a classification head."""
    return [task for task, about in plan["tasks"].items() if about["head"] == HEAD and task in (tasks or plan["tasks"])]


def problems(plan: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> list[Problem]:
    """What in the settings does not fit the study."""
    arms, tasks = settings.get("arms", ()), settings.get("tasks", ())
    found = unknown_names(arms, plan["arms"], f"{where}.arms") + unknown_names(tasks, plan["tasks"], f"{where}.tasks")
    for key, least in (("least", 1), ("shown", 1), ("texts", 0), ("permutations", 99)):
        if settings.get(key, least) < least:
            found.append(Problem(f"{where}.{key}", f"should be {least} or more", shown(settings[key])))
    if found:
        return found
    others = [task for task in tasks if plan["tasks"][task]["head"] != HEAD]
    for task in others:
        what, head = "it asks which words matter to a class", plan["tasks"][task]["head"]
        found.append(Problem(f"{where}.tasks", what, f'{task}, whose head is "{head}"', "Leave the task out."))
    known = chosen(plan, tasks)
    trained = [task for arm in arms or plan["arms"] for task in plan["arms"][arm]["tasks"]]
    if not others and not set(known) & set(trained):
        what = "none of these arms trains a task with a classification head"
        found.append(Problem(where, what, "", "Name other arms, or leave this analysis out."))
    return found
