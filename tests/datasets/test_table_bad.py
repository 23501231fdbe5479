"""The user's own data: what every mistake in it is answered with."""

import gzip
import json
import os

import pytest

from manyheads.datasets.table import OwnTable
from manyheads.types import Places, StudyError


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


def json_lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def question(context="Ann met Bob.", text="Bob", start=8, **more):
    return {
        "id": "q1",
        "question": "Who?",
        "context": context,
        "answers": {"text": [text], "answer_start": [start]},
    } | more


# What is in the file, the settings, and what the message must hold. Numbers are those of the catalogue of bad inputs.
TSV = [
    ("4 empty text", lines("a\tx", " \ty"), {}, ["data.tsv:3", '"text" is empty']),
    (
        "5 empty second text",
        lines("a\t\tx", header="text\ttext_pair\tlabel"),
        {},
        ["data.tsv:2", '"text_pair" is empty'],
    ),
    ("6 too few columns", lines("a\tx", "b"), {}, ["data.tsv:3: 1 columns where 2", "'b'"]),
    ("6 too many columns", lines("a\tb\tx"), {}, ["data.tsv:2: 3 columns where 2", "tab"]),
    ("6 blank line", lines("a\tx", "", "b\ty"), {}, ["data.tsv:3: the line is blank"]),
    ("7 empty last column", lines("a\t", "b\tx"), {}, ["data.tsv:2: the label is missing"]),
    (
        "9 latin-1",
        b"text\tlabel\ncaf\xe9\tx\n",
        {},
        ["data.tsv:2: byte 0xe9 at column 4", "café", 'encoding = "cp1252"'],
    ),
    ("9 unknown encoding", lines("a\tx"), {"encoding": "utf-88"}, ["unknown encoding", "utf-88"]),
    ("10 UTF-16 with mark", lines("a\tx").encode("utf-16"), {}, ["UTF-16", 'encoding = "utf-16"']),
    ("10 UTF-16 without mark", lines("a\tx").encode("utf-16-le"), {}, ["UTF-16", "utf-16-le"]),
    ("10 UTF-32", lines("a\tx").encode("utf-32"), {}, ["UTF-32"]),
    ("10 said to be UTF-16", lines("abc\tx"), {"encoding": "utf-16"}, ["this is not utf-16"]),
    ("11 NUL", lines("a long text with a\0hole\tx", "b\ty"), {}, ["data.tsv:2", "NUL", "column 19"]),
    ("13 old Mac line ends", "text\tlabel\ra\tx\r", {}, ["lone carriage return", "old Mac"]),
    ("13 carriage return inside", lines("a\rb\tx"), {}, ["data.tsv:2", "carriage return"]),
    ("15 header missing", lines("a\tx", header="hello\ty"), {}, ['no column "text"', "'hello'", "header = ["]),
    ("15 close name", lines("a\tx", header="texts\tlabel"), {}, ["Did you mean 'texts'?", "columns = { text"]),
    ("15 mapped name missing", lines("a\tx"), {"columns": {"text": "txet"}}, ['"txet"', "Did you mean 'text'?"]),
    ("15 header as data", lines("a\tx", "text\tlabel"), {}, ["data.tsv:3: the header stands here as if it were data"]),
    (
        "15 header named twice over",
        lines("a\tx"),
        {"header": ["text", "label"]},
        ["data.tsv:1: the header stands here"],
    ),
    ("16 duplicate columns", lines("a\tb\tx", header="text\ttext\tlabel"), {}, ["column names stand twice", "'text'"]),
    ("17 wrong delimiter", lines("a;x", header="text;label"), {}, ["one column only", "a semicolon"]),
    ("18 gzip", gzip.compress(lines("a\tx").encode()), {}, ["this is gzip"]),
    ("18 spreadsheet", b"PK\x03\x04 and so on", {}, ["zip (or a spreadsheet)"]),
    ("19 empty file", b"", {}, ["the file is empty"]),
    ("19 only spaces", b" \n\n", {}, ["the file is empty"]),
    ("19 header only", lines(), {}, ["the file has no rows"]),
    ("20 cut off", "text\tlabel\na\tx\nb", {}, ["data.tsv:3", "was it cut off"]),
    ("21 no label", lines("a\tx", "b\t"), {}, ["data.tsv:3: the label is missing", "test split"]),
    ("21 unlabelled mark", lines("a\tx", "b\t-1"), {"labels": ["x", "y"]}, ["declared", "-1 the mark"]),
    ("22 label not declared", lines("a\tx", "b\tz"), {"labels": ["x", "y"]}, ["data.tsv:3", "Known: x, y"]),
    ("25 close label", lines("a\tcontradictory"), {"labels": ["contradiction"]}, ["Did you mean 'contradiction'?"]),
    ("26 only rows without gold", lines("a\t-"), {}, ["no row has a label"]),
    ("27 spellings of a number", lines("a\t1", "b\t1.0"), {}, ["data.tsv:3", "two ways", "'1' and '1.0'"]),
    ("27 space before a number", lines("a\t1", "b\t 1"), {}, ["two ways", "' 1'"]),
    ("28 labels declared twice", lines("a\tx"), {"labels": ["x", "x"]}, ["names stand twice"]),
    ("31 comma", lines("a\t3,5"), {"target": "number"}, ["data.tsv:2", "'3,5'", "a point, not a comma"]),
    ("31 empty score", lines("a\t"), {"target": "number"}, ["not a finite number"]),
    ("31 nan", lines("a\tnan"), {"target": "number"}, ["not a finite number", "'nan'"]),
    ("31 inf", lines("a\tinf"), {"target": "number"}, ["not a finite number"]),
    ("31 underscore", lines("a\t1_0"), {"target": "number"}, ["not a finite number"]),
    ("42 ids twice", lines("7\ta\tx", "7\tb\tx", header="id\ttext\tlabel"), {}, ["data.tsv:3", "data.tsv:2", "'7'"]),
    ("42 empty id", lines("\ta\tx", header="id\ttext\tlabel"), {}, ["an id is not a string"]),
    ("45 endless line", lines("a" * 16_000_001 + "\tx"), {}, ["data.tsv:2", "16,000,003 characters"]),
    (
        "wide labels",
        lines(*(f"a{i}\tl{i}" for i in range(1001))),
        {},
        ["1,001 different labels", "is this column the label"],
    ),
    ("unknown column setting", lines("a\tx"), {"columns": {"lable": "x"}}, ["unknown column", "Choose from"]),
    ("suffix", lines("a\tx"), {"name": "data.txt"}, ["suffix does not tell the format"]),
    ("only one choice", lines("a\tb\t0", header="text\tchoices\tlabel"), {}, ["choices are not a list"]),
]
COMMA = [
    ("1 quote not closed", 'text,label\n"a,x\nb,y\n', ["data.csv:2", "the CSV is broken"]),
    ("1 text after quotes", 'text,label\n"a"b,x\n', ["data.csv:2", "quotes doubled"]),
    ("6 comma in a text", "text,label\na, b,x\n", ["data.csv:2: 3 columns where 2", "must stand in quotes"]),
    ("6 lines of quoted texts", 'text,label\n"a\nb",x\nc\n', ["data.csv:4: 1 columns"]),
    ("13 carriage return outside quotes", "text,label\na\rb,x\n", ["data.csv:2", "carriage return"]),
    ("17 tabs", "text\tlabel\na\tx\n", ["one column only", "a tab", 'format = "csv" or "tsv"']),
    ("19 header only", "text,label", ["the file has no rows"]),
]
JSON = [
    ("36 cut off", '{"text": "a", "label": "x"}\n{"text": "b", "la', ["data.jsonl:2", "column 15", "cut off"]),
    ("36 cut array", '[{"text": "a", "label": "x"},\n {"text": "b"', ["data.jsonl:2", "cut off"]),
    ("36 array without end", '[{"text": "a", "label": "x"}\n', ['"," or "]" is missing']),
    ("36 comma missing", '[{"text": "a", "label": "x"}\n{"text": "b", "label": "x"}]', ["data.jsonl:2", '"," or "]"']),
    ("36 more after the array", '[{"text": "a", "label": "x"}]\n[]', ["more text stands after the array"]),
    (
        "36 two values on a line",
        '{"text": "a", "label": "x"} {}\n{"text": "b", "label": "x"}\n',
        ["data.jsonl:1", "column 29"],
    ),
    ("37 object over several lines, cut", '{\n "data": [\n  {"paragraphs": [}', ["data.jsonl:3", "column 19"]),
    ("38 duplicate keys", '{"text": "a", "text": "b", "label": "x"}\n', ["data.jsonl:1", "'text' stands twice"]),
    ("39 lone surrogate", '{"text": "a \\ud83d", "label": "x"}\n', ["data.jsonl:1", "surrogate", "column 13"]),
    ("39 second half alone", '{"text": "\\ud83d\\ude00\\ude00", "label": "x"}\n', ["surrogate", "column 23"]),
    ("40 NaN", '{"text": "a", "label": NaN}\n', ["data.jsonl:1", "NaN is not a JSON value"]),
    ("40 Infinity", '{"text": "a", "label": -Infinity}\n', ["-Infinity is not a JSON value"]),
    ("41 missing key", '{"text": "a", "label": "x"}\n{"label": "x"}\n', ["data.jsonl:2", '"text" is missing or null']),
    ("41 null text", '{"text": null, "label": "x", "id": "r9"}\n', ["data.jsonl:1 (r9)", "missing or null"]),
    ("41 text is a number", '{"text": 5, "label": "x"}\n', ["of type int, not a string"]),
    ("44 id with a point", '{"id": 1.0, "text": "a", "label": "x"}\n', ["an id is not a string", "1.0"]),
    ("45 too deep", '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}\n", ["nested too deeply"]),
    ("rows are lists", '["a", "x"]\n', ["a row is not an object"]),
    ("pretty objects in a row", '{"text":\n"a"}\n{"text":\n"b"}\n', ["data.jsonl:1", "broken JSON"]),
    (
        "27 mixed types",
        json_lines({"text": "a", "label": "1"}, {"text": "b", "label": 1}),
        ["several types", "'1' at data.jsonl:1"],
    ),
    ("27 bool and int", json_lines({"text": "a", "label": True}, {"text": "b", "label": 1}), ["several types", "True"]),
    ("33 float label", json_lines({"text": "a", "label": 3.5}), ["decimal point", 'target = "number"']),
    ("34 list label", json_lines({"text": "a", "label": ["x"]}), ["of type list"]),
    ("choices are one", json_lines({"text": "a", "choices": ["b"], "label": 0}), ["choices are not a list of two"]),
    (
        "choice is empty",
        json_lines({"text": "a", "choices": ["b", ""], "label": 0}),
        ['data.jsonl:1: "choices" is empty'],
    ),
    (
        "choice label",
        json_lines({"text": "a", "choices": ["b", "c"], "label": 2}),
        ["one of 2 choices, counted from 0"],
    ),
]
SPANS = [
    ("46 a little off", question(start=9), ["data.jsonl:1 (q1)", "1 characters away", "stands at 8", "repair = true"]),
    ("46 far off", question(context="Bob" + " is" * 20, start=40), ["does not stand at its answer_start, but at 0"]),
    ("46 nowhere", question(text="Eve", start=0), ["nor anywhere in the context"]),
    ("46 many places", question(context="Bob " * 30, start=1), ["30 times elsewhere"]),
    ("47 UTF-16", question(context="😀😀 met Bob.", start=9), ["UTF-16 units", "stands at 7"]),
    ("48 bytes", question(context="Zoë met Bob.", start=9), ["counted in bytes", "stands at 8"]),
    ("50 line ends", question(context="A\r\nB" + " x" * 30, text="A\nB", start=30), ["line ends differ"]),
    ("51 accents", question(context="cafe\u0301", text="caf\u00e9", start=0), ["NFC and NFD"]),
    ("52 case", question(text="bob"), ["differs from its context in case", "'Bob'", "repair"]),
    ("52 case elsewhere", question(context="x" * 60 + " Bob", text="bob", start=2), ["only in another case"]),
    ("53 empty answer", question(text=""), ["an answer is empty"]),
    ("53 blank answer", question(context="Ann  met", text=" ", start=3), ["an answer is empty"]),
    ("53 negative start", question(start=-4), ["before the context"]),
    ("53 beyond the end", question(start=200), ["beyond the end of its context of 12 characters"]),
    ("53 start is no number", question(start="eight"), ["whole number"]),
    ("54 impossible with answers", question(is_impossible=True), ["is_impossible, but it has answers"]),
    ("54 possible without", question(answers=[], is_impossible=False), ["no answers, but not is_impossible"]),
    ("55 answers null in train", question(answers=None), ["answers are missing or in no known form"]),
    ("55 answers are text", question(answers="Bob"), ["answers are missing or in no known form"]),
    (
        "55 lengths differ",
        question(answers={"text": ["Bob"], "answer_start": []}),
        ["as many offsets as answers", "1 and 0"],
    ),
    ("61 empty context", question(context="  "), ['"context" is empty']),
    ("61 empty question", question(question=""), ['"question" is empty']),
    ("61 null context", question(context=None), ['"context" is missing']),
]


@pytest.mark.parametrize(("content", "settings", "phrases"), [case[1:] for case in TSV], ids=[case[0] for case in TSV])
def test_bad_tsv(tmp_path, content, settings, phrases):
    found = message(tmp_path, content, **settings)
    assert all(phrase.lower() in found.lower() for phrase in phrases), found
    assert max(map(len, found.splitlines())) < 600


@pytest.mark.parametrize(("content", "phrases"), [case[1:] for case in COMMA], ids=[case[0] for case in COMMA])
def test_bad_csv(tmp_path, content, phrases):
    found = message(tmp_path, content, name="data.csv")
    assert all(phrase in found for phrase in phrases), found


@pytest.mark.parametrize(("content", "phrases"), [case[1:] for case in JSON], ids=[case[0] for case in JSON])
def test_bad_json(tmp_path, content, phrases):
    found = message(tmp_path, content, name="data.jsonl")
    assert all(phrase in found for phrase in phrases), found


@pytest.mark.parametrize(("row", "phrases"), [case[1:] for case in SPANS], ids=[case[0] for case in SPANS])
def test_bad_spans(tmp_path, row, phrases):
    found = message(tmp_path, json_lines(row), name="data.jsonl")
    assert all(phrase in found for phrase in phrases), found


@pytest.mark.parametrize("repaired", [SPANS[0], SPANS[4], SPANS[5], SPANS[8]], ids=lambda case: case[0])
def test_repair_mends_what_is_beyond_doubt_and_counts_it(tmp_path, repaired):
    table = read(tmp_path, json_lines(repaired[1]), name="data.jsonl", repair=True)
    row = table.rows[0]
    start, text = row["answers"]["answer_start"][0], row["answers"]["text"][0]
    assert row["context"][start : start + len(text)] == text == "Bob"
    assert "1 answers were moved" in str(table.warnings[0])


def test_repair_does_not_guess(tmp_path):
    assert "30 times" in message(tmp_path, json_lines(SPANS[3][1]), name="data.jsonl", repair=True)


def test_duplicate_question_ids(tmp_path):
    found = message(tmp_path, json_lines(question(), question()), name="data.jsonl")
    assert "data.jsonl:2: this id already stands at data.jsonl:1. Found 'q1'" in found


def test_all_problems_are_reported_at_once_up_to_the_limit(tmp_path):
    content = lines(*("\tx" for _ in range(50)))
    for limit in (20, 3):
        with pytest.raises(StudyError) as error:
            read(tmp_path, content, limit=limit)
        assert len(error.value.problems) == limit
    with pytest.raises(StudyError) as error:
        read(tmp_path, lines("\tx", "a\ty", "b\tz"), labels=["x"])
    assert [problem.where for problem in error.value.problems] == ["data.tsv:2", "data.tsv:3", "data.tsv:4"]


def test_paths_that_are_no_file(tmp_path):
    (tmp_path / "reviews.tsv").write_text(lines("a\tx"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside.csv").touch()
    (tmp_path / "broken.tsv").symlink_to(tmp_path / "gone.tsv")
    os.mkfifo(tmp_path / "pipe.tsv")
    with pytest.raises(StudyError) as error:
        OwnTable(Places(tmp_path), train="review.tsv", validation="folder", test="broken.tsv")
    missing, folder, link = map(str, error.value.problems)
    assert "there is no such file" in missing and "Did you mean reviews.tsv?" in missing and str(tmp_path) in missing
    assert "this is a folder" in folder and "inside.csv" in folder
    assert "points to nothing" in link and "gone.tsv" in link
    with pytest.raises(StudyError, match="not a regular file"):
        OwnTable(Places(tmp_path), train="pipe.tsv")
    with pytest.raises(StudyError, match="relative to the study file"):
        OwnTable(Places(tmp_path), train="no/such/folder.tsv")


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
    with pytest.raises(StudyError, match="no such file"):
        table.read("train")
