"""Group A: tables in TSV and CSV files."""

import gzip
from pathlib import Path

from bad_input_case import Case, own, read, rows, study

STUDY = study(own())
COMMA = study(own("data.csv"))
PAIRS = "text\ttext_pair\tlabel"


def refused(number: int, given: str, peers: str, content: bytes | str, *says: str, study: str = STUDY) -> Case:
    """A file that is not read."""
    name = "data.csv" if "data.csv" in study else "data.tsv"
    return Case(number, given, peers, {name: content}, study, says)


def texts(folder: Path) -> list[str]:
    """The texts that were read."""
    return read(folder).train.rows["text"][:]


# ---- What only looks broken ----


def quotes_are_kept(folder: Path) -> None:
    """Five lines stay five rows; in TSV a quotation mark is a character like any other."""
    assert texts(folder) == ['"So it began', "b", 'said "no"', "d", '"e']


def inches_are_kept(folder: Path) -> None:
    """Kept as it stands."""
    assert texts(folder) == ["5' 11\" tall", 'a "fine" film']


def words_are_texts(folder: Path) -> None:
    """Kept as texts: nothing is turned into a missing value."""
    assert texts(folder) == ["NA", "null", "None", "n/a", "nan", "NaN", "-", "#N/A"]


def empty_column_stays(folder: Path) -> None:
    """The tab at the end stays: there are three columns, the last one empty and unused."""
    assert texts(folder) == ["a", "b"]


def mark_is_removed(folder: Path) -> None:
    """The mark is no part of the first column's name."""
    assert texts(folder) == ["a", "b"]


def lines_end_with_newlines_only(folder: Path) -> None:
    """Two rows, these characters inside: only \\\\n and \\\\r\\\\n end a line."""
    assert texts(folder) == ["one\u0085two\u2028three\x0bfour", "b"]


def long_cell(folder: Path) -> None:
    """Read whole: the limit is 16 million characters in a line."""
    assert [len(text) for text in texts(folder)] == [200_000, 1]


def last_row_is_there(folder: Path) -> None:
    """The last row is read."""
    assert texts(folder) == ["a", "b"]


HANDLED = [
    Case(
        1, "A text in a TSV file that begins with a quotation mark",
        "csv, pandas and datasets merge rows: 5 become 4, silently",
        {"data.tsv": rows('"So it began\tx', "b\ty", 'said "no"\tx', "d\ty", '"e\tx')}, STUDY,
        (), 0, holds=quotes_are_kept,
    ),
    Case(
        2, "Quotation marks in the middle of a text: 5' 11\"", "columns shift",
        {"data.tsv": rows("5' 11\" tall\tx", 'a "fine" film\ty')}, STUDY, (), 0, holds=inches_are_kept,
    ),
    Case(
        3, "The texts NA, null, None, n/a, nan", "pandas and datasets read missing values",
        {"data.tsv": rows(*(f"{text}\t{'xy'[place % 2]}" for place, text in enumerate(
            ["NA", "null", "None", "n/a", "nan", "NaN", "-", "#N/A"])))}, STUDY, (), 0, holds=words_are_texts,
    ),
    Case(
        7, "An empty last column, in every row", "`line.strip()` removes the tab, and the row is too short",
        {"data.tsv": rows("a\tx\t", "b\ty\t", header="text\tlabel\tnote")}, STUDY, (), 0, holds=empty_column_stays,
    ),
    Case(
        8, "A byte order mark before the header", "KeyError: '\\ufefftext'",
        {"data.tsv": b"\xef\xbb\xbf" + rows("a\tx", "b\ty").encode()}, STUDY, (), 0, holds=mark_is_removed,
    ),
    Case(
        12, "U+0085, U+2028 and a vertical tab inside a text", "`str.splitlines` makes 5 lines of 2",
        {"data.tsv": rows("one\u0085two\u2028three\x0bfour\tx", "b\ty")}, STUDY, (), 0,
        holds=lines_end_with_newlines_only,
    ),
    Case(
        14, "A cell of 200,000 characters", "csv.Error: field larger than field limit (131072)",
        {"data.csv": f'text,label\n"{"a " * 100_000}",x\nb,y\n'}, COMMA, (), 0, holds=long_cell,
    ),
    Case(
        20, "No line end after the last row", "the row is lost",
        {"data.tsv": rows("a\tx", "b\ty")[:-1]}, STUDY, (), 0, holds=last_row_is_there,
    ),
]  # fmt: skip


# ---- What is refused ----

