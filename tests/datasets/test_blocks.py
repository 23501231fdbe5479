"""Reading block by block gives what reading the whole file gives: the same rows, or the same message."""

import csv
import gc
import io
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manyheads.core.problems import StudyError
from manyheads.core.values import Places
from manyheads.datasets import _blocks, _files
from manyheads.datasets._blocks import Column, arrow_of, read_blocks
from manyheads.datasets.table import OwnTable


def column(*blocks):
    return Column(pa.array(block, pa.string()) if all(isinstance(v, str) for v in block) else block for block in blocks)


def test_a_column_is_the_sequence_of_its_values():
    values = column(["a", "b"], [1, None], [], ["é"])
    assert len(values) == 5 and list(values) == ["a", "b", 1, None, "é"]
    assert [values[row] for row in range(5)] == list(values) and values[-1] == "é" and values[1:3] == ["b", 1]
    assert list(values.only(np.array([0, 3, 4]))) == ["a", None, "é"] and list(values.only(np.array([], int))) == []
    assert list(Column([])) == [] and len(Column([])) == 0
    with pytest.raises(IndexError):
        values[5]


def test_arrow_is_not_copied():
    block = pa.array(["a", "b"])
    found = arrow_of(Column([block]), pa.string())
    assert found.chunk(0).buffers()[2].address == block.buffers()[2].address
    assert arrow_of(["a", None], pa.string()).to_pylist() == ["a", None]


@pytest.mark.parametrize(
    ("name", "content", "names", "lines"),
    [
        ("csv", 'text,label\n"two\nlines",x\nb,y\n\n', ["text", "label"], [2, 4]),
        ("tsv", 'text\tlabel\r\na\tx\r\n"b\ty\r\n', ["text", "label"], [2, 3]),
        ("jsonl", '{"text": "a", "label": 1}\n\n{"text": "b", "more": ["x"]}\n', ["text", "label", "more"], [1, 3]),
    ],
)
def test_sound_files_are_read_in_blocks(tmp_path, monkeypatch, name, content, names, lines):
    (tmp_path / "data").write_bytes(content.encode())
    found = read_blocks(tmp_path / "data", name, "utf-8", (), ",")
    assert found is not None and found[0] == names and found[2].tolist() == lines
    assert all(isinstance(block, pa.Array) for block in found[1]["text"].blocks)
    monkeypatch.setattr(_blocks, "ROWS", 1)
    again = read_blocks(tmp_path / "data", name, "utf-8", (), ",")
    assert len(again[1]["text"].blocks) == 2
    for each in names:
        assert list(again[1][each]) == list(found[1][each])


