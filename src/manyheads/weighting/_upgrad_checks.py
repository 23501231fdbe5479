"""What UPGrad's settings may be; no torch, see `upgrad.py`."""

from collections.abc import Mapping, Sequence

from manyheads.core.problems import Problem, shown


def problems(tasks: Sequence[str], settings: Mapping[str, object], where: str) -> list[Problem]:
    """What in the settings does not fit the study."""
    value = settings.get("reg_eps", 1e-6)
    if isinstance(value, int | float) and 0 < value < 1:
        return []
    remedy = "Leave it out, or choose a small number such as 1e-6."
    return [Problem(f"{where}.reg_eps", "should be a number between 0 and 1", shown(value), remedy)]
