"""The bag of words: by hand, against a dense network on scikit-learn's matrix, and what it knows of which texts."""

import csv
import json
import os
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from manyheads import registry
from manyheads.core.problems import StudyError
from manyheads.core.tensors import Tokens
from manyheads.core.values import Places
from manyheads.data.batches import TrainingData, collate, encoded
from manyheads.encoders._bag_of_words_checks import WORD, shared_words
from manyheads.encoders._words import WordTokenizer
from manyheads.encoders.bag_of_words import BagOfWords
from manyheads.heads.classification import Classification
from manyheads.inference import answer
from manyheads.runner.progress import Progress
from manyheads.runner.run_study import conduct
from manyheads.study.estimate import planned
from manyheads.study.parser import read_study
from manyheads.study.spec import SGD, TrainingSettings
from manyheads.study.steps import Layout, runs
from manyheads.study.tasks import read_tasks
from manyheads.training.inputs import StudyInputs
from manyheads.training.loop import train
from manyheads.training.model import build_model
from manyheads.training.optimizer import optimizer_for
from manyheads.training.run import run_once
from manyheads.weighting.fixed import Fixed
from test_contracts import COLUMNS, LABELS
from test_without_torch import ABSENT, CHECK_ALL, NOT_IMPORTED, python, without_minutes

HERE = Places(Path())
STUDY = """
question = "Does it work?"
seeds    = [1, 2]
baseline = "alone"
budget   = { epochs = 2 }

[encoder]
name  = "bag_of_words"
width = 6

[training]
batch_size    = 8
learning_rate = 1e-2
checkpoint    = { steps = 2 }

[tasks.film]
dataset = { name = "table", train = "film.csv", validation = "film-held-out.csv" }
head    = { name = "classification", dropout = 0.2 }

[tasks.food]
dataset = { name = "table", train = "food.csv", validation = "food-held-out.csv" }
head    = { name = "classification" }

[arms.alone]
models = "one per task"

[arms.joint]
sampling = { name = "proportional" }
"""
TEXTS = {
    "film": ["A fine film!", "The film is dull; the plot, too.", "Dull? No: fine, fine acting.", "I don't like it."],
    "food": ["Fine food.", "The soup is dull.", "I like the salt, don't I? No.", "A dull plot of land."],
    "film-held-out": ["Fine fine soup", "unheard of"],
    "food-held-out": ["the acting is dull", "FINE, I like it; nobody"],
}


def write_texts(folder: Path, texts=TEXTS, times: int = 6) -> None:
    for name, lines in texts.items():
        rows = list(lines) if "held" in name else list(islice(cycle(lines), times * len(lines)))
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["text", "label"], *([text, "ny"[at % 2]] for at, text in enumerate(rows))])


@pytest.fixture
def study_path(tmp_path) -> Path:
    write_texts(tmp_path)
    path = tmp_path / "bags.toml"
    path.write_text(STUDY, "utf-8")
    return path


def opened(path: Path, folder: Path | None = None) -> StudyInputs:
    study = read_study(path)
    return StudyInputs(study, read_tasks(study, None), None, None, cache=folder)


def tokens_of(tokenizer: WordTokenizer, *texts: str) -> Tokens:
    inputs = [tokenizer.join(pieces.ids) for pieces in tokenizer.pieces(texts)]
    return Tokens(
        torch.from_numpy(np.concatenate([one.ids for one in inputs])).long(),
        torch.from_numpy(np.concatenate([one.token_types for one in inputs])).long(),
        tuple(len(one.ids) for one in inputs),
    )


def network(words, **settings) -> BagOfWords:
    torch.manual_seed(0)
    return BagOfWords(HERE, None, words, **settings)


# ---- The network ----


@pytest.mark.parametrize("features", ["binary", "counts"])
def test_hidden_layer_by_hand(features):
    encoder = network(["bad", "good"], width=2, features=features)
    encoder.weight.data = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    encoder.bias.data = torch.tensor([0.25, -1.0])
    states = encoder(tokens_of(encoder.tokenizer, "Good, good food", "bad but good", "nothing"))
    twice = 1 if features == "binary" else 2
    sums = torch.tensor([[0.5 * twice, 3.0 * twice], [1.5, 1.0], [0.0, 0.0]])
    assert torch.equal(states.layers[0], sums)
    assert_close(states.last, torch.sigmoid(sums + torch.tensor([0.25, -1.0])))
    assert states.lengths == (1, 1, 1) and torch.equal(states.first(), states.last)
    assert encoder.flops([1, 2, 0]) == 2 * 2 * 3


