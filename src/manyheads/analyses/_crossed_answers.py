"""What heads answer to another task's texts, and the controls beside it.

n texts, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from manyheads.analyses import Material, RunOf
from manyheads.analyses._probe import fitted
from manyheads.analyses._sequences import Reader, pooled, sample
from manyheads.core.values import Measure
from manyheads.metrics.resampled import placements
from manyheads.results.intervals import Spread, resample, spread

RESAMPLES = 1_000
Kind = Literal["own", "crossed", "probe"]


@dataclass
class Row:
    """The answers to one task's texts that a head of some arm gave.

    :param texts: Whose texts.
    :param head: Whose head; of a probe, whose encoder.
    :param seeds: seed -> [n, C] probabilities.
    """

    texts: str
    head: str
    arm: str
    kind: Kind
    seeds: dict[int, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """A row in figures.

    :param accuracy: With its interval over seeds and texts.
    :param auc: None with more than two classes, or with texts of one class only.
    :param auc_interval: None if too many resamples of the texts are of one class.
    :param second: How often it answers with the second of two classes.
    """

    row: Row
    accuracy: Spread
    auc: float | None
    auc_interval: tuple[float, float] | None
    second: float | None


class Crosser:
    """Gives the texts of tasks to the heads of others.

    :param probed: How many training texts a probe is fitted to, drawn at random; 0 for no probes.
    """

    def __init__(self, material: Material, probed: int) -> None:
        self.material, self.probed = material, probed
        self.reader = Reader(material)
        self.rows: dict[tuple[str, str, str, Kind], Row] = {}

    def read(self, arms: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[Row]:
        """Every head of these arms on the texts of these pairs, (whose texts, whose head)."""
        for arm in arms:
            for run in self.material.runs(arm):
                self._run(run, pairs)
        return list(self.rows.values())

    def _run(self, run: RunOf, pairs: Sequence[tuple[str, str]]) -> None:
        joint = self.material.plan["arms"][run.arm]["models"] == "joint"
        for task in dict.fromkeys(texts for texts, _ in pairs if texts in run.tasks):
            answers = self.material.answers(run, task)
            names = self.material.labels(task) or ()
            given = np.array([[line["probabilities"][name] for name in names] for line in answers])
            self._keep(task, task, run, "own", given)
        for texts, head in pairs:
            if head not in run.tasks or (joint and texts not in run.tasks):
                continue
            states, output = self._states(run, texts, head), self.material.model(run).head(head).output
            with torch.inference_mode():
                logits = output(torch.from_numpy(states)).double()
            self._keep(texts, head, run, "crossed", torch.softmax(logits, dim=-1).numpy())
            if self.probed and not joint:
                known = self._states(run, texts, head, "train")
                gold = self.gold(texts, "train")
                gold = gold[sample(len(gold), self.probed)]
                probe = fitted(known, gold, len(self.material.labels(texts) or ()))
                self._keep(texts, head, run, "probe", probe.probabilities(states))

    def _states(
        self, run: RunOf, texts: str, head: str, split: Literal["reported", "train"] = "reported"
    ) -> np.ndarray:
        most = self.probed if split == "train" else 0
        return pooled(self.material.model(run), head, self.reader.texts(run, head, texts, split, most))

    def _keep(self, texts: str, head: str, run: RunOf, kind: Kind, given: np.ndarray) -> None:
        row = self.rows.setdefault((texts, head, run.arm, kind), Row(texts, head, run.arm, kind))
        row.seeds[run.seed] = given

    def gold(self, task: str, split: Literal["reported", "train"] = "reported") -> np.ndarray:
        """[n] the number of each text's class."""
        places = {name: place for place, name in enumerate(self.material.labels(task) or ())}
        return np.array([places[label] for label in self.material.table(task, split).rows["label"]])


def scores(rows: Sequence[Row], gold: np.ndarray, clusters: Sequence[str] | None) -> list[Score]:
    """The scores of rows about the same texts, on the same resamples of them."""
    groups = None if clusters is None else np.unique(np.array(clusters), return_inverse=True)[1]
    units = len(gold) if groups is None else int(groups.max()) + 1
    measures = [measure for row in rows for given in row.seeds.values() for measure in _measures(given, gold)]
    values, resampled = resample(measures, groups, resamples=RESAMPLES)
    found, start = [], 0
    for row in rows:
        k, two = len(row.seeds), next(iter(row.seeds.values())).shape[1] == 2
        kinds = 2 if two else 1
        parts = [np.arange(start + at, start + k * kinds, kinds) for at in range(kinds)]
        start += k * kinds
        spreads = [spread(values[part], resampled[:, part], units) for part in parts]
        assert spreads[0] is not None, "an accuracy is always defined"
        second = float(np.mean([given.argmax(1).mean() for given in row.seeds.values()])) if two else None
        area = float(np.mean(values[parts[1]])) if two else np.nan
        of_area = spreads[1].interval() if two and spreads[1] else None
        found.append(Score(row, spreads[0], area if np.isfinite(area) else None, of_area, second))
    return found


def _measures(given: np.ndarray, gold: np.ndarray) -> list[Measure]:
    right = Measure("mean", (given.argmax(axis=1) == gold)[:, None].astype(np.float64))
    return [right, Measure("auc", placements(gold, given[:, 1]))] if given.shape[1] == 2 else [right]


def majority(gold: np.ndarray) -> float:
    """How often the most frequent class is right."""
    return float(np.bincount(gold).max() / len(gold))


def crossable(labels: Mapping[str, Sequence[str]], pair: tuple[str, str], by_order: bool) -> str | None:
    """Why the head of one task cannot answer for the other; None if it can."""
    one, other = (tuple(labels[task]) for task in pair)
    if one == other or (by_order and len(one) == len(other)):
        return None
    told = [", ".join(each[:4]) + (", …" if len(each) > 4 else "") for each in (one, other)]
    same = " Set by_order = true if they mean the same in this order." if len(one) == len(other) else ""
    return f"the classes of {pair[0]} ({told[0]}) are not those of {pair[1]} ({told[1]}).{same}"


def clusters_of(rows: Any) -> list[str] | None:
    """Which texts belong together, if the data says so."""
    return list(rows["cluster"]) if "cluster" in rows.column_names else None
