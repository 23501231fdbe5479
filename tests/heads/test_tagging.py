"""Tags: one for each word whatever the tokenizer leaves of it, in windows too, learned and scored once."""

import json
import math
import random
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, processors
from typer.testing import CliRunner

from manyheads import registry
from manyheads.cli import app
from manyheads.core.problems import StudyError
from manyheads.core.tensors import States
from manyheads.core.values import Places, Table
from manyheads.data.batches import stored
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.heads import _tagging_checks
from manyheads.heads._windows import windows
from manyheads.heads.tagging import Tagging
from manyheads.inference import answer
from manyheads.metrics.conlleval import evaluate
from manyheads.metrics.resampled import score
from manyheads.scoring import score_files
from manyheads.training.model import build_model
from manyheads.training.prediction import predict

LABELS = ("O", "B-NP", "I-NP")
SPECIAL = ["\u200b", "\u00ad", "\ufe0f"]


@pytest.fixture(scope="module")
def tokenizer(minilm):
    return PretrainedTokenizer(minilm)


def sentence(*words, tags=None):
    return {"id": "s", "words": list(words), "tags": tags or ["O"] * len(words)}


def names(tokenizer, ids):
    return tokenizer.inner.convert_ids_to_tokens(ids.tolist())


# ---- Loss ----


def test_loss_by_hand():
    outputs = torch.tensor([[9.0, 0, 0], [math.log(2), 0, 0], [0, math.log(6), 0], [0.0, 0, 9]])
    targets = torch.tensor([-100, 0, 1, -100])
    expected = (-math.log(2 / 4) - math.log(6 / 8)) / 2
    assert Tagging(4, LABELS).loss(outputs, targets, (1,)).item() == pytest.approx(expected)


def test_nothing_labelled_is_a_loss_of_zero_with_a_graph():
    head = Tagging(4, LABELS)
    loss = head.loss(head(States((torch.randn(5, 4),), (5,)), (1,)), torch.full((5,), -100), (1,))
    loss.backward()
    assert loss.item() == 0.0 and torch.equal(head.output.weight.grad, torch.zeros(3, 4))


# ---- Encoding ----


def test_encode_by_hand(tokenizer):
    given = sentence("Rockwell", "unlikeliest", ".", tags=["B-NP", "I-NP", "O"])
    (one,) = Tagging(4, LABELS).encode([given], tokenizer)
    pieces = names(tokenizer, one.inputs[0].ids)
    assert pieces == ["[CLS]", "rockwell", "unlike", "##liest", ".", "[SEP]"]
    assert one.targets == (-100, 1, 2, -100, 0, -100)
    assert one.metadata["firsts"].tolist() == [1, 2, 4] and one.truncated == 0


@pytest.mark.parametrize("odd", SPECIAL)
def test_a_word_of_which_nothing_is_left_is_an_unknown_piece_and_gets_a_tag(tokenizer, odd):
    head = Tagging(4, LABELS)
    encoded = head.encode([sentence("a", odd, "b"), sentence(odd)], tokenizer)
    assert names(tokenizer, encoded[0].inputs[0].ids) == ["[CLS]", "a", "[UNK]", "b", "[SEP]"]
    assert names(tokenizer, encoded[1].inputs[0].ids) == ["[CLS]", "[UNK]", "[SEP]"]
    assert [len(one["tags"]) for one in head.decode(torch.randn(8, 3), encoded)] == [3, 1]


def test_a_special_token_as_a_word_is_text(tokenizer):
    (one,) = Tagging(4, LABELS).encode([sentence("[SEP]", "[CLS]")], tokenizer)
    assert names(tokenizer, one.inputs[0].ids) == ["[CLS]", "[", "sep", "]", "[", "cl", "##s", "]", "[SEP]"]


