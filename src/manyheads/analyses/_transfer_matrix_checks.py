"""Which arms of a study train a pair of tasks, and what in the settings does not fit the study."""

from collections.abc import Sequence

from manyheads.core.problems import Problem, shown, unknown_names
from manyheads.core.values import Options
from manyheads.study.spec import Study


def pairs(study: Study, arms: Sequence[str] = ()) -> dict[tuple[str, str], list[str]]:
    """Two scored tasks in the order of the study -> the arms that train these two together, and nothing else.

    :param arms: Which arms count; all, by default.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for name in arms or study.arms:
        arm = study.arms[name]
        tasks = [task for task in study.scored if task in arm.tasks]
        if not arm.alone and len(tasks) == len(arm.tasks) == 2:
            found.setdefault((tasks[0], tasks[1]), []).append(name)
    return found


def problems(study: Study, settings: Options, where: str) -> list[Problem]:
    """The settings that do not fit the study."""
    arms = settings.get("arms", ())
    found = unknown_names(arms, study.arms, f"{where}.arms")
    if found:
        return found
    if not study.arms[study.baseline].alone:
        what, remedy = "the baseline gives each task a model of its own", 'Set models = "one per task" in it.'
        found.append(Problem(where, what, f'"{study.baseline}", which trains jointly', remedy))
    known = pairs(study, arms)
    if not known:
        remedy = "Write such a study with `manyheads init --pairs FILE`."
        found.append(Problem(where, "no arm trains just two scored tasks together", "", remedy))
    for one in arms:
        if all(one not in each for each in known.values()):
            what = "an arm does not train just two scored tasks together"
            found.append(Problem(f"{where}.arms", what, shown(one), "Leave it out."))
    for (one, other), several in known.items():
        if len(several) > 1:
            what, remedy = f"several arms train {one} with {other}", f"Name one of them in {where}.arms."
            found.append(Problem(where, what, ", ".join(several), remedy))
    return found
