"""Folders of encoders and models with one file that is almost right: a model that works, or a StudyError.

`MANYHEADS_FUZZ=1000 pytest tests/fuzz/test_fuzz_folders.py -rP` spreads so many inputs over the kinds of files, and
says how many were refused, and by how much the memory grew beside the one of the sound folder.
"""

import json
import random
import shutil
from pathlib import Path

import pytest
from fuzz_mutations import json_bytes, mutated_bytes, mutated_value
from tiny_encoders import make_family

from fuzz.test_fuzz import INPUTS, SEED, Hang, alarm, peak
from manyheads import registry
from manyheads.core import tokenizer_files
from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.encoders import _pretrained_checks
from manyheads.encoders.pretrained import Pretrained
from manyheads.inference import replies
from manyheads.training.model import OURS, build_model, open_model

QUESTION = {"text": "The ferry sails.", "question": "Who laughed?", "context": "The waiter laughed.", "words": ["a"]}
HEADS = {
    "food": ("classification", {}),
    "asked": ("span", {"stride": 20, "max_question": 20}),
    "tags": ("tagging", {"stride": 30}),
}
FILES = ["config.json", "tokenizer.json", "tokenizer_config.json"]
KINDS = [("encoder", name) for name in FILES] + [("model", name) for name in (*FILES, "heads")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A sound encoder, and a sound model of three tasks over it."""
    encoder, model = make_family("bert", tmp_path_factory.mktemp("bert")), tmp_path_factory.mktemp("model")
    tasks = {
        name: {
            "head": {"name": head, "settings": {"max_length": 60, **settings}},
            "labels": None if head == "span" else ["O", "B-PER"],
            "columns": list(registry.describe("heads", head).constants["columns"]),
        }
        for name, (head, settings) in HEADS.items()
    }
    given = {"name": "pretrained", "settings": {"model": str(encoder)}}
    specification = {"version": "1", "encoder": given, "sharing": {"name": "hard", "settings": {}}, "tasks": tasks}
    build_model(specification, Places(encoder), seed=1).save(model)
    return {"encoder": encoder, "model": model}


def tried(kind: str, folder: Path) -> None:
    """What `check` and `run`, or `predict`, do with a folder first."""
    _pretrained_checks._counter.cache_clear()
    tokenizer_files.try_tokenizer.cache_clear()
    if kind == "model":
        model = open_model(folder)
        replies(model, list(model.tasks), [QUESTION] * 2)
        return
    settings = registry.describe("encoders", "pretrained").resolved({"model": str(folder)})
    info = _pretrained_checks.info(Places(folder), settings)
    if info.counter:
        info.counter.pieces([QUESTION["text"]])
    Pretrained(Places(folder), model=str(folder)).tokenizer.pieces([QUESTION["text"]])


def mutated(rng: random.Random, sound: bytes, name: str) -> bytes:
    value = json.loads(sound)
    if name == "heads":
        return json_bytes(rng, value | {OURS: mutated_value(rng, value[OURS])})
    if rng.random() < 0.6:
        return json_bytes(rng, mutated_value(rng, value))
    return mutated_bytes(rng, [sound])


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_odd_files_in_a_folder_give_a_model_or_a_study_error(kind, name, folders, tmp_path, capsys):
    folder = tmp_path / kind
    shutil.copytree(folders[kind], folder)
    path = folder / ("config.json" if name == "heads" else name)
    sound, rng = path.read_bytes(), random.Random(f"{SEED} {kind} {name}")
    tried(kind, folder)
    before, accepted, number = peak(), 0, max(5, -(-INPUTS // len(KINDS)))
    for index in range(number):
        data = mutated(rng, sound, name)
        path.write_bytes(data)
        try:
            with alarm():
                tried(kind, folder)
            accepted += 1
        except StudyError as error:
            assert error.problems and all(one.where and one.what for one in error.problems)
            assert all(line.isprintable() for line in str(error).split("\n"))
            str(error).encode("utf-8", "surrogateescape")
        except (BaseException, Hang) as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            kept = tmp_path / "found"
            kept.write_bytes(data)
            pytest.fail(f"input {index}, kept in {kept}: {type(error).__name__}: {str(error)[:500]}")
    assert "Traceback" not in capsys.readouterr().err
    counts = f"{number} inputs, {accepted} accepted, {number - accepted} refused"
    print(f"{kind} {name}: {counts}, {before:.0f} MiB before, {peak():.0f} MiB at most")
    assert peak() <= 2 * before
    assert number - accepted > 0 and (accepted or number < 20), "inputs that are all refused, or none, test nothing"