ODD = {
    "no rows": ("csv", b"text,label\n"),
    "one column": ("csv", b"text\na\n"),
    "a column twice": ("csv", b"text,text\na,b\n"),
    "too few": ("csv", b"text,label\na\n"),
    "blank line": ("tsv", b"text\tlabel\n\na\tx\n"),
    "header again": ("tsv", b"text\tlabel\ntext\tlabel\n"),
    "open quote": ("csv", b'text,label\n"a,x\n'),
    "carriage return": ("tsv", b"text\tlabel\na\rb\tx\n"),
    "carriage return at the end": ("tsv", b"text\tlabel\na\tx\r"),
    "nul": ("csv", b"text,label\na\0b,x\n"),
    "latin-1": ("csv", b"text,label\n\xe9,x\n"),
    "one object": ("jsonl", b'{"data": []}\n'),
    "an array": ("jsonl", b'[{"text": "a"}]\n'),
    "broken": ("jsonl", b'{"text": "a"}\n{"text": "b"\n'),
    "a number": ("jsonl", b'{"text": "a"}\n3\n'),
    "two in a line": ("jsonl", b'{"text": "a"}\n{"text": "b"} {"text": "c"}\n'),
    "a key twice": ("jsonl", b'{"text": "a"}\n{"text": "b", "text": "c"}\n'),
    "half a pair": ("jsonl", b'{"text": "a"}\n{"text": "\\ud83d"}\n'),
    "not a number": ("jsonl", b'{"text": "a"}\n{"text": NaN}\n'),
    "too deep": ("jsonl", b'{"text": "a"}\n{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"),
}


@pytest.mark.parametrize("kind", ODD)
def test_anything_odd_is_left_to_the_thorough_reading(tmp_path, kind):
    name, content = ODD[kind]
    (tmp_path / "data").write_bytes(content)
    assert read_blocks(tmp_path / "data", name, "utf-8", (), ",") is None


def test_values_come_back_as_they_were():
    for values in (["a", None], [["a"], []], [["a"], "bc"], [1, 2.5], [True, 1], [{"a": 1}], [["a", 1]], [[None]], []):
        found = _blocks._compact(values)
        back = found.to_pylist() if isinstance(found, pa.Array) else found
        assert back == values and list(map(type, back)) == list(map(type, values))


def outcome(folder, name):
    """The table as plain values, or the message."""
    try:
        table = OwnTable(Places(folder), train=name).read("train")
    except StudyError as error:
        return str(error)
    return table.rows.to_dict(), table.rows.features, table.labels, table.dropped, [str(w) for w in table.warnings]


TEXTS = st.text(st.sampled_from("ab \",\t\n\r'é\u2028\0-1"), max_size=6)
CELLS = st.lists(st.lists(TEXTS, min_size=1, max_size=4), max_size=8)


def both(folder, monkeypatch, name, content):
    (folder / name).write_bytes(content)
    with monkeypatch.context() as patched:
        patched.setattr(_blocks, "ROWS", 2)
        quick = outcome(folder, name)
        patched.setattr(_files, "read_blocks", lambda *_: None)
        thorough = outcome(folder, name)
    assert quick == thorough
    return quick


@given(rows=CELLS, end=st.sampled_from(["\n", "\r\n", ""]), name=st.sampled_from(["d.csv", "d.tsv"]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tables_read_in_blocks_are_those_read_whole(tmp_path, monkeypatch, rows, end, name):
    sign = "," if name == "d.csv" else "\t"
    content = "\n".join(sign.join(row) for row in [["text", "label"], *rows]) + end
    both(tmp_path, monkeypatch, name, content.encode("utf-8", "surrogatepass"))


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["x", "y", "-", ""])), min_size=1, max_size=9))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_written_csv_read_in_blocks_is_that_read_whole(tmp_path, monkeypatch, rows):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([("text", "label"), *rows])
    both(tmp_path, monkeypatch, "d.csv", file.getvalue().encode())


VALUES = TEXTS | st.none() | st.integers(-2, 2) | st.booleans() | st.floats(-1, 1) | st.lists(TEXTS, max_size=2)


@given(st.lists(st.dictionaries(st.sampled_from(["id", "text", "text_pair", "label"]), VALUES), max_size=6))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_lines_read_in_blocks_are_those_read_whole(tmp_path, monkeypatch, rows):
    content = "".join(json.dumps(row) + "\n" for row in rows)
    both(tmp_path, monkeypatch, "d.jsonl", content.encode())


@pytest.mark.parametrize("name", ["d.csv", "d.tsv"])
def test_both_ways_meet_sound_tables_too(tmp_path, monkeypatch, name):
    sign = "," if name == "d.csv" else "\t"
    rows = "".join(f"r{row}{sign}text {row}{sign}{'xy-'[row % 3]}\n" for row in range(7))
    found = both(tmp_path, monkeypatch, name, f"id{sign}text{sign}label\n{rows}".encode())
    assert found[0]["id"] == ["r0", "r1", "r3", "r4", "r6"] and found[2] == ("x", "y")


@pytest.mark.parametrize("content", ["text,label\na,x\n", "text,label\na\n"])
def test_the_search_for_cycles_goes_on_after_reading(tmp_path, content):
    (tmp_path / "d.csv").write_text(content)
    assert gc.isenabled()
    read_blocks(tmp_path / "d.csv", "csv", "utf-8", (), ",")
    assert gc.isenabled()
    gc.disable()
    try:
        read_blocks(tmp_path / "d.csv", "csv", "utf-8", (), ",")
        assert not gc.isenabled()
    finally:
        gc.enable()
