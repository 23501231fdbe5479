from collections import Counter

from manyheads.core.values import Places
from manyheads.datasets.imdb import Imdb


def test_mirror(hub):
    dataset = Imdb(Places(hub, hub))
    train, test = dataset.read("train"), dataset.read("test")
    assert len(train.rows) == 24_877 and len(test.rows) == 25_000 and dataset.read("validation") is None
    assert train.labels == test.labels == ("neg", "pos") and dataset.reported == "test"
    assert Counter(train.rows["label"][:]) == {"neg": 12_405, "pos": 12_472}
    assert train.rows.column_names == ["id", "text", "label"]
