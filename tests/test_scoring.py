"""Scoring files: values by hand, and every kind of bad file named with its place, all mistakes at once."""

import json
import os
import random
import subprocess
import sys

import pytest
from scipy import stats
from sklearn import metrics as oracle

from manyheads.core.problems import StudyError
from manyheads.scoring import score_files

GOLD = {
    "version": "1.1",
    "data": [{"paragraphs": [{"context": "x", "qas": [
        {"id": "a", "answers": [{"text": "the cat", "answer_start": 0}]},
        {"id": "b", "answers": [{"text": "dog", "answer_start": 0}, {"text": "a dog house", "answer_start": 0}]},
    ]}]}],
}  # fmt: skip


def write(folder, **files):
    paths = []
    for name, value in files.items():
        path = folder / f"{name}.json"
        if isinstance(value, bytes):
            path.write_bytes(value)
        elif isinstance(value, str):
            path.write_text(value, encoding="utf-8")
        else:
            path.write_text(json.dumps(value), encoding="utf-8")
        paths.append(path)
    return paths


def lines(*rows):
    return "\n".join(map(json.dumps, rows)) + "\n"


def fails(head, gold, predictions, null_odds=None, **more):
    with pytest.raises(StudyError) as caught:
        score_files(head, gold, predictions, null_odds=null_odds, **more)
    return [str(problem) for problem in caught.value.problems]


# ---- Values ----


def test_squad_v1_by_hand(tmp_path):
    result = score_files("span", *write(tmp_path, gold=GOLD, predictions={"a": "Cat!", "c": "x"}))
    assert result == {"exact_match": 50.0, "f1": 50.0, "missing": 1, "unknown": 1}


def test_squad_v2_by_hand(tmp_path):
    gold = json.loads(json.dumps(GOLD).replace('"1.1"', '"v2.0"'))
    gold["data"][0]["paragraphs"][0]["qas"].append({"id": "n", "answers": [], "is_impossible": True})
    paths = write(
        tmp_path, gold=gold, predictions={"a": "cat", "b": "house", "n": "x"}, odds={"a": 0.1, "b": 1.0, "n": 1.5}
    )
    result = score_files("span", *paths[:2], null_odds=paths[2])
    assert result["exact"] == pytest.approx(200 / 3) and result["HasAns_f1"] == pytest.approx(100 * (1 + 2 / 3) / 2)
    assert list(result) == [
        "exact", "f1", "total", "HasAns_exact", "HasAns_f1", "HasAns_total", "NoAns_exact", "NoAns_f1", "NoAns_total",
        "best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh", "missing", "unknown",
    ]  # fmt: skip
    assert result["best_f1_thresh"] == 1.0
    assert "best_f1" not in score_files("span", *paths[:2])


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    gold = b"\xef\xbb\xbf" + json.dumps(GOLD).encode()
    assert score_files("span", *write(tmp_path, gold=gold, predictions={"a": "cat", "b": "dog"}))["f1"] == 100


def test_classification(tmp_path):
    generator = random.Random(0)
    gold = [generator.choice("xyz") for _ in range(60)]
    predicted = [generator.choice("xyzw") for _ in range(60)]
    rows = [lines(*({"id": str(i), "label": label} for i, label in enumerate(column))) for column in (gold, predicted)]
    result = score_files("classification", *write(tmp_path, gold=rows[0], predictions=rows[1]))
    assert result["accuracy"] == pytest.approx(oracle.accuracy_score(gold, predicted))
    assert result["macro_f1"] == pytest.approx(oracle.f1_score(gold, predicted, average="macro"))
    assert result["matthews"] == pytest.approx(oracle.matthews_corrcoef(gold, predicted))
    assert (result["total"], result["missing"], result["unknown"]) == (60, 0, 0)


def test_a_missing_prediction_is_wrong_and_counted(tmp_path):
    gold = lines({"id": "1", "label": "x"}, {"id": 2, "label": "y"}, {"id": "3", "label": "x"})
    predicted = lines({"id": "1", "label": "x"}, {"id": "2", "label": "y"}, {"id": "9", "label": "y"})
    result = score_files("multiple_choice", *write(tmp_path, gold=gold, predictions=predicted))
    assert result["accuracy"] == pytest.approx(2 / 3)
    assert (result["missing"], result["unknown"]) == (1, 1)


def test_constant_predictions_are_undefined_not_zero(tmp_path):
    gold = lines({"id": "1", "label": "x"}, {"id": "2", "label": "y"})
    predicted = lines({"id": "1", "label": "x"}, {"id": "2", "label": "x"})
    found = score_files("classification", *write(tmp_path, gold=gold, predictions=predicted))
    assert found["matthews"] is None and found["undefined"] == {"matthews": "all predicted values are the same"}


