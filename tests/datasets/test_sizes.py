"""Files of absurd sizes are read or refused; each of these took minutes, gigabytes, or never ended."""

import json
import resource
import subprocess
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet

from manyheads.core.problems import StudyError, close, repeated
from manyheads.core.strict_json import read_json
from manyheads.core.values import LONGEST_TEXT, Places
from manyheads.datasets._checks import long_texts
from manyheads.datasets.conllu import Conllu
from manyheads.datasets.table import OwnTable


def table(folder, name, content, **settings):
    (folder / name).write_text(content)
    return OwnTable(Places(folder), train=name, **settings).read("train")


def refused(folder, name, content, **settings):
    with pytest.raises(StudyError) as error:
        table(folder, name, content, **settings)
    return str(error.value)


WIDE = 100_000
NAMES = [f"c{number}" for number in range(WIDE)]


@pytest.mark.parametrize(("name", "separator"), [("d.csv", ","), ("d.tsv", "\t")])
def test_a_hundred_thousand_columns(tmp_path, name, separator):
    row = separator.join("x" * WIDE) + "\n"
    head = separator.join(["text", "label", *NAMES[2:]]) + "\n"
    assert len(table(tmp_path, name, head + row * 3).rows) == 3
    assert "2 columns where 100000" in refused(tmp_path, f"1{name}", f"{head}{row}a{separator}b\n")
    assert 'no column "text"' in refused(tmp_path, f"2{name}", separator.join(NAMES) + "\n" + row)


def test_a_million_columns_without_a_name(tmp_path):
    assert "the header stands here" in refused(tmp_path, "d.csv", ("," * 999_999 + "\n") * 2)


@pytest.mark.parametrize("where", ["one object", "one row", "every row another", "twice, at the end"])
def test_a_hundred_thousand_keys(tmp_path, where):
    sound, keys = '{"text": "a", "label": "x"}\n', dict.fromkeys(NAMES, 1)
    if where == "one object":
        assert 'no column "text"' in refused(tmp_path, "d.jsonl", json.dumps(keys) + "\n")
    elif where == "one row":
        assert '"text" is missing' in refused(tmp_path, "d.jsonl", json.dumps(keys) + "\n" + sound)
    elif where == "every row another":
        rows = (json.dumps({"text": "a", "label": "x", name: 1}) for name in NAMES)
        assert len(table(tmp_path, "d.jsonl", "\n".join(rows) + "\n").rows) == WIDE
    else:
        text = json.dumps(keys)[:-1] + f', "{NAMES[-1]}": 1}}\n'
        assert "stands twice" in refused(tmp_path, "d.jsonl", text + sound)


def test_a_long_text_is_read_or_refused_with_the_setting(tmp_path):
    for name, text in (("d.csv", "text,label\nTEXT,x\nb,y\n"), ("d.jsonl", '{"text": "TEXT", "label": "x"}\n' * 2)):
        long = table(tmp_path, name, text.replace("TEXT", "a b c " * 2_500_000))
        (problem,) = long_texts(long, LONGEST_TEXT, "here")
        assert "15,000,000 characters" in problem.what and "longest_text = 15000000" in problem.remedy
        assert not long_texts(long, 15_000_000, "here")


def test_long_texts_are_looked_for_everywhere(tmp_path):
    rows = {"text": "a", "choices": ["b", "c" * 50], "label": "0", "id": "i" * 40}
    given = table(tmp_path, "d.jsonl", (json.dumps(rows) + "\n" + json.dumps({**rows, "id": "j"}) + "\n"))
    assert [problem.what for problem in long_texts(given, 30, "")] == [
        'a text of "id" has 40 characters', 'a text of "choices" has 50 characters',
    ]  # fmt: skip
    bytes_are_more = table(tmp_path, "e.csv", "text,label\n" + "é" * 30 + ",x\nb,y\n")
    assert not long_texts(bytes_are_more, 30, "") and long_texts(bytes_are_more, 29, "")


