import datasets
import pytest

from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.datasets._checks import compare_splits
from manyheads.datasets.glue import Glue

LABELS = {
    "sst2": ("negative", "positive"),
    "cola": ("unacceptable", "acceptable"),
    "mrpc": ("not_equivalent", "equivalent"),
    "mnli": ("entailment", "neutral", "contradiction"),
    "stsb": None,
    "rte": ("entailment", "not_entailment"),
}
ROWS = [
    ("sst2", {"train": 67_349, "validation": 872, "test": None}),
    ("cola", {"train": 8_551, "validation": 1_043, "test": None}),
    ("mrpc", {"train": 3_668, "validation": 408, "test": 1_725}),
    ("mnli", {"train": 15_891, "validation": 9_815, "test": None}),
    ("stsb", {"train": 5_749, "validation": 1_500, "test": 1_379}),
    ("rte", {"train": 2_490, "validation": 277, "test": None}),
]


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Writes one subset of GLUE as the Hub has it, and gives the places to find it."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()

    def write(subset, splits, label=None):
        folder = tmp_path / "nyu-mll" / "glue"
        (folder / subset).mkdir(parents=True)
        files = "".join(f"  - split: {split}\n    path: {subset}/{split}-*\n" for split in splits)
        (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: {subset}\n  data_files:\n{files}---\n")
        kind = label or datasets.ClassLabel(names=["negative", "positive"])
        for split, columns in splits.items():
            texts = {name: datasets.Value("string") for name in columns if name != "label"}
            features = datasets.Features(texts | ({"label": kind} if "label" in columns else {}))
            datasets.Dataset.from_dict(columns, features).to_parquet(folder / subset / f"{split}-0.parquet")
        return Places(tmp_path, tmp_path)

    return write


@pytest.mark.parametrize(("subset", "rows"), ROWS)
def test_every_subset_of_the_mirror(hub, subset, rows):
    glue = Glue(Places(hub, hub), subset=subset)
    tables = {split: glue.read(split) for split in rows}
    assert {split: table and len(table.rows) for split, table in tables.items()} == rows
    for split in ("train", "validation"):
        table = tables[split]
        assert table.labels == LABELS[subset] and table.labelled and not table.warnings
        assert table.rows.column_names[:2] == ["id", "text"] and table.rows.column_names[-1] == "label"
        assert ("text_pair" in table.rows.column_names) == (subset not in ("sst2", "cola"))
        assert table.rows[0]["id"] == f"{split}-0"


def test_labels_are_names_and_scores_are_the_published_numbers(hub):
    row = Glue(Places(hub, hub), subset="sst2").read("validation").rows[0]
    assert row == {"id": "validation-0", "text": "it 's a charming and often affecting journey . ", "label": "positive"}
    scores = Glue(Places(hub, hub), subset="stsb").read("validation").rows["label"][:]
    assert min(scores) == 0 and max(scores) == 5 and all(round(score, 3) == score for score in scores[:100])


def test_leaks_between_splits_are_those_of_the_card(hub):
    for subset, leaks in (("cola", "18 of 1,043"), ("stsb", "6 of 1,500")):
        glue = Glue(Places(hub, hub), subset=subset)
        assert leaks in str(compare_splits(glue.read("train"), glue.read("validation"), "tasks.t")[0])


def test_matched_and_mismatched(hub, mirror):
    assert Glue(Places(hub, hub), subset="mnli", mismatched=True).read("validation") is None
    rows = {"premise": ["a"], "hypothesis": ["b"], "label": [1]}
    places = mirror(
        "mnli", {"train": rows, "validation_matched": rows, "validation_mismatched": rows | {"premise": ["c"]}}
    )
    assert Glue(places, subset="mnli").read("validation").rows["text"][:] == ["a"]
    assert Glue(places, subset="mnli", mismatched=True).read("validation").rows["text"][:] == ["c"]
    assert Glue(places, subset="mnli", mismatched=True).read("train").rows["text"][:] == ["a"]
    with pytest.raises(StudyError, match="only mnli has mismatched splits"):
        Glue(places, subset="sst2", mismatched=True)


def test_unlabelled_test_split(mirror):
    rows = {"sentence": ["a", "b"], "label": [-1, -1]}
    table = Glue(mirror("sst2", {"test": rows})).read("test")
    assert not table.labelled and table.rows["label"][:] == [None, None] and table.labels == ("negative", "positive")
    assert table.rows.features["label"] == datasets.Value("string")


def test_unlabelled_regression_test_split(mirror):
    rows = {"sentence1": ["a"], "sentence2": ["b"], "label": [-1.0]}
    table = Glue(mirror("stsb", {"test": rows}, datasets.Value("float32")), subset="stsb").read("test")
    assert not table.labelled and table.rows["label"][:] == [None]


@pytest.mark.parametrize("split", ["train", "test"])
def test_some_rows_without_label_are_an_error_that_names_them(mirror, split):
    places = mirror("sst2", {split: {"sentence": ["a", "b", "c"], "label": [-1, 1, -1]}})
    with pytest.raises(StudyError) as error:
        Glue(places).read(split)
    first, second = map(str, error.value.problems)
    assert f"nyu-mll/glue sst2 {split} ({split}-0): there is no class with this number. Found -1" in first
    assert f"({split}-2)" in second and "only a test split may have" in first


def test_scores_out_of_range(mirror):
    rows = {"sentence1": ["a", "b"], "sentence2": ["b", "c"], "label": [5.5, float("nan")]}
    with pytest.raises(StudyError) as error:
        Glue(mirror("stsb", {"train": rows}, datasets.Value("float32")), subset="stsb").read("train")
    assert len(error.value.problems) == 2 and "not within 0 and 5" in str(error.value)


def test_null_texts_are_an_error_and_empty_ones_are_told(mirror):
    rows = {"sentence": ["a", "  ", "c"], "label": [0, 1, 0]}
    places = mirror("sst2", {"train": rows, "validation": rows | {"sentence": ["a", None, "c"]}})
    assert '"sentence" is empty in 1 row' in str(Glue(places).read("train").warnings[0])
    with pytest.raises(StudyError, match=r'validation-1\): "sentence" is missing or null'):
        Glue(places).read("validation")


def test_labels_without_class_names_and_missing_columns(mirror):
    places = mirror("sst2", {"train": {"sentence": ["a"], "label": [1]}}, datasets.Value("int64"))
    with pytest.raises(StudyError, match="has no class names"):
        Glue(places).read("train")


def test_missing_columns(mirror):
    with pytest.raises(StudyError, match=r"columns are missing: sentence. Found words, label"):
        Glue(mirror("sst2", {"train": {"words": ["a"], "label": [1]}})).read("train")


def test_subset_that_the_mirror_lacks(hub):
    with pytest.raises(StudyError, match=r"there is no such subset. Found 'qnli'. Choose from: sst2, cola"):
        Glue(Places(hub, hub), subset="qnli").read("train")


def test_neither_in_the_folder_nor_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(StudyError) as error:
        Glue(Places(tmp_path, tmp_path)).read("train")
    assert f"not found in {tmp_path}" in str(error.value) and "--data FOLDER" in str(error.value)
    with pytest.raises(StudyError, match="no folder with data was given"):
        Glue(Places(tmp_path)).read("train")


def test_broken_file_in_the_mirror(mirror):
    places = mirror("sst2", {"train": {"sentence": ["a"], "label": [1]}})
    file = places.data / "nyu-mll" / "glue" / "sst2" / "train-0.parquet"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(StudyError, match="cannot be read"):
        Glue(places).read("train")
