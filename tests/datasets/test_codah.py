from collections import Counter

import pytest

from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.datasets.codah import Codah


def test_mirror(hub):
    dataset = Codah(Places(hub, hub))
    train, validation = dataset.read("train"), dataset.read("validation")
    assert len(train.rows) == 2_221 and len(validation.rows) == 555 and dataset.read("test") is None
    assert Counter(train.rows["label"][:]) == {"0": 555, "1": 546, "2": 563, "3": 557}
    assert all(len(choices) == 4 for choices in train.rows["choices"][:])
    assert not set(train.rows["text"][:]) & set(validation.rows["text"][:])


def test_first_row(hub):
    row = Codah(Places(hub, hub)).read("train").rows[0]
    assert row["text"].endswith("A haiku is") and row["label"] == "3"
    assert row["choices"][3] == "a traditional form of Japanese poetry."


def test_the_hub_is_not_asked_for_what_only_the_mirror_has(tmp_path):
    with pytest.raises(StudyError, match="The Hub has no such dataset"):
        Codah(Places(tmp_path, tmp_path)).read("train")
