import json

import numpy as np
import pytest
import torch
import transformers
from torch.testing import assert_close
from transformers import (
    AlbertConfig,
    AutoModel,
    BertConfig,
    BertModel,
    CTRLConfig,
    ElectraConfig,
    ElectraModel,
    FNetConfig,
    RobertaConfig,
    RobertaModel,
)
from transformers.models.bert.modeling_bert import BertLayer

from manyheads.core.plain import plain
from manyheads.core.problems import StudyError
from manyheads.core.tensors import Tokens
from manyheads.core.values import Places
from manyheads.encoders import _packed, _pretrained_checks, pretrained
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.encoders._trial import why_not_packed
from manyheads.encoders.pretrained import Pretrained
from manyheads.study.spec import SGD, Adamax, AdamW
from manyheads.training.optimizer import optimizer_for

SMALL = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 30522,
    "max_position_embeddings": 80,
}  # fmt: skip
DROPOUTS = {"dropout": -1.0, "attention_dropout": 0.0}
KINDS = {
    "bert": (BertConfig, BertModel, {}),
    "roberta": (RobertaConfig, RobertaModel, {"type_vocab_size": 2}),
    "electra": (ElectraConfig, ElectraModel, {"embedding_size": 16}),
}


def some_tokens(*lengths: int, seed: int = 0) -> Tokens:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1000, 30000, (sum(lengths),), generator=generator)
    return Tokens(ids, torch.randint(0, 2, ids.shape, generator=generator), lengths)


def some_loss(states: torch.Tensor) -> torch.Tensor:
    """A sum with weights: that of squares hardly changes behind a layer normalisation, and has next to no gradient."""
    weights = torch.randn(states.shape, generator=torch.Generator().manual_seed(3))
    return (states * weights.to(states.dtype)).sum()


@pytest.fixture(params=list(KINDS))
def folder(request, tmp_path, minilm):
    config, model, extra = KINDS[request.param]
    torch.manual_seed(0)
    model(config(**SMALL, **extra)).save_pretrained(tmp_path)
    PretrainedTokenizer(minilm).save(tmp_path)
    return tmp_path


