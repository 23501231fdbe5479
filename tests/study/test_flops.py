"""What an encoder has to compute, told without building it: by hand, and against the encoder itself."""

from dataclasses import replace

import datasets
import pytest
import torch
from transformers import AutoConfig, BertConfig, BertModel, ElectraConfig, ElectraModel, RobertaConfig, RobertaModel

from manyheads import registry
from manyheads.core import tokenizer_files
from manyheads.core.problems import StudyError
from manyheads.core.values import Places, Table
from manyheads.encoders import _pretrained_checks
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.encoders.pretrained import Pretrained
from manyheads.study import estimate
from manyheads.study.estimate import planned, planned_lines
from manyheads.study.flops import unreadable, works
from manyheads.study.parser import read_study
from manyheads.study.tasks import read_tasks

SMALL = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 30522,
    "max_position_embeddings": 80,
}  # fmt: skip
KINDS = {
    "bert": (BertConfig, BertModel, {}),
    "roberta": (RobertaConfig, RobertaModel, {"type_vocab_size": 2}),
    "electra": (ElectraConfig, ElectraModel, {"embedding_size": 16}),
}


def facts_of(folder, **settings):
    entry = registry.describe("encoders", "pretrained")
    return _pretrained_checks.info(Places(folder), entry.resolved({"model": str(folder), **settings}))


def test_operations_by_hand(tiny):
    # 2 layers of 4 matrices 32 x 32 and 2 of 32 x 64: 16,384 weights; products with 3 + 5 tokens of width 32.
    assert facts_of(tiny).flops([3, 5]) == 2 * 16_384 * 8 + 2 * (2 * 32) * 2 * (9 + 25)
    assert facts_of(tiny, layers=1).flops([3, 5]) == facts_of(tiny).flops([3, 5]) / 2


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_facts_are_those_of_the_encoder(kind, tmp_path, minilm):
    config, model, extra = KINDS[kind]
    torch.manual_seed(0)
    model(config(**SMALL, **extra)).save_pretrained(tmp_path)
    PretrainedTokenizer(minilm).save(tmp_path)
    facts, encoder = facts_of(tmp_path, layers=2), Pretrained(Places(tmp_path), model=str(tmp_path), layers=2)
    assert facts.flops([7, 1, 40]) == encoder.flops([7, 1, 40])
    assert (facts.width, facts.max_length) == (encoder.width, encoder.tokenizer.max_length)
    texts = ["A fox.", "[SEP] naïve 東京 [MASK]", "x " * 300, ""]
    assert facts.counter.pieces(texts) == [len(pieces.ids) for pieces in encoder.tokenizer.pieces(texts)]
    assert [facts.counter.special(pair) for pair in (False, True)] == [
        -encoder.tokenizer.room(pair, 0) for pair in (False, True)
    ]


@pytest.mark.parametrize("kind", _pretrained_checks.ARCHITECTURES)
def test_what_a_configuration_leaves_out_is_what_transformers_takes(kind):
    config, known = AutoConfig.for_model(kind), _pretrained_checks.ARCHITECTURES[kind]
    silent = _pretrained_checks.named({"model_type": kind})
    assert silent["num_hidden_layers"] == config.num_hidden_layers
    assert silent["max_position_embeddings"] == config.max_position_embeddings
    assert known.first_position is not None or config.pad_token_id == _pretrained_checks.PADDING


LONG = "The ferry sails at noon. " * 40
COLUMNS = {
    "text": ["Good.", LONG, "So so, naïvely [SEP] put."],
    "text_pair": ["Bad.", "No.", LONG],
    "choices": [["a", "b"], ["This one", LONG, "that"], [LONG, LONG]],
    "question": ["When?", "When does the ferry sail? " * 5, "Who?"],
    "context": ["At noon.", LONG, LONG + LONG],
    "answers": [{"text": ["noon"], "answer_start": [3]}] * 2 + [{"text": ["The"], "answer_start": [0]}],
}
COLUMNS |= {
    "words": [["The", "quay", "side", "bar"] * 9, ["It", "s\u200b"], ["\xad", "unbelievably"]],
    "tags": [["O"] * 36, ["B-x", "O"], ["O", "B-x"]],
}
LABELS = {
    "classification": (("no", "yes"), ["yes", "no", "no"]), "multiple_choice": (None, ["0", "2", "1"]),
    "tagging": (("O", "B-x"), []),
}  # fmt: skip
SETTINGS = [{"max_length": 32}, {"max_length": 64}, {"max_length": 400}]
SPANS = [{"stride": 5, "max_question": 12}, {"stride": 13, "max_question": 16}, {"stride": 128, "max_question": 64}]


