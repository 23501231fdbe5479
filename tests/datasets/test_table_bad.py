"""The user's own data: mistakes that the catalogue of bad inputs (tests/bad_input) does not have."""

import os

import pytest

from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.datasets.table import OwnTable


def read(folder, content, split="train", name="data.tsv", **settings):
    """Write a file, read it as a split, give the table."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return OwnTable(Places(folder), **{split: name}, **settings).read(split)


def message(folder, content, **settings):
    with pytest.raises(StudyError) as error:
        read(folder, content, **settings)
    return str(error.value)


def lines(*rows, header="text\tlabel"):
    return "".join(f"{row}\n" for row in (header, *rows))


# What is in the file, the settings, and what the message must hold. What a study can say is in tests/bad_input.
@pytest.mark.parametrize(
    ("content", "settings", "phrases"),
    [
        (lines("a\tx"), {"columns": {"lable": "x"}}, ["unknown column", "Choose from"]),
        (lines("a\tx"), {"name": "data.txt"}, ["suffix does not tell the format"]),
        (lines("a\tb\t0", header="text\tchoices\tlabel"), {}, ["choices are not a list"]),
    ],
    ids=["unknown column setting", "suffix", "only one choice"],
)
def test_bad_settings(tmp_path, content, settings, phrases):
    found = message(tmp_path, content, **settings)
    assert all(phrase in found for phrase in phrases), found


def test_all_problems_are_reported_at_once_up_to_the_limit(tmp_path):
    content = lines(*("\tx" for _ in range(50)))
    for limit in (20, 3):
        with pytest.raises(StudyError) as error:
            read(tmp_path, content, limit=limit)
        assert len(error.value.problems) == limit
    with pytest.raises(StudyError) as error:
        read(tmp_path, lines("\tx", "a\ty", "b\tz"), labels=["x"])
    assert [problem.where for problem in error.value.problems] == ["data.tsv:2", "data.tsv:3", "data.tsv:4"]


def test_file_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may read everything
    assert "no permission to read" in message(tmp_path, lines("a\tx"))


def test_files_or_an_id_but_not_both_and_not_neither(tmp_path):
    for settings in ({}, {"train": "a.tsv", "id": "org/name"}):
        with pytest.raises(StudyError, match="files or an id"):
            OwnTable(Places(tmp_path), **settings)


def test_file_that_goes_away_after_the_check(tmp_path):
    (tmp_path / "data.tsv").write_text(lines("a\tx"))
    table = OwnTable(Places(tmp_path), train="data.tsv")
    (tmp_path / "data.tsv").unlink()
    with pytest.raises(StudyError, match=r"no file 'data\.tsv', looked in"):
        table.read("train")
