"""Several heads over the same texts: tokenised once, encoded once, and each answers as if it were alone."""

import pytest
from training_world import HEADS, World

from manyheads.inference import answers
from manyheads.training.model import MultiTaskModel


@pytest.fixture(scope="module")
def model(tiny):
    return World(tiny, ("food", "film", "asked")).model()


def lines(number):
    words = ["the soup was cold", "a fine film", "never again", "[SEP] is a text"]
    return [{"id": str(row), "text": " ".join(words[: 1 + row % 4]) + f" {row}"} for row in range(number)]


def watched(model, monkeypatch):
    """What the tokenizer cuts, and which tasks share a pass of the encoder."""
    cut, passes = [], []
    pieces, outputs = model.tokenizer.pieces, MultiTaskModel.outputs

    def counting(texts):
        cut.extend(texts)
        return pieces(texts)

    def noting(self, step, **given):
        passes.append(sorted(step))
        return outputs(self, step, **given)

    monkeypatch.setattr(model.tokenizer, "pieces", counting)
    monkeypatch.setattr(MultiTaskModel, "outputs", noting)
    return cut, passes


def test_two_heads_cut_and_encode_each_text_once(model, monkeypatch):
    given = [*lines(9), {"id": "again", "text": lines(1)[0]["text"]}]
    cut, passes = watched(model, monkeypatch)
    found = list(answers(model, ["food", "film"], given))
    assert sorted(cut) == sorted({line["text"] for line in given})
    assert passes == [["film", "food"]]
    assert [one["id"] for one in found] == [line["id"] for line in given]
    assert found[0]["food"] == found[-1]["food"]


def test_each_head_answers_as_if_it_were_alone(model):
    given = lines(7)
    together = list(answers(model, ["food", "film"], given))
    for task in ("food", "film"):
        alone = list(answers(model, [task], given))
        assert [one[task] for one in together] == [
            {key: value for key, value in one.items() if key != "id"} for one in alone
        ]


def test_heads_of_other_settings_share_the_pieces_but_not_the_pass(tiny, monkeypatch):
    monkeypatch.setitem(
        HEADS, "film", ("film_sentiment", "classification", {"max_length": 5}, ["negative", "positive"])
    )
    model = World(tiny).model()
    given = lines(4)
    alone = list(answers(model, ["film"], given))
    cut, passes = watched(model, monkeypatch)
    found = list(answers(model, ["food", "film"], given))
    assert len(cut) == len(given) and passes == [["food"], ["film"]]
    assert [one["film"]["label"] for one in found] == [one["label"] for one in alone]


def test_gold_labels_are_not_looked_at(model):
    labelled = [{**line, "label": "no label of these heads"} for line in lines(3)]
    assert list(answers(model, ["food"], labelled)) == list(answers(model, ["food"], lines(3)))


def test_questions_over_one_passage_cut_it_once(model, monkeypatch):
    context = "the owner of the shop lives in a small town by the sea"
    given = [{"id": str(row), "question": f"who is number {row}?", "context": context} for row in range(3)]
    cut, _ = watched(model, monkeypatch)
    assert len(list(answers(model, ["asked"], given))) == 3
    assert cut.count(context) == 1 and len(cut) == 4


def test_half_precision_is_used_when_asked_for(model):
    given = lines(5)
    full, half = (list(answers(model, ["food"], given, precision)) for precision in ("fp32", "bf16"))
    for one, other in zip(full, half, strict=True):
        exact, rounded = (answer["probabilities"]["positive"] for answer in (one, other))
        assert exact == pytest.approx(rounded, abs=0.02)
    assert full != half


def test_an_answer_does_not_depend_on_what_stands_beside_it_for_another_task(model):
    """The task was trained on one text: a second one in the line is of another task."""
    given = lines(4)
    beside = [{**line, "text_pair": "it was not", "label": "x", "words": ["a"], "question": "?"} for line in given]
    alone, found = (list(answers(model, ["food"], each)) for each in (given, beside))
    assert found == alone
    together = list(answers(model, ["film", "food"], beside))
    assert [one["food"] for one in together] == [one["food"] for one in answers(model, ["film", "food"], given)]