def test_regression(tmp_path):
    gold, predicted = [1, 2.5, 3, 3, 5], [0.5, 2, 4, 3, 6]
    first = lines(*({"id": str(i), "label": label} for i, label in enumerate(gold)))
    second = lines(*({"id": str(i), "value": label} for i, label in enumerate(predicted)))  # as our own runs write it
    result = score_files("regression", *write(tmp_path, gold=first, predictions=second))
    assert result["pearson"] == pytest.approx(stats.pearsonr(gold, predicted).statistic, abs=1e-12)
    assert result["spearman"] == pytest.approx(stats.spearmanr(gold, predicted).statistic, abs=1e-12)
    assert result["mse"] == pytest.approx((0.25 + 0.25 + 1 + 0 + 1) / 5)


# ---- Bad files ----


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": "x",\n "b": }', "predictions.json:2: broken JSON at column 7 (Expecting value)"),
        ('{"a": "x",\n "b": "y"', "Was it cut off?"),
        ("", "Was it cut off?"),
        ('{"a": "x",\n "a": "y"}', "predictions.json:2: a key stands twice in one object. Found 'a'"),
        ('{"a": "x",\n\n "b": NaN}', "predictions.json:3: NaN is not a JSON value"),
        ('{"a": "x", "b": "\\ud83d!"}', "half of a surrogate pair is no character"),
        ('{"a": "x", "\\uDE00": "y"}', "half of a surrogate pair is no character"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a": ' + "1" * 5000 + "}", "4300"),
        ('["a"]', "not one object of id to a text. Found ['a']"),
        ("null", "nothing but null"),
        ('{"a": "x", "b": 3}', "(record b): the value is not a text. Found 3"),
        ('{"a": "x", "b": null}', "(record b): the value is not a text. Found None"),
        (b'{"a": "x",\n"b": "\xe9"}', "predictions.json:2: the file is not UTF-8. Found byte 0xe9"),
        (b"\xff\xfe{\x00}\x00", "the file is not UTF-8"),
    ],
)
def test_bad_predictions(tmp_path, text, message):
    (found,) = fails("span", *write(tmp_path, gold=GOLD, predictions=text))
    assert message in found and len(found) < 600


def test_a_pair_of_surrogates_is_a_character(tmp_path):
    assert score_files("span", *write(tmp_path, gold=GOLD, predictions='{"a": "\\ud83d\\ude00"}'))["exact_match"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda gold: gold.pop("data"), 'gold.json: there is no list "data"'),
        (lambda gold: gold.update(data=[]), "there are no questions"),
        (lambda gold: gold["data"].append({"paragraphs": 3}), 'data[1]: there is no list "paragraphs"'),
        (lambda gold: gold["data"].append(7), 'data[1]: there is no list "paragraphs". Found 7'),
        (
            lambda gold: qas(gold).append({"id": 7, "answers": []}),
            "data[0].paragraphs[0].qas[2]: a question needs an id",
        ),
        (lambda gold: qas(gold).append(qas(gold)[0]), "qas[2] (record a): the id stands twice"),
        (
            lambda gold: qas(gold)[1].update(answers=[]),
            "(record b): the question has no answer, but the file is SQuAD v1.1",
        ),
        (lambda gold: qas(gold)[1].update(answers=[{}]), "(record b): an answer has no text"),
        (lambda gold: [one.update(is_impossible=one["id"] == "b") for one in qas(gold)], "is_impossible contradicts"),
    ],
)
def test_bad_gold(tmp_path, change, message):
    gold = json.loads(json.dumps(GOLD))
    change(gold)
    (found,) = fails("span", *write(tmp_path, gold=gold, predictions={"a": "x", "b": "y"}))
    assert message in found


def qas(gold):
    return gold["data"][0]["paragraphs"][0]["qas"]


def test_bad_null_odds(tmp_path):
    gold = json.loads(json.dumps(GOLD).replace('"1.1"', '"v2.0"'))
    answers = {"a": "x", "b": "y"}
    (found,) = fails("span", *write(tmp_path, gold=gold, predictions=answers, odds={"a": 1}))
    assert "1 of 2, such as 'b'" in found
    for value in ("1e999", '"1"', "true"):
        (found,) = fails("span", *write(tmp_path, gold=gold, predictions=answers, odds=f'{{"a": 1, "b": {value}}}'))
        assert "(record b): the value is not a number" in found
    (found,) = fails("span", *write(tmp_path, gold=GOLD, predictions=answers, odds={"a": 1, "b": 1}))
    assert "v1.1 knows no null odds" in found
    (found,) = fails("regression", *write(tmp_path, gold=GOLD, predictions=answers, odds={"a": 1}))
    assert "regression knows no null odds" in found


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"id": "1"}', "predictions.json:2: the line needs an id (a text) and a label"),
        ('{"label": "x"}', "needs an id"),
        ('{"id": 1.0, "label": "x"}', "needs an id"),
        ('{"id": "0", "label": "x"}', "predictions.json:2: the id stands twice in the file. Found '0'"),
        ('["1", "x"]', "predictions.json:2: the line needs an id"),
        ('{"id": "1", "label": "x"', "predictions.json:2: broken JSON"),
        ('{"id": "1", "label": null}', "(record 1): the label is not a name. Found None"),
        ('{"id": "1", "label": true}', "(record 1): the label is not a name. Found True"),
        ('{"id": "1", "label": 1.0}', "(record 1): the label is not a name"),
    ],
)
def test_bad_lines(tmp_path, row, message):
    good = lines({"id": "0", "label": "x"})
    (found,) = fails("classification", *write(tmp_path, gold=good, predictions=good + row))
    assert message in found


