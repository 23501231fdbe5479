"""Read the user's own CSV, TSV, JSON (lines or one document) and Parquet files, with every mistake located.

Lines end with \\n or \\r\\n and with nothing else; nothing is guessed, trimmed or turned into "missing".
"""

import codecs
import csv
import errno
import io
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.table import InMemoryTable
from pyarrow import parquet
from pyarrow.compute import call_function

from manyheads.core.problems import Problem, StudyError, close, counted, repeated, shown
from manyheads.datasets._blocks import LONGEST_LINE, ROWS, Column, read_blocks
from manyheads.datasets._checks import Problems
from manyheads.datasets._decode import PACKED, WIDE, read_text
from manyheads.datasets._hub import is_plain
from manyheads.datasets._json import read_rows

PACKED_ROWS = 1_000
"""Of a Parquet file, unpacked at a time."""
FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".json": "json", ".parquet": "parquet"}
FASTTEXT = re.compile(r"^__label__\S+ ", re.MULTILINE)
SEPARATORS = {";": "a semicolon", "\t": "a tab", ",": "a comma", "|": "a bar"}


@dataclass(frozen=True)
class Records:
    """Rows of a file or of a Hub dataset, one column at a time.

    :param column: The values of a column, by its name.
    :param lines: Where each row begins: the line in a file, or the number of the row.
    :param twice: Names that several columns have; which of them is meant cannot be said.
    :param most: Bytes that the texts may take; 0 if there is no limit.
    """

    names: Sequence[str]
    column: Callable[[str], Sequence[Any]]
    lines: Sequence[int] | np.ndarray
    twice: Collection[str] = ()
    most: int = 0

    def only(self, rows: np.ndarray) -> "Records":
        """These rows, by their numbers, ascending."""

        def column(name: str) -> Sequence[Any]:
            values = self.column(name)
            return values.only(rows) if isinstance(values, Column) else [values[row] for row in rows]

        return Records(self.names, column, np.asarray(self.lines)[rows].tolist(), self.twice, self.most)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read.

    :param header: The names of the columns of a CSV or TSV file whose first line is already data.
    :param separator: What stands between the columns of a CSV file.
    :param wanted: The columns that may be asked for.
    :param most: Bytes that texts may take when they are unpacked.
    """

    format: str
    encoding: str
    header: Sequence[str]
    separator: str
    wanted: Container[str]
    most: int


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


def read_records(path: Path, where: str, problems: Problems, how: Reading) -> Records:
    """All rows of a file. Raises if there is any problem in it.

    :param where: How messages call the file.
    """
    format = how.format
    if format == "parquet":
        return _parquet(path, where, how.wanted, how.most)
    if (found := _quickly(path, how)) is not None:
        return replace(found, most=how.most)
    text = read_text(path, where, format, how.encoding, problems)
    if not text.strip():
        raise StudyError([Problem(where, "the file is empty", "", "Is this the right file?")])
    if "\r" in text and "\n" not in text:
        remedy = "Convert its line ends to \\n (old Mac files end lines with \\r alone)."
        raise StudyError([Problem(where, "lines end with a lone carriage return", shown(text), remedy)])
    if format in ("json", "jsonl"):
        rows, lines = read_rows(text, where, problems)
        names = list(dict.fromkeys(chain.from_iterable(rows)))
        records = Records(names, lambda name: [row.get(name) for row in rows], lines, most=how.most)
    else:
        records = _table(text, where, how, problems)
    problems.stop()
    if not records.lines:
        raise StudyError([Problem(where, "the file has no rows", "", "Is this the right file?")])
    return records


def check_unpacked(size: int, most: int, where: str) -> None:
    """Raise if the texts of a file take more bytes than they may."""
    if size > most > 0:
        what = f"the texts of the file unpack to more than {most:,} bytes"
        raise StudyError([Problem(where, what, "", "Is it the right file? Then set longest_text higher in the study.")])


def _quickly(path: Path, how: Reading) -> Records | None:
    """The rows of a sound file, block by block; None if it has to be read whole to say what is wrong with it."""
    with path.open("rb") as file:
        if file.read(8).startswith((*PACKED, *WIDE)):
            return None
    found = read_blocks(path, how.format, codecs.lookup(how.encoding).name, how.header, how.separator, how.wanted)
    return found and Records(found[0], found[1].__getitem__, found[2])


def _parquet(path: Path, where: str, wanted: Container[str], most: int) -> Records:
    try:
        schema = parquet.read_schema(path)
        names = schema.names
        used = [name for name in names if name in wanted] or names[:1]
        # Class names are in the metadata that `datasets` writes.
        features = datasets.Features.from_arrow_schema(pa.schema(map(_plain, schema), schema.metadata))
        table = _unpacked(path, schema, used, where, most)
        about = datasets.DatasetInfo(features=datasets.Features({name: features[name] for name in used}))
        data = datasets.Dataset(InMemoryTable(table), about, fingerprint=secrets.token_hex(8))
    except StudyError:
        raise
    except Exception as error:  # A broken file fails in Arrow, in the system, or in the JSON of the metadata.
        reason = shown((str(error).splitlines() or [type(error).__name__])[0])
        raise StudyError(
            [Problem(where, "this is not a whole Parquet file", reason, "Write or copy it again.")]
        ) from error
    records = dataset_records(data, where)
    return Records(names, records.column, records.lines, most=most)


def _plain(field: pa.Field) -> pa.Field:
    kind = field.type
    return field.with_type(kind.value_type) if isinstance(kind, pa.DictionaryType) else field


def _unpacked(path: Path, schema: pa.Schema, used: Sequence[str], where: str, most: int) -> pa.Table:
    """Some columns of a Parquet file. Texts that stand in it once and are used many times are counted before they are
    written out."""
    texts = [name for name in used if pa.types.is_string(schema.field(name).type)]
    file, columns = parquet.ParquetFile(path, read_dictionary=texts), set(used)
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    parts = [group.column(number) for group in groups for number in range(group.num_columns)]
    size = sum(part.total_uncompressed_size for part in parts if part.path_in_schema.split(".")[0] in columns)
    check_unpacked(size, most, where)
    kinds = pa.schema([_plain(schema.field(name)).remove_metadata() for name in used])
    batches, size = [], 0
    for batch in file.iter_batches(PACKED_ROWS, columns=list(used)):
        size += sum(map(_bytes_of, batch.columns))
        check_unpacked(size, most, where)
        arrays = [column.cast(kind.type) for column, kind in zip(batch.columns, kinds, strict=True)]
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=kinds))
    table = pa.Table.from_batches(batches, kinds)
    table.validate(full=True)
    return table


def _bytes_of(column: pa.Array) -> int:
    """Of a column once it is written out."""
    if not isinstance(column, pa.DictionaryArray):
        return column.nbytes
    lengths = call_function("binary_length", [column.dictionary])
    return call_function("sum", [lengths.take(column.indices)]).as_py() or 0


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
    """CSV as RFC 4180 has it; TSV without any quoting, as GLUE's files are. Read twice: no row is kept whole."""
    if (mixed := FASTTEXT.search(text)) and how.format in ("csv", "tsv"):
        remedy = 'Write each as LABEL, a tab, the text, and set format = "tsv" and header = ["label", "text"].'
        raise StudyError([Problem(where, "lines are of fastText's form, a label and its text", mixed[0], remedy)])
    read, last = _tsv if how.format == "tsv" else partial(_csv, how.separator), 0
    for number, (_, cells) in enumerate(read(text, where, problems)):
        if cells not in ([], [""]):
            last = number
    rows = islice(read(text, where, Problems(sys.maxsize)), last + 1)
    names = list(how.header) or next(rows)[1]
    _check_names(names, f"{where}:1", text.split("\n", 1)[0], problems)
    kept = {name: place for place, name in enumerate(names) if name in how.wanted}
    columns: dict[str, list[str]] = {name: [] for name in kept}
    lines, end = [], last + 1 if how.header else last
    for number, (line, cells) in enumerate(rows, 1):
        lines.append(line)
        if len(cells) != len(names):
            cut = number == end and text[-1] != "\n"
            _wrong_width(f"{where}:{line}", cells, len(names), how, problems, cut=cut)
            continue
        if cells == names:
            problems.add(
                f"{where}:{line}",
                "the header stands here as if it were data",
                shown(cells),
                "Remove the line; or leave `header` out, if it is the first.",
            )
        for name, place in kept.items():
            columns[name].append(cells[place])
    problems.stop()
    return Records(names, columns.__getitem__, lines, repeated(names))


def _tsv(text: str, where: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if "\r" in line:
            problems.add(f"{where}:{number}", "a lone carriage return stands in the line", shown(line), "Remove it.")
        elif len(line) > LONGEST_LINE:
            problems.add(f"{where}:{number}", f"the line has {len(line):,} characters", shown(line), "Is it broken?")
        yield number, line.split("\t")


def _csv(separator: str, text: str, where: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    # The limit of the standard module (131,072 characters) is the process's, and shorter than texts may be.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    reader, begin = csv.reader(io.StringIO(text, newline="\n"), strict=True, delimiter=separator), 1
    try:
        for cells in reader:
            yield begin, cells
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
