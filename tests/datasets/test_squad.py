import datasets
import pytest

from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.datasets.squad import Squad

TEXT = datasets.Value("string")
FEATURES = datasets.Features(
    dict.fromkeys(("id", "title", "context", "question"), TEXT)
    | {"answers": {"text": datasets.List(TEXT), "answer_start": datasets.List(datasets.Value("int32"))}}
)


@pytest.fixture
def squad(tmp_path, monkeypatch):
    """Writes a train split with one row for each pair of answer and start, and reads it."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()

    def read(*answers, **settings):
        folder = tmp_path / "rajpurkar" / "squad"
        folder.mkdir(parents=True, exist_ok=True)
        files = "configs:\n- config_name: plain_text\n  data_files:\n  - split: train\n    path: train.parquet\n"
        (folder / "README.md").write_text(f"---\n{files}---\n")
        rows = [
            {"id": f"q{number}", "title": "T", "context": "Ann met Bob.", "question": "Who?"}
            | {"answers": {"text": [text] if text else [], "answer_start": [start] if text else []}}
            for number, (text, start) in enumerate(answers)
        ]
        datasets.Dataset.from_list(rows, FEATURES).to_parquet(folder / "train.parquet")
        return Squad(Places(tmp_path, tmp_path), **settings).read("train")

    return read


def test_mirror_is_whole(hub):
    dataset = Squad(Places(hub, hub))
    train, validation = dataset.read("train"), dataset.read("validation")
    assert len(train.rows) == 87_599 and len(validation.rows) == 10_570 and dataset.read("test") is None
    assert train.labels is None and train.labelled and not train.warnings
    assert train.rows.column_names == ["id", "question", "context", "answers", "cluster"]
    assert sum(len(answers["text"]) for answers in validation.rows["answers"][:]) == 34_726
    assert len(set(validation.rows["cluster"][:])) == len(set(validation.rows["context"][:]))
    assert all(len(cluster) == 12 for cluster in validation.rows["cluster"][:100])


def test_excluded_articles_are_counted(hub):
    dataset = Squad(Places(hub, hub), exclude_titles=["Normans", "Oxygen", "No such article"])
    table = dataset.read("validation")
    assert table.dropped["title excluded"] == 10_570 - len(table.rows) > 0
    assert "no article to exclude has this title" in str(dataset.read("train").warnings)


def test_wrong_offset_names_the_record_and_can_be_repaired(squad):
    with pytest.raises(StudyError, match=r"rajpurkar/squad train \(q1\): an answer is 2 characters away"):
        squad(("Ann", 0), ("Bob", 6))
    table = squad(("Ann", 0), ("Bob", 6), repair=True)
    assert table.rows[1]["answers"] == {"text": ["Bob"], "answer_start": [8]}
    assert "1 answer moved" in str(table.warnings[0])


def test_question_without_answer_is_an_error(squad):
    with pytest.raises(StudyError, match=r"\(q0\): the question has no answer. Is this SQuAD 2 data"):
        squad(("", 0))
