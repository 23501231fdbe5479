"""Which models' words can be compared, and what in the settings does not fit the study."""

from collections.abc import Sequence

from manyheads.core.problems import Problem, unknown_names
from manyheads.core.values import Options
from manyheads.study.spec import Study

HEAD = "classification"


def classified_tasks(study: Study, tasks: Sequence[str]) -> list[str]:
    """The scored tasks with a classification head that reads a text in one piece, of those that are named or else of
    all."""
    return [
        name
        for name, task in study.scored.items()
        if task.head.name == HEAD
        and task.head.settings.get("overflow") != "windows"
        and name in (tasks or study.scored)
    ]


def problems(study: Study, settings: Options, where: str) -> list[Problem]:
    """The settings that do not fit the study."""
    arms, tasks, known = settings.get("arms", ()), settings.get("tasks", ()), study.scored
    found = unknown_names(arms, study.arms, f"{where}.arms") + unknown_names(tasks, known, f"{where}.tasks")
    if found:
        return found
    for task in tasks:
        if (head := known[task].head.name) != HEAD:
            what = "it asks which words matter to a class"
            found.append(Problem(f"{where}.tasks", what, f'{task}, whose head is "{head}"', "Leave the task out."))
        elif known[task].head.settings.get("overflow") == "windows":
            what = "it reads a text in one piece, and this task in windows"
            found.append(Problem(f"{where}.tasks", what, task, "Leave the task out."))
    trained = {task for arm in arms or study.arms for task in study.arms[arm].tasks}
    if not found and not trained.intersection(classified_tasks(study, tasks)):
        what = "none of these arms trains a task with a classification head"
        found.append(Problem(where, what, "", "Name other arms, or leave this analysis out."))
    return found
