"""What heads answer to another task's texts, and the controls that these answers are compared with.

n texts, C classes, D the width of the states.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from manyheads.analyses import FinishedRun, StudyRuns
from manyheads.analyses._sequences import Reader, pooled, sample
from manyheads.core.values import Measure
from manyheads.metrics.resampled import placements
from manyheads.results.intervals import Spread, resample, spread

RESAMPLES = 1_000
PENALTY = 1e-3
"""Half of this times the squared weights is added to a probe's mean loss."""
Kind = Literal["own", "crossed", "probe"]


@dataclass
class Row:
    """What one kind of head answers to a task's texts, in the models of one arm.

    :param texts: The task whose texts these are.
    :param head: The task whose head answers; for a probe, the task whose encoder it reads.
    :param seeds: seed -> [n, C] probabilities.
    """

    texts: str
    head: str
    arm: str
    kind: Kind
    seeds: dict[int, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """How good the answers of a row are.

    :param accuracy: With its interval over seeds and texts.
    :param auc: The area under the ROC curve; None with more than two classes, or if all texts are of one class.
    :param auc_interval: None if too many resamples of the texts are of one class.
    :param second: The share of the answers that are the second of two classes.
    """

    row: Row
    accuracy: Spread
    auc: float | None
    auc_interval: tuple[float, float] | None
    second: float | None


@dataclass(frozen=True)
class Panel:
    """Everything that answers one task's texts: its own heads, those of another task, and probes.

    :param texts: The task whose texts these are.
    :param head: The other task.
    :param majority: The share of the most frequent class.
    """

    texts: str
    head: str
    scores: Sequence[Score]
    majority: float


class Crosser:
    """Gives the texts of tasks to the heads of others.

    :param probed: How many training texts a probe is fitted to, drawn at random; 0 for no probes.
    """

    def __init__(self, runs: StudyRuns, probed: int) -> None:
        self.runs, self.probed = runs, probed
        self.reader = Reader(runs)
        self.rows: dict[tuple[str, str, str, Kind], Row] = {}

    def read(self, arms: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[Row]:
        """The answers of every model of these arms.

        :param pairs: (task of the texts, task of the head).
        """
        for arm in arms:
            for run in self.runs.finished(arm):
                self._read_run(run, pairs)
        return list(self.rows.values())

    def _read_run(self, run: FinishedRun, pairs: Sequence[tuple[str, str]]) -> None:
        alone = self.runs.study.arms[run.arm].alone
        for task in dict.fromkeys(texts for texts, _ in pairs if texts in run.tasks):
            names = self.runs.labels(task) or ()
            given = [[line["probabilities"][name] for name in names] for line in self.runs.answers(run, task)]
            self._keep(task, task, run, "own", np.array(given))
        for texts, head in pairs:
            if head not in run.tasks or not (alone or texts in run.tasks):
                continue
            states, output = self._states(run, texts, head), self.runs.model(run).head(head).output
            with torch.inference_mode():
                logits = output(torch.from_numpy(states)).double()
            self._keep(texts, head, run, "crossed", torch.softmax(logits, dim=-1).numpy())
            if self.probed and alone:
                gold = self.gold(texts, "train")
                known = self._states(run, texts, head, "train"), gold[sample(len(gold), self.probed)]
                classes = len(self.runs.labels(texts) or ())
                self._keep(texts, head, run, "probe", probe_answers(*known, states, classes))

    def _states(
        self, run: FinishedRun, texts: str, head: str, split: Literal["reported", "train"] = "reported"
    ) -> np.ndarray:
        most = self.probed if split == "train" else 0
        return pooled(self.runs.model(run), head, self.reader.texts(run, head, texts, split, most))

    def _keep(self, texts: str, head: str, run: FinishedRun, kind: Kind, given: np.ndarray) -> None:
        row = self.rows.setdefault((texts, head, run.arm, kind), Row(texts, head, run.arm, kind))
        row.seeds[run.seed] = given

    def gold(self, task: str, split: Literal["reported", "train"] = "reported") -> np.ndarray:
        """[n] the number of each text's class."""
        places = {name: place for place, name in enumerate(self.runs.labels(task) or ())}
        return np.array([places[label] for label in self.runs.table(task, split).rows["label"]])

    def clusters(self, task: str) -> list[str] | None:
        """[n] the cluster of each reported text; None if the data has no clusters."""
        rows = self.runs.table(task).rows
        return list(rows["cluster"]) if "cluster" in rows.column_names else None


def probe_answers(states: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int) -> np.ndarray:
    """[m, C] the probabilities of a linear probe: logistic regression on states that stay as they are.

    Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016,
    https://arxiv.org/abs/1610.01644. The states are scaled to mean 0 and variance 1 before.

    :param states: [n, D] what the probe is fitted to.
    :param labels: [n] from 0 to below `classes`.
    :param asked: [m, D] what it answers to.
    """
    found = np.zeros((len(asked), classes))
    known = np.unique(labels)
    if len(known) == 1:
        found[:, known] = 1.0
        return found
    # With two classes scikit-learn fits the difference of the two weight vectors, whose penalty is half of theirs.
    strength = (2 if len(known) == 2 else 1) / (PENALTY * len(states))
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, tol=1e-6, max_iter=1000))
    found[:, known] = probe.fit(states.astype(np.float64), labels).predict_proba(asked.astype(np.float64))
    return found


