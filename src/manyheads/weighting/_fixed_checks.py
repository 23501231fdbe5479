"""What fixed weights may be; no torch, see `fixed.py`."""

import math
from collections.abc import Mapping, Sequence

from manyheads.core.problems import Problem, shown, unknown_names


def problems(tasks: Sequence[str], settings: Mapping[str, object], where: str) -> list[Problem]:
    """What in the settings does not fit the study."""
    weights = settings.get("weights")
    if not isinstance(weights, Mapping):
        return []
    found = unknown_names(weights, tasks, f"{where}.weights")
    for task, weight in weights.items():
        if not 0 <= weight < math.inf:
            at = f"{where}.weights.{task}"
            found.append(Problem(at, "should be a number from 0 up", shown(weight), "1 is an ordinary weight."))
    if tasks and all(weights.get(task) == 0 for task in tasks):
        what, remedy = "all weights are 0, so that nothing is learned", "1 is an ordinary weight; 0 turns a task off."
        found.append(Problem(f"{where}.weights", what, shown(dict(weights)), remedy))
    return found