WIDTH, NAMES = "an assertion without a line number", "the first example is lost, or there is a class called “label”"
SHIFT = "rows are merged or columns shift, silently"
CODEC = "UnicodeDecodeError without a line"
REFUSED = [
    refused(1, "CSV: a quotation mark that is not closed", SHIFT, 'text,label\n"a,x\nb,y\n',
            "data.csv:2: the CSV is broken", study=COMMA),
    refused(1, "CSV: text behind the closing quotation mark", SHIFT, 'text,label\n"a"b,x\n',
            "data.csv:2", "quotes doubled", study=COMMA),
    refused(4, "An empty text", "NaN, then a ValueError in the tokenizer", rows("a\tx", " \ty"),
            'data.tsv:3: "text" is empty'),
    refused(4, "Fifty empty texts: the first twenty are shown", "the first one only", rows(*("\tx" for _ in range(50))),
            "20 problems:", "data.tsv:21"),
    Case(4, "Empty texts in two files: both are shown at once", "the first one only",
         {"data.tsv": rows("\tx", "a\ty"), "dev.tsv": rows("a\tx", "\ty")},
         study(own(validation="dev.tsv"), report="validation"), ("data.tsv:2", "dev.tsv:3", "2 problems:")),
    refused(5, "An empty second sentence", "becomes a single sentence, silently", rows("a\t\tx", header=PAIRS),
            'data.tsv:2: "text_pair" is empty'),
    refused(6, "A row with too few columns", WIDTH, rows("a\tx", "b", "c\ty"), "data.tsv:3: 1 column where 2", "'b'"),
    refused(6, "A row with too many columns", WIDTH, rows("a\tb\tx"), "data.tsv:2: 3 columns where 2", "hold a tab"),
    refused(6, "CSV: a comma in a text without quotation marks", WIDTH, "text,label\na, b,x\n",
            "data.csv:2: 3 columns where 2", "must stand in quotes", study=COMMA),
    refused(6, "CSV: a short row after a text of two lines", WIDTH, 'text,label\n"a\nb",x\nc\n',
            "data.csv:4: 1 column ", study=COMMA),
    refused(6, "A blank line between rows", "a row of nothing", rows("a\tx", "", "b\ty"),
            "data.tsv:3: the line is blank"),
    refused(7, "An empty label at the end of a line", "the tab is stripped; “1 column”", rows("a\t", "b\tx"),
            "data.tsv:2: the label is missing"),
    refused(9, "A byte of Latin-1 or Windows-1252", CODEC, b"text\tlabel\ncaf\xe9\tx\n",
            "data.tsv:2: byte 0xe9 at column 4", "café", 'encoding = "cp1252"'),
    refused(9, "An encoding that does not exist", "LookupError", rows("a\tx"), "unknown encoding", "utf-88",
            study=study(own(encoding="utf-88"))),
    refused(10, "A UTF-16 file", "garbage", rows("a\tx").encode("utf-16"), "UTF-16", 'encoding = "utf-16"'),
    refused(10, "A UTF-16 file without a byte order mark", "garbage", rows("a\tx").encode("utf-16-le"), "utf-16-le"),
    refused(10, "A UTF-32 file", "garbage", rows("a\tx").encode("utf-32"), "UTF-32"),
    refused(10, "`encoding = \"utf-16\"` for a file that is not", "garbage", rows("abc\tx"), "this is not utf-16",
            study=study(own(encoding="utf-16"))),
    refused(11, "A NUL byte", "accepted", rows("a long text with a\0hole\tx", "b\ty"), "data.tsv:2", "NUL",
            "column 19"),
    refused(13, "Lines that end with a lone carriage return", "one giant row", "text\tlabel\ra\tx\r",
            "lone carriage return", "old Mac"),
    refused(13, "A carriage return inside a line", "a row more", rows("a\rb\tx"), "data.tsv:2", "carriage return"),
    refused(13, "CSV: a carriage return outside quotation marks", "a row more", "text,label\na\rb,x\n", "data.csv:2",
            "carriage return", study=COMMA),
    refused(14, "A line of 16 million characters", "takes the memory of the machine", rows("a" * 16_000_001 + "\tx"),
            "data.tsv:2", "the line has 16,000,003 characters"),
    refused(15, "No header", NAMES, rows("a\tx", header="hello\ty"), 'no column "text"', "'hello'", "header = ["),
    refused(15, "A header with another name", NAMES, rows("a\tx", header="texts\tlabel"), 'Did you mean "texts"?',
            "columns = { text"),
    refused(15, "A column named in the study that the file has not", "KeyError", rows("a\tx"), '"txet"',
            'Did you mean "text"?', study=study(own(columns={"text": "txet"}))),
    refused(15, "A second header in the middle, as when files are joined", NAMES, rows("a\tx", "text\tlabel"),
            "data.tsv:3: the header stands here as if it were data"),
    refused(15, "A header in the file and in the study", NAMES, rows("a\tx"), "data.tsv:1: the header stands here",
            study=study(own(header=["text", "label"]))),
    refused(16, "Two columns of one name", "the last one wins", rows("a\tb\tx", header="text\ttext\tlabel"),
            "two columns are called \"text\"", "'text'"),
    refused(17, "Semicolons in place of tabs", "one column", rows("a;x", header="text;label"), "one column only",
            "a semicolon"),
    refused(17, "Tabs in a file called .csv", "one column", "text\tlabel\na\tx\n", "one column only",
            'format = "csv" and separator = "\\t"', study=COMMA),
    refused(18, "A gzip file called .tsv", "a decoding error", gzip.compress(rows("a\tx").encode(), mtime=0),
            "this is gzip"),
    refused(18, "A spreadsheet called .tsv", "a decoding error", b"PK\x03\x04 and so on", "zip (or a spreadsheet)"),
    refused(19, "An empty file", "ZeroDivisionError, later", b"", "the file is empty"),
    refused(19, "Nothing but blanks", "ZeroDivisionError, later", b" \n\n", "the file is empty"),
    refused(19, "A header and no rows", "ZeroDivisionError, later", rows(), "the file has no rows"),
    refused(19, "CSV: a header and no rows", "ZeroDivisionError, later", "text,label", "the file has no rows",
            study=COMMA),
    refused(20, "The last row is cut off", "silently short", "text\tlabel\na\tx\nb", "data.tsv:3", "was it cut off"),
]  # fmt: skip

CASES = [*HANDLED, *REFUSED]
