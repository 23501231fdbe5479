"""Models that a stranger made, given to `predict`: refused in words, before anything of their size is allocated."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from training_world import World

from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.training.model import build_model, open_model


@pytest.fixture(scope="module")
def saved(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    World(tiny, ("food", "asked")).model().save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def changed(folder: Path, *way: str, to: object) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    holder = config
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = to
    path.write_text(json.dumps(config), "utf-8")


def refused(folder: Path) -> str:
    with pytest.raises(StudyError) as error:
        open_model(folder)
    said = str(error.value)
    assert str(folder) in said and all(line.isprintable() and len(line) < 700 for line in said.split("\n")), said
    return said


FOOD, ASKED = ("manyheads", "tasks", "food"), ("manyheads", "tasks", "asked")


@pytest.mark.parametrize(
    ("way", "to", "says"),
    [
        (("max_position_embeddings",), 5 * 10**7, "max_position_embeddings of its config.json should be from 1 to"),
        (("max_position_embeddings",), 10**7, "position_embeddings.weight [10000000, 32], the weights [128, 32]"),
        (("vocab_size",), 5 * 10**7, "vocab_size of its config.json"),
        (("vocab_size",), 10**7, "word_embeddings.weight [10000000, 32], the weights [30522, 32]"),
        (("num_hidden_layers",), 300_000, "num_hidden_layers of its config.json should be from 1 to 1000"),
        (("num_hidden_layers",), 3, "weights that its config.json asks for are missing"),
        (("hidden_size",), 64, "its config.json declares weights of another shape"),
        (("num_attention_heads",), -1, "num_attention_heads of its config.json"),
        (("chunk_size_feed_forward",), 7, "chunk_size_feed_forward of its config.json should be 0"),
        (("hidden_act",), "evil", "hidden_act of its config.json"),
        (("quantization_config",), {"quant_method": "x"}, "quantization_config of its config.json"),
        (("dtype",), "evil", "there is no such model"),
        (("manyheads",), [], "config.json without manyheads"),
        (("manyheads", "tasks"), {}, "manyheads.tasks"),
        (("manyheads", "tasks"), {"../x": {}}, "is not a name"),
        (("manyheads", "encoder"), "minilm", "manyheads.encoder: should be a table"),
        (("manyheads", "encoder", "name"), "gone", 'there is no "gone"'),
        (("manyheads", "encoder", "settings"), {"evil": 1}, "manyheads.encoder.evil: there is no such key"),
        (("manyheads", "sharing", "settings"), {"subspaces": 10**9}, "there is no such key"),
        ((*FOOD, "labels"), ["\ud800", "b"], "half of a surrogate pair"),
        ((*FOOD, "labels"), "ab", "manyheads.tasks.food.labels"),
        ((*FOOD, "labels"), ["a", "b", "c"], "the head of food has [3, 32] as its output.weight, the weights [2, 32]"),
        ((*FOOD, "labels"), [str(number) for number in range(100_000)], "the head of food has [100000, 32]"),
        ((*FOOD, "columns"), 7, "manyheads.tasks.food.columns"),
        ((*FOOD, "head", "settings"), {"max_length": 10**9}, "max_length"),
        ((*FOOD, "head", "settings"), {"dropout": 1.5}, "dropout: should be from 0 to below 1"),
        ((*ASKED, "head", "settings", "threshold"), "much", "threshold: input should be a valid number"),
        ((*ASKED, "head", "settings", "stride"), -1, "stride: should be 1 or more"),
        ((*ASKED, "head", "name"), "classification", "there is no such key"),
        ((*ASKED, "extra"), 1, "manyheads.tasks.asked.extra: there is no such key"),
    ],
    ids=lambda one: None if isinstance(one, str) else str(one)[:40],
)
def test_what_cannot_be_is_refused_before_it_is_built(folder, way, to, says):
    changed(folder, *way, to=to)
    assert says in refused(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "heads.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\xff" * 64, (10).to_bytes(8, "little") + b'{"a": 1}  '])
def test_damaged_weights_are_refused(folder, name, content):
    (folder / name).write_bytes(content)
    refused(folder)


def test_the_words_of_a_bag_are_compared_with_its_weights(tmp_path):
    task = {"head": {"name": "classification", "settings": {}}, "labels": ["n", "y"]}
    encoder = {"name": "bag_of_words", "settings": {"width": 8}}
    given = {"encoder": encoder, "sharing": {"name": "hard", "settings": {}}, "tasks": {"t": task}}
    build_model(given, Places(tmp_path), seed=1, learned=["a", "b", "c"]).save(tmp_path)
    assert open_model(tmp_path).sharing.encoders()[0].width == 8
    changed(tmp_path, "manyheads", "encoder", "settings", to={"width": 60_000})
    assert "its weights are of another size. Found 3 words and a width of 60,000" in refused(tmp_path)
    changed(tmp_path, "manyheads", "encoder", "settings", to={"width": 8})
    (tmp_path / "vocabulary.txt").write_text("a\n" * 10_000)
    assert "10,000 words and a width of 8" in refused(tmp_path)


def test_several_encoders_are_compared_too(tiny, tmp_path):
    World(tiny, name="sluice", settings={}).model().save(tmp_path)
    assert len(open_model(tmp_path).sharing.encoders()) == 2
    changed(tmp_path, "max_position_embeddings", to=10**7)
    assert "position_embeddings.weight [10000000, 32], the weights [128, 32]" in refused(tmp_path)


PREDICT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
from manyheads.cli import app
sys.argv = ["manyheads", "predict", sys.argv[1], "--task", "food"]
app()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("config.json", "device"),
        *(
            pytest.param(name, kind, marks=pytest.mark.slow)
            for name in ("heads.safetensors", "tokenizer.json", "config.json")
            for kind in ("device", "pipe", "folder")
        ),
    ],
)
def test_the_command_opens_only_plain_files(folder, name, kind):
    path = folder / name
    path.unlink()
    {"device": lambda: path.symlink_to("/dev/zero"), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    call = [sys.executable, "-c", PREDICT, str(folder)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120, input='{"text": "a"}\n')
    said = done.stdout + done.stderr
    assert done.returncode == 2 and "Traceback" not in said and f"{name} is not a plain file" in said
