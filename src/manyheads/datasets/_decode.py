"""The bytes of a file as text: a byte that is no text is located, a line without end is refused before it is read."""

import codecs
from pathlib import Path

from manyheads.core.problems import LONGEST_NAME, Problem, StudyError, shown
from manyheads.datasets._blocks import LONGEST_LINE
from manyheads.datasets._checks import Problems

PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip (or a spreadsheet)",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"PAR1": "Parquet",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
}
WIDE = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
CHUNK = 1 << 20
"""Bytes read at once, far fewer than a line may have."""
MOST = {"json": 1 << 28, "jsonl": 1 << 28}
"""Bytes that a line may have: a JSON document may stand in one. In other formats a character has up to four bytes."""


def read_text(path: Path, where: str, format: str, encoding: str, problems: Problems) -> str:
    """A file's text.

    :raises StudyError: If it is not text in this encoding, or has a line without end, which would fill the memory.
    """
    most = MOST.get(format, 4 * LONGEST_LINE)
    if path.stat().st_size > most and (line := _endless_line(path, most)):
        what, remedy = f"the line has more than {most:,} bytes", "Is the file broken?"
        raise StudyError([Problem(f"{where}:{line}", what, "", remedy)])
    return decoded(path.read_bytes(), where, encoding, problems)


def _endless_line(path: Path, most: int) -> int:
    """The number of the first line of more than `most` bytes; 0 if there is none. No line is ever held whole."""
    line, length = 1, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            length += len(chunk)
            if (ends := chunk.count(b"\n")) and length - len(chunk) + chunk.index(b"\n") <= most:
                line, length = line + ends, len(chunk) - chunk.rindex(b"\n") - 1
            if length > most:
                return line
    return 0


NO_TEXT = ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined")
"""Codecs that Python calls text encodings, and that no file of texts is written in."""


def encoding_problem(encoding: str, where: str) -> Problem | None:
    """Why files cannot be read in this encoding, if they cannot."""
    try:
        known = codecs.lookup(encoding if len(encoding) <= LONGEST_NAME else "").name.replace("-", "_") not in NO_TEXT
        b"    ".decode(encoding)  # `codecs.lookup` would take "hex", which gives no text
    except UnicodeDecodeError:
        known = True
    except (LookupError, ValueError):  # ValueError: a NUL, or half of a surrogate pair
        known = False
    return None if known else Problem(where, "unknown encoding", shown(encoding), "Try utf-8 or cp1252.")


def decoded(data: bytes, where: str, encoding: str, problems: Problems) -> str:
    """Bytes as text, or a problem for each line that is not text in this encoding."""
    for start, kind in PACKED.items():
        if data.startswith(start):
            raise StudyError([Problem(where, f"this is {kind}, not text", shown(data[:8]), "Unpack or export it.")])
    encoding = codecs.lookup(encoding).name
    if not encoding.startswith(("utf-16", "utf-32")):
        _refuse_wide(data, where)
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeError as error:
        if isinstance(error, UnicodeDecodeError) and not encoding.startswith(("utf-16", "utf-32")):
            _locate_bytes(data, where, encoding, problems)
        raise StudyError([Problem(where, f"this is not {encoding}", shown(str(error)), "Set its encoding.")]) from error
    if "\0" in text:
        for number, line in enumerate(text.split("\n"), 1):
            if "\0" in line:
                found = f"{shown(line)} at column {line.index(chr(0)) + 1}"
                problems.add(f"{where}:{number}", "a NUL character stands in the text", found, "Remove it.")
        problems.stop()
    return text


def _refuse_wide(data: bytes, where: str) -> None:
    for mark, name in WIDE.items():
        if data.startswith(mark):
            remedy = f'Set encoding = "{name}", or save the file as UTF-8.'
            raise StudyError([Problem(where, f"this is {name.upper()} text", shown(data[:8]), remedy)])
    sample = data[:2000]
    if len(sample) > 3 and sample.count(0) > len(sample) / 4:
        order = "be" if sample[0] == 0 else "le"
        remedy = f'Set encoding = "utf-16-{order}", or save the file as UTF-8.'
        raise StudyError([Problem(where, "this looks like UTF-16 text", shown(sample[:16]), remedy)])


def _locate_bytes(data: bytes, where: str, encoding: str, problems: Problems) -> None:
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode(encoding)
        except UnicodeDecodeError as error:
            guess = next(name for name in ("utf-8", "cp1252", "latin-1") if _decodes(line, name))
            around = line[max(0, error.start - 20) : error.start + 20].decode(guess)
            what = f"byte 0x{line[error.start]:02x} at column {error.start + 1} is not {encoding}"
            remedy = f'It reads so as {guess}: if that is right, set encoding = "{guess}".'
            problems.add(f"{where}:{number}", what, shown(around), remedy)
    problems.stop()


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        return bool(data.decode(encoding))
    except UnicodeError:
        return False
