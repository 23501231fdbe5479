"""What is known of an encoder before it is built. Imports no torch: `manyheads check` runs without it."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from manyheads.core.problems import Problem


class PieceCounter(Protocol):
    """Counts word pieces as the encoder's tokenizer cuts them; `values.Tokenizer` without the pieces themselves."""

    def pieces(self, texts: Sequence[str]) -> list[int]:
        """How many word pieces each text has, special tokens not included."""
        ...

    def unknown(self, texts: Sequence[str]) -> int:
        """How many of all their word pieces stand for something that the tokenizer does not know."""
        ...

    def special(self, pair: bool) -> int:
        """How many special tokens go around one text, or around and between two."""
        ...


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """An encoder in figures.

    :param width: D, the width of its states; 0 if it cannot be told beforehand.
    :param max_length: The longest sequence it takes, special tokens included.
    :param flops: The floating-point operations of one forward pass over sequences of given lengths, as
        `encoders.Encoder.flops`; None if they cannot be told beforehand.
    :param counter: None if its tokenizer cannot be opened without the encoder's own library.
    :param whole: As `encoders.Encoder.whole`: why its layers cannot be called one by one; "" if they can.
    """

    width: int
    max_length: int
    flops: Callable[[Sequence[int]], float] | None
    counter: PieceCounter | None
    whole: str = ""


def too_long(lengths: Mapping[str, int], most: int) -> list[Problem]:
    """A problem for each task whose head's `max_length` is more than the encoder takes."""
    return [
        Problem(
            f"tasks.{task}.head.max_length", "longer than the encoder takes", str(length), f"Choose {most} or less."
        )
        for task, length in lengths.items()
        if length > most
    ]


def memory() -> int:
    """The bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def too_large(parameters: int, most: int) -> Problem | None:
    """What is wrong with a model of so many parameters on a machine with `most` bytes of memory: each takes four times
    four bytes while it is trained, with its gradient and two moments."""
    if (needed := 16 * parameters) <= most:
        return None
    found = f"{parameters:,} parameters, which take {needed / 1e9:,.1f} GB of {most / 1e9:,.1f}"
    return Problem("encoder", "more than this machine has memory for", found, "Choose a smaller width, or fewer words.")


def unread(share: float, where: str) -> list[Problem]:
    """A warning where more than half of the word pieces of a text are the unknown one."""
    if share <= 0.5:
        return []
    what = f"the encoder has no pieces for {share:.0%} of the text, and takes it all for the same"
    remedy = "Is it a model for this language and script? Words of more than 100 characters may be unknown too."
    return [Problem(where, what, "", remedy)]


def cut_off(setting: str, length: int, cuts: Iterable[tuple[int, int]], where: str, *, overflow: str) -> list[Problem]:
    """A warning where more than a twentieth of the word pieces of a split, or of its examples, is cut.

    :param setting: The head's setting that cuts, and its value.
    :param cuts: For each example (all, or a sample of them) how many pieces it has, and how many of them are cut off.
    :param overflow: What the head does with longer texts; "" if it has no choice.
    """
    found = list(cuts)
    pieces = (sum(cut for _, cut in found), sum(count for count, _ in found))
    examples = (sum(cut > 0 for _, cut in found), len(found))
    return cut_shares(setting, length, pieces, examples, where, overflow=overflow, sampled="sampled ")


def cut_shares(
    setting: str,
    length: int,
    pieces: tuple[int, int],
    examples: tuple[int, int],
    where: str,
    *,
    overflow: str,
    sampled: str = "",
) -> list[Problem]:
    """As `cut_off`, of counts: how many pieces are cut off of how many, and of how many of all examples."""
    share, of_examples = pieces[0] / max(1, pieces[1]), examples[0] / max(1, examples[1])
    if max(share, of_examples) <= 0.05:
        return []
    shown = f"{share:.0%}".replace("%", " %") if share >= 0.005 else "less than 1 %"
    some = f"{examples[0]:,} of {examples[1]:,} {sampled}examples"
    what = f"{setting} = {length} cuts {shown} of the word pieces ({some})"
    all_read = 'overflow = "windows", which reads all of it'
    others = {"truncate": f'{all_read}, or "head_tail"', "head_tail": all_read}
    choice = f", or {others[overflow]}" if overflow in others else ""
    return [Problem(where, what, "", f"Set a longer {setting} of the head{choice}.")]


def one_state(encoder: str, wanting: Iterable[str]) -> list[Problem]:
    """A problem for each of those that look at single tokens, with an encoder that has one state for a whole text.

    :param wanting: Where each of them stands in the study.
    """
    what, found = "it looks at single tokens, and the encoder has one state for a whole text", f'"{encoder}"'
    return [Problem(where, what, found, "Choose another encoder, or leave this out.") for where in wanting]


def not_by_layer(whole: str, sharing: str) -> list[Problem]:
    """A problem for sharing that calls the layers of an encoder that is computed as a whole.

    :param whole: `EncoderInfo.whole`.
    """
    return [Problem("sharing", "it calls an encoder's layers one by one", f'"{sharing}"', whole)] if whole else []
