"""What the runs of a study have in common: its data, and each task's examples as tokens, made once for all of them."""

import ast
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from manyheads import registry
from manyheads.core.content_hash import content_hash
from manyheads.core.problems import Problem, StudyError
from manyheads.core.values import Places, Table, Tokenizer
from manyheads.data import columns
from manyheads.data.batches import encoded_blocks, read_columns, truncated, unknown_share
from manyheads.data.columns import Examples
from manyheads.data.token_cache import TokenCache
from manyheads.heads import Head
from manyheads.study.spec import Choice, Study
from manyheads.study.steps import Layout, Run, layout
from manyheads.study.tasks import BLOCK, TaskData, examples
from manyheads.training.model import MultiTaskModel

HERE = Path(__file__).parents[1]
FORMAT = 2
"""Part of every key; raised when entries of the token cache are to be read by nobody any more."""
Advance = Callable[[str, int, int], None]
"""Called while tokenising with what is tokenised, how many examples are done, and how many there are."""


def _silent(what: str, done: int, number: int) -> None:
    """Nobody is told."""


class Workshop:
    """What the runs of a study have in common.

    :param tasks: The data, as `study.tasks.read_tasks` gives it.
    :param folder: Where tokens are kept between runs and studies; None keeps them in memory.
    :param say: Called with a line for the user, if something is wrong with that folder.
    """

    def __init__(
        self, study: Study, tasks: Mapping[str, TaskData], data: Path | None, code: Path | None, *,
        folder: Path | None = None, say: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.study = study
        self.tasks = tasks
        self.places: Places = study.places(data)
        self.code = code
        self.cache = TokenCache(folder, say)
        self.made: list[tuple[int, float]] = []
        """Examples and seconds of each split that was tokenised here."""
        self.found: list[int] = []
        """Examples of each split that came from the cache."""
        self._encoded: dict[tuple[str, str, str], Examples] = {}
        self._lost: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._tokenizers: dict[str, Tokenizer] = {}
        self._learned: dict[str, Any] = {}

    def learned(self, encoder: Choice) -> Any:
        """What an encoder takes from the training texts before it is built (`Encoder.learn`), looked for once; None for
        one that takes nothing. The texts are those of all the study's tasks, so it is the same in all arms."""
        if not registry.constant("encoders", encoder.name, "learns", self.code):
            return None
        if _named(encoder) not in self._learned:
            encoder_class: Any = registry.load("encoders", encoder.name, self.code)
            settings = registry.describe("encoders", encoder.name, self.code).resolved(encoder.settings)
            texts = {name: _texts(self._head(name), task.train) for name, task in self.tasks.items()}
            self._learned[_named(encoder)] = encoder_class.learn(texts, settings)
        return self._learned[_named(encoder)]

    def described(self, encoder: Choice) -> dict[str, Any]:
        """An encoder with every setting, and a hash of what it learned before it was built."""
        about, learned = resolved_method("encoders", encoder, self.code), self.learned(encoder)
        if learned is None:
            return about
        content = json.dumps(learned, sort_keys=True).encode("utf-8", "surrogatepass")
        return about | {"learned": hashlib.blake2b(content, digest_size=16).hexdigest()}

    def examples(self, model: MultiTaskModel, encoder: Choice, task: str, split: str, table: Table) -> Examples:
        """A split's examples as tokens, computed once for all runs with the same encoder."""
        key = (task, split, _named(encoder))
        if key not in self._encoded:
            self._encoded[key] = self._opened(model.head(task), model.tokenizer, task, split, table, _silent)
        return self._encoded[key]

    def lost(self, model: MultiTaskModel, encoder: Choice, task: str, split: str, table: Table) -> dict[str, Any]:
        """What encoding cut off, and what share of the pieces is the unknown one."""
        key, given = (task, split, _named(encoder)), self.examples(model, encoder, task, split, table)
        if key not in self._lost:
            share = unknown_share(given, model.tokenizer)
            self._lost[key] = {"truncated": truncated(given), "unknown": share, **model.head(task).counts(given)}
        return self._lost[key]

    def layout(self, run: Run) -> Layout:
        """Every step of a run."""
        return layout(run, self.study, examples(self.tasks), self.code)

    def know(self, encoder: Choice, tokenizer: Tokenizer) -> None:
        """Keep the tokenizer of an encoder that was built anyway, so that `prepare` need not build it again."""
        self._tokenizers.setdefault(_named(encoder), tokenizer)

    def prepare(self, runs: Iterable[Run], advance: Advance = _silent) -> None:
        """Tokenise every split that these runs need and that is not there yet.

        :raises StudyError: With what a head or a tokenizer refuses, of all splits. Where a method fails otherwise, its
            run will, and the others go on.
        """
        wanted = {
            (task, split, _named(run.arm.encoder)): (run.arm.encoder, table)
            for run in runs
            for task in run.tasks
            for split, table in self._splits(run, task).items()
        }
        problems: list[Problem] = []
        for key, (encoder, table) in wanted.items():
            if key in self._encoded:
                continue
            task, split, _ = key
            try:
                head, tokenizer = self._head(task), self._tokenizer(encoder)
                self._encoded[key] = self._opened(head, tokenizer, task, split, table, advance)
            except StudyError as error:
                problems += [replace(one, where=f"tasks.{task} ({split}): {one.where}") for one in error.problems]
            except Exception:
                continue
        if problems:
            raise StudyError(list(dict.fromkeys(problems)))

    def prepared(self) -> str:
        """What was tokenised and what came from the cache, in a line."""
        new, seconds = sum(count for count, _ in self.made), sum(each for _, each in self.made)
        parts = [f"{new:,} examples tokenised in {seconds:.1f} s"] if self.made else []
        parts += [f"{sum(self.found):,} examples from the cache {self.cache.folder}"] if self.found else []
        return f"tokens: {', '.join(parts) or 'nothing to do'}"

    def _splits(self, run: Run, task: str) -> dict[str, Table]:
        given = self.tasks[task]
        found = {"train": given.train, "reported": given.reported}
        if not run.arm.alone:
            found["selection"] = given.selection
        return {split: table for split, table in found.items() if table is not None}

    def _tokenizer(self, encoder: Choice) -> Tokenizer:
        if _named(encoder) not in self._tokenizers:
            encoder_class: Any = registry.load("encoders", encoder.name, self.code)
            learned = self.learned(encoder)
            given = () if learned is None else (None, learned)
            self._tokenizers[_named(encoder)] = encoder_class(self.places, *given, **encoder.settings).tokenizer
        return self._tokenizers[_named(encoder)]

    def _head(self, task: str) -> Head:
        given = self.tasks[task]
        head_class: Any = registry.load("heads", given.task.head.name, self.code)
        return head_class(8, given.train.labels, **given.task.head.settings)

    def _opened(
        self, head: Head, tokenizer: Tokenizer, task: str, split: str, table: Table, advance: Advance
    ) -> Examples:
        # Without a cache there is no need to hash the rows.
        key = self._key(head, tokenizer, task, table) if self.cache.folder else ""
        found = self.cache.find(key)
        if found is not None:
            self.found.append(len(found))
            return found
        began, what = time.perf_counter(), f"{task} ({split})"

        def blocks() -> Iterator[Any]:
            done = 0
            for batch, form in encoded_blocks(head, table, tokenizer):
                yield batch, form
                done += len(batch)
                advance(what, done, len(table.rows))

        about = {"task": task, "split": split, "head": self.tasks[task].task.head.name}
        made = self.cache.make(key, about, blocks)
        self.made.append((len(made), time.perf_counter() - began))
        return made

    def _key(self, head: Head, tokenizer: Tokenizer, task: str, table: Table) -> str:
        """A hash of everything that the examples depend on."""
        rows = table.rows.select_columns(read_columns(head, table))
        parts = {
            "format": FORMAT,
            "rows": content_hash(Table(rows)),
            "head": resolved_method("heads", self.tasks[task].task.head, self.code),
            "labels": head.labels,
            "tokenizer": tokenizer.fingerprint(),
            "source": source_hash(Path(columns.__file__), _file(head), _file(tokenizer)),
        }
        return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _texts(head: Head, table: Table) -> Iterator[str]:
    """Every text of a split that its head reads, row by row, a block of rows in memory at a time."""
    names = [name for name in read_columns(head, table) if name in head.asked]
    rows = table.rows.select_columns(names)
    for at in range(0, len(rows), BLOCK):
        for column in rows[at : at + BLOCK].values():
            for value in column:
                yield from [value] if isinstance(value, str) else value


def _named(encoder: Choice) -> str:
    return json.dumps([encoder.name, dict(encoder.settings)], sort_keys=True)


def resolved_method(family: str, choice: Choice, code: Path | None) -> dict[str, Any]:
    """A method with every setting, those of a default too; of a method from outside, also what its file holds."""
    entry = registry.describe(family, choice.name, code)
    foreign = {"source": hashlib.sha256(entry.path.read_bytes()).hexdigest()[:16]} if entry.foreign else {}
    return {"name": choice.name, "settings": entry.resolved(choice.settings), **foreign}


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
