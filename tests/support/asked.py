"""What `manyheads check` finds wrong with a method's settings in an arm."""

from collections.abc import Mapping
from typing import Any

from manyheads import registry
from manyheads.core.problems import Problem


def problems_of(family: str, name: str, tasks: Mapping[str, str], settings: dict[str, Any]) -> list[Problem]:
    """What the types of its settings tell, and if that is nothing, what the method itself finds; at `x`.

    :param tasks: The arm's tasks, and the head of each.
    """
    found = registry.describe(family, name).problems(settings, "x", tasks=list(tasks))
    return found or registry.checks(family, name).problems(tasks, settings, "x")
