"""How well every two models of a study, and every two seeds of one model, agree on which words matter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manyheads.analyses import Column, DataTable, Value
from manyheads.analyses import _agreement as agreement
from manyheads.analyses._agreement import Correlation
from manyheads.analyses._word_models import WordScores, common_words, comparable

SUM, PATH, GRADIENT = "sum of input weights", "path to the output", "gradient × input"
RESAMPLES = 1_000
RARE = (1, 5, 20, 100, 500)
"""The numbers of training texts that a word must stand in, for the table that shows what rare words do."""


@dataclass(frozen=True)
class Agreement:
    """How well two models agree on a score; or two seeds of one model, if `other` is None.

    :param words: The words that both have scores of.
    :param first: The share of the first words of one that are among the first of the other.
    :param same: Spearman's rho between models of the same seed, which start from the same weights.
    :param p: Of rho and of tau.
    """

    score: str
    one: WordScores
    other: WordScores | None
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
        """Whether both models are of the same seed because there is only one."""
        return self.other is not None and len(self.one.seeds) < 2


def agreements(score: str, models: Sequence[WordScores], least: int, first: int, permutations: int) -> list[Agreement]:
    """First between the seeds of each model, then between every two models. What cannot be compared is left out.

    :param least: In how many training texts a word must stand.
    :param first: How many words count as the first ones.
    :param permutations: How many random orders the p values rest on.
    """
    found = []
    for one, other in [*((model, None) for model in models), *comparable(models)]:
        words = common_words([one] if other is None else [one, other], least)
        if len(words) < 3:
            continue
        seeds = one.on(words)
        of_other = None if other is None else other.on(words)
        pairs = agreement.within(seeds) if of_other is None else agreement.across(seeds, of_other)
        if not pairs:
            continue
        twice = of_other is None
        rho, tau = (measure(pairs, RESAMPLES, twice=twice) for measure in (agreement.spearman, agreement.kendall))
        sizes = [(a, b) if score == SUM else (np.abs(a), np.abs(b)) for a, b in pairs]
        shared = agreement.shared_first(sizes, first)
        same = p = None
        if of_other is not None:
            p, same = agreement.by_chance(seeds, of_other, permutations), agreement.same_start_rho(seeds, of_other)
        found.append(Agreement(score, one, other, words, rho, tau, shared, same, p))
    return found


def agreement_table(found: Sequence[Agreement], first: int) -> DataTable:
    """All correlations."""
    rows: list[list[Value]] = []
    for one in found:
        p = one.p or (None, None)
        rho = (one.rho.value, *(one.rho.interval or (None, None)), p[0])
        tau = (one.tau.value, *(one.tau.interval or (None, None)), p[1])
        rows.append([one.score, one.name, len(one.words), *rho, *tau, one.same, one.first])
    columns: list[str | Column] = ["Score", "Models", "Words", "Spearman's ρ", "from", "to", Column("p of ρ", "chance")]
    columns += ["Kendall's τ", "from ", "to ", Column("p of τ", "chance")]
    columns += ["ρ with the same start", Column(f"Same among the first {first}", "share")]
    note = (
        "Each seed of one model with another seed of the other, on average, with 95 % intervals over words and seeds. "
        "p: how often a random order of the words gives as much agreement (mean ranks of one half of the seeds with "
        "those of the other half; not corrected for how many there are); it speaks of these very models, and only the "
        "interval of the next ones. With the same start: models of the same seed, "
        "which agree also on what neither has learned. “Two seeds” of one model are the most to expect of two models."
    )
    return DataTable("agreement", columns, rows, note, title="How well two models agree")


def rare_words_table(models: Sequence[WordScores]) -> DataTable:
    """What leaving out rare words changes in the agreement on the sums of weights."""
    rows: list[list[Value]] = []
    for one, other in comparable(models):
        for least in RARE:
            words = common_words([one, other], least)
            if len(words) < 3:
                continue
            seeds, of_other = one.on(words), other.on(words)
            rho = agreement.mean_rho(agreement.across(seeds, of_other)) if len(one.seeds) > 1 else None
            same = agreement.same_start_rho(seeds, of_other)
            rows.append([f"{one.name} – {other.name}", least, len(words), rho, same])
    columns = ["Models", "At least so many texts", "Words", "ρ with another start", "ρ with the same start"]
    note = (
        "Of the sums of input weights. A word that hardly occurs keeps the weights it started with: two models that "
        "start alike agree on it, whatever they learn."
    )
    return DataTable("rare", columns, rows, note, title="What rare words do to the sum of weights", folded=True)
