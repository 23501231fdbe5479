"""Every two models of a study, and every two seeds of one: how well they agree on which words matter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manyheads.analyses import Column, Grid, Value
from manyheads.analyses._agreement import (  # fmt: skip
    Correlation,
    Seeds,
    across,
    by_chance,
    kendall,
    rho,
    same_start,
    shared_first,
    spearman,
    within,
)
from manyheads.analyses._word_models import View, compared, shared

SUM, PATH, GRADIENT = "sum of input weights", "path to the output", "gradient × input"
RESAMPLES = 1_000
RARE = (1, 5, 20, 100, 500)
"""Of how many training texts a word must be part, for the table that shows what that changes."""


@dataclass(frozen=True)
class Agreement:
    """How well two models agree on a score, or the seeds of one model if `other` is None.

    :param words: On which words.
    :param first: Which share of the first words of one is among the first of the other.
    :param same: Spearman's rho between models of the same seed, which start from the same weights.
    :param p: Of rho and of tau.
    """

    score: str
    one: View
    other: View | None
    words: Sequence[str]
    rho: Correlation
    tau: Correlation
    first: float
    same: float | None = None
    p: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        return f"{self.one.name} – {self.other.name}" if self.other else f"{self.one.name}, two seeds"

    @property
    def of_one_seed(self) -> bool:
        """Whether both models are of the same seed, for there is no other."""
        return self.other is not None and len(self.one.seeds) < 2


def agreements(score: str, views: Sequence[View], least: int, first: int, permutations: int) -> list[Agreement]:
    """The seeds of each model, then every two models; without those that cannot be compared."""
    made = []
    for one, other in [*((view, None) for view in views), *compared(views)]:
        words = shared([one] if other is None else [one, other], least)
        if len(words) < 3:
            continue
        given = one.on(words)
        of_other = None if other is None else other.on(words)
        pairs = within(given) if of_other is None else across(given, of_other)
        if not pairs:
            continue
        sizes = [(a, b) if score == SUM else (np.abs(a), np.abs(b)) for a, b in pairs]
        same = p = None
        if of_other is not None:
            p, same = by_chance(given, of_other, permutations), _same(given, of_other)
        twice = other is None
        correlations = spearman(pairs, RESAMPLES, twice=twice), kendall(pairs, RESAMPLES, twice=twice)
        made.append(Agreement(score, one, other, words, *correlations, shared_first(sizes, first), same, p))
    return made


def _same(one: Seeds, other: Seeds) -> float:
    return float(np.mean([rho(*pair) for pair in same_start(one, other)]))


def table(found: Sequence[Agreement], first: int) -> Grid:
    """All correlations."""
    rows: list[list[Value]] = []
    for one in found:
        p = one.p or (None, None)
        rows.append([
            one.score, one.name, len(one.words), one.rho.value, *(one.rho.interval or (None, None)), p[0],
            one.tau.value, *(one.tau.interval or (None, None)), p[1], one.same, one.first,
        ])  # fmt: skip
    columns = [
        "Score", "Models", "Words", "Spearman's ρ", "from", "to", Column("p of ρ", "chance"), "Kendall's τ", "from ",
        "to ", Column("p of τ", "chance"), "ρ with the same start", Column(f"Same among the first {first}", "share"),
    ]  # fmt: skip
    note = (
        "Each seed of one model with another seed of the other, on average, with 95 % intervals over words and seeds. "
        "p: how often a random order of the words gives as much agreement (mean ranks of one half of the seeds with "
        "those of the other half; not corrected for how many there are); it speaks of these very models, and only the "
        "interval of the next ones. With the same start: models of the same seed, "
        "which agree also on what neither has learned. “Two seeds” of one model are the most to expect of two models."
    )
    return Grid("agreement", columns, rows, note, title="How well two models agree")


def rare(views: Sequence[View]) -> Grid:
    """What the filter of rare words changes in the agreement on the sums of weights."""
    rows: list[list[Value]] = []
    for one, other in compared(views):
        for least in RARE:
            words = shared([one, other], least)
            if len(words) < 3:
                continue
            given, of_other = one.on(words), other.on(words)
            value = float(np.mean([rho(*pair) for pair in across(given, of_other)]))
            alone = len(one.seeds) < 2
            rows.append([
                f"{one.name} – {other.name}", least, len(words), None if alone else value, _same(given, of_other),
            ])  # fmt: skip
    columns = ["Models", "At least so many texts", "Words", "ρ with another start", "ρ with the same start"]
    note = (
        "Of the sums of input weights. A word that hardly occurs keeps the weights it started with: two models that "
        "start alike agree on it, whatever they learn."
    )
    return Grid("rare", columns, rows, note, title="What rare words do to the sum of weights", folded=True)