BOMBS = {
    "dictionary": lambda path: parquet.write_table(
        pa.table({"text": pa.DictionaryArray.from_arrays([0] * 1000, ["a " * 500_000]), "label": ["x", "y"] * 500}),
        path,
    ),
    "pages": lambda path: parquet.write_table(
        pa.table({"text": ["a " * 500_000] * 600, "label": ["x", "y"] * 300}), path, compression="zstd",
        use_dictionary=False,
    ),
    "many rows": lambda path: parquet.write_table(
        pa.table({"text": pa.DictionaryArray.from_arrays(pa.array([0] * 600_000), ["a " * 500]),
                  "label": ["x", "y"] * 300_000}), path,
    ),
    "a label": lambda path: parquet.write_table(
        pa.table({"label": pa.DictionaryArray.from_arrays([0] * 1000, ["a " * 500_000]), "text": ["x", "y"] * 500}),
        path,
    ),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_parquet_file_does_not_unpack_to_a_gigabyte(tmp_path, bomb):
    BOMBS[bomb](tmp_path / "d.parquet")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(StudyError, match="unpack to more than 500,000,000 bytes"):
        OwnTable(Places(tmp_path), train="d.parquet").read("train")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 900_000  # in kB


def test_what_nobody_asks_for_is_not_unpacked_and_the_limit_can_be_set(tmp_path):
    BOMBS["dictionary"](tmp_path / "d.parquet")
    columns = {"text": "label"}
    assert OwnTable(Places(tmp_path), train="d.parquet", columns=columns).read("train").rows["text"][:2] == ["x", "y"]
    small = {"text": pa.DictionaryArray.from_arrays([0] * 100, ["a " * 50]), "label": ["x", "y"] * 50}
    parquet.write_table(pa.table(small), tmp_path / "s.parquet")
    assert len(OwnTable(Places(tmp_path, None, 1), train="s.parquet").read("train").rows) == 100
    parquet.write_table(pa.table({**small, "text": pa.array(["a " * 50_000] * 100)}), tmp_path / "t.parquet")
    with pytest.raises(StudyError, match="set longest_text higher"):
        OwnTable(Places(tmp_path, None, 1), train="t.parquet").read("train")
    assert len(OwnTable(Places(tmp_path, None, 21_000), train="t.parquet").read("train").rows) == 100


def test_many_questions_on_one_long_passage_do_not_unpack_to_gigabytes(tmp_path):
    asked = [{"id": str(n), "question": "q?", "answers": [{"text": "word", "answer_start": 0}]} for n in range(5_000)]
    passage = {"context": "word " * 100_000, "qas": asked}
    text = json.dumps({"data": [{"title": "t", "paragraphs": [passage]}]}, indent=1)
    assert "unpack to more than 500,000,000 bytes" in refused(tmp_path, "d.json", text)


@pytest.mark.parametrize("encoding", ["utf-8\0", "rot13", "base64", "hex", "idna", "punycode", "undefined",
                                      "\ud800", "u" * 1_000_000, "../x", ""])  # fmt: skip
def test_an_encoding_that_is_none(tmp_path, encoding):
    assert "unknown encoding" in refused(tmp_path, "d.csv", "text,label\na,x\n", encoding=encoding)


@pytest.mark.parametrize("columns", [{"text": ""}, {"text": []}, {"label": ""}, {"label": []}, {"text": ["a", "b"]},
                                     {"choices": ["", "a"]}, {"text": "", "label": ""}])  # fmt: skip
def test_columns_that_are_none(tmp_path, columns):
    assert "column" in refused(tmp_path, "d.csv", "text,label\na,x\nb,y\n", columns=columns)


def test_columns_that_are_not_wanted_may_be_turned_off(tmp_path):
    given = table(tmp_path, "d.csv", "id,text,text_pair,label\n1,a,b,x\n1,c,d,y\n", columns={"id": "", "text_pair": ""})
    assert given.rows.column_names == ["id", "text", "label"]


def test_spaces_in_a_comment_take_no_time(tmp_path):
    text = f"# sent_id = a{' ' * 3_000_000}b\n1\tw\tl\tX\t_\t_\t0\troot\t_\t_\n"
    (tmp_path / "d.conllu").write_text(text)
    assert len(Conllu(Places(tmp_path), train="d.conllu").read("train").rows) == 1


def test_what_was_meant_is_not_looked_for_among_a_million():
    assert close("texd", ["text"]) and not close("a" * 100_000 + "b", ["a" * 100_000])
    assert close("zzz", map(str, range(10**6))) == "" and repeated([*NAMES, *NAMES]) == sorted(NAMES)


def test_digits_take_no_time(tmp_path):
    (tmp_path / "d.json").write_text('["' + ("1" * 4299 + "x") * 2_000 + '", NaN]')
    problems = []
    assert read_json(tmp_path / "d.json", problems) is None and "NaN" in problems[0].what


READ = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from manyheads.core.values import Places
from manyheads.datasets.table import OwnTable
OwnTable(Places(Path(sys.argv[1])), train=sys.argv[2]).read("train")
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["a wide table", "classes", "ids"])
def test_in_three_gigabytes(tmp_path, what):
    lines = {
        "a wide table": ["text,label," + ",".join(NAMES), *["a,x," + "y," * (WIDE - 1) + "z"] * 300],
        "classes": ["text,label", *(f"a,l{number}" for number in range(1_000_000))],
        "ids": ["id,text,label", *(f"{'i' * 1_000_000}{number},a,l{number % 2}" for number in range(200))],
    }[what]
    (tmp_path / "d.csv").write_text("\n".join(lines) + "\n")
    done = subprocess.run([sys.executable, "-c", READ, tmp_path, "d.csv"], capture_output=True, text=True, timeout=120)
    said = done.stderr.splitlines()[-1:]
    assert done.returncode == 0 or "different labels" in said[0], said
