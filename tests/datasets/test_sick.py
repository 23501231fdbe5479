from manyheads.core.values import Places
from manyheads.datasets.sick import Sick

ROWS = {"train": 4_439, "validation": 495, "test": 4_906}


def test_entailment(hub):
    dataset = Sick(Places(hub, hub))
    tables = {split: dataset.read(split) for split in ROWS}
    assert {split: len(table.rows) for split, table in tables.items()} == ROWS and dataset.reported == "test"
    assert tables["train"].labels == ("entailment", "neutral", "contradiction")
    assert tables["train"].rows.column_names == ["id", "text", "text_pair", "label"]
    ids = [set(table.rows["id"][:]) for table in tables.values()]
    assert len(set.union(*ids)) == sum(ROWS.values())  # the publisher's ids are unique over all splits


def test_relatedness_is_the_published_number(hub):
    table = Sick(Places(hub, hub), target="relatedness").read("train")
    assert table.labels is None and table.rows[0]["label"] == 4.5
    assert all(1 <= score <= 5 and round(score, 3) == score for score in table.rows["label"][:])
