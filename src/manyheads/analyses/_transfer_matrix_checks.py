"""Which arms of a study train a pair of tasks; no torch, see `transfer_matrix.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.core.problems import Problem, shown, unknown_names


def pairs(plan: Mapping[str, Any], arms: Sequence[str] = ()) -> dict[tuple[str, str], list[str]]:
    """Two tasks in the order of the study -> the arms that train these two, and nothing else, together.

    :param arms: Which arms count; all, by default.
    """
    found: dict[tuple[str, str], list[str]] = {}
    order = list(plan["tasks"])
    for arm in arms or plan["arms"]:
        about = plan["arms"][arm]
        tasks = [task for task in order if task in about["tasks"]]
        if about["models"] == "joint" and len(tasks) == len(about["tasks"]) == 2:
            found.setdefault((tasks[0], tasks[1]), []).append(arm)
    return found


def problems(plan: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> list[Problem]:
    """What in the settings does not fit the study."""
    arms, baseline = settings.get("arms", ()), plan["baseline"]
    found = unknown_names(arms, plan["arms"], f"{where}.arms")
    if found:
        return found
    if plan["arms"][baseline]["models"] == "joint":
        what, remedy = "the baseline gives each task a model of its own", 'Set models = "one per task" in it.'
        found.append(Problem(where, what, f'"{baseline}", which trains jointly', remedy))
    known = pairs(plan, arms)
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
