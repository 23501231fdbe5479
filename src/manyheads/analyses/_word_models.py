"""What each model of a study makes of each word."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, combinations
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from manyheads.analyses import Material, RunOf
from manyheads.analyses._piece_gradients import differentiable, frequencies, of_words, piece_gradients
from manyheads.analyses._sequences import Reader, sample
from manyheads.analyses._word_scores import Gradients, Network, averaged, gradients, path, sums

BAG = "bag_of_words"
FEW = 500
"""Texts that a gradient is averaged over if the encoder is large and nothing else is asked for."""


@dataclass
class View:
    """A score of each word, for each seed of a model, and for joint models of each task's head.

    :param arm: Of the study.
    :param task: Whose head; "" if the score is of what all heads share.
    :param texts: In how many training texts each word stands; of the model's tasks, in the one with the fewest.
    :param seeds: seed -> [V] score.
    """

    name: str
    arm: str
    task: str
    words: Sequence[str]
    texts: np.ndarray
    seeds: dict[int, np.ndarray] = field(default_factory=dict)

    @cached_property
    def places(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    def on(self, words: Sequence[str], *, size: bool = False) -> dict[int, np.ndarray]:
        """Of each seed the scores of some words; their absolute values with `size`."""
        at = [self.places[word] for word in words]
        return {seed: np.abs(given[at]) if size else given[at] for seed, given in self.seeds.items()}


@dataclass
class Found:
    """Every score of every model.

    :param bags: The networks with one hidden layer, of each arm and seed, for what can be shown of the sums.
    :param told: What could not be looked at, and why.
    :param signs: Which of two classes each word speaks for: its mean signed gradient, a view for each model and head.
    """

    sums: list[View] = field(default_factory=list)
    paths: list[View] = field(default_factory=list)
    gradients: list[View] = field(default_factory=list)
    signs: list[View] = field(default_factory=list)
    bags: list[Network] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


class WordReader:
    """Reads the words' scores off the models of a study.

    :param texts: How many texts of each task the gradients are averaged over; 0 for all, or `FEW` with an encoder of
        word pieces.
    """

    def __init__(self, material: Material, texts: int) -> None:
        self.material, self.most = material, texts
        self.reader = Reader(material)
        self._frequencies: dict[str, Any] = {}
        self._signs: dict[int, View] = {}

    def read(self, arms: Sequence[str], tasks: Sequence[str]) -> Found:
        """Every model of these arms, with the heads of these tasks."""
        found = Found()
        for arm in arms:
            for run in self.material.runs(arm):
                for task in (task for task in tasks if task in run.tasks):
                    if _pairs(self.material.table(task)):
                        _tell(found, f"{task}: its examples are pairs of texts")
                    elif run.record["settings"]["encoder"]["name"] == BAG:
                        self._bag(found, run, task, tasks)
                    elif differentiable(self.material.model(run)):
                        self._pieces(found, run, task)
                    else:
                        _tell(found, f"{arm}: its encoder has no embeddings of words")
        return found

    def _bag(self, found: Found, run: RunOf, task: str, tasks: Sequence[str]) -> None:
        model = self.material.model(run)
        network, words = network_of(model, run, task), model.tokenizer.words
        given = self.reader.texts(run, task, task, most=self.most)
        data = given.token_types if model.tokenizer.counted else np.ones(len(given.ids))
        starts = np.append(given.starts, len(given.ids))
        texts = csr_matrix((data.astype(np.float32), given.ids, starts), shape=(len(given.lengths), len(words)))
        self._gradients(found, run, task, words, gradients(network, texts))
        joint = self.material.plan["arms"][run.arm]["models"] == "joint"
        self._view(found.paths, run, task, words).seeds[run.seed] = path(network)
        of_all = self._view(found.sums, run, "" if joint else task, words, [one for one in tasks if one in run.tasks])
        if run.seed not in of_all.seeds:
            of_all.seeds[run.seed] = sums(network.weights)
            found.bags.append(network)

    def _pieces(self, found: Found, run: RunOf, task: str) -> None:
        model, most = self.material.model(run), self.most or FEW
        table = self.material.table(task)
        texts = table.rows.select(sample(len(table.rows), most))["text"]
        words = sorted(frequencies(texts))
        values = piece_gradients(model, task, self.reader.texts(run, task, task, most=most))
        places = {word: place for place, word in enumerate(words)}
        ids, sizes = of_words(texts, values, model.tokenizer, places)
        self._gradients(found, run, task, words, averaged(ids, sizes, len(words)))

    def _gradients(self, found: Found, run: RunOf, task: str, words: Sequence[str], given: Gradients) -> None:
        self._view(found.gradients, run, task, words).seeds[run.seed] = given.size
        if len(self.material.labels(task) or ()) == 2:
            self._view(found.signs, run, task, words).seeds[run.seed] = given.signed

    def _view(self, views: list[View], run: RunOf, task: str, words: Sequence[str], tasks: Sequence[str] = ()) -> View:
        for view in views:
            if (view.arm, view.task) == (run.arm, task):
                return view
        counts = [self._texts_with(one) for one in tasks or [task]]
        least = np.array([min(count[word] for count in counts) for word in words])
        name = f"{task}, {run.arm}" if task else run.arm
        views.append(View(name, run.arm, task, list(words), least))
        return views[-1]

    def _texts_with(self, task: str) -> Any:
        if task not in self._frequencies:
            self._frequencies[task] = frequencies(self.material.table(task, "train").rows["text"])
        return self._frequencies[task]


def network_of(model: Any, run: RunOf, task: str) -> Network:
    """A bag of words with the head of a task, as numbers."""
    encoder, output = model.sharing.encoders()[0], model.head(task).output
    parts = [part.detach().numpy() for part in (encoder.weight, encoder.bias, output.weight, output.bias)]
    activation = run.record["settings"]["encoder"]["settings"].get("activation", "sigmoid")
    return Network(*parts, activation=activation)


def shared(views: Sequence[View], least: int) -> list[str]:
    """The words that stand in at least so many training texts of every one of these models, and have a score in all."""
    known = []
    for view in views:
        defined = np.all([np.isfinite(given) for given in view.seeds.values()], axis=0) & (view.texts >= least)
        known.append({view.words[at] for at in np.flatnonzero(defined).tolist()})
    return [word for word in views[0].words if all(word in each for each in known)]


def compared(views: Sequence[View]) -> list[tuple[View, View]]:
    """Every two models; of heads, those of one task or of one arm."""
    return [
        (one, other)
        for one, other in combinations(views, 2)
        if "" in (one.task, other.task) or one.task == other.task or one.arm == other.arm
    ]


def _pairs(table: Any) -> bool:
    return "text_pair" in table.rows.column_names


def _tell(found: Found, why: str) -> None:
    found.told += [] if why in found.told else [why]


def all_seeds(views: Sequence[View]) -> list[int]:
    """The seeds of any of them."""
    return sorted(set(chain.from_iterable(view.seeds for view in views)))
