"""Which two arms are compared answer by answer, and what in the settings does not fit the study."""

from collections.abc import Sequence

from manyheads.core.problems import Problem, shown, unknown_names
from manyheads.core.values import Options
from manyheads.study.spec import Study


def compared_arms(study: Study, arms: Sequence[str]) -> tuple[str, str]:
    """The arm to compare with, and the other: the two that are named, or else the baseline and the only other arm."""
    before, after = arms or [study.baseline, *(arm for arm in study.arms if arm != study.baseline)]
    return before, after


def common_tasks(study: Study, arms: Sequence[str]) -> list[str]:
    """The scored tasks that all of these arms train, in the order of the study."""
    return [task for task in study.scored if all(task in study.arms[arm].tasks for arm in arms)]


def problems(study: Study, settings: Options, where: str) -> list[Problem]:
    """The settings that do not fit the study."""
    arms, tasks = settings.get("arms", ()), settings.get("tasks", ())
    names = list(study.arms)
    example = f"For example arms = {names[:2]}.".replace("'", '"')
    found = unknown_names(arms, names, f"{where}.arms")
    if arms and (len(arms) != 2 or len(set(arms)) != 2):
        found.append(Problem(f"{where}.arms", "should name two arms", shown(list(arms)), example))
    if not arms and len(names) != 2:
        what = "it compares two arms, and does not know which"
        found.append(Problem(f"{where}.arms", what, f"{len(names)} in the study", example))
    if found:
        return found
    pair = compared_arms(study, arms)
    common = common_tasks(study, pair)
    if not common:
        what = f"the arms {pair[0]} and {pair[1]} train no scored task together"
        return [Problem(f"{where}.arms", what, "", "Choose two arms that answer the same questions.")]
    for key, given in (("tasks", tasks), ("metrics", settings.get("metrics") or {})):
        found += unknown_names(given, common, f"{where}.{key}")
    return found