@pytest.mark.parametrize("pair", [True, False])
@pytest.mark.parametrize("size", range(3))
@pytest.mark.parametrize("name", registry.names("heads"))
def test_the_lengths_are_those_of_the_sequences_that_the_head_encodes(name, size, pair, minilm):
    windows = {"span": SPANS[size], "tagging": {"stride": SPANS[size]["stride"]}}
    settings = SETTINGS[size] | windows.get(name, {})
    labels, gold = LABELS.get(name, (None, [1.0, 2.0, 3.0]))
    head = registry.load("heads", name)(8, labels, **settings)
    wanted = set(head.columns) | (set(head.optional) if pair else set())
    given = {column: values for column, values in {**COLUMNS, "label": gold}.items() if column in wanted}
    rows = [dict(row) for row in datasets.Dataset.from_dict(given)]
    counter = facts_of(minilm).counter
    checks = registry.checks("heads", name)
    found = checks.lengths(rows, counter, registry.describe("heads", name).resolved(settings))
    encoded = head.encode(rows, PretrainedTokenizer(minilm))
    assert found == [[len(one.ids) for one in example.inputs] for example in encoded]
    assert max(map(max, found)) <= settings["max_length"]


@pytest.mark.parametrize("name", registry.names("heads"))
def test_a_head_asks_its_companion(name, monkeypatch):
    """What `check` finds and what the class finds are one function."""
    head = registry.load("heads", name)(8, LABELS.get(name, (None,))[0])
    module = __import__(type(head).__module__, fromlist=["problems"])
    assert module.problems is registry.checks("heads", name).problems
    asked = []
    monkeypatch.setattr(module, "problems", lambda table, settings, where: asked.append((table, where)) or ["found"])
    table = Table(None)
    assert head.problems(table, "t") == ["found"] and asked == [(table, "t")]


def test_texts_must_lie_between_special_tokens():
    places = tokenizer_files.text_places
    assert places([1, 0, 1, 0, 1], "x") == (slice(1, 2), slice(3, 4))
    assert places([1, 0, 0, 1, 1, 0, 1], "x") == (slice(1, 3), slice(5, 6))  # "a" cut in two, and two special tokens
    assert places([0, 1, 0], "x") == (slice(0, 1), slice(2, 3))
    for special in ([0, 0], [1, 0, 0, 1], [1, 0, 1]):  # none between; one text only
        with pytest.raises(ValueError, match="no special token between two texts"):
            places(special, "x")


