"""Bytes as text: what is no text is located, and a line without end is refused before it is read."""

import pytest

from manyheads.core.problems import StudyError
from manyheads.datasets import _decode
from manyheads.datasets._checks import Problems
from manyheads.datasets._decode import decoded, read_text


def read(path, format="tsv"):
    return read_text(path, "f", format, "utf-8", Problems())


@pytest.mark.parametrize("chunk", [1, 2, 3, 4])
def test_the_first_line_that_is_too_long_is_named(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(_decode, "CHUNK", chunk)
    monkeypatch.setattr(_decode, "LONGEST_LINE", 1)  # four bytes in TSV
    monkeypatch.setattr(_decode, "MOST", {"jsonl": 6})
    path = tmp_path / "f"
    for text in (
        "",
        "a",
        "abcd",
        "abcde",
        "abcd\nabcd\n",
        "a\n\nabcde\nabcdefgh",
        "abcdef\n",
        "\n\n\n\nabcd",
        "ab\nabcdefg",
    ):
        path.write_text(text)
        for format, most in (("tsv", 4), ("jsonl", 6)):
            long = [number for number, line in enumerate(text.split("\n"), 1) if len(line) > most]
            if not long:
                assert read(path, format) == text
                continue
            with pytest.raises(StudyError) as error:
                read(path, format)
            (problem,) = error.value.problems
            assert (problem.where, problem.what) == (f"f:{long[0]}", f"the line has more than {most} bytes")


def test_every_line_that_is_no_text_is_told():
    with pytest.raises(StudyError) as error:
        decoded(b"caf\xe9\nfine\n\xff\n", "f", "utf-8", Problems())
    assert [problem.where for problem in error.value.problems] == ["f:1", "f:3"]
    assert decoded("é".encode("latin-1"), "f", "latin-1", Problems()) == "é"