def test_every_layer_equals_the_padded_computation_of_transformers(folder):
    encoder = Pretrained(Places(folder), model=str(folder)).eval()
    reference = AutoModel.from_pretrained(folder).eval()
    tokens = some_tokens(7, 3, 40, 38, 7, 1)
    states = encoder(tokens)
    ids = torch.nn.utils.rnn.pad_sequence(list(tokens.ids.split(tokens.lengths)), batch_first=True)
    kinds = torch.nn.utils.rnn.pad_sequence(list(tokens.token_types.split(tokens.lengths)), batch_first=True)
    # RoBERTa counts positions from the padding index of its own vocabulary, so they are given.
    position = torch.arange(ids.shape[1]).expand_as(ids) + encoder.first_position
    expected = reference(
        ids, attention_mask=states.mask().long(), token_type_ids=kinds, position_ids=position, output_hidden_states=True
    ).hidden_states
    assert len(states.layers) == len(expected)
    for ours, theirs in zip(states.layers, expected, strict=True):
        assert_close(ours, theirs[states.mask()], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_gradients_equal_the_padded_computation(tiny, dtype, tolerance):
    """In double precision to the last digits. In single precision processors round in their own ways, so a gradient
    may be off by a share of the largest one: those of the key's biases are 0 but for rounding."""
    encoder = Pretrained(Places(tiny), model=str(tiny), dropout=0.0).to(dtype)
    reference = AutoModel.from_pretrained(tiny, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).to(dtype)
    tokens = some_tokens(9, 11, 3)
    some_loss(encoder(tokens).last).backward()
    parts = zip(tokens.ids.split(tokens.lengths), tokens.token_types.split(tokens.lengths), strict=True)
    states = [reference(ids[None], token_type_ids=kinds[None]).last_hidden_state[0] for ids, kinds in parts]
    some_loss(torch.cat(states)).backward()
    largest = max(float(p.grad.abs().max()) for p in reference.parameters() if p.grad is not None)
    for (name, ours), theirs in zip(encoder.inner.named_parameters(), reference.parameters(), strict=True):
        if "pooler" not in name:
            assert_close(ours.grad, theirs.grad, rtol=0, atol=tolerance * largest)


def test_a_sequence_does_not_see_its_neighbours(tiny):
    encoder = Pretrained(Places(tiny), model=str(tiny)).eval()
    tokens = some_tokens(6, 7, 5)
    alone = Tokens(tokens.ids[6:13], tokens.token_types[6:13], (7,))
    assert_close(encoder(tokens).last[6:13], encoder(alone).last, rtol=1e-5, atol=1e-6)


def test_operations_by_hand(tmp_path, minilm):
    BertModel(BertConfig(**SMALL)).save_pretrained(tmp_path)
    PretrainedTokenizer(minilm).save(tmp_path)
    # 3 layers of 4 x 32 x 32 + 2 x 32 x 64 weights, two operations each; scores and their use 4 x 32 for each pair.
    weights, pairs = 3 * (4 * 32 * 32 + 2 * 32 * 64), 5**2 + 2**2
    assert Pretrained(Places(tmp_path), model=str(tmp_path)).flops([5, 2]) == 2 * weights * 7 + 3 * 4 * 32 * pairs


ROWS = pytest.mark.skipif(plain(), reason="MANYHEADS_PLAIN trains the whole table of words")


@ROWS
@pytest.mark.parametrize(
    "optimizer", [AdamW(weight_decay=0.1), SGD(weight_decay=0.1, momentum=0.9), Adamax(weight_decay=0.1)]
)
def test_narrow_trains_the_whole_table(folder, optimizer):
    tokens, unseen = some_tokens(7, 3, 40), some_tokens(9, 4, seed=1)
    results = []
    for narrow in (True, False):
        encoder = Pretrained(Places(folder), model=str(folder), dropout=0.0)
        if narrow:
            encoder.narrow(np.unique(tokens.ids.numpy()))
        rule = optimizer_for(encoder, torch.nn.Module(), optimizer, 1e-2)
        for _ in range(5):
            some_loss(encoder(tokens).last).backward()
            rule.step()
            rule.zero_grad()
        with torch.no_grad():
            during = encoder.eval()(unseen).last
        encoder.widen()
        results.append((during, encoder(unseen).last, encoder.state_dict()))
    (during, after, state), (_, expected, whole) = results
    assert_close(during, expected, rtol=1e-4, atol=1e-4)
    assert_close(after, expected, rtol=1e-4, atol=1e-4)
    assert state.keys() == whole.keys()
    words = next(name for name in whole if name.endswith("word_embeddings.weight"))
    assert_close(state[words], whole[words], rtol=1e-5, atol=1e-6)
    # Rows that no example holds were scaled by weight decay, all alike.
    start = Pretrained(Places(folder), model=str(folder)).state_dict()[words]
    rest = np.setdiff1d(np.arange(1, len(start)), tokens.ids.numpy())
    assert_close(
        state[words][rest], start[rest] * (1 - 1e-2 * 0.1) ** 5 if optimizer.name != "sgd" else whole[words][rest]
    )


@ROWS
def test_narrow_pays_for_the_words_in_use_only(tiny):
    encoder = Pretrained(Places(tiny), model=str(tiny))
    before = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    encoder.narrow(np.array([101, 102, 2000]))
    assert sum(p.numel() for p in encoder.parameters() if p.requires_grad) == before - (30522 - 4) * 32


@ROWS
def test_narrow_refuses_a_word_that_no_example_was_to_hold(tiny):
    encoder = Pretrained(Places(tiny), model=str(tiny))
    encoder.narrow(np.array([101, 102]))
    with pytest.raises(IndexError):
        encoder(some_tokens(5))


def test_layers_keeps_the_lowest(folder):
    whole, cut = (Pretrained(Places(folder), model=str(folder), layers=layers).eval() for layers in (0, 2))
    tokens = some_tokens(5, 8)
    assert cut.depth == 2
    assert torch.equal(cut(tokens).last, whole(tokens).layers[2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "no/such-model"}, 'there is no such model. Found "no/such-model"'),
        ({"model": "minilm", "layers": 7}, 'encoder.layers: "minilm" has 6 layers. Found 7. Choose 1 to 6'),
    ],
)
def test_what_cannot_be_says_so(settings, message, tmp_path):
    with pytest.raises(StudyError, match="encoder") as error:
        Pretrained(Places(tmp_path), **settings)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gpt2"},
        {"model_type": "new", "architectures": ["NewForCausalLM"]},
        {"model_type": "new", "is_encoder_decoder": True},
        {"model_type": "new", "auto_map": {"AutoModel": "modeling_new.New"}},
    ],
)
def test_what_is_no_encoder_is_refused_by_its_configuration(config, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(StudyError, match=f"not an encoder that manyheads can run. Found {config['model_type']}"):
        _pretrained_checks.info(Places(tmp_path), {"model": str(tmp_path)})


def saved(folder, minilm, config):
    """A model that is not among the tested types, with MiniLM's tokenizer."""
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    PretrainedTokenizer(minilm).save(folder)
    return folder


def test_a_type_that_is_not_tested_proves_to_be_an_encoder(tmp_path, minilm):
    sizes = {"embedding_size": 16, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48}
    folder = saved(tmp_path, minilm, AlbertConfig(**sizes, vocab_size=30522, num_hidden_layers=2))
    encoder, tokens = Pretrained(Places(folder), model=str(folder)).eval(), some_tokens(7, 3)
    alone = AutoModel.from_pretrained(folder).eval()(tokens.ids[None, 7:], token_type_ids=tokens.token_types[None, 7:])
    assert_close(encoder(tokens).last[7:], alone.last_hidden_state[0], rtol=1e-4, atol=1e-5)
    assert not encoder.packed and encoder.flops([3]) > 0
    facts = _pretrained_checks.info(Places(folder), {"model": str(folder), "layers": 0, **DROPOUTS})
    assert (facts.width, facts.max_length, facts.flops) == (32, encoder.tokenizer.max_length, None)
    with pytest.raises(StudyError, match="upper layers of this type of model cannot be left out"):
        Pretrained(Places(folder), model=str(folder), layers=1)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (FNetConfig(hidden_size=32, num_hidden_layers=1, vocab_size=30522), "Its states depend on padding."),
        (
            CTRLConfig(n_embd=32, n_layer=1, n_head=4, dff=32, vocab_size=30522),
            "Its tokens do not see those that come later.",
        ),
    ],
    ids=["fnet", "ctrl"],
)
def test_a_model_that_is_no_encoder_is_found_out(config, why, tmp_path, minilm):
    folder = saved(tmp_path, minilm, config)
    with pytest.raises(StudyError, match=f"not an encoder that manyheads can run. Found {config.model_type}. {why}"):
        Pretrained(Places(folder), model=str(folder))