def test_a_model_of_the_hub_is_read_from_its_cache(tiny, tmp_path, monkeypatch):
    snapshot = tmp_path / "models--some--encoder" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json"):
        (snapshot / name).symlink_to(tiny / name)
    (tmp_path / "models--some--encoder" / "refs").mkdir()
    (tmp_path / "models--some--encoder" / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    settings = registry.describe("encoders", "pretrained").resolved({"model": "some/encoder"})
    found, expected = _pretrained_checks.info(Places(tmp_path), settings), facts_of(tiny)
    assert found.flops([9]) == expected.flops([9]) and found.max_length == expected.max_length
    assert found.counter.pieces(["A fox."]) == expected.counter.pieces(["A fox."])
    with pytest.raises(StudyError, match=r'there is no such model\. Found "some/other"'):
        _pretrained_checks.info(Places(tmp_path), {**settings, "model": "some/other"})


def test_texts_that_the_encoder_cannot_read_are_told(study_file):
    study = read_study(study_file)
    tasks = read_tasks(study, None)
    assert unreadable(study, tasks, None, None) == {"food": [], "questions": []}
    # Half of the pieces unknown is not yet most of them; [UNK] is one piece for each word.
    for words, warned in (("film 🦦", False), ("film 🦦 🪿", True)):
        train = tasks["food"].train
        texts = train.rows.remove_columns("text").add_column("text", [words] * len(train.rows))
        found = unreadable(
            study, {**tasks, "food": replace(tasks["food"], train=replace(train, rows=texts))}, None, None
        )
        assert [problem.where for problem in found["food"]] == (["tasks.food (train)"] if warned else [])
        assert not warned or "67%" in found["food"][0].what


def test_a_backward_pass_costs_two_forward_passes(study_file, monkeypatch):
    monkeypatch.setattr(estimate, "_matrix_product_speed", lambda: 1e9)
    study = read_study(study_file)
    tasks = read_tasks(study, None)
    work = works(study, tasks, None, None)["joint"]
    plan = planned(study_file, None, None)["arms"]
    batches = {"food": 3, "questions": 3}
    assert plan["joint"]["shares"] == {"food": 0.5, "questions": 0.5}
    assert plan["joint"]["steps"] == {"all": 6}
    steps = [plan["joint"]["epochs"][task] * 5 for task in batches]  # of 40 examples, 8 a batch
    flops = sum(
        3 * count * 8 * work[task].train + len(tasks[task].reported.rows) * work[task].reported
        for task, count in zip(batches, steps, strict=True)
    )
    assert plan["joint"]["minutes"] == pytest.approx(2 * flops / (1e9 * estimate.EFFICIENCY) / 60)


def test_an_encoder_for_each_task_costs_as_many_times_as_much(study_file, monkeypatch):
    monkeypatch.setattr(estimate, "_matrix_product_speed", lambda: 1e9)
    text = study_file.read_text("utf-8") + '\n[arms.sluice]\nsharing = { name = "sluice" }\n'
    study_file.write_text(text, "utf-8")
    arms = planned(study_file, None, None)["arms"]
    assert arms["sluice"]["minutes"] == pytest.approx(2 * arms["joint"]["minutes"])


def test_a_cost_that_cannot_be_told_is_not_guessed(study_file, tiny, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).symlink_to(tiny / name)
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n")
    study_file.write_text(study_file.read_text("utf-8").replace(str(tiny), str(folder)), "utf-8")
    plan = planned(study_file, None, None)
    assert plan["minutes"] is None and plan["arms"]["joint"]["minutes"] is None and plan["runs"] == 6
    lines = planned_lines(plan)
    assert "cost unknown" in lines[-1] and any("steps: 6, cost unknown" in line for line in lines)


MINE = '''"""A head of one's own."""

from manyheads.heads.classification import Classification


class Mine(Classification):
    """A classification that wants more."""

    def __init__(self, width, labels, *, max_length: int = 48, least: int = 1) -> None:
        super().__init__(width, labels, max_length=max_length)
        if least > 9:
            raise ValueError("mine: least is too large")
'''
OTHER = '''"""An encoder of one's own."""

from manyheads.encoders.pretrained import Pretrained


class Other(Pretrained):
    """Pretrained, of one layer."""

    def __init__(self, places, saved=None, *, model: str) -> None:
        super().__init__(places, saved, model=model, layers=1)
'''


@pytest.fixture
def code(tmp_path):
    for family, name, text in (("heads", "mine", MINE), ("encoders", "other", OTHER)):
        (tmp_path / "code" / family).mkdir(parents=True)
        (tmp_path / "code" / family / f"{name}.py").write_text(text, "utf-8")
    return tmp_path / "code"


def test_methods_of_ones_own_are_asked_themselves(study_file, code, monkeypatch):
    """Without a companion the class is loaded and built, as before there were any."""
    monkeypatch.setattr(estimate, "_matrix_product_speed", lambda: 1e9)
    text = study_file.read_text("utf-8")
    ours = text.replace("[training]", "layers = 1\n[training]")
    study_file.write_text(ours, "utf-8")
    expected = planned(study_file, None, None)["minutes"]
    theirs = text.replace("[encoder]", '[encoder]\nname = "other"').replace('"classification"', '"mine"')
    study_file.write_text(theirs, "utf-8")
    assert planned(study_file, None, code)["minutes"] == pytest.approx(expected)
    for old, new, message in [
        ("max_length = 48", "least = 10", "tasks.food.head: mine: least is too large"),
        ("max_length = 48", "max_length = 129", "tasks.food.head.max_length: longer than the encoder takes. Found 129"),
    ]:
        study_file.write_text(theirs.replace(old, new), "utf-8")
        with pytest.raises(ValueError, match=message):
            planned(study_file, None, code)
