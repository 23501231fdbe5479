"""The SQuAD rules agree with the official scripts to the last digit, on more than a thousand prediction files."""

import json
import random

import pytest
import squad_official

from manyheads.metrics import squad
from manyheads.scoring import score_files

FILES = 520  # of each version


def ways(text, context, generator):
    """What a model, or an unkind tester, may answer instead of `text`."""
    words = context.split()
    at = generator.randrange(len(words))
    return [
        text, "", text.upper(), f"the {text}", f"{text}.", f"  {text}\n", f"«{text}»", text + " a An THE", "a", "the.",
        " ".join(words[at : at + generator.randint(1, 8)]), text[: len(text) // 2], f"{text} {text}", "...",
        text.replace(" ", "-"), f"{text}\u0301", "naïve café İ ß ﬁ", "日本 語", "\u200b", "\u00a0the\u00a0" + text,
        f"_{text}_", "athe an's",
    ]  # fmt: skip


def cut(document, size, generator):
    """A document with `size` questions of another, in its layout."""
    paragraphs = [paragraph for article in document["data"] for paragraph in article["paragraphs"]]
    chosen, count = [], 0
    while count < size:
        paragraph = generator.choice(paragraphs)
        if not any(paragraph is other for other in chosen):
            chosen.append(paragraph)
            count += len(paragraph["qas"])
    return {"version": document["version"], "data": [{"paragraphs": chosen}]}


def predictions_for(document, generator, missing=0.0):
    plain = generator.random()
    result = {}
    for article in document["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                golds = [answer["text"] for answer in question["answers"] + question.get("plausible_answers", [])]
                gold = generator.choice(golds or ["nothing"])
                answer = (
                    gold
                    if generator.random() < plain
                    else generator.choice(ways(gold, paragraph["context"], generator))
                )
                if generator.random() >= missing:
                    result[question["id"]] = answer
    for number in range(generator.randint(0, 3)):
        result[f"unknown-{number}"] = "x"
    return result


def odds_for(predictions, generator):
    """Null odds with ties, below and above the default threshold of 1, in another order than the questions."""
    names = list(predictions)
    generator.shuffle(names)
    digits = generator.choice([0, 1, 6])
    spread = generator.choice([0.5, 1.0, 5.0])
    odds = {name: round(generator.gauss(0.5, spread), digits) for name in names}
    return {**odds, "odds-only": 0.1} if generator.random() < 0.3 else odds


def run(tmp_path, document, predictions, odds=None, threshold=1.0):
    paths = [tmp_path / name for name in ("gold.json", "predictions.json", "odds.json")]
    for path, value in zip(paths, (document, predictions, odds), strict=True):
        path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    given = {"null_odds": None if odds is None else paths[2], "threshold": threshold}
    result = score_files("span", paths[0], paths[1], **given)
    return {name: value for name, value in result.items() if name not in ("missing", "unknown")}, result


@pytest.fixture(scope="module")
def v1(original):
    return json.loads((original / "squad" / "dev-v1.1.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def v2(original):
    return json.loads((original / "squad" / "dev-v2.0.json").read_text(encoding="utf-8"))


def test_generated_files_of_v1(v1, tmp_path):
    generator = random.Random(1)
    for number in range(FILES):
        document = cut(v1, generator.choice([1, 20, 60, 300]) if number % 10 == 0 else 40, generator)
        predictions = predictions_for(document, generator, missing=generator.choice([0, 0, 0.2, 1]))
        found, _ = run(tmp_path, document, predictions)
        assert found == squad_official.evaluate_v1(document, predictions), number


def test_generated_files_of_v2(v2, tmp_path):
    generator = random.Random(2)
    for number in range(FILES):
        document = cut(v2, generator.choice([1, 20, 60, 300]) if number % 10 == 0 else 40, generator)
        predictions = predictions_for(document, generator)
        odds = odds_for(predictions, generator) if number % 4 else None
        threshold = generator.choice([1.0, 1.0, 0.0, -0.5])
        found, _ = run(tmp_path, document, predictions, odds, threshold)
        expected = squad_official.evaluate_v2(document, predictions, odds, threshold)
        assert found == expected, number
        assert list(found) == list(expected)


def test_missing_ids_of_v2_score_zero_where_the_script_stops(v2, tmp_path):
    generator = random.Random(3)
    for number in range(40):
        document = cut(v2, 30, generator)
        predictions = predictions_for(document, generator, missing=0.3)
        odds = odds_for(predictions, generator) if number % 2 else None
        with pytest.raises(KeyError):
            squad_official.evaluate_v2(document, predictions, odds)
        found, everything = run(tmp_path, document, predictions, odds)
        ids = [question["id"] for question in squad_official.questions(document)]
        answered = [name for name in ids if name in predictions]
        assert everything["missing"] == len(ids) - len(answered) > 0
        exact, _ = squad_official.raw_scores_v2(document, predictions)
        if odds is None:
            assert found["exact"] == 100.0 * sum(exact.values()) / len(ids)
        assert found["total"] == len(ids)


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_the_whole_files(version, original, tmp_path):
    document = json.loads((original / "squad" / f"dev-v{version}.json").read_text(encoding="utf-8"))
    generator = random.Random(4)
    predictions = predictions_for(document, generator)
    if version == "1.1":
        assert run(tmp_path, document, predictions)[0] == squad_official.evaluate_v1(document, predictions)
        return
    odds = odds_for(predictions, generator)
    found, everything = run(tmp_path, document, predictions, odds)
    assert found == squad_official.evaluate_v2(document, predictions, odds)
    assert everything["total"] == 11_873 and everything["HasAns_total"] == 5_928


def test_values_by_hand():
    assert squad.normalize("The  Cat's, an “owl”!") == "cats “owl”"
    assert squad.scores_v1("the cat sat", ["cat", "dogs"]) == (0.0, 2 / 3)
    assert squad.scores_v1("cat", ["cat sat down", "the cat"]) == (1.0, 1.0)
    assert squad.scores_v1("the", ["a"]) == (1.0, 0.0)  # both normalise to nothing: v1.1 has no F1 for that
    assert squad.scores_v2("the", ["a"]) == (1.0, 1.0)
    assert squad.scores_v2("", []) == (1.0, 1.0)
    assert squad.scores_v2("", ["cat"]) == squad.scores_v2("cat", []) == (0.0, 0.0)
    assert squad.answers_v2(["the", "."]) == [""]


def test_thresholds_by_hand():
    """Answers count from odds 1 and 3 on, a question without one turns wrong at 2."""
    golds = {"a": ["x"], "b": [], "c": ["y"], "d": []}
    predictions = {"a": "x", "b": "wrong", "c": "y", "d": ""}
    odds = {"d": 4.0, "c": 3.0, "b": 2.0, "a": 1.0}
    result = squad.evaluate_v2(golds, predictions, odds, threshold=1.0)
    assert result["exact"] == 75.0  # only a keeps its answer; c loses it, b and d become right
    assert (result["best_exact"], result["best_exact_thresh"]) == (75.0, 1.0)
    golds["e"], predictions["e"], odds["e"] = ["z"], "z", 3.0
    result = squad.evaluate_v2(golds, predictions, odds)
    assert (result["best_exact"], result["best_exact_thresh"]) == (80.0, 3.0)
