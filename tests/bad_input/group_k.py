"""Group K: columns, encodings and sizes of data that mean nothing."""

import pyarrow as pa
from bad_input_case import Case, own, rows, study
from pyarrow import parquet

GOOD = {"data.tsv": rows("a\tx", "b\ty")}
TRACE = "a traceback"


def refused(number: int, given: str, peers: str, study: str, *says: str, **files: bytes | str) -> Case:
    """A study that is not run."""
    return Case(
        number, given, peers, {name.replace("_", "."): text for name, text in files.items()} or GOOD, study, says
    )


def write_bomb(folder):
    """A Parquet file of a kilobyte that unpacks to a gigabyte."""
    text = pa.DictionaryArray.from_arrays([0] * 1000, ["a " * 500_000])
    parquet.write_table(pa.table({"text": text, "label": ["x", "y"] * 500}), folder / "data.parquet")


CASES = [
    refused(90, "columns = { text = \"\" }", TRACE, study(own(columns={"text": ""})), 'no column is "text"'),
    refused(90, "columns = { label = [] }", TRACE, study(own(columns={"label": []})),
            "columns.label: no column is named"),
    refused(90, "columns = []", TRACE, study({**own(), "columns": []}), "should be a table"),
    refused(90, "Two columns for one", "the first, silently", study(own(columns={"label": ["text", "label"]})),
            "columns.label: label takes one column"),
    refused(90, "An encoding with a NUL", TRACE, study(own(encoding="utf-8\0")), "unknown encoding"),
    refused(90, "An encoding of bytes, not of texts", TRACE, study(own(encoding="base64")), "unknown encoding"),
    refused(90, "An encoding of host names", TRACE, study(own(encoding="idna")), "unknown encoding"),
    refused(90, "A text of two million characters", "gigabytes of memory", study(own()),
            'a text of "text" has 2,000,000 characters', "longest_text = 2000000",
            data_tsv=rows("a " * 999_999 + "ab\tx", "b\ty")),
    refused(90, "A limit of nothing", TRACE, "longest_text = 0\n" + study(own()), "longest_text: should be 1 or more"),
    Case(45, "A Parquet file of a kilobyte that unpacks to a gigabyte", "5 GB of memory", {},
         study(own("data.parquet")), ("the texts of the file unpack to more than 500,000,000 bytes", "longest_text"),
         prepare=write_bomb),
]  # fmt: skip
