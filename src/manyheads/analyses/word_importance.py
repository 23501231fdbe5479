"""Which words matter to each model, by a score that can be read off the weights and by scores that mean something.

The score, the lists of words and the scatters of ranks are those of Adam K, "Multi-task learning: what is it, how does
it work and why does it work?", GumGum Tech Blog, 2022, https://medium.com/gumgum-tech; added are scores that depend on
the function alone (`_word_scores.py`), how well two seeds of one model agree, intervals, and what chance gives.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manyheads.analyses import Analysis, Finding, Grid, Material, Value
from manyheads.analyses._agreement import rho
from manyheads.analyses._word_figures import agreement_figure, scatter_figure
from manyheads.analyses._word_importance_checks import chosen, problems
from manyheads.analyses._word_models import Found, View, WordReader, shared
from manyheads.analyses._word_pairs import GRADIENT, PATH, SUM, Agreement, agreements, rare, table
from manyheads.analyses._word_scores import Network, sums
from manyheads.core.problems import Problem, counted
from manyheads.metrics.resampled import ranks

FLIPS = 20
"""Random choices of units whose signs are turned, for each network."""


class WordImportance(Analysis):
    """Words are ranked by each score in each model, and the ranks of two models compared by Spearman's rho and
    Kendall's tau, over the words that stand in at least `least` training texts of both.

    Models are compared across seeds: models of one seed start from the same weights, and so agree also on words that
    neither has learned. How well two seeds of one model agree is the ceiling of what to expect of two models.

    The sum of input weights and the path to the output are those of the encoder `bag_of_words`. With a pretrained
    encoder there is the gradient times the input of its word pieces, summed to words. Only tasks with a
    `classification` head and single texts are looked at.

    :param arms: Which arms' models; all, by default.
    :param tasks: Which tasks; all with such a head, by default.
    :param least: In how many training texts a word must stand, of every task that is compared.
    :param texts: How many texts of the reported split the gradient is averaged over, drawn at random; 0 for all of
        them, or for 500 with a pretrained encoder.
    :param shown: How many words the lists show.
    :param permutations: How many random orders the p values rest on.
    """

    reads_models = True

    def __init__(
        self,
        *,
        arms: Sequence[str] = (),
        tasks: Sequence[str] = (),
        least: int = 20,
        texts: int = 0,
        shown: int = 20,
        permutations: int = 999,
    ) -> None:
        self.arms, self.tasks, self.least, self.texts = arms, tasks, least, texts
        self.shown, self.permutations = shown, permutations

    @classmethod
    def problems(cls, plan: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> list[Problem]:
        return problems(plan, settings, where)

    def find(self, material: Material) -> Finding:
        plan, title = material.plan, "Which words matter"
        found = WordReader(material, self.texts).read(self.arms or list(plan["arms"]), chosen(plan, self.tasks))
        if not found.gradients:
            why = "; ".join(found.told) or "no run has finished"
            return Finding(title, f"Nothing can be said of the words: {why}.", [])
        scores = {SUM: found.sums, PATH: found.paths, GRADIENT: found.gradients}
        known = [
            one
            for score, views in scores.items()
            for one in agreements(score, views, self.least, self.shown, self.permutations)
        ]
        parts: list[Any] = [*(f"Left out: {why}." for why in found.told), *_cautions(found), *_alike(known)]
        parts += [agreement_figure(known)] if known else []
        parts += [self._list(score, views, found.signs, material) for score, views in scores.items() if views]
        for score in (SUM, GRADIENT):
            pairs = [one for one in known if one.score == score and one.other is not None]
            ceilings = {one.one.name: one.rho.value for one in known if one.score == score and one.other is None}
            parts += [scatter_figure(score, pairs, ceilings)] if pairs else []
        parts += [table(known, self.shown)] if known else []
        parts += [rare(found.sums)] if len(found.sums) > 1 else []
        parts.append(_words(scores, self.least))
        return Finding(title, _sentence(known, found), parts)

    def _list(self, score: str, views: Sequence[View], signs: Sequence[View], material: Material) -> Grid:
        """The words that matter most to each model, by their mean rank over its seeds."""
        columns: list[list[str]] = []
        for view in views:
            words = shared([view], self.least)
            best = np.argsort(_mean_ranks(view, words, size=score != SUM), kind="stable")[: self.shown]
            columns.append([_with_class(words[at], view, signs, material) for at in best])
        rows: list[list[Value]] = [
            [place + 1, *(given[place] if place < len(given) else None for given in columns)]
            for place in range(max(map(len, columns)))
        ]
        note = _HOW[score] + f" Words in at least {self.least} training texts, by their mean rank over the seeds."
        title = f"First words by the {score}" if score != GRADIENT else f"First words by {score}"
        name = {SUM: "first-sum", PATH: "first-path", GRADIENT: "first-gradient"}[score]
        return Grid(name, ["Rank", *(view.name for view in views)], rows, note, title=title)


_HOW = {
    SUM: "A word's weights to all hidden units, added up, as in Adam K's blog post; the largest first.",
    PATH: "A word's weights, each times its unit's weight to the second class less that to the first; here by size.",
    GRADIENT: "How much a word moves the logits of the texts that hold it, to first order.",
}


def _with_class(word: str, view: View, signs: Sequence[View], material: Material) -> str:
    """A word with the class that it speaks for, if there are two and the model has one head."""
    for one in signs:
        labels = material.labels(one.task)
        if (one.arm, one.task) == (view.arm, view.task) and labels and word in one.places:
            value = np.mean([given[one.places[word]] for given in one.seeds.values()])
            return f"{word} ({labels[int(value > 0)]})" if np.isfinite(value) else word
    return word


def _mean_ranks(view: View, words: Sequence[str], *, size: bool) -> np.ndarray:
    """[V] the mean over the seeds of each word's rank, 1 for the first."""
    return np.mean([len(words) + 1 - ranks(given) for given in view.on(words, size=size).values()], axis=0)


