import datasets
import pytest

from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.datasets.swag import Swag


@pytest.fixture
def swag(tmp_path, monkeypatch):
    """Writes SWAG as the Hub has it, with these labels, and reads a split of it."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()

    def read(split, labels, **columns):
        folder = tmp_path / "allenai" / "swag"
        folder.mkdir(parents=True)
        files = f"configs:\n- config_name: regular\n  data_files:\n  - split: {split}\n    path: regular.parquet\n"
        (folder / "README.md").write_text(f"---\n{files}---\n")
        names = ("sent1", "sent2", "ending0", "ending1", "ending2", "ending3")
        texts = {name: [f"{name} of {row}" for row in range(len(labels))] for name in names}
        kinds = {name: datasets.Value("string") for name in texts}
        features = datasets.Features(kinds | {"label": datasets.ClassLabel(names=["0", "1", "2", "3"])})
        datasets.Dataset.from_dict(texts | columns | {"label": labels}, features).to_parquet(folder / "regular.parquet")
        return Swag(Places(tmp_path, tmp_path)).read(split)

    return read


def test_choices_open_with_the_second_sentence(swag):
    table = swag("train", [3, 0])
    assert table.rows[1] == {
        "id": "train-1",
        "text": "sent1 of 1",
        "choices": [f"sent2 of 1 ending{number} of 1" for number in range(4)],
        "label": "0",
    }
    assert table.labels is None and table.labelled


def test_test_split_carries_no_labels(swag):
    table = swag("test", [-1, -1])
    assert not table.labelled and table.rows["label"][:] == [None, None]


def test_missing_label_and_empty_ending_name_the_record(swag):
    with pytest.raises(StudyError) as error:
        swag("train", [-1, 0], ending2=["x", ""])
    assert 'allenai/swag train (train-1): "ending2" is empty' in str(error.value)
    assert "allenai/swag train (train-0): the label is not the number of one of 4 choices" in str(error.value)
