import datasets

from manyheads.core.values import Places
from manyheads.datasets.yelp_polarity import YelpPolarity


def test_mirror(hub):
    dataset = YelpPolarity(Places(hub, hub))
    train, test = dataset.read("train"), dataset.read("test")
    assert len(train.rows) == 3_214 and len(test.rows) == 804 and dataset.read("validation") is None
    assert train.labels == ("negative", "positive") and dataset.reported == "test"
    assert train.rows["label"][:].count("negative") == 1_598


def test_escapes_of_the_hub_are_undone(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    folder = tmp_path / "fancyzhx" / "yelp_polarity"
    folder.mkdir(parents=True)
    files = "configs:\n- config_name: plain_text\n  data_files:\n  - split: train\n    path: train.parquet\n"
    (folder / "README.md").write_text(f"---\n{files}---\n")
    texts = [r"Say \"hi\".\nBye.", r'An \""old\"" one.', "a \\ b", 'plain "quote"']
    kinds = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["1", "2"])}
    rows = datasets.Dataset.from_dict({"text": texts, "label": [0, 1, 0, 1]}, datasets.Features(kinds))
    rows.to_parquet(folder / "train.parquet")
    table = YelpPolarity(Places(tmp_path, tmp_path)).read("train")
    assert table.rows["text"][:] == ['Say "hi".\nBye.', 'An "old" one.', "a \\ b", 'plain "quote"']
    assert table.rows["label"][:2] == ["negative", "positive"]
