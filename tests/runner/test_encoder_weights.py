"""The encoder is data too: what the commands say of weights that do not fit, and of weights that were replaced."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from conftest import STUDY

LIMIT = 300


def command(*arguments: object) -> subprocess.CompletedProcess:
    call = [sys.executable, "-m", "manyheads", *map(str, arguments)]
    given = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(call, capture_output=True, text=True, timeout=LIMIT, env=given, stdin=subprocess.DEVNULL)


@pytest.fixture
def study(tiny, tmp_path) -> Path:
    """A study beside a copy of its encoder, of one arm and two seeds."""
    shutil.copytree(tiny, tmp_path / "encoder")
    text = STUDY.format(tiny=tmp_path / "encoder").replace("steps = 6", "steps = 1")
    (tmp_path / "study.toml").write_text(text[: text.index("[arms.alone]")] + "[arms.joint]\n", "utf-8")
    path = tmp_path / "study.toml"
    path.write_text(path.read_text("utf-8").replace('baseline = "alone"', 'baseline = "joint"'), "utf-8")
    return path


def rewritten(folder: Path, change) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors", metadata={"format": "pt"})


CHANGES = {
    "a layer": lambda weights: {name: one for name, one in weights.items() if ".layer.1." not in name},
    "all": lambda weights: {f"other.{name}": one for name, one in weights.items()},
    "none": lambda weights: {"classifier.weight": torch.zeros(2, 32)},
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in CHANGES])
def test_check_and_run_refuse_weights_that_are_missing(name, study):
    rewritten(study.parent / "encoder", CHANGES[name])
    for arguments in (("check", study), ("run", study, "--out", study.parent / "out", "--workers", 0)):
        done = command(*arguments)
        said = done.stdout + done.stderr
        assert done.returncode == 2 and "Traceback" not in said, said
        assert "weights that its config.json asks for are missing" in said or "declares 2 layers" in said
    assert not (study.parent / "out").exists()


@pytest.mark.slow
def test_weights_that_are_replaced_between_two_commands_are_refused(study):
    run = ("run", study, "--out", study.parent / "out", "--workers", 0)
    study.write_text(study.read_text("utf-8").replace("seeds    = [1, 2]", "seeds = [1]"), "utf-8")
    first = command(*run)
    assert first.returncode == 0, first.stderr
    record = json.loads((study.parent / "out/joint/1/record.json").read_text())
    assert len(record["settings"]["encoder"]["weights"]) == 64
    study.write_text(study.read_text("utf-8").replace("seeds = [1]", "seeds = [1, 2]"), "utf-8")
    about = (study.parent / "encoder/model.safetensors").stat()
    rewritten(study.parent / "encoder", lambda weights: {name: one + 0.01 for name, one in weights.items()})
    os.utime(study.parent / "encoder/model.safetensors", ns=(about.st_atime_ns, about.st_mtime_ns))
    done = command(*run)
    said = done.stdout + done.stderr
    assert done.returncode == 2 and "the weights that the encoder starts from have changed since this run" in said
    assert not (study.parent / "out/joint/2/record.json").exists()


@pytest.mark.slow
def test_what_is_allowed_to_be_missing_is_told_and_recorded(study):
    rewritten(study.parent / "encoder", CHANGES["a layer"])
    text = study.read_text("utf-8").replace("[training]", 'allow_missing = ["encoder.layer.1.*"]\n[training]')
    study.write_text(text.replace("seeds    = [1, 2]", "seeds = [1]"), "utf-8")
    done = command("run", study, "--out", study.parent / "out", "--workers", 0)
    assert done.returncode == 0, done.stderr
    assert "16 weights start at random or are left out (allow_missing): encoder.layer.1." in done.stdout + done.stderr
    record = json.loads((study.parent / "out/joint/1/record.json").read_text())
    assert record["settings"]["encoder"]["settings"]["allow_missing"] == ["encoder.layer.1.*"]
