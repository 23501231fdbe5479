"""What a sluice network's settings may be; no torch, see `sluice.py`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.core.problems import Problem, shown


def problems(tasks: Sequence[str], settings: Mapping[str, object], where: str) -> list[Problem]:
    """What in the settings does not fit the study."""
    found = []
    subspaces, orthogonality = settings.get("subspaces", 2), settings.get("orthogonality", 1e-4)
    if not (isinstance(subspaces, int) and subspaces >= 1):
        remedy = "The paper uses 2; 1 gives cross-stitch networks."
        found.append(Problem(f"{where}.subspaces", "should be at least 1", shown(subspaces), remedy))
    if not (isinstance(orthogonality, int | float) and 0 <= orthogonality < math.inf):
        at = f"{where}.orthogonality"
        found.append(Problem(at, "should be a number from 0 up", shown(orthogonality), "0 leaves it out."))
    return found


def width_problems(width: int, settings: Mapping[str, Any], where: str) -> list[Problem]:
    """What in the settings does not go with an encoder of this width."""
    if width % settings["subspaces"] == 0:
        return []
    remedy = f"Choose a divisor of the encoder's width, {width}."
    return [Problem(f"{where}.subspaces", "should divide the width", shown(settings["subspaces"]), remedy)]
