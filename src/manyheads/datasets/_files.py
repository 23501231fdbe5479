"""Read the user's own CSV, TSV, JSON (lines or one document) and Parquet files, with every mistake located.

Lines end with \\n or \\r\\n and with nothing else; nothing is guessed, trimmed or turned into "missing".
"""

import codecs
import csv
import errno
import io
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from datasets.table import InMemoryTable
from pyarrow import parquet

from manyheads.core.problems import Problem, StudyError, close, counted, shown
from manyheads.datasets._blocks import LONGEST_LINE, ROWS, Column, read_blocks
from manyheads.datasets._checks import Problems
from manyheads.datasets._decode import PACKED, WIDE, read_text
from manyheads.datasets._hub import is_plain
from manyheads.datasets._json import read_rows

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".json": "json", ".parquet": "parquet"}
SEPARATORS = {";": "a semicolon", "\t": "a tab", ",": "a comma", "|": "a bar"}


@dataclass(frozen=True)
class Records:
    """Rows of a file or of a Hub dataset, one column at a time.

    :param column: The values of a column, by its name.
    :param lines: Where each row begins: the line in a file, or the number of the row.
    :param twice: Names that several columns have; which of them is meant cannot be said.
    """

    names: Sequence[str]
    column: Callable[[str], Sequence[Any]]
    lines: Sequence[int] | np.ndarray
    twice: frozenset[str] = frozenset()

    def only(self, rows: np.ndarray) -> "Records":
        """These rows, by their numbers, ascending."""

        def column(name: str) -> Sequence[Any]:
            values = self.column(name)
            return values.only(rows) if isinstance(values, Column) else [values[row] for row in rows]

        return Records(self.names, column, np.asarray(self.lines)[rows].tolist(), self.twice)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read.

    :param header: The names of the columns of a CSV or TSV file whose first line is already data.
    :param separator: What stands between the columns of a CSV file.
    """

    format: str
    encoding: str
    header: Sequence[str] = ()
    separator: str = ","


def path_problem(path: Path, where: str) -> Problem | None:
    """Why a path is not a file that can be read, if it is not; nothing is opened (a pipe would wait for ever)."""
    try:
        mode = path.stat().st_mode
    except PermissionError:
        return Problem(where, "no permission to look into the folder", str(path.parent), "Change its mode.")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            return Problem(where, "this cannot be the name of a file", shown(str(path)), "Write another.")
        if path.is_symlink():
            return Problem(where, "this link points to nothing", f"{path} -> {os.readlink(path)}", "Mend the link.")
        return _no_file(path, where)
    if stat.S_ISDIR(mode):
        inside = sorted(entry.name for entry in path.iterdir() if entry.suffix in FORMATS)[:5]
        remedy = f"Name a file in it: {', '.join(inside)}." if inside else "Name a file."
        return Problem(where, "this is a folder, not a file", str(path), remedy)
    if not stat.S_ISREG(mode):
        return Problem(
            where, "this is not a regular file (a pipe, a socket or a device)", str(path), "Copy it to a file."
        )
    if not os.access(path, os.R_OK):
        return Problem(where, "no permission to read the file", str(path), "Change its mode.")
    return None


def _no_file(path: Path, where: str) -> Problem:
    """What is said of a file that is not there: where it was looked for, and what lies there."""
    folder = path.parent
    if not folder.is_dir():
        what, remedy = f"there is no file {shown(path.name)}", "Paths are relative to the study file."
        return Problem(where, f"{what}: there is no folder {shown(str(folder))}", "", remedy)
    near = sorted(entry.name for entry in folder.iterdir())
    hint = close(path.name, near, 3, 0.75)
    remedy = "Paths are relative to the study file."
    if set(path.name) & set("\t\n\r\b\f\x1b") or re.fullmatch(r"[A-Za-z]:.*|.*\\.*", path.name):
        remedy = "Is it a path of Windows? In TOML write it in single quotes, 'C:\\data\\train.csv', or with /."
    return Problem(where, f"there is no file {shown(path.name)}, looked in {folder}", "", f"{hint} {remedy}".lstrip())


def doubled(names: Sequence[str]) -> frozenset[str]:
    """The names that stand more than once."""
    return frozenset(name for name, count in Counter(names).items() if count > 1)


def read_records(path: Path, where: str, problems: Problems, how: Reading) -> Records:
    """All rows of a file. Raises if there is any problem in it.

    :param where: How messages call the file.
    """
    format = how.format
    if format == "parquet":
        return _parquet(path, where)
    if (found := _quickly(path, how)) is not None:
        return found
    text = read_text(path, where, format, how.encoding, problems)
    if not text.strip():
        raise StudyError([Problem(where, "the file is empty", "", "Is this the right file?")])
    if "\r" in text and "\n" not in text:
        remedy = "Convert its line ends to \\n (old Mac files end lines with \\r alone)."
        raise StudyError([Problem(where, "lines end with a lone carriage return", shown(text), remedy)])
    if format in ("json", "jsonl"):
        rows, lines = read_rows(text, where, problems)
        names = list(dict.fromkeys(chain.from_iterable(rows)))
        records = Records(names, lambda name: [row.get(name) for row in rows], lines)
    else:
        records = _table(text, where, how, problems)
    problems.stop()
    if not records.lines:
        raise StudyError([Problem(where, "the file has no rows", "", "Is this the right file?")])
    return records


def _quickly(path: Path, how: Reading) -> Records | None:
    """The rows of a sound file, block by block; None if it has to be read whole to say what is wrong with it."""
    with path.open("rb") as file:
        if file.read(8).startswith((*PACKED, *WIDE)):
            return None
    found = read_blocks(path, how.format, codecs.lookup(how.encoding).name, how.header, how.separator)
    return found and Records(found[0], found[1].__getitem__, found[2])


def _parquet(path: Path, where: str) -> Records:
    try:
        table = parquet.read_table(path)
        table.validate(full=True)
        # Through `datasets`, because class names are in the metadata that it writes.
        data = datasets.Dataset(InMemoryTable(table))
    except Exception as error:  # A broken file fails in Arrow, in the system, or in the JSON of the metadata.
        reason = shown(str(error).splitlines()[0])
        raise StudyError(
            [Problem(where, "this is not a whole Parquet file", reason, "Write or copy it again.")]
        ) from error
    return dataset_records(data, where)


def dataset_records(data: datasets.Dataset, where: str) -> Records:
    """The rows of a `datasets.Dataset`, classes by name; -1, the mark of an unlabelled row, becomes None."""
    if not len(data):
        raise StudyError([Problem(where, "there are no rows", "", "Is this the right file?")])

    def column(name: str) -> Sequence[Any]:
        feature = data.features[name]
        if not is_plain(feature):
            what, kind = f'the column "{name}" holds neither texts nor numbers', type(feature).__name__
            raise StudyError([Problem(where, what, kind, "Name another with columns = { ... }.")])
        if feature == datasets.Value("string"):
            return Column(block.column(name).combine_chunks() for block in _in_blocks(data, name))
        values = data[name][:]
        if isinstance(feature, datasets.ClassLabel):
            return [feature.names[value] if value in range(len(feature.names)) else None for value in values]
        return values

    return Records(data.column_names, column, range(1, len(data) + 1))


def _in_blocks(data: datasets.Dataset, name: str) -> Iterator[Any]:
    yield from data.select_columns([name]).with_format("arrow").iter(batch_size=ROWS)


def _table(text: str, where: str, how: Reading, problems: Problems) -> Records:
    """CSV as RFC 4180 has it; TSV without any quoting, as GLUE's files are."""
    tsv = how.format == "tsv"
    rows, lines = _tsv(text, where, problems) if tsv else _csv(text, where, how.separator, problems)
    while rows and rows[-1] in ([], [""]) and len(rows) > 1:
        rows, lines = rows[:-1], lines[:-1]
    names = list(how.header) or rows[0]
    if not how.header:
        rows, lines = rows[1:], lines[1:]
    _check_names(names, f"{where}:1", text.split("\n", 1)[0], problems)
    for row, cells in enumerate(rows):
        if len(cells) != len(names):
            _wrong_width(
                f"{where}:{lines[row]}",
                cells,
                len(names),
                how,
                problems,
                cut=row == len(rows) - 1 and text[-1] != "\n",
            )
        elif cells == names:
            problems.add(
                f"{where}:{lines[row]}",
                "the header stands here as if it were data",
                shown(cells),
                "Remove the line; or leave `header` out, if it is the first.",
            )
    problems.stop()
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    return Records(names, columns.__getitem__, lines, doubled(names))


