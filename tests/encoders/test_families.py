"""Nine architectures, each with random weights and a tokenizer of its own kind: what `check` says, states, one step of
training, and the way to disk and back. All but those of BERT's kind go the padded way."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_encoders import FAMILIES, SIZES, make_family
from torch.testing import assert_close
from transformers import AutoModel, AutoTokenizer

from conftest import STUDY
from manyheads import registry
from manyheads.analyses._piece_gradients import piece_gradients
from manyheads.analyses._sequences import flat
from manyheads.core.plain import plain
from manyheads.core.problems import StudyError
from manyheads.core.tensors import Tokens
from manyheads.core.values import Places, Table
from manyheads.data.batches import TrainingData, encoded, vocabulary
from manyheads.datasets.small_world import SmallWorld
from manyheads.encoders import _pretrained_checks
from manyheads.encoders.pretrained import Pretrained
from manyheads.inference import replies
from manyheads.runner import run_study
from manyheads.study.estimate import planned
from manyheads.study.parser import read_study
from manyheads.study.spec import AdamW, TrainingSettings
from manyheads.study.steps import Layout, runs
from manyheads.study.tasks import read_tasks
from manyheads.training.inputs import StudyInputs
from manyheads.training.loop import train
from manyheads.training.model import MultiTaskModel, build_model, open_model
from manyheads.training.optimizer import optimizer_for

TEXTS = ["The ferry sails at noon.", "A naïve fox: 東京 [SEP] <s>, then  two spaces\nand a line.", "", "  Soup 12"]
HEADS = {"food": ("food_sentiment", "classification", 48), "asked": ("questions", "span", 60)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    return {kind: make_family(kind, tmp_path_factory.mktemp(kind)) for kind in FAMILIES}


@pytest.fixture(params=FAMILIES)
def kind(request) -> str:
    return request.param


def opened(folder: Path, **settings) -> Pretrained:
    return Pretrained(Places(folder), model=str(folder), **settings)


@pytest.fixture(scope="module")
def encoders(folders) -> dict[str, Pretrained]:
    """For tests that change nothing."""
    return {kind: opened(folder).eval() for kind, folder in folders.items()}


def facts_of(folder: Path, **settings):
    entry = registry.describe("encoders", "pretrained")
    return _pretrained_checks.info(Places(folder), entry.resolved({"model": str(folder), **settings}))


def tokens_of(encoder: Pretrained, *texts: str) -> Tokens:
    """Single texts, the last two of them as a pair."""
    ids = [pieces.ids for pieces in encoder.tokenizer.pieces(texts)]
    inputs = [encoder.tokenizer.join(one) for one in ids[:-2]] + [encoder.tokenizer.join(*ids[-2:])]
    types = torch.from_numpy(np.concatenate([one.token_types for one in inputs])).long()
    return Tokens(
        torch.from_numpy(np.concatenate([one.ids for one in inputs])).long(), types,
        tuple(len(one.ids) for one in inputs),
    )  # fmt: skip


def test_check_says_what_the_encoder_is(kind, folders):
    for settings in ({}, {"layers": 2}):
        facts, encoder = facts_of(folders[kind], **settings), opened(folders[kind], **settings)
        assert (facts.width, facts.max_length) == (encoder.width, encoder.tokenizer.max_length)
        assert (facts.width, facts.max_length) == (32, FAMILIES[kind].longest)
        assert facts.flops is not None and facts.counter is not None
        assert facts.flops([7, 1, 40]) == encoder.flops([7, 1, 40])
        assert facts.counter.pieces(TEXTS) == [len(pieces.ids) for pieces in encoder.tokenizer.pieces(TEXTS)]
        for pair in (False, True):
            assert facts.counter.special(pair) == -encoder.tokenizer.room(pair, 0)
        assert facts.whole == encoder.whole and bool(facts.whole) == (kind not in _pretrained_checks.PACKED)


def test_operations_are_two_for_each_weight_and_pair_of_tokens(kind, encoders):
    encoder = encoders[kind]
    layers = [(name, p) for name, p in encoder.inner.named_parameters() if p.ndim > 1 and "pooler" not in name]
    weights = sum(p.numel() for name, p in layers if "embeddings" not in name and "relative_attention" not in name)
    pairs = 2 * 32 * 3 * 6**2
    if kind == "modernbert":  # 2 of 3 layers see 4 tokens to each side: of 6 tokens, one pair less in each direction
        pairs -= 2 * 32 * 2 * 2
    if kind == "deberta-v2":  # a query and a key for each token, with 16 relative positions
        pairs += 3 * 32 * 6 * 2 * 16
    assert encoder.flops([6]) == 2 * (weights * 6 + pairs)


def test_the_longest_sequence_fits_and_no_longer_one(kind, encoders):
    encoder = encoders[kind]
    longest = encoder.tokenizer.max_length

    def states(length: int):
        ids = torch.arange(length) % 50 + 5
        return encoder(Tokens(ids, torch.zeros_like(ids), (length,))).last

    assert torch.isfinite(states(longest)).all()
    if kind not in ("modernbert", "deberta-v2", "nomic_bert"):  # whose positions are relative, and have no table
        with pytest.raises((IndexError, RuntimeError)):
            states(longest + 1)


def test_states_are_those_of_transformers(kind, folders, encoders):
    encoder, reference = encoders[kind], AutoModel.from_pretrained(folders[kind]).eval()
    tokenizer = AutoTokenizer.from_pretrained(folders[kind])
    texts = ["Soup.", "The small fox laughed at the dreadful waiter in the warm den.", "Where is it?", "In a den."]
    tokens = tokens_of(encoder, *texts)
    singles = tokenizer(texts[:2], padding=True, return_tensors="pt")
    pair = tokenizer(*texts[2:], return_tensors="pt")
    expected = []
    with torch.no_grad():
        found = encoder(tokens)
        for given in (singles, pair):
            mask = given["attention_mask"].bool()
            if not encoder._padded.token_types:
                given.pop("token_type_ids", None)
            expected.append([one[mask] for one in reference(**given, output_hidden_states=True).hidden_states])
    assert len(found.layers) == len(expected[0]) == SIZES["num_hidden_layers"] + 1
    for layer, ours in enumerate(found.layers):
        assert_close(ours, torch.cat([one[layer] for one in expected]), rtol=0, atol=1e-5)
    assert encoder.packed == (kind in _pretrained_checks.PACKED and not plain())


def test_pieces_cover_the_words_and_no_space(kind, encoders):
    tokenizer, text = encoders[kind].tokenizer, "The ferry sails at noon"
    (pieces,) = tokenizer.pieces([text])
    covered = {at for start, end in pieces.offsets.tolist() for at in range(start, end)}
    assert covered == {at for at, sign in enumerate(text) if sign != " "}


def test_joined_sequences_are_those_of_the_tokenizer(kind, folders, encoders):
    encoder = encoders[kind]
    tokenizer, theirs = encoder.tokenizer, AutoTokenizer.from_pretrained(folders[kind])
    first, second = (pieces.ids for pieces in tokenizer.pieces(["a small fox", "laughed"]))
    for given, texts in [((first,), ("a small fox",)), ((first, second), ("a small fox", "laughed"))]:
        ours, expected = tokenizer.join(*given), theirs(*texts)
        assert ours.ids.tolist() == expected["input_ids"]
        types = expected.get("token_type_ids") if encoder._padded.token_types else None
        assert ours.token_types.tolist() == (types or [0] * len(ours.ids))
    (special,) = tokenizer.pieces([" ".join(theirs.all_special_tokens)])
    assert not (set(theirs.all_special_ids) - {tokenizer.unknown}) & set(special.ids.tolist())


def built(folder: Path, tables: dict[str, Table], sharing: str = "hard") -> MultiTaskModel:
    tasks = {}
    for task, (_, head, length) in HEADS.items():
        settings = {"max_length": length} | ({"stride": 20, "max_question": 20} if head == "span" else {})
        columns = tables[task].rows.column_names
        tasks[task] = {"head": {"name": head, "settings": settings}, "labels": tables[task].labels, "columns": columns}
    encoder = {"name": "pretrained", "settings": {"model": str(folder), "dropout": 0.1}}
    return build_model(
        {"encoder": encoder, "sharing": {"name": sharing, "settings": {}}, "tasks": tasks}, Places(folder), seed=1
    )


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return {
        task: SmallWorld(Places(Path()), subset=subset, size=40).read("train") for task, (subset, *_) in HEADS.items()
    }  # pyright: ignore[reportReturnType]


def test_it_trains_is_saved_opens_and_predicts(kind, folders, tables, tmp_path):
    model = built(folders[kind], tables)
    data = {
        task: TrainingData(task, encoded(model.head(task), table, model.tokenizer), 4, 1)
        for task, table in tables.items()
    }
    model.narrow(np.unique(np.concatenate([vocabulary(one.examples) for one in data.values()])))
    before = {name: value.clone() for name, value in model.sharing.encoders()[0].inner.state_dict().items()}
    weighting = registry.load("weighting", "pcgrad")(list(tables))
    optimizer = optimizer_for(model, weighting, AdamW(weight_decay=0.1), 1e-3)
    (record,) = train(
        model, data, Layout([tuple(tables)]), weighting, optimizer, seed=1, settings=TrainingSettings(warmup=0.0)
    )
    model.widen()
    assert all(np.isfinite(loss) for loss in record.losses.values()) and record.flops > 0 and record.padding >= 0
    model.save(tmp_path)
    inner = model.eval().sharing.encoders()[0].inner
    changed = [name for name, value in inner.state_dict().items() if not torch.equal(value, before[name])]
    assert {name for name in before if "pooler" not in name} == set(changed)
    questions = [{"text": "A dreadful film.", "question": "Who laughed?", "context": "The waiter laughed at noon."}] * 2
    answers = replies(model, list(HEADS), questions)
    assert replies(open_model(tmp_path), list(HEADS), questions) == answers
    again, ids = AutoModel.from_pretrained(tmp_path).eval(), torch.arange(5, 15)[None]
    with torch.no_grad():
        ours = model.sharing.encoders()[0](Tokens(ids[0], torch.zeros_like(ids[0]), (10,))).last
        assert_close(again(input_ids=ids).last_hidden_state[0], ours, rtol=0, atol=1e-5)
    assert (
        AutoTokenizer.from_pretrained(tmp_path)("The fox")["input_ids"] == model.tokenizer.inner("The fox")["input_ids"]
    )


def test_half_precision_is_near(kind, encoders):
    encoder = encoders[kind]
    tokens = tokens_of(encoder, "Soup.", "The small fox laughed at the waiter.", "Where?", "In a den.")
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = encoder(tokens).last.float()
    with torch.no_grad():
        assert_close(half, encoder(tokens).last, rtol=0.1, atol=0.1)


def test_words_are_explained(kind, folders, tables):
    """The slopes at the embeddings are those of each text by itself, wherever padding is."""
    model = built(folders[kind], tables).eval()
    examples = encoded(
        model.head("food"), Table(tables["food"].rows.select(range(4)), tables["food"].labels), model.tokenizer
    )
    together = piece_gradients(model, "food", flat(examples))
    for row in range(4):
        (alone,) = piece_gradients(model, "food", flat(examples[row : row + 1]))
        assert_close(together[row], alone, rtol=1e-4, atol=1e-6)


def test_sharing_that_calls_layers_is_refused_by_name(kind, folders, tables):
    if kind in _pretrained_checks.PACKED:
        assert len(built(folders[kind], tables, "sluice").sharing.encoders()) == 2
        return
    with pytest.raises(StudyError) as error:
        built(folders[kind], tables, "sluice")
    assert str(error.value) == (
        f'sharing: it calls an encoder\'s layers one by one. Found "sluice". A {kind} encoder is computed as a whole. '
        "Choose one of the types bert, roberta, xlm-roberta, camembert, electra, or other sharing."
    )


def test_check_and_run_refuse_and_say_the_same(folders, tmp_path, monkeypatch):
    monkeypatch.delenv("MANYHEADS_PLAIN", raising=False)
    path = tmp_path / "study.toml"
    text = STUDY.format(tiny=folders["distilbert"]).replace("max_length = 96", "max_length = 60")
    text = text.replace("seeds    = [1, 2]", "seeds = [1]").replace("steps = 6", "steps = 1")
    path.write_text(f'{text}sharing = {{ name = "sluice" }}\n', "utf-8")
    with pytest.raises(StudyError) as error:
        planned(path, None, None)
    assert str(error.value).startswith(
        'sharing: it calls an encoder\'s layers one by one. Found "sluice". A distilbert'
    )
    path.write_text(text, "utf-8")
    assert planned(path, None, None)["minutes"] > 0
    study, said = read_study(path), []
    inputs = StudyInputs(study, read_tasks(study, None), None, None)
    run_study._check_models(inputs, runs(study), 0, said.append)
    assert said == ["encoder: distilbert: computed with padding, which is slower (docs/encoders.md)"]


def test_a_user_is_told_of_the_slow_way(kind, folders, monkeypatch):
    monkeypatch.delenv("MANYHEADS_PLAIN", raising=False)
    slow = [f"{kind}: computed with padding, which is slower (docs/encoders.md)"]
    assert opened(folders[kind]).notes == ([] if kind in _pretrained_checks.PACKED else slow)
    monkeypatch.setenv("MANYHEADS_PLAIN", "1")
    (line,) = opened(folders[kind]).notes
    assert line.startswith("MANYHEADS_PLAIN is set: computed with padding")


def test_weights_of_padding_never_matter(kind, folders):
    """A text beside longer ones has the states, and its loss the gradients, that it has by itself."""
    encoder = opened(folders[kind], dropout=0.0)
    texts = ["Soup.", "The small fox laughed at the dreadful waiter in the warm den.", "Where is it?", "In a den."]
    tokens = tokens_of(encoder, *texts)
    size = tokens.lengths[0]
    weights = torch.randn(size, 32, generator=torch.Generator().manual_seed(0))
    (encoder(tokens).last[:size] * weights).sum().backward()
    beside = {name: p.grad.clone() for name, p in encoder.inner.named_parameters() if p.grad is not None}
    encoder.zero_grad()
    encoder(Tokens(tokens.ids[:size], tokens.token_types[:size], (size,))).last.mul(weights).sum().backward()
    for name, parameter in encoder.inner.named_parameters():
        if parameter.grad is not None:
            assert_close(
                beside[name], parameter.grad, rtol=1e-3, atol=1e-4 * max(1.0, float(parameter.grad.abs().max()))
            )
