"""Which words matter to each model, by a score that can be read off the weights and by scores that mean something.

The score, the lists of words and the scatters of ranks are those of Adam K, "Multi-task learning: what is it, how does
it work and why does it work?", GumGum Tech Blog, 2022, https://medium.com/gumgum-tech. Added are scores that depend on
the function alone (`_word_scores.py`), the agreement between two seeds of one model, intervals, and what chance gives.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from manyheads.analyses import Analysis, DataTable, Section, StudyRuns, Value
from manyheads.analyses._agreement import rho
from manyheads.analyses._word_figures import agreement_figure, scatter_figure
from manyheads.analyses._word_importance_checks import classified_tasks
from manyheads.analyses._word_models import StudyWords, WordReader, WordScores, common_words
from manyheads.analyses._word_pairs import (
    GRADIENT,
    PATH,
    SUM,
    Agreement,
    agreement_table,
    agreements,
    rare_words_table,
)
from manyheads.analyses._word_scores import Network, sums
from manyheads.core.problems import counted
from manyheads.core.settings import NotNegativeInt, PositiveInt
from manyheads.metrics.resampled import ranks
from manyheads.report.drawing import Figure
from manyheads.results.numbers import fixed

FLIPS = 20
"""How many random choices of units have their signs flipped, for each network."""


class WordImportance(Analysis):
    """Words are ranked by each score in each model, and the ranks of two models compared by Spearman's rho and
    Kendall's tau, over the words that stand in at least `least` training texts of both.

    Models are compared across seeds: two models of one seed start from the same weights, and so agree also on words
    that neither has learned. The agreement between two seeds of one model is the most to expect of two models.

    The sum of input weights and the path to the output are those of the encoder `bag_of_words`. A pretrained encoder
    has the gradient times the input of its word pieces, summed over each word. Only tasks with a `classification` head
    and single texts are looked at.

    :param arms: Which arms; all, by default.
    :param tasks: Which tasks; all with such a head, by default.
    :param least: How many training texts a word must stand in, of every task that is compared.
    :param texts: How many texts of the reported split the gradient is averaged over, drawn at random; 0 for all of
        them, or for 500 with a pretrained encoder.
    :param shown: How many words the lists show.
    :param permutations: How many random orders the p values rest on.
    """

    def __init__(
        self,
        *,
        arms: Sequence[str] = (),
        tasks: Sequence[str] = (),
        least: PositiveInt = 20,
        texts: NotNegativeInt = 0,
        shown: PositiveInt = 20,
        permutations: Annotated[int, Ge(99), Le(100_000)] = 999,
    ) -> None:
        self.arms, self.tasks, self.least, self.texts = arms, tasks, least, texts
        self.shown, self.permutations = shown, permutations

    def analyse(self, runs: StudyRuns) -> Section:
        study, title = runs.study, "Which words matter"
        found = WordReader(runs, self.texts).read(self.arms or list(study.arms), classified_tasks(study, self.tasks))
        if not found.gradients:
            why = "; ".join(found.left_out) or "no run has finished"
            return Section(title, f"Nothing can be said of the words: {why}.", [])
        scores = {SUM: found.sums, PATH: found.paths, GRADIENT: found.gradients}
        known = [
            one
            for score, models in scores.items()
            for one in agreements(score, models, self.least, self.shown, self.permutations)
        ]
        parts: list[str | DataTable | Figure] = [f"Left out: {why}." for why in found.left_out]
        parts += [*_cautions(found), *_common_start(known)]
        parts += [agreement_figure(known)] if known else []
        parts += [self._first_words(score, models, found.signs, runs) for score, models in scores.items() if models]
        for score in (SUM, GRADIENT):
            pairs = [one for one in known if one.score == score and one.other is not None]
            ceilings = {one.one.name: one.rho.value for one in known if one.score == score and one.other is None}
            parts += [scatter_figure(score, pairs, ceilings)] if pairs else []
        parts += [agreement_table(known, self.shown)] if known else []
        parts += [rare_words_table(found.sums)] if len(found.sums) > 1 else []
        parts.append(_every_word(scores, self.least))
        return Section(title, _sentence(known, found), parts)

    def _first_words(
        self, score: str, models: Sequence[WordScores], signs: Sequence[WordScores], runs: StudyRuns
    ) -> DataTable:
        """The words that matter most to each model, by their mean rank over its seeds."""
        columns: list[list[str]] = []
        for model in models:
            words = common_words([model], self.least)
            best = np.argsort(_mean_ranks(model, words, size=score != SUM), kind="stable")[: self.shown]
            columns.append([_with_class(words[at], model, signs, runs) for at in best])
        rows: list[list[Value]] = [
            [place + 1, *(given[place] if place < len(given) else None for given in columns)]
            for place in range(max(map(len, columns)))
        ]
        note = _HOW[score] + f" Words in at least {self.least} training texts, by their mean rank over the seeds."
        title = f"First words by the {score}" if score != GRADIENT else f"First words by {score}"
        name = {SUM: "first-sum", PATH: "first-path", GRADIENT: "first-gradient"}[score]
        return DataTable(name, ["Rank", *(model.name for model in models)], rows, note, title=title)


_HOW = {
    SUM: "A word's weights to all hidden units, added up, as in Adam K's blog post; the largest first.",
    PATH: "A word's weights, each times its unit's weight to the second class less that to the first; here by size.",
    GRADIENT: "How much a word moves the logits of the texts that hold it, to first order.",
}


def _with_class(word: str, model: WordScores, signs: Sequence[WordScores], runs: StudyRuns) -> str:
    """A word with the class that it speaks for, if there are two and the model has one head."""
    for one in signs:
        labels = runs.labels(one.task)
        if (one.arm, one.task) == (model.arm, model.task) and labels and word in one.places:
            value = np.mean([given[one.places[word]] for given in one.seeds.values()])
            return f"{word} ({labels[int(value > 0)]})" if np.isfinite(value) else word
    return word


def _mean_ranks(model: WordScores, words: Sequence[str], *, size: bool) -> np.ndarray:
    """[V] the mean over the seeds of each word's rank, 1 for the first."""
    return np.mean([len(words) + 1 - ranks(given) for given in model.on(words, size=size).values()], axis=0)


