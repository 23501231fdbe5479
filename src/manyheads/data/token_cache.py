"""Encoded examples on disk: made once, mapped into memory by every run, worker and later study that asks for the same.

    FOLDER/tokens/<key>/examples.arrow      the columns of `columns.py`
                        entry.json          its key, what they are, how many, and a hash of data and entry; written last

An entry is made in a folder of its own beside its place, and then moved there whole. So nobody sees a half of one,
two processes that make the same entry do not disturb each other, and one that is killed leaves nothing that is read.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import JsonValue

from manyheads.core.printable import printable
from manyheads.data.columns import SCHEMA, Examples, Form, agreed

FORMAT = 3
PLACE, DATA, ABOUT = "tokens", "examples.arrow", "entry.json"
ENTRY = re.compile(r"[0-9a-f]{32}")
UNFINISHED = re.compile(r"[0-9a-f]{32}\.\w+\.part")
DAY = 24 * 3600

Blocks = Callable[[], Iterator[tuple[pa.RecordBatch, Form | None]]]
"""Makes a split's blocks from the beginning."""


def default_folder() -> Path | None:
    """`$MANYHEADS_CACHE`, else `$XDG_CACHE_HOME/manyheads`, else `~/.cache/manyheads`; None if there is no home."""
    if chosen := os.environ.get("MANYHEADS_CACHE"):
        return Path(chosen).absolute()
    system = os.environ.get("XDG_CACHE_HOME", "")
    if Path(system).is_absolute():  # "all paths must be absolute ... otherwise ignored", says the XDG specification
        return Path(system) / "manyheads"
    with suppress(RuntimeError):
        return Path.home() / ".cache" / "manyheads"
    return None


@dataclass(frozen=True, slots=True)
class Entry:
    """What the cache holds of one split.

    :param bytes: On disk.
    :param used: When it was last opened, in seconds since 1970.
    :param about: The content of `entry.json`; empty if the entry is unfinished or damaged.
    """

    path: Path
    bytes: int
    used: float
    about: Mapping[str, JsonValue]


class TokenCache:
    """A folder of encoded splits.

    A cache never stops anybody: if its folder cannot be written to, what is encoded stays in memory, and `say` is told
    once. A damaged entry is told of and made anew.

    :param folder: Where; None keeps everything in memory.
    :param say: Called with a line for the user.
    """

    def __init__(self, folder: Path | None, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.say = say
        self.writable = folder is not None

    def find(self, key: str) -> Examples | None:
        """An entry, mapped into memory; None if it is not there or is damaged."""
        if self.folder is None:
            return None
        place = self.folder / PLACE / key
        if not os.path.lexists(place):
            return None
        try:
            found = _opened(place)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, pa.ArrowException) as error:
            self.say(f"token cache: the entry {place} is damaged and is made anew ({error})")
            with suppress(OSError):
                _remove(place)
            return None
        with suppress(OSError):  # a folder that may only be read is as good
            os.utime(place / ABOUT)
        return found

    def make(self, key: str, about: Mapping[str, str], blocks: Blocks) -> Examples:
        """Encode a split into a new entry and open it; into memory, if it cannot be written.

        :param about: What `manyheads cache` shows: task, split, head.
        """
        if self.writable:
            try:
                return self._written(key, about, blocks)
            except _CannotWriteError as error:
                self.writable = False
                self.say(f"token cache: {self.folder} cannot be used, tokens are kept in memory instead ({error})")
        made = list(blocks())
        return Examples([batch for batch, _ in made], agreed(form for _, form in made))

    def _written(self, key: str, about: Mapping[str, str], blocks: Blocks) -> Examples:
        assert self.folder is not None
        with _Writing():
            (self.folder / PLACE).mkdir(parents=True, exist_ok=True)
            self._sweep()
            part = self.folder / PLACE / f"{key}.{secrets.token_hex(8)}.part"
            part.mkdir()
        try:
            _write(part, {"key": key, **about}, blocks())
            with _Writing():
                return self._moved(part, self.folder / PLACE / key)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _moved(self, part: Path, place: Path) -> Examples:
        try:
            part.rename(place)
        except OSError:
            # Another process was faster. Its entry is as good as ours, unless it is damaged.
            found = self.find(place.name)
            if found is not None:
                return found
            part.rename(place)
        return _opened(place, check=False)

    def _sweep(self) -> None:
        """Remove what processes that were killed have left, once it is a day old."""
        for entry in self.entries():
            if UNFINISHED.fullmatch(entry.path.name) and time.time() - entry.used > DAY:
                shutil.rmtree(entry.path, ignore_errors=True)

    def entries(self) -> list[Entry]:
        """What the cache holds, last used first, unfinished entries too. Files that are not its own are passed over."""
        try:
            folders = sorted((self.folder / PLACE).iterdir()) if self.folder else []
        except OSError:
            return []
        found = [_entry(path) for path in folders if _is_ours(path)]
        return sorted(found, key=lambda entry: -entry.used)

    def clear(self) -> tuple[int, int]:
        """Remove every entry.

        :returns: How many entries and bytes are gone. What could not be removed is not counted.
        """
        count = freed = 0
        for entry in self.entries():
            with suppress(OSError):
                _remove(entry.path)
                count, freed = count + 1, freed + entry.bytes
        with suppress(OSError):
            (self.folder or Path()).joinpath(PLACE).rmdir()
        return count, freed


class _CannotWriteError(Exception):
    """The cache's folder cannot be written to."""


