"""Methods where they meet: every two of encoder, sharing, weighting and heads, in both precisions, in some training.

A covering array: not every combination is trained, but every pair of choices is in one that is. `make test` trains one
with each choice; the whole array is slow.
"""

import random
from collections.abc import Iterator
from itertools import combinations, product

import datasets
import numpy as np
import pytest
from tiny_encoders import make_family

from manyheads import registry
from manyheads.core.values import Places, Table
from manyheads.data.batches import TrainingData, encoded, vocabulary
from manyheads.inference import answers
from manyheads.study.spec import AdamW, TrainingSettings
from manyheads.study.steps import Layout
from manyheads.training.loop import train
from manyheads.training.model import build_model, open_model
from manyheads.training.optimizer import optimizer_for
from test_contracts import LABELS, columns_of

FACTORS = {
    "encoder": ["bag_of_words", "bert", "distilbert", "plain"],
    "sharing": registry.names("sharing"),
    "weighting": registry.names("weighting"),
    "head": registry.names("heads"),
    "other": registry.names("heads"),
    "precision": ["fp32", "bf16"],
}
"""`bert` is computed without padding, `distilbert` with it; `plain` is BERT under MANYHEADS_PLAIN."""
WHOLE = ("distilbert",)
"""Encoders whose layers cannot be called one by one."""
Row = dict[str, str]


def fits(row: Row) -> bool:
    """What a study may combine; all else is refused by name, which other tests see to."""
    per_token = [registry.constant("heads", row[key], "per_token") for key in ("head", "other")]
    per_token.append(registry.constant("sharing", row["sharing"], "per_token"))
    if row["encoder"] == "bag_of_words" and any(per_token):
        return False
    return not (registry.constant("sharing", row["sharing"], "by_layer") and row["encoder"] in WHOLE)


def pairs_of(row: Row) -> set[tuple[tuple[str, str], ...]]:
    return set(combinations(row.items(), 2))


def covering() -> list[Row]:
    """Rows such that every pair of choices that fits together is in one, each the best of the combinations left."""
    rows = [row for choice in product(*FACTORS.values()) if fits(row := dict(zip(FACTORS, choice, strict=True)))]
    random.Random(1).shuffle(rows)
    left, found = set[tuple[tuple[str, str], ...]]().union(*map(pairs_of, rows)), []
    while left:
        best = max(rows, key=lambda row: len(pairs_of(row) & left))
        found.append(best)
        left -= pairs_of(best)
    return found


def _once(rows: list[Row]) -> Iterator[object]:
    """The first row with a choice that none before it has is quick, all others are slow."""
    seen = set[tuple[str, str]]()
    for row in rows:
        marks = [pytest.mark.slow] if set(row.items()) <= seen else []
        seen |= set(row.items())
        yield pytest.param(row, id=" ".join(row.values()), marks=marks)


ROWS = covering()


def test_every_pair_of_choices_is_trained_once():
    wanted = {
        pair for choice in product(*FACTORS.values()) if fits(row := dict(zip(FACTORS, choice, strict=True)))
        for pair in pairs_of(row)
    }  # fmt: skip
    assert wanted == set().union(*map(pairs_of, ROWS))
    print(f"{len(ROWS)} combinations cover {len(wanted)} pairs")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {kind: make_family(kind, tmp_path_factory.mktemp(kind)) for kind in ("bert", "distilbert")}


@pytest.mark.parametrize("row", list(_once(ROWS)))
def test_methods_that_meet_train_answer_and_are_saved(row, folders, tmp_path, monkeypatch):
    monkeypatch.delenv("MANYHEADS_PLAIN", raising=False)
    if row["encoder"] == "plain":
        monkeypatch.setenv("MANYHEADS_PLAIN", "1")
    tasks = {"one": row["head"], "two": row["other"]}
    tables = {}
    for task, head in tasks.items():
        labels = LABELS.get(head, (None, None))[0]
        tables[task] = Table(datasets.Dataset.from_dict({"id": ["x", "y"], **columns_of(head)}), labels, True)
    folder = folders["distilbert" if row["encoder"] == "distilbert" else "bert"]
    encoder, learned = {"name": "pretrained", "settings": {"model": str(folder)}}, None
    if row["encoder"] == "bag_of_words":
        encoder, learned = {"name": "bag_of_words", "settings": {"width": 32}}, ["a", "film", "is", "it", "not"]
    lengths = {
        "span": {"max_length": 60, "stride": 20, "max_question": 20},
        "tagging": {"max_length": 60, "stride": 30},
    }
    given = {
        task: {
            "head": {"name": head, "settings": lengths.get(head, {"max_length": 60})},
            "labels": None if tables[task].labels is None else list(tables[task].labels),
            "columns": tables[task].rows.column_names,
        }
        for task, head in tasks.items()
    }
    specification = {"encoder": encoder, "sharing": {"name": row["sharing"], "settings": {}}, "tasks": given}
    model = build_model(specification, Places(tmp_path), seed=1, learned=learned)
    data = {
        task: TrainingData(task, encoded(model.head(task), table, model.tokenizer), 2, 1)
        for task, table in tables.items()
    }
    model.narrow(np.unique(np.concatenate([vocabulary(one.examples) for one in data.values()])))
    weighting = registry.load("weighting", row["weighting"])(list(tasks))
    rule = optimizer_for(model, weighting, AdamW(), 1e-3)
    training = TrainingSettings(precision=row["precision"], warmup=0.0)
    records = []
    for record in train(model, data, Layout([tuple(tasks)] * 2), weighting, rule, seed=1, settings=training):
        records.append(record)
        if weighting.needs_scores:
            weighting.hear(dict.fromkeys(tasks, 0.6))
    assert all(np.isfinite(loss) for record in records for loss in record.losses.values())
    model.widen()
    model.save(tmp_path)
    opened = open_model(tmp_path)
    for task, table in tables.items():
        lines = table.rows.to_list()
        found, again = (list(answers(one.eval(), [task], lines, row["precision"])) for one in (model, opened))
        assert len(found) == 2 and found == again
