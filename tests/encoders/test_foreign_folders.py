"""Folders of encoders that a stranger made: `check` and `run` refuse in words what does not go together, before
anything is allocated; and what is rightly there or not there makes no difference."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_encoders import FAMILIES, make_family
from transformers import AutoModel, BertConfig, BertForMaskedLM, RobertaConfig, RobertaForMaskedLM

from conftest import STUDY
from manyheads import registry
from manyheads.core import tokenizer_files
from manyheads.core.encoder_weights import disagreements, expected_shapes, shapes_of, weight_files
from manyheads.core.problems import StudyError
from manyheads.core.tensors import Tokens
from manyheads.core.values import Places
from manyheads.encoders import _pretrained_checks
from manyheads.encoders.pretrained import Pretrained

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def info(folder: Path, **settings):
    entry = registry.describe("encoders", "pretrained")
    return _pretrained_checks.info(Places(folder), entry.resolved({"model": str(folder), **settings}))


def refused(folder: Path, **settings) -> str:
    """What `check` says, which is what building says."""
    _pretrained_checks._counter.cache_clear()
    tokenizer_files.try_tokenizer.cache_clear()
    with pytest.raises(StudyError) as error:
        info(folder, **settings)
    with pytest.raises(StudyError) as built:
        Pretrained(Places(folder), model=str(folder), **settings)
    assert str(built.value) == str(error.value)
    assert all(len(line) < 700 for line in str(error.value).splitlines())
    return str(error.value)


@pytest.fixture
def folder(tiny, tmp_path) -> Path:
    """A copy of the tiny encoder, to be changed."""
    return Path(shutil.copytree(tiny, tmp_path / "encoder"))


def edited(folder: Path, **changes) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes), "utf-8")


def rewritten(folder: Path, change) -> None:
    weights = load_file(folder / "model.safetensors")
    changed = {new: tensor for name, tensor in weights.items() if (new := change(name)) is not None}
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})


# ---- what is missing, unexpected, or of another shape -------------------------------------------------------------

MISSING = "weights that its config.json asks for are missing, and would start at random. Found "


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda name: None if ".layer.1." in name else name, MISSING + "encoder.layer.1.attention.self.query.weight"),
        (lambda name: None if name.endswith("word_embeddings.weight") else name, "embeddings.word_embeddings.weight"),
        (
            lambda name: None if name.endswith("layer.0.output.dense.bias") else name,
            "encoder.layer.0.output.dense.bias",
        ),
        (lambda name: f"model.other.{name}", MISSING + "embeddings.word_embeddings.weight"),
        (lambda name: None if name.startswith("encoder") else name, MISSING + "encoder.layer.0"),
        (lambda name: name.replace("layer.1.", "layer.2."), "no place. Found encoder.layer.2."),
    ],
    ids=["layer", "table", "bias", "prefix", "encoder", "renamed"],
)
def test_weights_that_are_missing_are_named(folder, change, says):
    rewritten(folder, change)
    assert says in refused(folder)


def test_another_number_of_layers_is_refused_both_ways(folder):
    edited(folder, num_hidden_layers=4)
    assert "encoder.layer.2.attention.self.query.weight" in refused(folder)
    assert 'allow_missing = ["encoder.layer.*"]' in refused(folder)
    edited(folder, num_hidden_layers=1)
    assert "it has weights for which its config.json has no place. Found encoder.layer.1." in refused(folder)


def test_layers_that_are_left_out_need_not_fit(folder):
    rewritten(folder, lambda name: None if ".layer.1." in name else name)
    assert Pretrained(Places(folder), model=str(folder), layers=1).depth == 1
    assert info(folder, layers=1).width == 32


def test_what_is_allowed_is_told_and_starts_at_random(folder):
    rewritten(folder, lambda name: None if ".layer.1." in name else name)
    allowed = ["encoder.layer.1.*"]
    assert info(folder, allow_missing=allowed).width == 32
    encoder = Pretrained(Places(folder), model=str(folder), allow_missing=allowed)
    assert encoder.notes[0].startswith("16 weights start at random or are left out (allow_missing): encoder.layer.1.")
    assert "embeddings.word_embeddings.weight" not in encoder.notes[0]
    assert "encoder.layer.1.attention.self.query.bias" in refused(folder, allow_missing=["encoder.layer.1.*.weight"])
    edited(folder, num_hidden_layers=1)
    rewritten(folder, lambda name: name)
    assert info(folder, allow_missing=allowed).width == 32


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hidden_size": 64}, "word_embeddings.weight [30522, 64], the weights [30522, 32]"),
        ({"intermediate_size": 65}, "intermediate.dense.weight [65, 32], the weights [64, 32]"),
        ({"max_position_embeddings": 129}, "position_embeddings.weight [129, 32], the weights [128, 32]"),
        ({"max_position_embeddings": 50_000_000}, "max_position_embeddings of its config.json should be from 1 to"),
        ({"max_position_embeddings": 10_000_000}, "[10000000, 32], the weights [128, 32]"),
        ({"vocab_size": 50_000_000}, "vocab_size of its config.json should be from 1 to"),
        ({"vocab_size": 30_523}, "[30523, 32], the weights [30522, 32]"),
        ({"type_vocab_size": 3}, "token_type_embeddings.weight [3, 32], the weights [2, 32]"),
        ({"num_hidden_layers": 300_000}, "num_hidden_layers of its config.json should be from 1 to 1000. Found 300000"),
        ({"num_hidden_layers": 900}, "its config.json declares 900 layers. Found weights with 39 tensors"),
        ({"num_hidden_layers": 0}, "num_hidden_layers of its config.json should be from 1 to 1000"),
        ({"num_hidden_layers": True}, "num_hidden_layers of its config.json"),
        ({"num_attention_heads": -1}, "num_attention_heads of its config.json should be from 1 to"),
        ({"num_attention_heads": 3}, "num_attention_heads of its config.json should divide hidden_size, 32. Found 3"),
        (
            {"hidden_act": "evil"},
            "hidden_act of its config.json is no activation that transformers knows. Found 'evil'",
        ),
        ({"hidden_act": ["gelu"]}, "hidden_act of its config.json"),
        ({"attn_implementation": "flash_attention_2"}, 'attn_implementation of its config.json should be "sdpa"'),
        ({"_attn_implementation": "kernels-community/x"}, '_attn_implementation of its config.json should be "sdpa"'),
        (
            {"quantization_config": {"quant_method": "gptq"}},
            "quantization_config of its config.json asks for weights of",
        ),
        ({"chunk_size_feed_forward": 7}, "chunk_size_feed_forward of its config.json should be 0. Found 7"),
        ({"hidden_dropout_prob": 1.5}, "hidden_dropout_prob of its config.json should be from 0 to below 1"),
        ({"num_labels": 10**9}, "num_labels of its config.json"),
        ({"pad_token_id": "none"}, "pad_token_id of its config.json"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps of its config.json"),
        ({"architectures": 7}, "architectures of its config.json"),
        ({"is_decoder": True}, "not an encoder that manyheads can run. Found bert"),
        (
            {"model_type": "albert", "num_hidden_groups": 1, "n_layers": 10**6},
            "n_layers of its config.json should be at",
        ),
    ],
    ids=lambda one: None if isinstance(one, str) else " ".join(f"{key} {value}" for key, value in one.items()),
)
def test_a_configuration_that_cannot_be_is_refused_with_the_number(folder, changes, says):
    edited(folder, **changes)
    assert says in refused(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"[" * 100_000, b'{"model_type": "\\ud800"}', b"\xff\xfe{}"])
def test_a_config_json_that_is_none_is_refused(folder, content):
    (folder / "config.json").write_bytes(content)
    assert "there is no such model" in refused(folder) or "not an encoder" in refused(folder)


HEADERS = {
    "empty": b"",
    "short": (1 << 40).to_bytes(8, "little") + b"{}",
    "list": (2).to_bytes(8, "little") + b"[]",
    "no tensor": (2).to_bytes(8, "little") + b"{}",
    "shape": (58).to_bytes(8, "little") + b'{"a": {"dtype": "F32", "shape": -1, "data_offsets": [0,0]}}',
}


@pytest.mark.parametrize("name", HEADERS)
def test_weights_with_a_damaged_header_are_refused(folder, name):
    (folder / "model.safetensors").write_bytes(HEADERS[name])
    assert "encoder.model: cannot be loaded" in refused(folder) and "model.safetensors cannot be read" in refused(
        folder
    )


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ([], "should have a `weight_map`"),
        ({"weight_map": {"a": 7}}, "should have a `weight_map`"),
        ({"weight_map": {"a": "../model.safetensors"}}, "which is no file of the folder"),
        ({"weight_map": {"a": "gone.safetensors"}}, "which is no file of the folder"),
    ],
)
def test_a_damaged_index_is_refused(folder, index, says):
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert says in refused(folder)


# ---- what is rightly there or not there ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_names_and_shapes_are_those_of_transformers(kind, tmp_path):
    folder = make_family(kind, tmp_path / kind)
    config = _pretrained_checks.configuration(str(folder), kind)
    found = shapes_of(weight_files(folder))
    expected = expected_shapes(config, 3, found)
    assert expected == {name: shape for name, shape in found.items() if "pooler" not in name}
    assert disagreements(config, found, 0, (), "") == ([], [])
    inside = {name: tuple(value.shape) for name, value in AutoModel.from_pretrained(folder).state_dict().items()}
    assert expected_shapes(config, 3, inside) == {name: one for name, one in inside.items() if "pooler" not in name}


VARIANTS = {
    "share": ("deberta-v2", {"share_att_key": False}),
    "unnormed": ("deberta-v2", {"norm_rel_ebd": "none", "position_biased_input": True, "type_vocab_size": 2}),
    "convolved": ("deberta-v2", {"conv_kernel_size": 3, "conv_act": "gelu", "embedding_size": 16}),
    "absolute": ("deberta-v2", {"relative_attention": False, "position_biased_input": True}),
    "text": ("deberta-v2", {"pos_att_type": "c2p|p2c", "position_buckets": -1, "max_relative_positions": 12}),
    "biased": ("modernbert", {"norm_bias": True, "attention_bias": True, "mlp_bias": True}),
    "as wide": ("electra", {"embedding_size": 32}),
    "buckets": ("mpnet", {"relative_attention_num_buckets": 16}),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_they_follow_the_configuration(name, tmp_path):
    kind, changes = VARIANTS[name]
    folder = make_family(kind, tmp_path / kind)
    edited(folder, **changes)
    inner = AutoModel.from_config(_pretrained_config(folder))
    inner.save_pretrained(folder)
    config, found = _pretrained_checks.configuration(str(folder), kind), shapes_of(weight_files(folder))
    assert expected_shapes(config, 3, found) == {name: one for name, one in found.items() if "pooler" not in name}


def _pretrained_config(folder: Path):
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder)


def states(folder: Path, **settings) -> torch.Tensor:
    ids = torch.arange(100, 112)
    with torch.no_grad():
        encoder = Pretrained(Places(folder), model=str(folder), **settings).eval()
        return encoder(Tokens(ids, torch.zeros_like(ids), (12,))).last


@pytest.mark.parametrize("model", [BertForMaskedLM, RobertaForMaskedLM])
@pytest.mark.parametrize("layout", ["one file", "shards"])
def test_a_checkpoint_with_its_head_and_without_a_pooler(model, layout, tiny, tmp_path):
    """As published: names under `bert.`, the head's `cls.`, no pooler, position ids of older versions."""
    config = {BertForMaskedLM: BertConfig, RobertaForMaskedLM: RobertaConfig}[model]
    torch.manual_seed(0)
    whole = model(config(**SMALL, vocab_size=30522, max_position_embeddings=128)).eval()
    whole.save_pretrained(tmp_path, max_shard_size="5GB" if layout == "one file" else "300KB")
    assert (tmp_path / "model.safetensors.index.json").is_file() == (layout == "shards")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny / name, tmp_path)
    info(tmp_path)
    found = states(tmp_path)
    inner = whole.base_model
    positions = torch.arange(12)[None] + (2 if model is RobertaForMaskedLM else 0)
    with torch.no_grad():
        expected = inner(input_ids=torch.arange(100, 112)[None], position_ids=positions).last_hidden_state[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_names_of_tensorflow_position_ids_and_half_precision(folder):
    """bert-base-uncased is laid out so."""
    before = states(folder)
    weights = load_file(folder / "model.safetensors")
    renamed = {
        "bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): one
        for name, one in weights.items()
        if "pooler" not in name
    }
    renamed["bert.embeddings.position_ids"] = torch.arange(128)[None]
    renamed["cls.predictions.bias"] = torch.zeros(30522)
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    info(folder)
    assert torch.equal(states(folder), before)
    save_file(
        {name: one.half() for name, one in weights.items()}, folder / "model.safetensors", metadata={"format": "pt"}
    )
    info(folder)
    torch.testing.assert_close(states(folder), before, rtol=0.01, atol=0.01)


def test_a_folder_of_sentence_transformers(folder):
    before = states(folder)
    for name in ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"):
        (folder / name).write_text("[]")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text("{}")
    (folder / "onnx").mkdir()
    (folder / "README.md").write_text("A model.")
    info(folder)
    assert torch.equal(states(folder), before)


# ---- only plain files ----------------------------------------------------------------------------------------------

CHECK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
from manyheads.cli import app
sys.argv = ["manyheads", *sys.argv[1:]]
app()
"""


def checked(folder: Path, *command: str) -> subprocess.CompletedProcess:
    (folder.parent / "study.toml").write_text(STUDY.format(tiny=folder), "utf-8")
    given = command or ("check", str(folder.parent / "study.toml"))
    call = [sys.executable, "-c", CHECK, *given]
    return subprocess.run(call, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def oddities(path: Path) -> dict:
    def bound() -> None:
        with socket.socket(socket.AF_UNIX) as one:
            here = os.getcwd()
            os.chdir(path.parent)
            one.bind(path.name)
            os.chdir(here)

    return {
        "device": lambda: path.symlink_to("/dev/zero"),
        "terminal": lambda: path.symlink_to("/dev/tty"),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "socket": bound,
    }


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
@pytest.mark.parametrize("kind", oddities(Path()))
@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "model.safetensors", "tokenizer_config.json", "added_tokens.json"]
)
def test_what_is_no_plain_file_is_never_opened(folder, name, kind):
    (folder / name).unlink(missing_ok=True)
    oddities(folder / name)[kind]()
    said = refused(folder)
    assert f"encoder.model: {name} is not a plain file" in said or "there is no such model" in said


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_the_command_never_opens_them_either(folder, name):
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    done = checked(folder)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "plain file" in done.stdout + done.stderr


def test_links_to_plain_files_are_files(folder, tmp_path):
    """The cache of the Hub is made of them."""
    for path in list(folder.iterdir()):
        path.rename(tmp_path / path.name)
        path.symlink_to(tmp_path / path.name)
    assert info(folder).width == 32 and states(folder).shape == (12, 32)


# ---- tokenizers ----------------------------------------------------------------------------------------------------


def with_pattern(folder: Path, **normalizer) -> None:
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    content["normalizer"] = {"type": "Sequence", "normalizers": [normalizer]}
    path.write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("(a|aa)+$", "(x+x+)+y|(a|a)*c", "^(([a-z])+.)+[A-Z]$")),
        "(",
    ],
)
def test_a_pattern_that_goes_back_and_forth_is_refused(folder, pattern):
    with_pattern(folder, type="Replace", pattern={"Regex": pattern}, content="")
    try:
        info(folder)
    except StudyError as error:
        assert str(error).startswith("encoder.model: its tokenizer cannot be used") and len(str(error)) < 700
        assert refused(folder) == str(error)
    else:  # this version of the library finds its way
        assert pattern not in ("(a+)+$", "(a|aa)+$", "(")
        assert states(folder).shape == (12, 32)


@pytest.mark.slow
def test_a_text_that_grows_without_bounds_is_refused(folder):
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    grow = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 100}
    content["normalizer"] = {"type": "Sequence", "normalizers": [grow] * 6}
    path.write_text(json.dumps(content), "utf-8")
    assert "its tokenizer cannot be used" in refused(folder)


def test_a_text_on_which_a_pattern_fails_later_is_told_in_a_line(folder, monkeypatch):
    """What no trial finds: a panic of Rust, which is no Exception."""

    class PanicException(BaseException):
        pass

    def panics(*_, **__):
        raise PanicException("Onig: Regex search error: retry-limit-in-match over\nand more")

    counter = info(folder).counter
    monkeypatch.setattr(counter, "inner", type("", (), {"encode_batch_fast": panics})())
    with pytest.raises(StudyError, match=r"its tokenizer cannot be used.*retry-limit-in-match over\.$"):
        counter.pieces(["a"])
    encoder = Pretrained(Places(folder), model=str(folder))
    monkeypatch.setattr(encoder.tokenizer, "_backend", lambda: type("", (), {"encode_batch": panics})())
    with pytest.raises(StudyError, match="retry-limit-in-match over"):
        encoder.tokenizer.pieces(["a"])