def _tsv(text: str, where: str, problems: Problems) -> tuple[list[list[str]], list[int]]:
    rows, text = [], text.replace("\r\n", "\n")
    for number, line in enumerate(text.split("\n"), 1):
        if "\r" in line:
            problems.add(f"{where}:{number}", "a lone carriage return stands in the line", shown(line), "Remove it.")
        elif len(line) > LONGEST_LINE:
            problems.add(f"{where}:{number}", f"the line has {len(line):,} characters", shown(line), "Is it broken?")
        rows.append(line.split("\t"))
    return rows, list(range(1, len(rows) + 1))


def _csv(text: str, where: str, separator: str, problems: Problems) -> tuple[list[list[str]], list[int]]:
    # The limit of the standard module (131,072 characters) is the process's, and shorter than texts may be.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True, delimiter=separator)
    rows, lines, begin = [], [], 1
    try:
        for cells in reader:
            rows.append(cells)
            lines.append(begin)
            begin = reader.line_num + 1
    except csv.Error as error:
        what, remedy = (
            f"the CSV is broken ({error})",
            'A text with " or a comma stands in quotes, its own quotes doubled.',
        )
        if "new-line" in str(error):
            what, remedy = "a lone carriage return stands outside quotes", "Convert its line ends to \\n."
        found = text.split("\n", begin)[begin - 1]
        if others := [sign for sign in SEPARATORS if sign != separator and f'"{sign}' in found]:
            remedy += f' If {SEPARATORS[others[0]]} separates the columns: separator = "{others[0]}".'
        problems.add(f"{where}:{begin}", what, shown(found), remedy)
        problems.stop()
    return rows, lines


def _check_names(names: Sequence[str], where: str, line: str, problems: Problems) -> None:
    if len(names) == 1 and (others := [sign for sign in SEPARATORS if sign in line]):
        sign = "\\t" if others[0] == "\t" else others[0]
        remedy = f'Set format = "csv" and separator = "{sign}"'
        remedy += '; or format = "tsv" if nothing stands in quotes.' if others[0] == "\t" else "."
        problems.add(where, f"there is one column only, but {SEPARATORS[others[0]]} in its name", shown(line), remedy)
    problems.stop()


def _wrong_width(where: str, cells: list[str], width: int, how: Reading, problems: Problems, *, cut: bool) -> None:
    if cells in ([], [""]):
        problems.add(where, "the line is blank", "", "Remove it.")
        return
    sign = SEPARATORS[how.separator]
    remedy = "Does a text hold a tab?" if how.format == "tsv" else f"A text with {sign} must stand in quotes."
    if len(cells) < width:
        remedy = "The file ends without a line end: was it cut off?" if cut else "Is a separator missing?"
    problems.add(where, f"{counted(len(cells), 'column')} where {width} are expected", shown(cells), remedy)