def _every_word(scores: Mapping[str, Sequence[WordScores]], least: int) -> DataTable:
    """Every word's mean rank in every model, by every score; sorted by the gradient in the first model."""
    first = scores[GRADIENT][0]
    words = common_words([first], least)
    order = np.argsort(_mean_ranks(first, words, size=True), kind="stable")
    columns, values = ["Word", f"Texts of {first.task}"], []
    for score, models in scores.items():
        for model in models:
            known = common_words([model], least)
            values.append(dict(zip(known, _mean_ranks(model, known, size=score != SUM).tolist(), strict=True)))
            columns.append(f"{score}: {model.name}")
    rows: list[list[Value]] = [
        [words[at], int(first.texts[first.places[words[at]]]), *(given.get(words[at]) for given in values)]
        for at in order
    ]
    note = f"Mean ranks over the seeds, 1 for the first; words in at least {least} training texts of a model's tasks."
    return DataTable("words", columns, rows, note, shown=50, title="Every word's rank", folded=True)


def _cautions(found: StudyWords) -> list[str]:
    """Why the sum of weights can mislead, shown on these networks; and what is not known with one seed."""
    cautions = []
    if found.sums:
        why = (
            "The sum of a word's input weights is not a property of what a network computes. It leaves the output "
            "weights out, so that a hidden unit that speaks against a class counts like one that speaks for it."
        )
        turned = [abs(value) for one in found.networks if (value := _flipped(one)) is not None]
        if turned:
            why += (
                " And a unit whose weights all change their sign, with its bias and its output weights, leaves every "
                f"answer as it is: with half of the units turned so, the sums correlate with those before by "
                f"{np.mean(turned):.2f} in size (mean of {counted(FLIPS * len(turned), 'random choice')}). The path "
                "and the gradient do not change."
            )
        cautions.append(why)
    if all(len(model.seeds) < 2 for model in found.gradients):
        cautions.append(
            "There is one seed of each model: how well two seeds of the same model agree is not known, and models "
            "are compared that start from the same weights, which agree also on words that neither has learned."
        )
    return cautions


def _common_start(known: Sequence[Agreement]) -> list[str]:
    """What starting from the same weights does to the sums, if it does much."""
    pairs = [one for one in known if one.score == SUM and one.same is not None and not one.of_one_seed]
    if not pairs:
        return []
    most = max(pairs, key=lambda one: (one.same or 0.0) - one.rho.value)
    same, other = most.same or 0.0, most.rho.value
    if same - other < 0.1:
        return []
    correlations = f"{fixed(same, 2)} for {most.name}, and {fixed(other, 2)} with another seed"
    return [
        "Models of the same seed start from the same weights here, and for that reason alone the sums of two models "
        f"may be alike: ρ is {correlations}. So models are compared across seeds."
    ]


def _flipped(network: Network) -> float | None:
    """How well the sums agree with those of the same function after the signs of half of its units were flipped; None
    if they cannot be flipped."""
    if network.activation == "relu" or network.weights.shape[1] < 2:
        return None
    rng, units = np.random.default_rng(0), network.weights.shape[1]
    before, found = sums(network.weights), []
    for _ in range(FLIPS):
        signs = np.ones(units)
        signs[rng.choice(units, units // 2, replace=False)] = -1
        found.append(abs(rho(before, sums(network.weights * signs))))
    return float(np.mean(found))


def _sentence(known: Sequence[Agreement], found: StudyWords) -> str:
    """How well two models agree by each score, beside two seeds of one model."""
    clauses = []
    for score in (SUM, GRADIENT):
        seeds = [one.rho.value for one in known if one.score == score and one.other is None]
        pairs = [one for one in known if one.score == score and one.other is not None]
        if not seeds and not pairs:
            continue
        of_seeds = f"two seeds of one model agree with ρ = {_range(seeds)}" if seeds else ""
        of_pairs = f"two models with {'' if seeds else 'ρ = '}{_range([one.rho.value for one in pairs])}"
        both = " and ".join(part for part in (of_seeds, of_pairs if pairs else "") if part)
        clauses.append(f"by the {score} {both}" if score == SUM else f"by {score} {both}")
    if not clauses:
        return f"The words of {counted(len(found.gradients), 'model')} are ranked; there is nothing to compare."
    text = f"On which words matter, {'; '.join(clauses)}."
    return text.replace("by gradient", "while by gradient", 1) if len(clauses) > 1 else text


def _range(values: Sequence[float]) -> str:
    low, high = (fixed(value, 2) for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"