def scores(rows: Sequence[Row], gold: np.ndarray, clusters: Sequence[str] | None) -> list[Score]:
    """The scores of rows about the same texts, on the same resamples of them."""
    groups = None if clusters is None else np.unique(np.array(clusters), return_inverse=True)[1]
    units = len(gold) if groups is None else int(groups.max()) + 1
    measures = [measure for row in rows for given in row.seeds.values() for measure in _measures(given, gold)]
    values, resampled = resample(measures, groups, resamples=RESAMPLES)
    found, start = [], 0
    for row in rows:
        two = next(iter(row.seeds.values())).shape[1] == 2
        kinds = 2 if two else 1
        end = start + len(row.seeds) * kinds
        parts = [np.arange(start + at, end, kinds) for at in range(kinds)]
        start = end
        spreads = [spread(values[part], resampled[:, part], units) for part in parts]
        assert spreads[0] is not None, "an accuracy is always defined"
        second = float(np.mean([given.argmax(1).mean() for given in row.seeds.values()])) if two else None
        area = float(np.mean(values[parts[1]])) if two else np.nan
        interval = spreads[1].interval() if two and spreads[1] else None
        found.append(Score(row, spreads[0], area if np.isfinite(area) else None, interval, second))
    return found


def _measures(given: np.ndarray, gold: np.ndarray) -> list[Measure]:
    right = Measure("mean", (given.argmax(axis=1) == gold)[:, None].astype(np.float64))
    return [right, Measure("auc", placements(gold, given[:, 1]))] if given.shape[1] == 2 else [right]


def majority(gold: np.ndarray) -> float:
    """The share of the most frequent class."""
    return float(np.bincount(gold).max() / len(gold))


def refusal(labels: Mapping[str, Sequence[str]], pair: tuple[str, str], by_order: bool) -> str | None:
    """Why the head of one task cannot answer for the other; None if it can.

    :param labels: task -> the names of its classes.
    :param by_order: Whether classes with different names are taken for the same, in their order.
    """
    one, other = (tuple(labels[task]) for task in pair)
    if one == other or (by_order and len(one) == len(other)):
        return None
    names = [", ".join(each[:4]) + (", …" if len(each) > 4 else "") for each in (one, other)]
    same = " Set by_order = true if they mean the same in this order." if len(one) == len(other) else ""
    return f"the classes of {pair[0]} ({names[0]}) are not those of {pair[1]} ({names[1]}).{same}"