@pytest.fixture
def tried_anew(monkeypatch):
    monkeypatch.delenv("MANYHEADS_PLAIN", raising=False)
    why_not_packed.cache_clear()
    yield
    why_not_packed.cache_clear()


def test_a_transformers_that_arranges_layers_otherwise_is_computed_with_padding(tiny, tried_anew, monkeypatch):
    tokens = some_tokens(7, 3, 40)
    expected = Pretrained(Places(tiny), model=str(tiny)).eval()(tokens)
    why_not_packed.cache_clear()
    theirs = BertLayer.forward
    monkeypatch.setattr(BertLayer, "forward", lambda self, states, mask, other=None, **_: theirs(self, states, mask))
    encoder = Pretrained(Places(tiny), model=str(tiny)).eval()
    (line,) = encoder.notes
    assert line.startswith(f"computed with padding, which is slower: transformers {transformers.__version__}: ")
    assert not encoder.packed
    assert_close(encoder(tokens).layers, expected.layers, rtol=1e-4, atol=1e-5)


def test_an_attention_that_computes_something_else_is_noticed(tiny, tried_anew, monkeypatch):
    monkeypatch.setattr(_packed, "packed_attention", lambda three, packing, **_: three[:, 2])
    (line,) = Pretrained(Places(tiny), model=str(tiny)).notes
    assert line.endswith(f"transformers {transformers.__version__} computes something else")