class _Writing:
    """Turns the system's errors inside into `_CannotWriteError`, so that those of encoding are not taken for them."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise _CannotWriteError(str(error)) from error


def _write(part: Path, about: Mapping[str, str], blocks: Iterator[tuple[pa.RecordBatch, Form | None]]) -> None:
    began, examples, tokens, forms = time.perf_counter(), 0, 0, set[Form | None]()
    with _Writing():
        sink = pa.OSFile(str(part / DATA), "wb")
    try:
        writer = pa.ipc.new_file(sink, SCHEMA)
        for batch, form in blocks:
            forms.add(form)
            examples, tokens = examples + len(batch), tokens + len(batch.column("ids").values)
            with _Writing():
                writer.write_batch(batch)
        with _Writing():
            writer.close()
    finally:
        with _Writing():
            sink.close()
    form = agreed(forms)
    content = {
        "format": FORMAT,
        **about,
        "examples": examples,
        "tokens": tokens,
        "seconds": time.perf_counter() - began,
        "targets": None if form is None else [form.whole, form.width],
        "data": _digest(part / DATA),
    }
    with _Writing():
        (part / ABOUT).write_text(entry_text(content), "utf-8")


def entry_text(content: Mapping[str, JsonValue]) -> str:
    """What `entry.json` holds: the content, and a hash over it."""
    digest = hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()
    return json.dumps({**content, "hash": digest}, ensure_ascii=False, indent=1) + "\n"


def _opened(place: Path, *, check: bool = True) -> Examples:
    """An entry, mapped.

    :param check: Whether it has to be read to see that it is as it was written.
    :raises Exception: Any of many, if it is damaged.
    """
    for name in (ABOUT, DATA):  # a pipe would wait for ever, and a device has no end
        if not stat.S_ISREG((place / name).lstat().st_mode):
            raise ValueError(f"{name} is not a file")
    text = (place / ABOUT).read_bytes().decode("utf-8")
    about = {**json.loads(text)}
    del about["hash"]
    if entry_text(about) != text:
        raise ValueError(f"{ABOUT} is not as it was written")
    if about["key"] != place.name:
        raise ValueError("it is the entry of something else")
    if place.is_symlink():
        raise ValueError("it is a link")
    if check and _digest(place / DATA) != about["data"]:
        raise ValueError(f"{DATA} is not as it was written")
    reader = pa.ipc.open_file(pa.memory_map(str(place / DATA)))
    form = None if about["targets"] is None else Form(*about["targets"])
    examples = Examples((reader.get_batch(number) for number in range(reader.num_record_batches)), form)
    if reader.schema != SCHEMA or len(examples) != about["examples"]:
        raise ValueError("its columns are not those that were written down")
    return examples


def _digest(path: Path) -> str:
    """Of a file that is read, not mapped: what is only checked need not stay in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _is_ours(path: Path) -> bool:
    named = ENTRY.fullmatch(path.name) or UNFINISHED.fullmatch(path.name)
    if not named or path.is_symlink() or not path.is_dir():
        return False
    with suppress(OSError):
        return {inside.name for inside in path.iterdir()} <= {DATA, ABOUT}
    return False


def _entry(path: Path) -> Entry:
    sizes, used, about = [], 0.0, {}
    with suppress(OSError):  # another process may be removing it
        used = path.stat().st_mtime
        sizes = [inside.stat().st_size for inside in path.iterdir()]
    with suppress(OSError, ValueError, RecursionError):
        used = (path / ABOUT).stat().st_mtime
        about = json.loads((path / ABOUT).read_text("utf-8"))
    sound = isinstance(about, dict) and all(type(about.get(key)) is int for key in ("examples", "tokens"))
    return Entry(path, sum(sizes), used, about if sound else {})


def _remove(place: Path) -> None:
    """Remove an entry; first out of the way, so that nobody opens what is left of it meanwhile."""
    away = place if place.suffix == ".part" else place.with_name(f"{place.name}.{secrets.token_hex(8)}.part")
    if away != place:
        place.rename(away)
    if away.is_dir() and not away.is_symlink():
        shutil.rmtree(away)
    else:
        away.unlink()


def contents(cache: TokenCache) -> dict[str, Any]:
    """What a cache holds, as plain values."""
    entries = cache.entries()
    return {
        "folder": None if cache.folder is None else str(cache.folder),
        "bytes": sum(entry.bytes for entry in entries),
        "entries": [
            {
                **{name: entry.about.get(name) for name in ("task", "split", "head", "examples", "tokens")},
                "bytes": entry.bytes,
                "used": datetime.fromtimestamp(entry.used, UTC).isoformat(timespec="seconds"),
                "folder": str(entry.path),
            }
            for entry in entries
        ],
    }


def contents_lines(content: Mapping[str, Any]) -> list[str]:
    """What a cache holds, as a person reads it."""
    if content["folder"] is None:
        return ["There is no folder for a cache: set MANYHEADS_CACHE."]
    number = len(content["entries"])
    lines = [f"{content['folder']}: {number} {'entry' if number == 1 else 'entries'}, {amount(content['bytes'])}"]
    for entry in content["entries"]:
        used = datetime.fromisoformat(entry["used"]).astimezone().strftime("%Y-%m-%d %H:%M")
        what = f"{entry['task']} ({entry['split']}), {entry['head']}: {entry['examples'] or 0:,} examples"
        if entry["examples"] is None:
            what = "unfinished or damaged"
        lines.append(f"  {what}, {amount(entry['bytes'])}, last used {used}")
    return [printable(line) for line in lines]


def amount(size: float) -> str:
    """Bytes for a person: 1.4 MB is 1.4 million of them."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "bytes" or size >= 100 else f"{size:.1f} {units[0]}"
