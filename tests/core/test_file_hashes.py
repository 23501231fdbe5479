import hashlib
import json
import os

import pytest

from manyheads.core.file_hashes import PLACE, files_hash

OLD = 1_600_000_000


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr("manyheads.core.file_hashes.SETTLED", -1.0)
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    os.utime(path, (OLD, OLD))
    return path


def test_one_file_and_several(file, tmp_path):
    (tmp_path / "other").write_bytes(b"d")
    assert files_hash([file]) == sha(b"abc")
    lines = f"weights {sha(b'abc')}\nother {sha(b'd')}\n"
    assert files_hash([file, tmp_path / "other"]) == sha(lines.encode())


def test_a_hash_is_kept_and_believed_while_size_and_times_are_the_same(file, tmp_path):
    assert files_hash([file], tmp_path / "cache") == sha(b"abc")
    (kept,) = (tmp_path / "cache" / PLACE).iterdir()
    about = json.loads(kept.read_text())
    kept.write_text(json.dumps(about | {"sha256": "1" * 64}))
    assert files_hash([file], tmp_path / "cache") == "1" * 64
    assert files_hash([file]) == sha(b"abc")


@pytest.mark.parametrize("content", [b"abcd", b"xyz"])
def test_a_file_that_was_replaced_is_read_anew_even_with_its_old_time(file, tmp_path, content):
    files_hash([file], tmp_path / "cache")
    file.write_bytes(content)
    os.utime(file, (OLD, OLD))
    assert files_hash([file], tmp_path / "cache") == sha(content)


def test_what_changed_a_moment_ago_is_not_kept(file, tmp_path, monkeypatch):
    monkeypatch.setattr("manyheads.core.file_hashes.SETTLED", 60.0)
    assert files_hash([file], tmp_path / "cache") == sha(b"abc")
    assert not (tmp_path / "cache" / PLACE).exists()


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b"[" * 10_000, b'{"key": 1, "sha256": 2}', b"\xff"])
def test_a_damaged_note_is_made_anew(file, tmp_path, damage):
    files_hash([file], tmp_path / "cache")
    (kept,) = (tmp_path / "cache" / PLACE).iterdir()
    kept.write_bytes(damage)
    assert files_hash([file], tmp_path / "cache") == sha(b"abc")
    assert json.loads(kept.read_text())["sha256"] == sha(b"abc")