def test_bad_numbers(tmp_path):
    good = lines({"id": "0", "label": 1}, {"id": "1", "label": 2})
    for value in ('"3,5"', "null", "1e999", "true", "1" * 400):
        bad = lines({"id": "0", "label": 1}) + f'{{"id": "1", "label": {value}}}'
        (found,) = fails("regression", *write(tmp_path, gold=good, predictions=bad))
        assert "(record 1): the label is not a finite number" in found
    (found,) = fails("regression", *write(tmp_path, gold=good, predictions=lines({"id": "0", "label": 1})))
    assert "1 of 2 missing, such as '1'" in found
    (found,) = fails("regression", *write(tmp_path, gold="\n", predictions=good))
    assert "gold.json: the file is empty" in found


def test_files_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    first, second = fails("span", tmp_path / "nowhere.json", tmp_path)
    assert "nowhere.json: there is no such file" in first and "this is not a file" in second
    assert "this is not a file" in fails("classification", tmp_path / "pipe", tmp_path / "pipe")[0]


def test_all_mistakes_at_once_but_twenty_at_most(tmp_path):
    gold = json.loads(json.dumps(GOLD))
    qas(gold)[1].update(answers=[])
    found = fails("span", *write(tmp_path, gold=gold, predictions={"a": 1, "b": 2}))
    assert len(found) == 3
    assert len(fails("span", *write(tmp_path, gold=GOLD, predictions={str(i): i for i in range(50)}))) == 20


def test_an_unknown_head_names_the_known(tmp_path):
    (found,) = fails("spam", tmp_path, tmp_path)
    assert "Choose from: classification, dependency, multiple_choice, regression, span, tagging." in found


def test_scoring_needs_no_torch():
    code = "import sys, manyheads.scoring; assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- A head that says nothing of how it is scored ----

HEAD = """
import numpy as np

from manyheads.core.values import Measure
from manyheads.heads import Head


class Level(Head):
    columns, gold, metric = ("text", "level"), ("level",), "distance"

    def measures(self, predictions, gold):
        pairs = (("level", gold), ("says", predictions))
        places = [[self.labels.index(one[name]) for one in rows] for name, rows in pairs]
        return {"distance": Measure("mean", np.abs(np.subtract(*places)).reshape(-1, 1).astype(float))}
"""


@pytest.fixture
def code(tmp_path):
    (tmp_path / "code" / "heads").mkdir(parents=True)
    (tmp_path / "code" / "heads" / "level.py").write_text(HEAD)
    return tmp_path / "code"


def test_a_head_of_ones_own_is_scored_by_its_measures(tmp_path, code):
    gold = lines({"id": "1", "level": "low"}, {"id": "2", "level": "high"})
    found = lines({"id": "2", "says": "middle", "surely": 0.5}, {"id": 1, "says": "low"}, {"id": "3", "says": "?"})
    paths = write(tmp_path, gold=gold, predictions=found)
    totals = {"total": 2, "missing": 0, "unknown": 1}
    # In alphabetical order high, low, middle are two apart; in their own, low, middle, high, one.
    assert score_files("level", *paths, code=code) == {"distance": 1.0, **totals}
    assert score_files("level", *paths, code=code, label=["low", "middle", "high"]) == {"distance": 0.5, **totals}


def test_rows_that_such_a_head_cannot_score_are_told(tmp_path, code):
    gold = lines({"id": "1", "level": "low"}, {"id": "2", "level": "high"})
    (found,) = fails("level", *write(tmp_path, gold=gold, predictions=lines({"id": "1", "says": "low"})), code=code)
    assert "a missing prediction has no score. Found 1 of 2 missing, such as '2'" in found
    for row in ({"say": "low"}, {"says": 3}, {}):
        rows = lines({"id": "1", "says": "low"}, {"id": "2", **row})
        (found,) = fails("level", *write(tmp_path, gold=gold, predictions=rows), code=code)
        assert "the rows are not what the head answers" in found
    (found,) = fails("level", *write(tmp_path, gold=lines({"id": "1", "label": "low"}), predictions=gold), code=code)
    assert 'gold.json:1: the line needs an id (a text) and "level"' in found


def test_options_that_a_head_does_not_know_are_told(tmp_path):
    good = lines({"id": "1", "label": "a"})
    (found,) = fails("classification", *write(tmp_path, gold=good, predictions=good), label=["a"])
    assert found == "--label: the head classification knows no label. Leave it out."