def _words(scores: Mapping[str, Sequence[View]], least: int) -> Grid:
    """Every word's mean rank in every model, by every score; the first by the gradient first."""
    first = scores[GRADIENT][0]
    words = shared([first], least)
    order = np.argsort(_mean_ranks(first, words, size=True), kind="stable")
    columns, values = ["Word", f"Texts of {first.task}"], []
    for score, views in scores.items():
        for view in views:
            known = shared([view], least)
            of_view = dict(zip(known, _mean_ranks(view, known, size=score != SUM).tolist(), strict=True))
            columns.append(f"{score}: {view.name}")
            values.append(of_view)
    rows: list[list[Value]] = [
        [words[at], int(first.texts[first.places[words[at]]]), *(given.get(words[at]) for given in values)]
        for at in order
    ]
    note = f"Mean ranks over the seeds, 1 for the first; words in at least {least} training texts of a model's tasks."
    return Grid("words", columns, rows, note, shown=50, title="Every word's rank", folded=True)


def _cautions(found: Found) -> list[str]:
    """Why the sum of weights can mislead, shown on these networks; and what else one has to know."""
    told = []
    if found.sums:
        why = (
            "The sum of a word's input weights is not a property of what a network computes. It leaves the output "
            "weights out, so that a hidden unit that speaks against a class counts like one that speaks for it."
        )
        turned = [abs(value) for one in found.bags if (value := _turned(one)) is not None]
        if turned:
            why += (
                " And a unit whose weights all change their sign, with its bias and its output weights, leaves every "
                f"answer as it is: with half of the units turned so, the sums correlate with those before by "
                f"{np.mean(turned):.2f} in size (mean of {counted(FLIPS * len(turned), 'random choice')}). The path "
                "and the gradient do not change."
            )
        told.append(why)
    if all(len(view.seeds) < 2 for view in found.gradients):
        told.append(
            "There is one seed of each model: how well two seeds of the same model agree is not known, and models "
            "are compared that start from the same weights, which agree also on words that neither has learned."
        )
    return told


def _alike(known: Sequence[Agreement]) -> list[str]:
    """What a common start does to the sums, where it does much."""
    pairs = [one for one in known if one.score == SUM and one.same is not None and not one.of_one_seed]
    if not pairs:
        return []
    most = max(pairs, key=lambda one: (one.same or 0.0) - one.rho.value)
    same, other = most.same or 0.0, most.rho.value
    if same - other < 0.1:
        return []
    told = f"{same:.2f} for {most.name}, and {other:.2f} with another seed".replace("-", "−")
    return [
        "Models of the same seed start from the same weights here, and for that reason alone the sums of two models "
        f"may be alike: ρ is {told}. So models are compared across seeds."
    ]


def _turned(network: Network) -> float | None:
    """How well the sums agree with those of the same function after half of its units were turned; None with units
    that cannot be turned."""
    if network.activation == "relu" or network.weights.shape[1] < 2:
        return None
    rng, units = np.random.default_rng(0), network.weights.shape[1]
    before, found = sums(network.weights), []
    for _ in range(FLIPS):
        signs = np.ones(units)
        signs[rng.choice(units, units // 2, replace=False)] = -1
        found.append(abs(rho(before, sums(network.weights * signs))))
    return float(np.mean(found))


def _sentence(known: Sequence[Agreement], found: Found) -> str:
    """What the scores say of two models, each beside what it says of two seeds of one."""
    told = []
    for score in (SUM, GRADIENT):
        seeds = [one.rho.value for one in known if one.score == score and one.other is None]
        pairs = [one for one in known if one.score == score and one.other is not None]
        if not seeds and not pairs:
            continue
        of_seeds = f"two seeds of one model agree with ρ = {_range(seeds)}" if seeds else ""
        of_pairs = f"two models with {'' if seeds else 'ρ = '}{_range([one.rho.value for one in pairs])}"
        both = " and ".join(part for part in (of_seeds, of_pairs if pairs else "") if part)
        told.append(f"by the {score} {both}" if score == SUM else f"by {score} {both}")
    if not told:
        return f"The words of {counted(len(found.gradients), 'model')} are ranked; there is nothing to compare."
    text = f"On which words matter, {'; '.join(told)}."
    return text.replace("by gradient", "while by gradient", 1) if len(told) > 1 else text


def _range(values: Sequence[float]) -> str:
    low, high = (f"{value:.2f}".replace("-", "−") for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"
