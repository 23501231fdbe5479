"""A part of the training examples held out as another split, where the data come without one."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.values import TRAIN, Table, derived_seed
from manyheads.datasets import Dataset


class HeldOut(Dataset):
    """A dataset of which parts of train are other splits.

    :param shares: Split -> the share of the training examples that it gets.
    :param purpose: What the seed of the drawing depends on: the same parts for the same name.
    :raises StudyError: If the shares leave nothing, or a split is there already.
    """

    def __init__(self, dataset: Dataset, shares: Mapping[str, float], where: str, purpose: str) -> None:
        super().__init__(dataset.places)
        self.dataset, self.shares, self.purpose = dataset, shares, purpose
        problems = []
        if sum(shares.values()) >= 1:
            problems.append(Problem(where, "nothing is left to train on", shown(dict(shares)), "Hold out less than 1."))
        for split in shares:
            if dataset.read(split) is not None:
                what, remedy = f'there is a split "{split}" already', "Leave it out of hold_out, or its file."
                problems.append(Problem(f"{where}.{split}", what, "", remedy))
        if problems:
            raise StudyError(problems)
        there = dataset.reported in shares or dataset.read(dataset.reported) is not None
        # The contract's default is the class's; here it depends on what there is.
        self.reported = dataset.reported if there else next(iter(shares))  # pyright: ignore[reportAttributeAccessIssue]
        self.parts: dict[str, Table] | None = None

    def read(self, split: str) -> Table | None:
        if split != TRAIN and split not in self.shares:
            return self.dataset.read(split)
        if self.parts is None:
            train = self.dataset.read(TRAIN)
            if train is None:
                return None
            self.parts = _parted(train, self.shares, self.purpose)
        return self.parts[split]


def _parted(train: Table, shares: Mapping[str, float], purpose: str) -> dict[str, Table]:
    """The splits: a cluster in a drawn order goes where it brings the classes nearer to their share of the split."""
    rows = len(train.rows)
    names = train.rows.column_names
    labels = train.rows["label"][:] if train.labels is not None and "label" in names else [""] * rows
    clusters: dict[object, list[int]] = {}
    for row, cluster in enumerate(train.rows["cluster"][:] if "cluster" in names else range(rows)):
        clusters.setdefault(cluster, []).append(row)
    left = list(clusters.values())
    random.Random(derived_seed("hold_out", purpose)).shuffle(left)
    amounts, chosen = Counter(labels), dict[str, list[int]]()
    for split, share in shares.items():
        wanted = {label: share * amount for label, amount in amounts.items()}
        taken, rest = list[int](), list[list[int]]()
        for members in left:
            held = Counter(labels[row] for row in members)
            if sum(count * (2 * wanted[label] - count) for label, count in held.items()) > 0:
                taken += members
                for label, count in held.items():
                    wanted[label] -= count
            else:
                rest.append(members)
        chosen[split], left = taken, rest
    chosen[TRAIN] = [row for members in left for row in members]
    return {
        split: replace(train, rows=train.rows.select(np.sort(members)))
        if split == TRAIN
        else replace(train, rows=train.rows.select(np.sort(members)), dropped={}, warnings=())
        for split, members in chosen.items()
    }
