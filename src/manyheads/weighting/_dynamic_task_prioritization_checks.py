"""What the settings of dynamic task prioritization may be; no torch, see `dynamic_task_prioritization.py`."""

import math
from collections.abc import Mapping, Sequence

from manyheads.core.problems import Problem, shown, unknown_names


def problems(tasks: Sequence[str], settings: Mapping[str, object], where: str) -> list[Problem]:
    """What in the settings does not fit the study."""
    found = []

    def check(name: str, value: object, fits: bool, what: str) -> None:
        if not fits:
            found.append(Problem(f"{where}.{name}", what, shown(value)))

    alpha, gamma, epsilon = (settings.get(name, 0.1) for name in ("alpha", "gamma", "epsilon"))
    check("alpha", alpha, isinstance(alpha, int | float) and 0 < alpha <= 1, "should be above 0 and at most 1")
    check("gamma", gamma, isinstance(gamma, int | float) and 0 <= gamma < math.inf, "should be a number from 0 up")
    check("epsilon", epsilon, isinstance(epsilon, int | float) and 0 < epsilon < 0.5, "should lie between 0 and 0.5")
    chance = settings.get("chance")
    if isinstance(chance, Mapping):
        found += unknown_names(chance, tasks, f"{where}.chance")
        for task, value in chance.items():
            check(f"chance.{task}", value, 0 <= value < 1, "should be a score from 0 to below 1")
    return found
