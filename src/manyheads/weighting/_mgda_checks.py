"""What MGDA's settings may be; no torch, see `mgda.py`."""

from collections.abc import Mapping, Sequence

from manyheads.core.problems import Problem, shown


def problems(tasks: Sequence[str], settings: Mapping[str, object], where: str) -> list[Problem]:
    """What in the settings does not fit the study."""
    found = []
    epsilon, most = settings.get("epsilon", 1e-3), settings.get("max_iters", 100)
    if not (isinstance(epsilon, int | float) and 0 < epsilon < 1):
        what, remedy = "should be a number between 0 and 1", "Leave it out, or choose a small number such as 1e-3."
        found.append(Problem(f"{where}.epsilon", what, shown(epsilon), remedy))
    if not (isinstance(most, int) and most > 0):
        what, remedy = "should be a whole number from 1 up", "Leave it out, or choose 100."
        found.append(Problem(f"{where}.max_iters", what, shown(most), remedy))
    return found
