"""A file of predictions is scored against a file of what is right, by the rules of a head; without any model."""

import inspect
from pathlib import Path
from typing import Any

from manyheads import registry
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.metrics import score_dependency
from manyheads.metrics.score_files import Scores

DEPENDENCY = "dependency"
"""Trees, for which there are scores and no head."""


def scored_heads(code: Path | None = None) -> list[str]:
    """What can be scored, sorted."""
    return sorted({*registry.names("heads", code), DEPENDENCY})


def score_files(head: str, gold: Path, predictions: Path, *, code: Path | None = None, **options: Any) -> Scores:
    """The metrics of `head`, then how many predictions are `missing` and how many ids are `unknown`.

    Which files it reads, and whether it gives fractions or what an official script prints, the head's `score` says.

    :param head: A head, or `dependency` (trees).
    :param code: A folder with methods of one's own.
    :param options: Of the head's `score`, such as `null_odds`; those that are None are left out.
    :raises StudyError: If there is no such head or it knows no such option, and with every mistake in the files.
    """
    if head not in scored_heads(code):
        remedy = f"Choose from: {', '.join(scored_heads(code))}."
        raise StudyError([Problem("HEAD", "there is no such head", shown(head), remedy)])
    score = _scorer(head, code) if head in registry.names("heads", code) else score_dependency.score
    given = {name: value for name, value in options.items() if value is not None}
    unknown = [name for name in given if name not in inspect.signature(score).parameters]
    if unknown:
        where, what = f"--{unknown[0].replace('_', '-')}", f"the head {head} knows no {unknown[0].replace('_', ' ')}"
        raise StudyError([Problem(where, what, "", "Leave it out.")])
    return score(gold, predictions, **given)


def _scorer(head: str, code: Path | None) -> Any:
    """From the companion of a head; from its class, if that has none."""
    asked = registry.checks("heads", head, code).score
    if asked is None:
        head_class: Any = registry.load("heads", head, code)
        return head_class.score
    return asked
