"""What a bag of words is before it is built, and which words it knows; no torch, see `bag_of_words.py`."""

import re
from collections.abc import Iterable, Mapping, Sequence

from manyheads.core.encoder_info import EncoderInfo
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.values import Options, Places

WORD = re.compile(r"\w+(?:['’]\w+)*")
"""Letters, digits and underscores, and apostrophes between them: "don't" is one word."""
ANY_LENGTH = 2**31 - 1
"""A bag has no longest text."""


def info(places: Places, settings: Options) -> EncoderInfo:
    """What is known of a bag of words before it is built.

    :raises StudyError: If there cannot be such a network.
    """
    if problems := setting_problems(settings):
        raise StudyError(problems)
    width = settings["width"]
    return EncoderInfo(width, ANY_LENGTH, lambda lengths: flops(width, lengths), _Counter())


def learn(texts: Mapping[str, Iterable[str]], settings: Options) -> list[str]:
    """The vocabulary, as `Encoder.learn`."""
    return shared_words(texts)


def parameters(learned: Sequence[str], settings: Options) -> int:
    """How many numbers are trained: a row for each word, and the bias."""
    return (len(learned) + 1) * settings["width"]


def setting_problems(settings: Options) -> list[Problem]:
    """What in the settings makes no sense."""
    if settings["width"] >= 1:
        return []
    what, remedy = "the hidden layer needs at least one unit", "For example width = 64."
    return [Problem("encoder.width", what, shown(settings["width"]), remedy)]


def flops(width: int, lengths: Sequence[int]) -> float:
    """Two for each weight that a word of a text brings: here the embeddings are the layer."""
    return 2.0 * width * sum(lengths)


def words_of(texts: Iterable[str]) -> set[str]:
    """The distinct words of some texts, in small letters."""
    found: set[str] = set()
    for text in texts:
        found.update(WORD.findall(text))
    return {word.lower() for word in found}


def shared_words(texts: Mapping[str, Iterable[str]]) -> list[str]:
    """The words that occur in the texts of every task, sorted.

    :raises StudyError: If there is none.
    """
    known = {task: words_of(each) for task, each in texts.items()}
    shared = set[str].intersection(*known.values())
    if not shared:
        found = ", ".join(f"{task} {len(words):,} words" for task, words in known.items())
        what = "no word occurs in the training split of every task"
        raise StudyError([Problem("encoder", what, found, "Leave out the task whose texts are of another kind.")])
    return sorted(shared)


class _Counter:
    """A `encoder_info.PieceCounter` before the words are known: every distinct word of a text counts."""

    def pieces(self, texts: Sequence[str]) -> list[int]:
        return [len(words_of([text])) for text in texts]

    def unknown(self, texts: Sequence[str]) -> int:
        return 0

    def special(self, pair: bool) -> int:
        return 0
