"""How important each word is to each model of a study."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from manyheads.analyses import FinishedRun, StudyRuns
from manyheads.analyses._piece_gradients import differentiable, frequencies, of_words, piece_gradients
from manyheads.analyses._sequences import Reader, sample
from manyheads.analyses._word_scores import Gradients, Network, averaged, gradients, path, sums

BAG = "bag_of_words"
FEW = 500
"""Over how many texts the gradient of a pretrained encoder is averaged by default."""


@dataclass
class WordScores:
    """One score of every word in the models of an arm, for each seed.

    :param name: What people call the model.
    :param task: The task whose head is looked at; "" if the score is of what all heads share.
    :param texts: [V] how many training texts each word stands in; with several tasks, in the task with the fewest.
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
        """Each seed's scores of some words; with `size` their absolute values."""
        at = [self.places[word] for word in words]
        return {seed: np.abs(given[at]) if size else given[at] for seed, given in self.seeds.items()}


@dataclass
class StudyWords:
    """All scores of all models.

    :param sums: By the sum of the input weights.
    :param paths: By the path to the output.
    :param gradients: By the gradient times the input.
    :param signs: The mean gradient times the input with its sign, which tells the class of two that a word speaks for.
    :param networks: The bags of words of each arm and seed.
    :param left_out: What could not be looked at, and why.
    """

    sums: list[WordScores] = field(default_factory=list)
    paths: list[WordScores] = field(default_factory=list)
    gradients: list[WordScores] = field(default_factory=list)
    signs: list[WordScores] = field(default_factory=list)
    networks: list[Network] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class WordReader:
    """Computes the words' scores from the models of a study.

    :param texts: How many texts of each task the gradients are averaged over; 0 for all, or for `FEW` with a pretrained
        encoder.
    """

    def __init__(self, runs: StudyRuns, texts: int) -> None:
        self.runs, self.most = runs, texts
        self.reader = Reader(runs)
        self._frequencies: dict[str, Counter[str]] = {}

    def read(self, arms: Sequence[str], tasks: Sequence[str]) -> StudyWords:
        """Every model of these arms, with the heads of these tasks."""
        found = StudyWords()
        for arm in arms:
            for run in self.runs.finished(arm):
                for task in (task for task in tasks if task in run.tasks):
                    if "text_pair" in self.runs.table(task).rows.column_names:
                        _leave_out(found, f"{task}: its examples are pairs of texts")
                    elif run.record.settings.encoder.name == BAG:
                        self._bag(found, run, task, tasks)
                    elif differentiable(self.runs.model(run)):
                        self._pieces(found, run, task)
                    else:
                        _leave_out(found, f"{arm}: its encoder has no embeddings of words")
        return found

    def _bag(self, found: StudyWords, run: FinishedRun, task: str, tasks: Sequence[str]) -> None:
        model = self.runs.model(run)
        network, words = network_of(model, run, task), model.tokenizer.words
        given = self.reader.texts(run, task, task, most=self.most)
        data = given.token_types if model.tokenizer.counted else np.ones(len(given.ids))
        starts = np.append(given.starts, len(given.ids))
        texts = csr_matrix((data.astype(np.float32), given.ids, starts), shape=(len(given.lengths), len(words)))
        self._gradients(found, run, task, words, gradients(network, texts))
        joint = not self.runs.study.arms[run.arm].alone
        self._scores(found.paths, run, task, words).seeds[run.seed] = path(network)
        of_all = self._scores(found.sums, run, "" if joint else task, words, [one for one in tasks if one in run.tasks])
        if run.seed not in of_all.seeds:
            of_all.seeds[run.seed] = sums(network.weights)
            found.networks.append(network)

    def _pieces(self, found: StudyWords, run: FinishedRun, task: str) -> None:
        model, most = self.runs.model(run), self.most or FEW
        table = self.runs.table(task)
        texts = table.rows.select(sample(len(table.rows), most))["text"]
        words = sorted(frequencies(texts))
        values = piece_gradients(model, task, self.reader.texts(run, task, task, most=most))
        places = {word: place for place, word in enumerate(words)}
        ids, sizes = of_words(texts, values, model.tokenizer, places)
        self._gradients(found, run, task, words, averaged(ids, sizes, len(words)))

    def _gradients(
        self, found: StudyWords, run: FinishedRun, task: str, words: Sequence[str], given: Gradients
    ) -> None:
        self._scores(found.gradients, run, task, words).seeds[run.seed] = given.size
        if len(self.runs.labels(task) or ()) == 2:
            self._scores(found.signs, run, task, words).seeds[run.seed] = given.signed

    def _scores(
        self, known: list[WordScores], run: FinishedRun, task: str, words: Sequence[str], tasks: Sequence[str] = ()
    ) -> WordScores:
        """The scores of this run's arm and task, to which those of its seed are added.

        :param tasks: The tasks whose texts count, if they are not `task` alone.
        """
        for one in known:
            if (one.arm, one.task) == (run.arm, task):
                return one
        counts = [self._texts_with(one) for one in tasks or [task]]
        least = np.array([min(count[word] for count in counts) for word in words])
        known.append(WordScores(f"{task}, {run.arm}" if task else run.arm, run.arm, task, list(words), least))
        return known[-1]

    def _texts_with(self, task: str) -> Counter[str]:
        """In how many training texts of a task each word stands."""
        if task not in self._frequencies:
            self._frequencies[task] = frequencies(self.runs.table(task, "train").rows["text"])
        return self._frequencies[task]


def _leave_out(found: StudyWords, why: str) -> None:
    found.left_out += [] if why in found.left_out else [why]


def network_of(model: Any, run: FinishedRun, task: str) -> Network:
    """A bag of words with the head of a task, as arrays."""
    encoder, output = model.sharing.encoders()[0], model.head(task).output
    parts = [part.detach().numpy() for part in (encoder.weight, encoder.bias, output.weight, output.bias)]
    activation: Any = run.record.settings.encoder.settings.get("activation", "sigmoid")
    return Network(*parts, activation=activation)


def common_words(models: Sequence[WordScores], least: int) -> list[str]:
    """The words that stand in at least so many training texts of each of these models and have a score in all."""
    known = []
    for one in models:
        defined = np.all([np.isfinite(given) for given in one.seeds.values()], axis=0) & (one.texts >= least)
        known.append({one.words[at] for at in np.flatnonzero(defined).tolist()})
    return [word for word in models[0].words if all(word in each for each in known)]


def comparable(models: Sequence[WordScores]) -> list[tuple[WordScores, WordScores]]:
    """Every two models; of heads, only two of the same task or of the same arm."""
    return [
        (one, other)
        for one, other in combinations(models, 2)
        if "" in (one.task, other.task) or one.task == other.task or one.arm == other.arm
    ]
