"""The token cache: made once, never half, never stale, never in the way."""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from manyheads.core.values import Encoded, Input
from manyheads.data import token_cache, tokenized
from manyheads.data.batches import identity
from manyheads.data.columns import block_of
from manyheads.data.token_cache import ABOUT, DATA, PLACE, TokenCache, amount, contents, contents_lines, default_folder

KEY = "0123456789abcdef" * 2
ABOUT_IT = {"task": "food", "split": "train", "head": "classification"}


def examples(number=5, first=0):
    return [
        Encoded((Input(np.arange(first + row, dtype=np.int32), np.zeros(first + row, np.int8)),), (row,))
        for row in range(1, number + 1)
    ]


def blocks(given, size=2):
    return lambda: (block_of(given[at : at + size]) for at in range(0, len(given), size))


@pytest.fixture
def said():
    return []


@pytest.fixture
def cache(tmp_path, said):
    return TokenCache(tmp_path / "cache", said.append)


def never():
    raise AssertionError("encoded again")
    yield


def test_what_was_made_is_found_again_and_equal(cache, said):
    given = examples()
    assert cache.find(KEY) is None
    made, found = cache.make(KEY, ABOUT_IT, blocks(given)), cache.find(KEY)
    assert identity(made) == identity(found) == identity(given)
    assert [one.targets for one in found] == [(1,), (2,), (3,), (4,), (5,)]
    assert cache.find(KEY[::-1]) is None and said == []


def test_an_entry_by_hand(cache):
    cache.make(KEY, ABOUT_IT, blocks(examples(3)))
    (entry,) = cache.entries()
    about = entry.about
    assert (about["task"], about["examples"], about["tokens"], about["targets"]) == ("food", 3, 1 + 2 + 3, [True, 0])
    assert about["data"] == hashlib.blake2b((entry.path / DATA).read_bytes(), digest_size=16).hexdigest()
    assert {path.name for path in entry.path.iterdir()} == {DATA, ABOUT}


def broken_by(change):
    def change_entry(place):
        about = json.loads((place / ABOUT).read_text())
        change(about)
        (place / ABOUT).write_text(json.dumps(about))

    return change_entry


