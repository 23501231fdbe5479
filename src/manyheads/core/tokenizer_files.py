"""A tokenizer's files before it is used: whether they are there, count pieces, and can be trusted with any text."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from manyheads.core.problems import Problem, StudyError
from manyheads.core.strict_json import read_json
from manyheads.core.values import Options

TOKENIZERS = (
    "tokenizer.json",
    *("vocab.txt", "vocab.json", "sentencepiece.bpe.model", "tokenizer.model", "spm.model", "spiece.model"),
)
"""Files that a tokenizer can be made from; the first is all that is needed."""
HARMLESS = (
    [{"Regex": " {2,}"}, " "],
    [{"Regex": " {2,}"}, "▁"],
    [{"Regex": "\\s{2,}|[\\n\\r\\t]"}, " "],
    [{"String": " "}, "▁"],
    [{"String": "``"}, '"'],
    [{"String": "''"}, '"'],
)
"""Patterns, and what they put in place of what they find, of published tokenizers."""
TRIAL_SECONDS = 10
TRIAL_TEXTS = ("a" * 3000 + "!", "a " * 1500 + "!", " " * 3000 + "a", "aB1" * 1000 + "-", "1" * 3000 + "a", "." * 3000)
TRIAL = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(sys.argv[1])
for text in {TRIAL_TEXTS!r}:
    tokenizer.encode(text)
"""
"""A tokenizer cuts texts on which patterns go back and forth; the memory is limited where the system can."""


def no_tokenizer(source: str, why: str) -> StudyError:
    """The model's tokenizer is missing or damaged."""
    return StudyError([Problem("encoder.model", "its tokenizer cannot be used", source, why)])


def check_tokenizer(source: str) -> None:
    """Refuse a folder that holds no tokenizer: transformers would make one without a single word."""
    folder = Path(source)
    if folder.is_dir() and not any((folder / name).is_file() for name in TOKENIZERS):
        raise no_tokenizer(source, f"It has none of the files {', '.join(TOKENIZERS)}.")


def text_places(special: Sequence[int], source: object) -> tuple[slice, slice]:
    """Where "a" and "b" are in a joined pair of the two, of which `special` marks the special tokens.

    :raises ValueError: If they do not stand between special tokens, as the program relies on.
    """
    before, after = [1, *special], [*special, 1]
    edges = [at for at in range(len(before)) if before[at] != after[at]]
    if len(edges) != 4:
        raise ValueError(f"{source}: the tokenizer puts no special token between two texts.")
    return slice(*edges[:2]), slice(*edges[2:])


class FileCounter:
    """A `encoder_info.PieceCounter` over a tokenizer.json."""

    def __init__(self, path: str, source: str) -> None:
        self.source, self.inner = source, Tokenizer.from_file(path)
        self.inner.no_truncation()
        self.inner.no_padding()
        # A special token that is written in a text is text.
        self.inner.encode_special_tokens = True
        text_places(self.inner.encode("a", "b").special_tokens_mask, source)
        self.highest = max(self.inner.get_vocab().values())
        self._unknown = _unknown(json.loads(Path(path).read_text("utf-8"))["model"])

    def unknown(self, texts: Sequence[str]) -> int:
        return sum(ids.count(self._unknown) for ids in self._ids(texts))

    def pieces(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._ids(texts)]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        with tokenizing(self.source):
            return [one.ids for one in self.inner.encode_batch_fast(list(texts), add_special_tokens=False)]

    def special(self, pair: bool) -> int:
        return self.inner.num_special_tokens_to_add(pair)


def _unknown(model: Options) -> int:
    """The id of the piece for what is not known; -1 if there is none, as in RoBERTa, which knows every byte."""
    if model.get("unk_id") is not None:
        return model["unk_id"]
    return model["vocab"].get(model.get("unk_token"), -1) if isinstance(model["vocab"], dict) else -1


@contextmanager
def tokenizing(source: str) -> Iterator[None]:
    """Whatever the library of tokenizers says to a damaged one, or to a text that its patterns fail on, in a line.

    :raises StudyError: For what it raises, a panic of Rust, which is no Exception, included.
    """
    try:
        yield
    except (StudyError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # the library has no class of its own for its errors
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise no_tokenizer(source, f"{why.rstrip('.')}.") from error


@cache
def try_tokenizer(source: str, path: str) -> None:
    """Try patterns that a stranger wrote on texts that are long and alike, where nothing can be harmed.

    A pattern may take for ever or all memory, and a thread that is in a pattern cannot be stopped: so a process of its
    own tries it, for a limited time, in limited memory. Patterns that many published tokenizers have are not tried.

    :raises StudyError: If it has not cut the texts by then.
    """
    problems: list[Problem] = []
    content = read_json(Path(path), problems)
    if problems or not isinstance(content, dict):
        why = "; ".join(f"{one.what} {one.found}".strip() for one in problems)
        raise no_tokenizer(source, f"{TOKENIZERS[0]}: {why or 'should hold an object'}.")
    if all(pattern in HARMLESS for pattern in _patterns(content)):
        return
    try:
        done = subprocess.run(
            [sys.executable, "-c", TRIAL, path], capture_output=True, timeout=TRIAL_SECONDS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        why = f"Its patterns had not cut {len(TRIAL_TEXTS)} short texts after {TRIAL_SECONDS} seconds."
        raise no_tokenizer(source, why) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise no_tokenizer(source, f"It fails on a text of letters: {said[-1] if said else 'it crashed'}.")


def _patterns(content: Options) -> Iterator[object]:
    """What in a tokenizer.json looks through a text: the patterns, and what other texts put in its place."""
    waiting: list[Any] = [content.get("normalizer"), content.get("pre_tokenizer")]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "pattern" in one:
                yield [one["pattern"], one.get("content", one.get("behavior"))]
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