def test_without_its_operator_half_precision_is_torchs_own(tiny, monkeypatch):
    monkeypatch.delenv("MANYHEADS_PLAIN", raising=False)
    encoder, tokens, found = Pretrained(Places(tiny), model=str(tiny), dropout=0.0), some_tokens(7, 3, 40), []
    for operator in (_packed.SOFTMAX_BACKWARD, None):
        monkeypatch.setattr(_packed, "SOFTMAX_BACKWARD", operator)
        encoder.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            states = encoder(tokens).last
        some_loss(states.float()).backward()
        found.append((states.detach().float(), encoder.layer_weight(0).grad.clone()))
    for one, other in zip(*found, strict=True):
        assert_close(one, other, rtol=0.05, atol=0.05 * float(one.abs().max()))
    monkeypatch.setattr(pretrained, "SOFTMAX_BACKWARD", None)
    (line,) = Pretrained(Places(tiny), model=str(tiny)).notes
    assert line.startswith("attention in bfloat16 is torch's own, which is slower")


def test_nothing_of_torch_or_transformers_is_replaced_under_the_switch(tiny, monkeypatch):
    monkeypatch.setenv("MANYHEADS_PLAIN", "1")
    encoder = Pretrained(Places(tiny), model=str(tiny))
    encoder.narrow(np.array([101, 102]))
    theirs = AutoModel.from_pretrained(tiny)
    assert [type(one) for one in encoder.inner.modules()] == [type(one) for one in theirs.modules()]
    assert not any("forward" in vars(one) for one in encoder.inner.modules())


def test_special_tokens_in_a_text_are_text(minilm):
    tokenizer = PretrainedTokenizer(minilm)
    (pieces,) = tokenizer.pieces(["fox [SEP] dog"])
    assert not {tokenizer.inner.sep_token_id, tokenizer.inner.cls_token_id} & set(pieces.ids.tolist())


def test_joined_sequences_are_those_of_the_tokenizer(minilm):
    tokenizer = PretrainedTokenizer(minilm)
    first, second = (pieces.ids for pieces in tokenizer.pieces(["a small fox", "jumps"]))
    for given, texts in [((first,), ("a small fox",)), ((first, second), ("a small fox", "jumps"))]:
        ours, theirs = tokenizer.join(*given), tokenizer.inner(*texts)
        assert ours.ids.tolist() == theirs["input_ids"]
        assert ours.token_types.tolist() == theirs["token_type_ids"]
    assert tokenizer.starts(len(first)) == (1, 2 + len(first))
    assert (tokenizer.room(False, 10), tokenizer.room(True, 10)) == (8, 7)


def test_nothing_of_a_long_text_is_lost(minilm):
    # tokenizers 0.23.1 and 0.23.2 dropped text behind the first windows.
    text = "word " * 5000
    (pieces,) = PretrainedTokenizer(minilm).pieces([text])
    assert len(pieces.ids) == 5000
    assert pieces.offsets[-1].tolist() == [24995, 24999]
    assert pieces.ids.dtype == np.int32


def test_pieces_are_those_of_the_library(minilm):
    tokenizer = PretrainedTokenizer(minilm)
    texts = ["A fine film.", "", " [SEP] in a text [CLS]", "naïve 😀 \u0301 日本語", "word " * 700]
    expected = tokenizer.inner(
        texts, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True, truncation=False,
        verbose=False,
    )  # fmt: skip
    tokenizer.inner(texts, truncation=True, max_length=3, padding=True)  # leaves its limits behind
    for one, ids, offsets in zip(
        tokenizer.pieces(texts), expected["input_ids"], expected["offset_mapping"], strict=True
    ):
        assert one.ids.tolist() == ids and [tuple(each) for each in one.offsets.tolist()] == offsets
        assert one.ids.dtype == one.offsets.dtype == np.int32


def test_a_fingerprint_is_of_the_tokenizer_and_nothing_else(minilm):
    tokenizer = PretrainedTokenizer(minilm)
    before = tokenizer.fingerprint()
    tokenizer.pieces(["some text"])
    assert tokenizer.fingerprint() == before == PretrainedTokenizer(minilm).fingerprint()
    assert PretrainedTokenizer(minilm, max_length=128).fingerprint() != before
    tokenizer.inner.add_tokens(["newword"])
    assert tokenizer.fingerprint() != before