@pytest.mark.parametrize(("name", "function"), [("tanh", torch.tanh), ("relu", torch.relu)])
def test_other_activations(name, function):
    encoder = network(["a", "b"], width=3, activation=name)
    states = encoder(tokens_of(encoder.tokenizer, "a b", ""))
    assert_close(states.last, function(states.layers[0] + encoder.bias))


@pytest.mark.parametrize("features", ["binary", "counts"])
def test_it_is_a_dense_network_on_the_matrix_of_scikit_learn(features):
    """The same logits, gradients and losses in 20 steps of SGD, of batches that the loop draws."""
    rng = np.random.default_rng(0)
    known = [f"w{number}" for number in range(40)]
    texts = [" ".join(rng.choice([*known, "unknown"], rng.integers(0, 30))) for _ in range(60)]
    words = shared_words({"train": [text.replace("unknown", "") for text in texts]})
    settings = {"width": 5, "features": features}
    given = {"head": {"name": "classification", "settings": {"dropout": 0.0}}, "labels": ["n", "y"]}
    plain = {"encoder": {"name": "bag_of_words", "settings": settings}, "tasks": {"one": given}}
    plain |= {"sharing": {"name": "hard", "settings": {}}}
    model = build_model(plain, HERE, seed=1, learned=words)
    head, encoder = model.head("one"), model.sharing.encoders()[0]
    labels = rng.integers(0, 2, 60)
    examples = head.encode([{"text": t, "label": "ny"[y]} for t, y in zip(texts, labels, strict=True)], model.tokenizer)

    vectorizer = CountVectorizer(vocabulary=words, binary=features == "binary", token_pattern=WORD.pattern)
    matrix = torch.from_numpy(vectorizer.transform(texts).toarray()).float()
    hidden, output = nn.Linear(len(words), 5), nn.Linear(5, 2)
    hidden.weight.data, hidden.bias.data = encoder.weight.detach().T.clone(), encoder.bias.detach().clone()
    output.load_state_dict(head.output.state_dict())
    dense = nn.Sequential(hidden, nn.Sigmoid(), output)

    data, steps = TrainingData("one", examples, 8, 1), [("one",)] * 20
    batch = data.batch(0)
    assert_close(model.outputs({"one": batch})["one"], dense(matrix[list(batch.rows)]), rtol=1e-5, atol=1e-6)
    model({"one": batch})["one"].backward()
    functional.cross_entropy(dense(matrix[list(batch.rows)]), torch.from_numpy(labels[list(batch.rows)])).backward()
    assert_close(encoder.weight.grad, hidden.weight.grad.T, rtol=1e-5, atol=1e-7)
    assert_close(encoder.bias.grad, hidden.bias.grad, rtol=1e-5, atol=1e-7)
    model.zero_grad()
    dense.zero_grad()

    rule = SGD()
    loop = train(
        model, {"one": data}, Layout(steps), Fixed(["one"]), optimizer_for(model, Fixed(["one"]), rule, 0.5), seed=1,
        settings=TrainingSettings(warmup=0.0, schedule="constant", clip=0.0),
    )  # fmt: skip
    optimizer = torch.optim.SGD(dense.parameters(), lr=0.5)
    for step, record in enumerate(loop):
        rows = data.rows(step)
        loss = functional.cross_entropy(dense(matrix[rows]), torch.from_numpy(labels[rows]))
        assert record.losses["one"] == pytest.approx(loss.item(), rel=1e-5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert_close(encoder.weight.detach(), hidden.weight.detach().T, rtol=1e-4, atol=1e-6)


def test_a_batch_in_which_no_text_has_a_known_word():
    encoder = network(["a"], width=2)
    states = encoder(tokens_of(encoder.tokenizer, "x", "y z").filled())
    assert_close(states.last, torch.sigmoid(encoder.bias).expand(2, 2))
    states.last.sum().backward()
    assert torch.equal(encoder.weight.grad, torch.zeros(1, 2))


def test_other_texts_of_a_step_change_nothing():
    encoder = network([f"w{number}" for number in range(30)], width=8)
    texts = [" ".join(f"w{number}" for number in range(start, 30, 3)) for start in range(20)]
    together = encoder(tokens_of(encoder.tokenizer, *texts).filled()).split([20])[0]
    alone = [encoder(tokens_of(encoder.tokenizer, text)) for text in texts]
    assert torch.equal(together.layers[0], torch.cat([one.layers[0] for one in alone]))
    assert_close(together.last, torch.cat([one.last for one in alone]), rtol=1e-6, atol=1e-7)


def test_it_starts_the_same_for_the_same_seed_only():
    given = {"head": {"name": "classification", "settings": {}}, "labels": ["n", "y"]}
    plain = {"encoder": {"name": "bag_of_words", "settings": {}}, "sharing": {"name": "hard", "settings": {}}}
    words = [f"w{number}" for number in range(200)]

    def start(seed, *tasks):
        model = build_model({**plain, "tasks": dict.fromkeys(tasks, given)}, HERE, seed=seed, learned=words)
        return model.sharing.encoders()[0].weight.detach()

    assert torch.equal(start(1, "a"), start(1, "a", "b")) and not torch.equal(start(1, "a"), start(2, "a"))
    most = (6 / (200 + 64)) ** 0.5  # Glorot and Bengio's bound
    assert 0.98 * most < start(1, "a").abs().max() <= most


def test_every_head_that_reads_whole_texts_learns_from_it():
    words = ["a", "film", "not", "one", "two", "red", "blue", "it", "is"]
    names = [name for name in registry.names("heads") if not registry.load("heads", name).per_token]
    assert {"classification", "regression", "multiple_choice"} <= set(names)
    for name in names:
        labels, gold = LABELS.get(name, (None, [1.5, 2.5]))
        given = {"head": {"name": name, "settings": {}}, "labels": labels}
        plain = {"encoder": {"name": "bag_of_words", "settings": {}}, "tasks": {"one": given}}
        model = build_model({**plain, "sharing": {"name": "hard", "settings": {}}}, HERE, seed=1, learned=words)
        columns = {column: COLUMNS[column] for column in ("text", "text_pair", "choices")}
        rows = [dict(zip([*columns, "label"], row, strict=True)) for row in zip(*columns.values(), gold, strict=True)]
        examples = model.head("one").encode(rows, model.tokenizer)
        model({"one": collate("one", examples, [0, 1])})["one"].backward()
        gradients = [model.sharing.encoders()[0].weight.grad, model.head("one").output.weight.grad]
        assert all(torch.isfinite(each).all() and each.any() for each in gradients), name


# ---- The words ----


def test_a_bag_has_no_order_no_capitals_and_no_unknown_words():
    tokenizer = WordTokenizer(["a", "don't", "film", "the"], counted=True)
    for text in ("Don't film the film", "the FILM... film, don't!", "the unheard film (film) don't, films do not"):
        (pieces,) = tokenizer.pieces([text])
        bag = tokenizer.join(pieces.ids)
        assert bag.ids.tolist() == [1, 2, 3] and bag.token_types.tolist() == [1, 2, 1]
        assert bag.ids.dtype == np.int32 and bag.token_types.dtype == np.int8
        assert [text[start:end].lower() for start, end in pieces.offsets] == [tokenizer.words[i] for i in pieces.ids]
    (empty,) = tokenizer.pieces(["Nothing known"])
    assert empty.offsets.shape == (0, 2) and len(tokenizer.join(empty.ids).ids) == 0


def test_counts_end_where_int8_does_and_a_pair_is_one_bag():
    (many, other) = WordTokenizer(["a", "b"], counted=True).pieces(["a " * 300, "b a"])
    bag = WordTokenizer(["a", "b"], counted=True).join(many.ids, other.ids)
    assert bag.ids.tolist() == [0, 1] and bag.token_types.tolist() == [127, 1]
    assert WordTokenizer(["a", "b"], counted=False).join(many.ids, other.ids).token_types.tolist() == [0, 0]


def test_a_head_keeps_the_first_known_words_and_counts_the_others():
    tokenizer = WordTokenizer(["a", "b", "c"], counted=False)
    (example,) = Classification(4, ["n", "y"], max_length=3).encode([{"text": "c no c b a a"}], tokenizer)
    assert example.inputs[0].ids.tolist() == [1, 2] and example.truncated == 2


def test_fingerprints_differ_with_words_and_features():
    given = [(["a", "b"], True), (["a", "b"], False), (["a"], True), (["b", "a"], True)]
    assert len({WordTokenizer(words, counted=counted).fingerprint() for words, counted in given}) == 4
    assert WordTokenizer(["a"], counted=True).fingerprint() == WordTokenizer(("a",), counted=True).fingerprint()


def test_the_vocabulary_is_of_every_tasks_training_split_and_of_no_other(study_path):
    inputs = opened(study_path)
    found = inputs.encoders.learned(inputs.study.arms["alone"].encoder)
    # "film", "acting" and "it" are only in one task's training split, "soup" and "food" in the other's.
    assert found == ["a", "don't", "dull", "fine", "i", "is", "like", "no", "plot", "the"]
    assert not {"unheard", "of", "nobody"} & set(found)
    assert all(inputs.encoders.learned(run.arm.encoder) is found for run in runs(inputs.study))


def test_examples_that_are_left_out_teach_no_words(study_path):
    text = study_path.read_text("utf-8").replace('head    = { name = "classification" }', "examples = 1\nHEAD")
    study_path.write_text(text.replace("HEAD", 'head    = { name = "classification" }'), "utf-8")
    inputs = opened(study_path)
    (kept,) = inputs.tasks["food"].train.rows["text"][:]
    assert set(inputs.encoders.learned(inputs.study.arms["joint"].encoder)) < {
        word.lower() for word in WORD.findall(kept)
    }


def test_tasks_without_a_word_in_common_are_refused(study_path, tmp_path):
    write_texts(tmp_path, {"food": ["eins zwei", "drei"]})
    with pytest.raises(StudyError, match="no word occurs in the training split of every task") as error:
        conduct(study_path, tmp_path / "out", None, None, workers=1, fresh=False, progress=Progress(sys.stderr))
    assert error.value.problems[0].found == "film 14 words, food 3 words"


# ---- Studies ----


def test_it_is_checked_without_torch(study_path, tmp_path):
    (plan,) = json.loads(python(ABSENT + CHECK_ALL + NOT_IMPORTED, tmp_path, study_path)).values()
    assert plan["runs"] == 6 and without_minutes(plan) == without_minutes(planned(study_path, None, None))
    assert plan["minutes"] > 0


REFUSED = {
    "width": ("width = 6", "width = 0", "encoder.width: should be from 1 to 65536. Found 0."),
    "sluice": (
        "[arms.joint]", '[arms.joint]\nsharing = { name = "sluice" }',
        'sharing: it looks at single tokens, and the encoder has one state for a whole text. Found "bag_of_words".',
    ),
    "span": (
        "[arms.alone]", '[tasks.asked]\ndataset = { name = "small_world", subset = "questions", size = 20 }\n'
        'head = { name = "span" }\n[arms.alone]', "tasks.asked.head: it looks at single tokens",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_with_it_is_refused(study_path, tmp_path, name):
    old, new, message = REFUSED[name]
    study_path.write_text(study_path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(StudyError) as error:
        planned(study_path, None, None)
    assert str(error.value).startswith(message)
    with pytest.raises(StudyError) as error:
        conduct(study_path, tmp_path / "out", None, None, workers=1, fresh=False, progress=Progress(sys.stderr))
    assert message in str(error.value)


def conducted(study_path: Path) -> Path:
    out = study_path.parent / "out"
    results, _ = conduct(study_path, out, None, None, workers=1, fresh=False, progress=Progress(sys.stderr))
    assert results.failed == []
    return out


def test_a_model_answers_the_same_in_a_new_process(study_path, tmp_path):
    text = study_path.read_text("utf-8").replace("width = 6", 'width = 6\nfeatures = "counts"')
    study_path.write_text(text, "utf-8")
    run = conducted(study_path) / "joint" / "1"
    assert (run / "model" / "vocabulary.txt").read_text("utf-8").split() == opened(study_path).encoders.learned(
        read_study(study_path).arms["joint"].encoder
    )
    assert "AutoModel" not in (run / "model" / "README.md").read_text("utf-8")
    asked = tmp_path / "asked.jsonl"
    asked.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS["film-held-out"]))
    code = "from manyheads.cli import app\napp()"
    command = [sys.executable, "-c", code, "predict", str(run / "model"), str(asked), "--task", "film"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    answers = [json.loads(line)["probabilities"] for line in said.splitlines()]
    lines = (run / "predictions" / "film.jsonl").read_text().splitlines()
    assert answers == [json.loads(line)["probabilities"] for line in lines]
    several = list(answer(run / "model", ["film", "food"], str(asked)))
    assert [each["film"]["probabilities"] for each in several] == answers


class Killed(SystemExit):
    """What a run does not catch, as a SIGKILL."""


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_run_that_was_killed_goes_on_bit_for_bit(study_path, tmp_path, optimizer):
    text = study_path.read_text("utf-8").replace(
        "[tasks.film]", f'optimizer = {{ name = "{optimizer}" }}\n[tasks.film]'
    )
    study_path.write_text(text, "utf-8")
    inputs = opened(study_path)
    run = next(run for run in runs(inputs.study) if run.arm.name == "joint")
    assert run_once(run, inputs, tmp_path / "whole", lambda *_: None).status == "finished"
    left = {3, 8}

    def kill(_run, done, _all, what):
        if what == "training" and done in left:
            left.remove(done)
            raise Killed

    for _ in range(2):
        with pytest.raises(Killed):
            run_once(run, inputs, tmp_path / "killed", kill)
    record = run_once(run, opened(study_path), tmp_path / "killed", lambda *_: None)
    assert record.status == "finished" and record.notes == ["went on at step 6"]
    for name in ("heads.safetensors", "vocabulary.txt"):
        whole, killed = (tmp_path / how / run.path / "model" / name for how in ("whole", "killed"))
        assert whole.read_bytes() == killed.read_bytes()


def test_runs_of_another_vocabulary_are_not_taken_for_this_studys(study_path):
    """The data of the task is the same, that of another task is not: so the words that both know have changed."""
    conducted(study_path)
    conducted(study_path)
    write_texts(study_path.parent, {"food": [text.replace("plot", "piece") for text in TEXTS["food"]]})
    with pytest.raises(StudyError) as error:
        conducted(study_path)
    said = [str(problem) for problem in error.value.problems]
    assert any("alone/1/film: was trained with encoder.learned = " in problem for problem in said)
    assert sum("the data of food has changed" in problem for problem in said) == 4


def test_another_vocabulary_makes_other_tokens(study_path, tmp_path):
    first = opened(study_path, tmp_path / "cache")
    first.prepare(runs(first.study))
    assert len(first.tokens.made) == 4
    write_texts(tmp_path, {"food": [text.replace("plot", "piece") for text in TEXTS["food"]]})
    second = opened(study_path, tmp_path / "cache")
    second.prepare(runs(second.study))
    assert len(second.tokens.made) == 4
    third = opened(study_path, tmp_path / "cache")
    third.prepare(runs(third.study))
    assert third.tokens.made == []


@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_process_finds_the_same_words_in_the_same_order(seed):
    """Workers look for the words themselves; the order of a set differs between processes."""
    given = {task: TEXTS[task] for task in ("film", "food")}
    code = (
        "import json, runpy, sys\n"
        f"checks = runpy.run_path({str(registry.HERE / 'encoders' / '_bag_of_words_checks.py')!r})\n"
        "print(json.dumps(checks['shared_words'](json.loads(sys.argv[1]))))"
    )
    command = [sys.executable, "-c", code, json.dumps(given)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONHASHSEED": seed}
    )
    assert json.loads(done.stdout) == shared_words(given)


def test_what_is_encoded_is_what_the_tokenizer_says(study_path):
    inputs = opened(study_path)
    head, words = Classification(4, ["n", "y"]), inputs.encoders.learned(inputs.study.arms["joint"].encoder)
    (first, *_) = encoded(head, inputs.tasks["film"].train, WordTokenizer(words, counted=False))
    assert [words[place] for place in first.inputs[0].ids] == ["a", "fine"] and first.targets == (0,)
