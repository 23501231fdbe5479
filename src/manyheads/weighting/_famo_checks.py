"""What FAMO's settings may be; no torch, see `famo.py`."""

from collections.abc import Mapping, Sequence

from manyheads.core.problems import Problem, shown


def problems(tasks: Sequence[str], settings: Mapping[str, object], where: str) -> list[Problem]:
    """What in the settings does not fit the study."""
    found = []
    for name, example in (("learning_rate", 0.025), ("weight_decay", 1e-3)):
        value = settings.get(name, example)
        if not (isinstance(value, int | float) and 0 <= value < float("inf")):
            remedy = f"The paper uses {example:g}."
            found.append(Problem(f"{where}.{name}", "should be a number from 0 up", shown(value), remedy))
    return found
