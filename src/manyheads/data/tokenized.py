"""Every split as tokens: computed once, kept in memory for all runs and on disk for other processes and studies."""

import ast
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa
from pydantic import JsonValue

from manyheads.core.content_hash import content_hash
from manyheads.core.values import Table, Tokenizer
from manyheads.data import columns
from manyheads.data.batches import encoded_blocks, examples_cut, pieces, read_columns, truncated, unknown_share
from manyheads.data.columns import Examples, Form
from manyheads.data.token_cache import TokenCache
from manyheads.heads import Head

HERE = Path(__file__).parents[1]
FORMAT = 3
"""Part of every key; raised when entries of the token cache are to be read by nobody any more."""
Advance = Callable[[str, int, int], None]
"""Called while tokenising with what is tokenised, how many examples are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Split:
    """Examples of a task, and the head that encodes them.

    :param name: train, reported or selection.
    :param method: The head's name and every setting.
    """

    task: str
    name: str
    table: Table
    head: Head
    method: Mapping[str, object]


class TokenizedSplits:
    """Splits as tokens.

    :param folder: Where tokens are kept between runs and studies; None keeps them in memory.
    :param say: Called with a line for the user, if something is wrong with that folder.
    """

    def __init__(self, folder: Path | None = None, say: Callable[[str], None] = lambda _: None) -> None:
        self.cache = TokenCache(folder, say)
        self.made: list[tuple[int, float]] = []
        """Examples and seconds of each split that was tokenised here."""
        self.found: list[int] = []
        """Examples of each split that came from the cache."""
        self.examples: dict[tuple[str, str, str], Examples] = {}
        """By task, split and encoder."""

    def get(self, split: Split, encoder: str, tokenizer: Tokenizer, advance: Advance | None = None) -> Examples:
        """A split's examples, computed once for all runs with the same encoder."""
        name = (split.task, split.name, encoder)
        if name not in self.examples:
            # Without a cache there is no need to hash the rows.
            key = _key(split, tokenizer) if self.cache.folder else ""
            found = self.cache.find(key)
            if found is None:
                found = self._made(key, split, tokenizer, advance)
            else:
                self.found.append(len(found))
            self.examples[name] = found
        return self.examples[name]

    def _made(self, key: str, split: Split, tokenizer: Tokenizer, advance: Advance | None) -> Examples:
        began, what = time.perf_counter(), f"{split.task} ({split.name})"

        def blocks() -> Iterator[tuple[pa.RecordBatch, Form | None]]:
            done = 0
            for batch, form in encoded_blocks(split.head, split.table, tokenizer):
                yield batch, form
                done += len(batch)
                if advance is not None:
                    advance(what, done, len(split.table.rows))

        about = {"task": split.task, "split": split.name, "head": split.method["name"]}
        made = self.cache.make(key, about, blocks)
        self.made.append((len(made), time.perf_counter() - began))
        return made

    def told(self) -> str:
        """What was tokenised and what came from the cache, in a line."""
        new, seconds = sum(count for count, _ in self.made), sum(each for _, each in self.made)
        parts = [f"{new:,} examples tokenised in {seconds:.1f} s"] if self.made else []
        parts += [f"{sum(self.found):,} examples from the cache {self.cache.folder}"] if self.found else []
        return f"tokens: {', '.join(parts) or 'nothing to do'}"


def encoding_counts(head: Head, examples: Examples, tokenizer: Tokenizer) -> dict[str, JsonValue]:
    """How many word pieces were cut off, of how many examples, how many are left, what share of those is the unknown
    one, and what the head counts."""
    return {
        "truncated": truncated(examples),
        "examples_cut": examples_cut(examples),
        "pieces": pieces(examples, tokenizer),
        "unknown": unknown_share(examples, tokenizer),
        **head.counts(examples),
    }


def _key(split: Split, tokenizer: Tokenizer) -> str:
    """A hash of everything that the examples depend on."""
    rows = split.table.rows.select_columns(read_columns(split.head, split.table))
    parts = {
        "format": FORMAT,
        "rows": content_hash(Table(rows)),
        "head": split.method,
        "labels": split.head.labels,
        "tokenizer": tokenizer.fingerprint(),
        "source": source_hash(Path(columns.__file__), _file(split.head), _file(tokenizer)),
    }
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _file(thing: object) -> Path:
    return Path(sys.modules[type(thing).__module__].__file__ or "")


@cache
def source_hash(*files: Path) -> str:
    """A hash of source files and of everything of ours that they import, so that changed code reads nothing stale.

    A file from outside counts with all files beside it, which it may import too.
    """
    todo = [file for path in files for file in ([path] if path.is_relative_to(HERE) else path.parent.glob("*.py"))]
    seen: dict[Path, bytes] = {}
    while todo:
        path = todo.pop()
        if path not in seen:
            seen[path] = path.read_bytes()
            todo += _imported(seen[path])
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(seen):
        digest.update(len(seen[path]).to_bytes(8, "little") + seen[path])
    return digest.hexdigest()


def _imported(source: bytes) -> Iterator[Path]:
    """The files of ours that a source imports, as far as there are such files."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] == "manyheads":
                inside = HERE.joinpath(*name.split(".")[1:])
                yield from (file for file in (inside.with_suffix(".py"), inside / "__init__.py") if file.is_file())
