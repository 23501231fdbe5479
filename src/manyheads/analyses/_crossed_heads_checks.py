"""Which heads can be given another task's texts, and what in the settings does not fit the study."""

from collections.abc import Sequence
from itertools import permutations

from manyheads.core.problems import Problem, unknown_names
from manyheads.core.values import Options
from manyheads.study.spec import Study

HEAD = "classification"


def crossings(study: Study, arms: Sequence[str], tasks: Sequence[str]) -> list[tuple[str, str]]:
    """(task of the texts, task of the head) for all tasks with a classification head that an arm trains jointly; if no
    arm trains two such tasks jointly, for all that are trained at all. Tasks read in windows are left out."""
    chosen = [study.arms[arm] for arm in arms or study.arms]
    trained = {task for arm in chosen for task in arm.tasks}
    usable = [
        name
        for name, task in study.scored.items()
        if task.head.name == HEAD and name in trained and task.head.settings.get("overflow") != "windows"
    ]
    every = list(permutations([name for name in usable if name in (tasks or usable)], 2))
    joint = [pair for pair in every if any(not arm.alone and set(pair) <= set(arm.tasks) for arm in chosen)]
    return joint or every


def problems(study: Study, settings: Options, where: str) -> list[Problem]:
    """The settings that do not fit the study."""
    arms, tasks, known = settings.get("arms", ()), settings.get("tasks", ()), study.scored
    found = unknown_names(arms, study.arms, f"{where}.arms") + unknown_names(tasks, known, f"{where}.tasks")
    if found:
        return found
    for task in tasks:
        if (head := known[task].head.name) != HEAD:
            what = "only heads of this kind can be crossed: classification"
            found.append(Problem(f"{where}.tasks", what, f'{task}, whose head is "{head}"', "Leave the task out."))
        elif known[task].head.settings.get("overflow") == "windows":
            what = "it reads a text in one piece, and this task in windows"
            found.append(Problem(f"{where}.tasks", what, task, "Leave the task out."))
    if not found and not crossings(study, arms, tasks):
        what = "there are no two tasks with a classification head that these arms train"
        found.append(Problem(where, what, "", "Name other arms or tasks, or leave this analysis out."))
    return found
