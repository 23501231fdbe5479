"""The benchmark of the bag of words gives both contestants the same work; how fast this machine is, is no matter."""

import csv
import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from manyheads.encoders._bag_of_words_checks import WORD
from manyheads.study.parser import read_study
from manyheads.study.steps import runs
from manyheads.study.tasks import read_tasks
from manyheads.training.inputs import StudyInputs

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "bag_of_words.py"
SPEC = importlib.util.spec_from_file_location("bag_of_words_benchmark", BENCHMARK)
benchmark = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(benchmark)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A study on 120 made-up reviews of a world of 300 words."""
    folder = tmp_path_factory.mktemp("reviews")
    benchmark.write_reviews(folder, 120, held_out=60, types=300)
    text = benchmark.STUDY.format(epochs=6, width=4, batch=16, rate=5e-2, dataset=benchmark.MADE_UP)
    (folder / "study.toml").write_text(text, "utf-8")
    return folder


def texts_of(folder: Path, name: str) -> tuple[list[str], list[str]]:
    with (folder / name).open() as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def test_words_are_spelt_differently_and_drawn_by_zipfs_law(folder):
    syllables = ["ba", "ce", "di"]
    assert len({benchmark._written(number, syllables) for number in range(500)}) == 500
    texts, labels = texts_of(folder, "train.csv")
    counts = Counter(word for text in texts for word in text.split()).most_common()
    assert len(texts) == 120 and Counter(labels) == {"n": 60, "y": 60}
    assert counts[0][1] / counts[9][1] == pytest.approx(10, rel=0.3)
    assert np.mean([len(text.split()) for text in texts]) == pytest.approx(benchmark.LENGTH, rel=0.03)


def test_scikit_learn_gets_the_matrix_that_it_would_make_itself(folder):
    study = read_study(folder / "study.toml")
    inputs = StudyInputs(study, read_tasks(study, None), None, None)
    (run,) = runs(study)
    inputs.prepare([run])
    words = inputs.encoders.learned(run.arm.encoder)
    vectorizer = CountVectorizer(vocabulary=words, binary=True, token_pattern=WORD.pattern)
    for split, name in (("train", "train.csv"), ("reported", "held_out.csv")):
        texts, labels = texts_of(folder, name)
        found, gold = benchmark.matrix(inputs, split, len(words))
        assert (found != vectorizer.transform(texts)).nnz == 0 and found.nnz > 1000
        assert gold.tolist() == ["ny".index(label) for label in labels]


def test_both_contestants_do_the_same_work(folder, monkeypatch):
    for name, value in {"EPOCHS": 6, "WIDTH": 4, "BATCH": 16, "RATE": 5e-2}.items():
        monkeypatch.setattr(benchmark, name, value)
    ours, theirs = (benchmark.measure(name, folder, None) for name in benchmark.CONTESTANTS)
    for name in ("reviews", "words", "epochs"):
        assert ours[name] == theirs[name] > 0
    for one in (ours, theirs):
        assert one["seconds"] > 0 and one["preparing"] > 0
        # 60 held-out reviews: chance alone moves the AUC by 0.075 either way, and rounding differs between processors.
        assert set(one["scores"]) == {"accuracy", "f1", "auc"} and 0.25 < one["scores"]["auc"] <= 1


def test_the_table_by_hand():
    def one(seconds, memory):
        scores = {"accuracy": 0.5, "f1": 0.25, "auc": 0.75}
        return {
            "reviews": 100, "words": 7, "epochs": 5, "preparing": 1.5, "seconds": seconds, "scores": scores,
            "memory": memory * 2**20,
        }  # fmt: skip

    rounds = {"manyheads": [one(2.0, 5), one(1.0, 9), one(4.0, 7)], "scikit-learn": [one(8.0, 3)]}
    said = benchmark.report({"rounds": rounds})
    assert "| manyheads | 2.0 | 250 | 4.0 | 50.00 | 25.00 | 75.00 | 9 | 3 |" in said
    assert "| scikit-learn | 8.0 | 62 | 1.0 | 50.00 | 25.00 | 75.00 | 3 | 1 |" in said
    assert "100 reviews, 7 words, 5 epochs." in said and "took 1.5 s more" in said


def test_it_runs_and_writes_every_figure(monkeypatch, tmp_path, capsys):
    asked = []

    def run(name, folder, hub, threads):
        asked.append((name, (folder / "train.csv").is_file(), hub, threads))
        scores = {"accuracy": 0.5, "f1": 0.5, "auc": 0.5}
        return {"reviews": 9, "words": 3, "epochs": 5, "preparing": 1, "seconds": 2, "scores": scores, "memory": 0}

    monkeypatch.setattr(benchmark, "run", run)
    monkeypatch.setattr(benchmark, "write_reviews", lambda folder, reviews: (folder / "train.csv").touch())
    monkeypatch.setattr(sys, "argv", ["bag_of_words.py", "--rounds", "2", "--json", str(tmp_path / "found.json")])
    benchmark.main()
    assert asked == [(name, True, None, 1) for _ in range(2) for name in benchmark.CONTESTANTS]
    found = json.loads((tmp_path / "found.json").read_text())["results"]
    assert {name: len(each) for name, each in found["rounds"].items()} == dict.fromkeys(benchmark.CONTESTANTS, 2)
    assert "| manyheads | 2.0 |" in capsys.readouterr().out