def test_words_of_a_vocabulary_that_holds_spaces_are_its_words(tmp_path):
    words = ["<s>", "</s>", "<unk>", "<pad>", "Ġ", "a", "b", "Ġa", "Ġb"]
    backend = Backend(models.BPE({word: at for at, word in enumerate(words)}, [("Ġ", "a"), ("Ġ", "b")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    backend.save(str(tmp_path / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "pad_token": "<pad>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    (one,) = Tagging(4, LABELS).encode([sentence("a", "b")], PretrainedTokenizer(tmp_path))
    assert one.inputs[0].ids.tolist() == [0, 7, 8, 1]


def test_an_overlong_word_keeps_some_pieces_and_its_tag(tokenizer):
    word = "ab" * 40
    (one,) = Tagging(4, LABELS, max_word=3).encode([sentence("a", word, "b")], tokenizer)
    pieces = len(tokenizer.pieces([word])[0].ids)
    assert pieces > 3 and one.truncated == pieces - 3 and one.metadata["firsts"].tolist() == [1, 2, 5]


@pytest.mark.parametrize(("count", "stride"), [(1, 3), (6, 3), (7, 3), (30, 3), (31, 6), (200, 1)])
def test_every_word_is_learned_once_where_it_has_most_context(tokenizer, count, stride):
    words = [f"{chr(97 + at % 26)}" if at % 3 else "unlikeliest" for at in range(count)]
    head = Tagging(4, LABELS, max_length=8, stride=stride, max_word=2)
    (one,) = head.encode([sentence(*words, tags=["B-NP" if at % 2 else "O" for at in range(count)])], tokenizer)
    assert all(len(given.ids) <= 8 for given in one.inputs)
    tokens = np.concatenate([given.ids for given in one.inputs])
    firsts = one.metadata["firsts"]
    assert len(firsts) == count == len(set(firsts.tolist()))
    assert [names(tokenizer, tokens[[first]])[0] for first in firsts] == [
        "unlike" if word == "unlikeliest" else word for word in words
    ]
    assert [one.targets[first] for first in firsts] == [at % 2 for at in range(count)]
    assert sum(target != -100 for target in one.targets) == count
    sizes = [min(2, len(tokenizer.pieces([word])[0].ids)) for word in words]
    starts = np.cumsum([0, *sizes[:-1]])
    window_of = np.repeat(np.arange(len(one.inputs)), [len(given.ids) for given in one.inputs])
    assert window_of[firsts].tolist() == windows(sum(sizes), 6, stride).owners[starts].tolist()


def test_lengths_without_the_encoder_are_those_of_the_sequences(tokenizer):
    settings = {"max_length": 12, "stride": 5, "max_word": 2, "metric": ""}
    given = [sentence(*["unlikeliest", "a", SPECIAL[0]] * count) for count in (1, 3, 10)]

    class Counter:
        def pieces(self, texts):
            return [len(one.ids) for one in tokenizer.pieces(texts)]

        def special(self, pair):
            return 3 if pair else 2

    encoded = Tagging(4, LABELS, max_length=12, stride=5, max_word=2).encode(given, tokenizer)
    expected = [[len(one.ids) for one in example.inputs] for example in encoded]
    assert _tagging_checks.lengths(given, Counter(), settings) == expected and len(expected[2]) > 3


def test_windows_that_would_lie_apart_are_refused(tokenizer):
    with pytest.raises(StudyError, match=r"stride is longer than the room for words. Found stride 7, room 6 of"):
        Tagging(4, LABELS, max_length=8, stride=7).encode([sentence("a")], tokenizer)
    with pytest.raises(ValueError, match="Choose at most 8"):
        Tagging(4, LABELS, max_length=8, stride=9)


# ---- Answers ----


def test_decode_by_hand(tokenizer):
    head = Tagging(4, LABELS)
    encoded = head.encode([sentence("Rockwell", "unlikeliest"), sentence("a")], tokenizer)
    outputs = torch.zeros(8, 3)
    outputs[1, 1], outputs[2, 2], outputs[6, 0] = math.log(2), math.log(6), math.log(18)
    outputs[3, 0] = 50.0  # a later piece of the word, which has no say
    found = head.decode(outputs, encoded)
    assert [one["tags"] for one in found] == [["B-NP", "I-NP"], ["O"]]
    assert found[0]["probabilities"] == pytest.approx([0.5, 0.75]) and found[1]["probabilities"] == pytest.approx([0.9])


def test_answers_do_not_depend_on_the_batch(tiny):
    specification = {
        "encoder": {"name": "pretrained", "settings": {"model": str(tiny)}},
        "sharing": {"name": "hard", "settings": {}},
        "tasks": {
            "chunk": {"head": {"name": "tagging", "settings": {"max_length": 16, "stride": 8}}, "labels": list(LABELS),
                      "columns": ["id", "words", "tags"]},
        },
    }  # fmt: skip
    model = build_model(specification, Places(Path()), seed=0)
    given = [sentence(*["a", "fine", SPECIAL[at % 3], "film"] * (1 + at)) for at in range(7)]
    rows = datasets.Dataset.from_list([{**one, "id": str(at)} for at, one in enumerate(given)])
    examples = stored(model.head("chunk"), Table(rows, LABELS), model.tokenizer)
    together, alone = (predict(model, {"chunk": examples}, tokens=size)["chunk"] for size in (8192, 1))
    assert [one["tags"] for one in together] == [one["tags"] for one in alone]
    assert [len(one["tags"]) for one in together] == [len(one["words"]) for one in given]
    for one, other in zip(together, alone, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_predict_takes_words_and_refuses_what_are_none(tiny, tmp_path):
    specification = {
        "encoder": {"name": "pretrained", "settings": {"model": str(tiny)}},
        "sharing": {"name": "hard", "settings": {}},
        "tasks": {"chunk": {"head": {"name": "tagging", "settings": {}}, "labels": list(LABELS),
                            "columns": ["id", "words", "tags"]}},
    }  # fmt: skip
    build_model({"version": "0", **specification}, Places(Path()), seed=0).save(tmp_path / "model")
    file = tmp_path / "lines.jsonl"
    file.write_text(json.dumps({"id": "x", "words": ["Ann", "\u200b", "lives"]}) + "\n")
    (found,) = answer(tmp_path / "model", ["chunk"], str(file))
    assert found["id"] == "x" and len(found["tags"]) == 3 and set(found["tags"]) <= set(LABELS)
    for wrong in ([], "a b", ["a", ""], ["a", 1], None):
        file.write_text(json.dumps({"words": wrong}) + "\n")
        with pytest.raises(StudyError, match=r'"words" should be a list of words, none of them empty'):
            list(answer(tmp_path / "model", ["chunk"], str(file)))


# ---- Scores ----

GOLD = [{"tags": ["B-NP", "I-NP", "O"]}, {"tags": ["O"]}, {"tags": ["B-NP", "B-NP"]}]
FOUND = [{"tags": ["B-NP", "I-NP", "B-NP"]}, {"tags": ["O"]}, {"tags": ["O", "O"]}]


def test_scores_by_hand():
    measures = Tagging(4, LABELS).measures(FOUND, GOLD)
    # Of 3 gold chunks and 2 found ones, 1 is right; of 6 tags, 3.
    assert {name: score(one) for name, one in measures.items()} == pytest.approx(
        {"accuracy": 3 / 6, "f1": 2 / 5, "precision": 1 / 2, "recall": 1 / 3}
    )
    official = Tagging(4, LABELS).official(FOUND, GOLD)
    assert official == evaluate([one["tags"] for one in GOLD], [one["tags"] for one in FOUND])
    assert official["FB1"] == pytest.approx(40.0)


def test_plain_tags_have_an_accuracy_only():
    head = Tagging(4, ("NN", "VB"))
    assert head.metric == "accuracy" and Tagging(4, LABELS).metric == "f1"
    assert Tagging(4, LABELS, metric="accuracy").metric == "accuracy"
    measures = head.measures([{"tags": ["NN", "NN"]}], [{"tags": ["NN", "X"]}])
    assert list(measures) == ["accuracy"] and score(measures["accuracy"]) == 0.5 and head.official([], []) == {}


def test_a_gold_tag_that_is_no_label_is_not_learned_counted_and_wrong(tokenizer):
    head = Tagging(4, LABELS)
    (one,) = head.encode([sentence("a", "b", tags=["O", "B-NEW"])], tokenizer)
    assert one.targets == (-100, 0, -100, -100)
    assert head.counts([one]) == {"words": 2, "windowed": 0, "unknown_tags": 1}
    assert score(head.measures([{"tags": ["O", "O"]}], [{"tags": ["O", "B-NEW"]}])["accuracy"]) == 0.5


# ---- What it refuses ----


@pytest.mark.parametrize(
    ("labels", "settings", "message"),
    [
        (("NN", "VB"), {"metric": "f1"}, r'scores chunks.*Found \[\'NN\', \'VB\'\]. Use metric = "accuracy"'),
        (("O", "b-per"), {"metric": "f1"}, r"Found \['b-per'\]. Did you mean B-PER\? Or use"),
        (("B-NP", "I-NP", "NN"), {"metric": "f1"}, r"Found \['NN'\]"),
        (("O",), {}, "at least two tags"),
        (None, {}, "at least two tags"),
    ],
)
def test_heads_that_cannot_be(labels, settings, message):
    with pytest.raises(ValueError, match=message):
        Tagging(4, labels, **settings)


def test_windows_and_words_of_no_length_are_refused():
    found = registry.describe("heads", "tagging").problems({"stride": 0, "max_word": 0}, "x")
    assert [str(one) for one in found] == [
        "x.stride: should be 1 or more. Found 0. The default is 64.",
        "x.max_word: should be 1 or more. Found 0. The default is 32.",
    ]


def problems(words, tags, labels=LABELS, labelled=True):
    columns = {"id": [str(at) for at in range(len(words))], "words": words, "tags": tags}
    table = Table(datasets.Dataset.from_dict(columns), labels, labelled)
    return [str(problem) for problem in Tagging(4, LABELS).problems(table, "here")]


def test_problems_name_the_record():
    assert problems([["a", "b"]], [["O", "B-NP"]]) == []
    assert problems([["a", " "], []], [["O", "O"], []]) == [
        "here (record 0): word 2 of 2 is empty. Found ' '. Give it a text, or leave it out.",
        'here (record 1): "words" is not a list of words. Found []. Write a list of texts: ["A", "word"].',
    ]
    assert "2 words have 1 tags" in problems([["a", "b"]], [["O"]])[0]
    assert '"tags" is not a list of texts' in problems([["a"]], [None])[0]
    assert "3 of 4 tags are none of the labels. Found 'X'" in problems([["a"] * 4], [["O", "X", "X", "X"]])[0]
    assert len(problems([[""]] * 30, [["O"]] * 30)) == 20


def test_an_unlabelled_split_needs_no_tags():
    table = Table(datasets.Dataset.from_dict({"id": ["0"], "words": [["a"]]}), LABELS, labelled=False)
    assert Tagging(4, LABELS).problems(table, "here") == []


# ---- Scores of a file ----


def lines(folder, name, *rows):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def tagged(*sentences, start=0):
    return [{"id": str(at), "tags": tags.split()} for at, tags in enumerate(sentences, start)]


def fails(*paths):
    with pytest.raises(StudyError) as caught:
        score_files("tagging", *paths)
    return [str(problem) for problem in caught.value.problems]


def test_chunks_by_hand(tmp_path):
    gold = lines(tmp_path, "gold", *tagged("B-X I-X O", "B-X O", "B-Y"))
    found = lines(tmp_path, "found", *tagged("B-X I-X B-Y", "O O"), {"id": "z", "tags": ["O"]})
    # Gold: 3 chunks. Found: 2, of which 1 is right; of 6 words 2 and 1 have the right tag, and the third sentence none.
    assert score_files("tagging", gold, found) == pytest.approx(
        {
            "accuracy": 0.5,
            "f1": 2 / 5,
            "precision": 1 / 2,
            "recall": 1 / 3,
            "total": 3,
            "words": 6,
            "missing": 1,
            "unknown": 1,
        }
    )


def test_a_file_of_plain_tags_has_an_accuracy_only(tmp_path):
    gold, found = lines(tmp_path, "gold", *tagged("DT NN")), lines(tmp_path, "found", *tagged("DT DT"))
    assert score_files("tagging", gold, found) == {"accuracy": 0.5, "total": 1, "words": 2, "missing": 0, "unknown": 0}


def test_no_chunk_found_is_undefined_precision_with_a_reason(tmp_path):
    gold, found = lines(tmp_path, "gold", *tagged("B-X O")), lines(tmp_path, "found", *tagged("O O"))
    result = score_files("tagging", gold, found)
    assert (result["f1"], result["precision"], result["recall"]) == (0.0, None, 0.0)
    assert list(result["undefined"]) == ["precision"]


def test_same_as_conlleval_on_any_tags(tmp_path):
    rng = random.Random(0)
    golds = [rng.choices(["O", "B-X", "I-X", "B-Y", "I-Y"], k=rng.randrange(1, 12)) for _ in range(100)]
    found = [[tag if rng.random() < 0.7 else rng.choice(["O", "B-X", "I-Y"]) for tag in tags] for tags in golds]
    paths = [lines(tmp_path, name, *tagged(*map(" ".join, rows))) for name, rows in (("gold", golds), ("found", found))]
    result, expected = score_files("tagging", *paths), evaluate(golds, found)
    for ours, theirs in (("accuracy", "accuracy"), ("f1", "FB1"), ("precision", "precision"), ("recall", "recall")):
        assert 100 * result[ours] == pytest.approx(expected[theirs])


def test_bad_lines_of_tags(tmp_path):
    gold = lines(tmp_path, "gold", *tagged("O B-X"))
    assert (
        "found (record 0): 1 tags where the gold file has 2" in fails(gold, lines(tmp_path, "found", *tagged("O")))[0]
    )
    found = lines(
        tmp_path, "found", {"id": "0"}, {"tags": ["O"]}, {"id": True, "tags": []}, {"id": "1", "tags": [1]}, 7
    )
    problems = fails(gold, found)
    assert len(problems) == 5 and all("needs an id (a text) and tags (a list of texts)" in one for one in problems)
    found = lines(tmp_path, "found", *tagged("O O"), *tagged("O O"))
    assert "found:2: the id stands twice" in fails(gold, found)[0]
    assert "the file is empty" in fails(gold, lines(tmp_path, "found"))[0]
    gold = lines(tmp_path, "gold", *tagged("O b-x B-Y"))
    assert "nearly a chunk tag. Found 'b-x'. Did you mean 'B-X'?" in fails(gold, gold)[0]


# ---- A whole study ----

STUDY = """
question = "Does it work?"
seeds    = [1]
baseline = "joint"
budget   = {{ steps = 80 }}

[encoder]
model = "{tiny}"

[training]
batch_size    = 8
learning_rate = 1e-2

[tasks.chunk]
dataset = {{ name = "conll", train = "train.txt", validation = "dev.txt" }}
head    = {{ name = "tagging", max_length = 24, stride = 8 }}

[tasks.food]
dataset = {{ name = "small_world", subset = "food_sentiment", size = 40 }}
head    = {{ name = "classification", max_length = 48 }}

[arms.joint]
sampling = {{ name = "round_robin" }}
"""


def test_a_study_with_tags_beside_another_task_learns_and_keeps_its_answers(tiny, tmp_path):
    pattern = [("the", "O"), ("old", "B-NP"), ("dog", "I-NP"), ("sees", "O"), ("cats", "B-NP"), ("\u200b", "O")]
    for name, sizes in (("train", range(1, 30)), ("dev", range(2, 20, 3))):
        sentences = ["\n".join(f"{word} {tag}" for word, tag in (pattern * 5)[:size]) for size in sizes]
        (tmp_path / f"{name}.txt").write_text("\n\n".join(sentences), "utf-8")
    (tmp_path / "study.toml").write_text(STUDY.format(tiny=tiny), "utf-8")
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["run", str(tmp_path / "study.toml"), "--out", str(out), "--workers", "0"])
    assert result.exit_code == 0, result.output
    folder = out / "joint" / "1"
    record = json.loads((folder / "record.json").read_text("utf-8"))
    assert record["metrics"]["chunk"]["headline"] == "f1" and record["scores"]["chunk"]["f1"] > 0.9
    assert record["official"]["chunk"]["FB1"] == pytest.approx(100 * record["scores"]["chunk"]["f1"])
    assert record["data"]["chunk"]["encoding"]["train"]["windowed"] > 0
    assert "IOB2 (detected)" in str(record["data"]["chunk"]["warnings"])
    rows = [json.loads(line) for line in (folder / "predictions" / "chunk.jsonl").read_text("utf-8").splitlines()]
    assert [len(row["tags"]) for row in rows] == [len(row["gold"]) for row in rows] == list(range(2, 20, 3))
    items = np.array([row["items"]["f1"] for row in rows])
    assert items[:, 0].sum() / items[:, 1].sum() == pytest.approx(record["scores"]["chunk"]["f1"])
    results = json.loads((out / "results.json").read_text("utf-8"))
    (headline,) = [one for one in results["scores"] if one["task"] == "chunk" and one["headline"]]
    assert headline["metric"] == "f1" and headline["interval"] is not None