def flip(place):
    """One bit in the middle, the size unchanged."""
    content = bytearray((place / DATA).read_bytes())
    content[len(content) // 2] ^= 1
    (place / DATA).write_bytes(bytes(content))


DAMAGES = {
    "truncated": lambda place: os.truncate(place / DATA, (place / DATA).stat().st_size // 2),
    "emptied": lambda place: (place / DATA).write_bytes(b""),
    "one bit": flip,
    "no data": lambda place: (place / DATA).unlink(),
    "no description": lambda place: (place / ABOUT).unlink(),
    "broken description": lambda place: (place / ABOUT).write_text('{"bytes": '),
    "a list": lambda place: (place / ABOUT).write_text("[]"),
    "nothing in it": lambda place: (place / ABOUT).write_text("{}"),
    "other number": broken_by(lambda about: about.update(examples=4)),
    "other targets": broken_by(lambda about: about.update(targets=[1])),
    "other targets, hashed anew as nobody would": broken_by(lambda about: about.update(hash="0" * 32)),
    "other spaces": lambda place: (place / ABOUT).write_text((place / ABOUT).read_text().replace("\n ", "\n  ")),
    "other key": broken_by(lambda about: about.update(key=KEY[::-1])),
    "a key twice": lambda place: (place / ABOUT).write_text('{"examples": 9,' + (place / ABOUT).read_text()[1:]),
    "a folder of nothing": lambda place: [path.unlink() for path in place.iterdir()],
    "a file": lambda place: [shutil.rmtree(place), place.write_text("x")],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_told_once_and_made_anew(cache, said, damage):
    given = examples()
    cache.make(KEY, ABOUT_IT, blocks(given))
    DAMAGES[damage](cache.folder / PLACE / KEY)
    assert cache.find(KEY) is None
    assert len(said) == 1 and "is damaged and is made anew" in said[0] and KEY in said[0]
    assert identity(cache.make(KEY, ABOUT_IT, blocks(given))) == identity(given)
    assert identity(cache.find(KEY)) == identity(given) and len(said) == 1


def test_no_single_bit_of_an_entry_can_be_another(cache, said):
    cache.make(KEY, ABOUT_IT, blocks(examples()))
    place = cache.folder / PLACE / KEY
    kept = {name: (place / name).read_bytes() for name in (ABOUT, DATA)}
    tried = 0
    for name, content in kept.items():
        for bit in range(0, 8 * len(content), 1 if name == ABOUT else 37):
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            place.mkdir(exist_ok=True)
            for other in kept:
                (place / other).write_bytes(bytes(changed) if other == name else kept[other])
            assert cache.find(KEY) is None, (name, bit)
            tried += 1
    assert len(said) == tried > 8 * len(kept[ABOUT])


@pytest.mark.parametrize("how", ["exchanged", "renamed", "copied", "a link"])
def test_an_entry_under_the_key_of_another_is_made_anew(cache, said, how):
    mine, other = examples(), examples(4, first=7)
    one, two = cache.folder / PLACE / KEY, cache.folder / PLACE / KEY[::-1]
    cache.make(KEY, ABOUT_IT, blocks(mine))
    cache.make(KEY[::-1], ABOUT_IT, blocks(other))
    if how == "exchanged":
        one.rename(away := cache.folder / "away")
        two.rename(one)
        away.rename(two)
    else:
        shutil.rmtree(one)
        {"renamed": two.rename, "copied": lambda to: shutil.copytree(two, to), "a link": lambda to: to.symlink_to(two)}[
            how
        ](one)
    assert cache.find(KEY) is None and len(said) == 1 and "of something else" in said[0]
    assert identity(cache.make(KEY, ABOUT_IT, blocks(mine))) == identity(cache.find(KEY)) == identity(mine)
    assert not [path for path in (cache.folder / PLACE).iterdir() if path.name.endswith(".part")]


def test_a_folder_that_cannot_be_written_to_keeps_tokens_in_memory(tmp_path, said):
    (tmp_path / "file").write_text("not a folder")
    cache = TokenCache(tmp_path / "file" / "cache", said.append)
    for _ in range(2):
        assert cache.find(KEY) is None
        assert identity(cache.make(KEY, ABOUT_IT, blocks(examples()))) == identity(examples())
    assert len(said) == 1 and "tokens are kept in memory" in said[0]
    assert cache.entries() == [] and cache.clear() == (0, 0)


def test_a_full_disk_keeps_tokens_in_memory_and_leaves_no_piece(cache, said):
    given = examples(300, first=200)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # writing beyond is an error, as on a full disk
    try:
        made = cache.make(KEY, ABOUT_IT, blocks(given, size=50))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert identity(made) == identity(given)
    assert len(said) == 1 and "cannot be used" in said[0]
    assert list((cache.folder / PLACE).iterdir()) == []


def test_without_a_folder_tokens_are_kept_in_memory(said):
    cache = TokenCache(None, said.append)
    assert cache.find(KEY) is None and len(cache.make(KEY, ABOUT_IT, blocks(examples()))) == 5
    assert cache.entries() == [] and cache.clear() == (0, 0) and said == []


def test_a_mistake_in_encoding_is_not_taken_for_a_full_disk(cache, said):
    def broken():
        yield block_of(examples(2))
        raise OSError("the tokenizer's file is gone")

    with pytest.raises(OSError, match="the tokenizer's file is gone"):
        cache.make(KEY, ABOUT_IT, broken)
    assert said == [] and cache.writable and list((cache.folder / PLACE).iterdir()) == []


def test_two_that_make_the_same_entry_at_once_both_have_it(cache, said):
    given = examples()
    other = TokenCache(cache.folder, said.append)

    def slow():
        for batch in blocks(given)():
            yield batch
            if other.find(KEY) is None:
                other.make(KEY, ABOUT_IT, blocks(given))

    made = cache.make(KEY, ABOUT_IT, slow)
    assert identity(made) == identity(other.find(KEY)) == identity(given)
    assert [path.name for path in (cache.folder / PLACE).iterdir()] == [KEY] and said == []


def test_a_damaged_entry_that_appears_meanwhile_is_replaced(cache, said):
    def slow():
        yield block_of(examples(2))
        (cache.folder / PLACE / KEY).mkdir()
        (cache.folder / PLACE / KEY / DATA).write_bytes(b"half")

    assert len(cache.make(KEY, ABOUT_IT, slow)) == 2
    assert len(cache.find(KEY)) == 2 and len(said) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_token_cache import *
def half():
    yield block_of(examples(2))
    os.kill(os.getpid(), signal.SIGKILL)
TokenCache(Path(sys.argv[1]), print).make(KEY, ABOUT_IT, half)
"""


def test_one_that_is_killed_in_the_middle_leaves_nothing_that_is_read(cache, said, monkeypatch):
    script = KILLED.format(tests=str(Path(__file__).parent))
    killed = subprocess.run([sys.executable, "-c", script, str(cache.folder)], capture_output=True)
    assert killed.returncode == -9, killed.stderr
    (left,) = (cache.folder / PLACE).iterdir()
    assert left.suffix == ".part" and cache.find(KEY) is None
    assert "unfinished" in contents_lines(contents(cache))[1]
    cache.make(KEY, ABOUT_IT, blocks(examples()))
    assert len(cache.find(KEY)) == 5 and left.exists() and said == []
    os.utime(left, (time.time() - 2 * token_cache.DAY,) * 2)
    cache.make(KEY[::-1], ABOUT_IT, blocks(examples()))
    assert not left.exists()


def test_what_is_mapped_outlives_its_entry(cache):
    given = examples()
    cache.make(KEY, ABOUT_IT, blocks(given))
    found = cache.find(KEY)
    cache.clear()
    assert identity(found) == identity(given)


def test_clear_removes_entries_and_nothing_else(cache, tmp_path):
    cache.make(KEY, ABOUT_IT, blocks(examples()))
    cache.make(KEY[::-1], ABOUT_IT, blocks(examples()))
    place = cache.folder / PLACE
    (place / "notes.txt").write_text("mine")
    (place / ("f" * 32)).mkdir()
    (place / ("f" * 32) / "thesis.tex").write_text("mine too")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / DATA).write_text("not ours")
    (place / ("e" * 32)).symlink_to(tmp_path / "elsewhere")
    bytes_before = contents(cache)["bytes"]
    assert cache.clear() == (2, bytes_before) and cache.entries() == []
    assert {path.name for path in place.iterdir()} == {"notes.txt", "f" * 32, "e" * 32}
    assert (place / ("f" * 32) / "thesis.tex").exists() and (tmp_path / "elsewhere" / DATA).exists()


def test_entries_come_last_used_first(cache):
    for key in (KEY, KEY[::-1]):
        cache.make(key, {**ABOUT_IT, "task": key[:2]}, blocks(examples()))
        os.utime(cache.folder / PLACE / key / ABOUT, (1e9, 1e9))
    cache.find(KEY)
    assert [entry.path.name for entry in cache.entries()] == [KEY, KEY[::-1]]
    first, second = cache.entries()
    assert first.used > second.used == 1e9


def test_where_the_folder_is(monkeypatch):
    monkeypatch.setenv("MANYHEADS_CACHE", "/one")
    monkeypatch.setenv("XDG_CACHE_HOME", "/two")
    monkeypatch.setenv("HOME", "/three")
    assert default_folder() == Path("/one")
    monkeypatch.delenv("MANYHEADS_CACHE")
    assert default_folder() == Path("/two/manyheads")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert default_folder() == Path("/three/.cache/manyheads")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path("/three/.cache/manyheads")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (123_456, "123 kB"), (1_460_000, "1.5 MB"),
     (2_000_000_000, "2.0 GB"), (5e12, "5.0 TB"), (5e15, "5000 TB")],
)  # fmt: skip
def test_amounts(size, text):
    assert amount(size) == text


def test_showing_the_cache_needs_no_torch():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom manyheads.cli import app\n"
        "for a in (['cache'], ['cache', '--json'], ['cache', '--help']):\n"
        "    assert CliRunner().invoke(app, a).exit_code == 0\n"
        "assert not {'torch', 'transformers', 'datasets', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def moved(path):
    """Put a file or folder elsewhere, and a link to it in its place."""
    elsewhere = path.parents[1] / path.name
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


LINKS = {
    "data elsewhere": lambda place: moved(place / DATA),
    "the description elsewhere": lambda place: moved(place / ABOUT),
    "the whole elsewhere": moved,
    "to nothing": lambda place: [shutil.rmtree(place), place.symlink_to("nothing")],
    "to a device": lambda place: [(place / ABOUT).unlink(), (place / ABOUT).symlink_to("/dev/zero")],
    "a pipe": lambda place: [(place / DATA).unlink(), os.mkfifo(place / DATA)],
    "a folder": lambda place: [(place / DATA).unlink(), (place / DATA).mkdir()],
}


@pytest.mark.parametrize("link", LINKS)
def test_a_link_or_a_pipe_in_place_of_an_entry_is_made_anew(cache, said, link):
    given = examples()
    cache.make(KEY, ABOUT_IT, blocks(given))
    LINKS[link](cache.folder / PLACE / KEY)
    assert cache.find(KEY) is None and len(said) == 1
    assert identity(cache.make(KEY, ABOUT_IT, blocks(given))) == identity(cache.find(KEY)) == identity(given)
    assert len(said) == 1 and cache.writable


def test_an_entry_of_before_is_passed_over_without_a_word(cache, said):
    assert token_cache.FORMAT == tokenized.FORMAT == 3, "raised together: keys of before name nothing that is read"
