"""Checkpoints as files: whole or not there, damage is noticed, the newest good one is used, old ones go."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from manyheads.results.formats import FORMAT
from manyheads.training import checkpoint
from manyheads.training.checkpoint import Checkpoint, CheckpointError

FILES = ("state.safetensors", "state.json", "metrics.jsonl", "manifest.json")


def some(step: int) -> Checkpoint:
    return Checkpoint(step, {"model.w": torch.full((50,), float(step))}, {"a": [step, 0.1]}, b'{"step": 0}\n' * step)


@pytest.fixture
def two(tmp_path):
    """A folder with checkpoints of steps 3 and 7."""
    for step in (3, 7):
        checkpoint.write(tmp_path, some(step))
    return tmp_path


def found(folder: Path) -> tuple[int | None, list[str]]:
    said: list[str] = []
    newest = checkpoint.newest(folder, said.append)
    if newest is not None:
        expected = some(newest.step)
        assert torch.equal(newest.tensors["model.w"], expected.tensors["model.w"])
        assert (newest.values, newest.log) == (expected.values, expected.log)
    return None if newest is None else newest.step, said


def test_what_is_written_is_read(two):
    assert found(two) == (7, [])
    assert found(two / "nothing") == (None, [])


def test_two_are_kept_and_nothing_else(two):
    (two / "part-9-killed").mkdir()
    checkpoint.write(two, some(12))
    assert sorted(path.name for path in two.iterdir()) == ["step-000000007", "step-000000012"]


def test_a_damaged_one_does_not_push_out_a_good_one(two):
    (two / "step-000000007" / "state.json").write_bytes(b"{}")
    checkpoint.write(two, some(12))
    shutil.rmtree(two / "step-000000012")
    step, said = found(two)
    assert step == 3
    assert len(said) == 1 and "state.json has 2 bytes" in said[0]


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", FILES)
def test_a_shortened_file_is_noticed(two, name, share):
    path = two / "step-000000007" / name
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    step, said = found(two)
    assert step == 3
    assert len(said) == 1 and "step-000000007: damaged, and passed over" in said[0]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_noticed(two, name):
    (two / "step-000000007" / name).unlink()
    step, said = found(two)
    assert step == 3 and name in said[0]


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_is_noticed(two, name):
    path = two / "step-000000007" / name
    content = path.read_bytes()
    places = range(0, 8 * len(content), max(1, 8 * len(content) // 400))
    for place in places:
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        step, said = found(two)
        assert step == 3 and len(said) == 1, (place, said)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_step_is_noticed(two, name):
    shutil.copy(two / "step-000000003" / name, two / "step-000000007" / name)
    step, said = found(two)
    assert step == 3 and len(said) == 1


def test_a_folder_under_another_name_is_noticed(two):
    (two / "step-000000007").rename(two / "step-000000009")
    assert found(two) == (3, [f"{two / 'step-000000009'}: damaged, and passed over: it is of step 7"])


def test_all_damaged_is_none_and_each_is_reported(two):
    for path in two.glob("step-*/state.json"):
        path.write_bytes(b"")
    step, said = found(two)
    assert step is None and len(said) == 2


CALLS = ("fsync", "rename", "mkdir")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_write_that_fails_anywhere_leaves_what_was_there(two, monkeypatch, code):
    class Failing:
        """Lets `left` calls pass and fails in the next."""

        def __init__(self, left: int) -> None:
            self.left = left

        def __call__(self, real):
            def call(*given, **named):
                self.left -= 1
                if self.left == -1:
                    raise OSError(code, os.strerror(code))
                return real(*given, **named)

            return call

    failures = 0
    for number in range(40):
        with monkeypatch.context() as patch:
            failing = Failing(number)
            patch.setattr(os, "fsync", failing(os.fsync))
            patch.setattr(os, "rename", failing(os.rename))
            patch.setattr(checkpoint, "_write", failing(checkpoint._write))
            patch.setattr(Path, "mkdir", failing(Path.mkdir))
            try:
                checkpoint.write(two, some(20 + number))
            except CheckpointError as error:
                failures += 1
                assert os.strerror(code) in str(error) and str(two) in str(error)
                assert ("bytes, " in str(error)) is (code in (errno.ENOSPC, errno.EDQUOT))
                # The last flush fails after the renaming: then the new one is there already, and whole.
                assert found(two)[0] in (7, 20 + number)
            else:
                break
        assert not list(two.glob("part-*"))
        shutil.rmtree(two / f"step-{20 + number:09d}", ignore_errors=True)
    assert failures >= 8
    assert found(two)[0] == 20 + failures


def test_a_newer_format_says_so(two):
    path = two / "step-000000007" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": FORMAT + 1}))
    what = f"it was written in format {FORMAT + 1}; this version reads 1 to {FORMAT}"
    assert found(two)[1] == [f"{path.parent}: damaged, and passed over: {what}"]
