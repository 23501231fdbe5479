"""What the standard modules write is read as it was, and anything else is read or refused."""

import csv
import io
import json

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pyarrow import parquet
from steady import STEADY

from manyheads.core.problems import Problem, StudyError
from manyheads.core.values import Places
from manyheads.datasets.table import OwnTable

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
WRITTEN = TEXT.map(lambda text: f"{text}x") | TEXT.map(lambda text: f"x{text}")
"""Any text that shows something; what shows nothing is refused."""
CELLS = WRITTEN.filter(lambda text: not set(text) & set("\t\n\r"))
LABELS = st.sampled_from(["yes", "no", "NA", "null", "None", "nan", "-", "x y", '"'])


def rows_of(kind):
    return st.lists(st.tuples(kind, kind, LABELS), min_size=1, max_size=8)


def read_back(folder, name, rows, **settings_):
    """(first text, second text, label) of each row that is read, in order."""
    table = OwnTable(Places(folder), train=name, **settings_).read("train")
    return list(zip(*(table.rows[column] for column in ("text", "text_pair", "label")), strict=True))


def with_gold(rows):
    """ "-" is the mark of rows without a gold label."""
    kept = [row for row in rows if row[2] != "-"]
    assume(kept)
    return kept


@STEADY
@given(rows=rows_of(WRITTEN), end=st.sampled_from(["\n", "\r\n"]), quoting=st.booleans())
def test_csv_that_the_standard_module_wrote_is_read_as_it_was(tmp_path_factory, rows, end, quoting):
    folder, kept, file = tmp_path_factory.mktemp("csv"), with_gold(rows), io.StringIO(newline="")
    # A lone carriage return outside quotes is refused, and some versions of the module do not quote it.
    every = quoting or "\r" in "".join(map("".join, rows))
    writer = csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL)
    writer.writerows([("text", "text_pair", "label"), *rows])
    (folder / "a.csv").write_bytes(file.getvalue().encode())
    assert read_back(folder, "a.csv", rows) == kept


@STEADY
@given(rows=rows_of(CELLS), end=st.sampled_from(["\n", "\r\n"]), last=st.booleans())
def test_tsv_is_read_as_it_was_written(tmp_path_factory, rows, end, last):
    folder, kept = tmp_path_factory.mktemp("tsv"), with_gold(rows)
    text = end.join("\t".join(row) for row in [("text", "text_pair", "label"), *rows]) + end * last
    (folder / "a.tsv").write_bytes(text.encode())
    assert read_back(folder, "a.tsv", rows) == kept


@STEADY
@given(rows=rows_of(WRITTEN), escaped=st.booleans(), document=st.booleans())
def test_json_is_read_as_it_was_written(tmp_path_factory, rows, escaped, document):
    folder, kept = tmp_path_factory.mktemp("json"), with_gold(rows)
    objects = [dict(zip(("text", "text_pair", "label"), row, strict=True)) for row in rows]
    lines = [objects] if document else objects
    (folder / "a.json").write_text("\n".join(json.dumps(one, ensure_ascii=escaped) for one in lines), "utf-8")
    assert read_back(folder, "a.json", rows) == kept
    assert read_back(folder, "a.json", rows, format="jsonl") == kept


@STEADY
@given(rows=rows_of(WRITTEN))
def test_parquet_is_read_as_it_was_written(tmp_path_factory, rows):
    folder, kept = tmp_path_factory.mktemp("parquet"), with_gold(rows)
    columns = dict(zip(("text", "text_pair", "label"), map(list, zip(*rows, strict=True)), strict=True))
    parquet.write_table(pa.table(columns), folder / "a.parquet")
    assert read_back(folder, "a.parquet", rows) == kept


@STEADY
@given(data=st.binary(max_size=300), ending=st.sampled_from(["csv", "tsv", "jsonl", "json", "parquet"]))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data, ending):
    folder = tmp_path_factory.mktemp("bytes")
    (folder / f"a.{ending}").write_bytes(data)
    with pytest.raises(StudyError) as error:
        OwnTable(Places(folder), train=f"a.{ending}").read("train")
    assert all(isinstance(problem, Problem) for problem in error.value.problems)
