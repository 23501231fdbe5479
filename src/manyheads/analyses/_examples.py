"""Examples and answers as a table shows them; how they read, their head knows. And the groups they fall into."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from manyheads.core.values import Answer, Example
from manyheads.heads import Head

SHOWN = 2
"""So many different answers of one arm's seeds are told."""
_BESIDE = ("id", "gold", "cluster", "items")
"""What a line of predictions holds beside the head's answer."""


def answer_of(line: Example) -> Answer:
    """What the head answered, of a line of predictions."""
    return {key: value for key, value in line.items() if key not in _BESIDE}


def together(answers: Sequence[str]) -> str:
    """The answers of several seeds: the most frequent first, with how often."""
    counts = Counter(answers).most_common()
    if len(counts) == 1:
        return counts[0][0]
    told = [f"{answer}\N{NO-BREAK SPACE}×{count}" for answer, count in counts[:SHOWN]]
    return " / ".join(told) + (" / …" if len(counts) > SHOWN else "")


# ---- groups ----------------------------------------------------------------------------------------------------------


def grouped(rows: Any, head: Head) -> dict[str, list[str]]:
    """What examples are grouped by -> the name of each example's group; at least two different ones.

    :param rows: The reported split: a `datasets.Dataset`.
    """
    names = [name for name in (*head.columns, *head.optional) if name in rows.column_names]
    examples = rows.select_columns(names).to_list()
    words = [sum(_words(example.get(name)) for name in head.asked) for example in examples]
    groups = {"Length": _lengths(np.array(words)), **head.groups(examples)}
    return {by: found for by, found in groups.items() if len(set(found)) > 1}


def ordered(by: str, names: Sequence[str]) -> list[str]:
    """The different groups: lengths by size, all others the most frequent first."""
    if by == "Length":
        return sorted(set(names), key=lambda name: int(name.split()[0]))
    return [name for name, _ in Counter(names).most_common()]


def _words(value: Any) -> int:
    """How many words a text has, or texts in a list."""
    return sum(len(part.split()) for part in (value if isinstance(value, list) else [value]) if isinstance(part, str))


def _lengths(words: np.ndarray) -> list[str]:
    """Four groups of about as many examples, named by how many words they have."""
    edges = sorted({int(edge) for edge in np.quantile(words, (0.25, 0.5, 0.75))} - {int(words.max())})
    places = np.searchsorted(edges, words)
    ends = [*edges, int(words.max())]
    starts = [int(words.min()), *(edge + 1 for edge in edges)]
    return [f"{starts[at]} to {ends[at]} words" for at in places]
