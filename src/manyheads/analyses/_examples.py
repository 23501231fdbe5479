"""Examples as a person reads them: what was asked, what is right, what was answered; and the groups they fall into."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manyheads.analyses import Value
from manyheads.core.values import HighlightedText

QUESTION_WORDS = (
    "how many", "how much", "how long", "how often", "how old", "how", "what", "which", "whose", "whom", "who", "when",
    "where", "why",
)  # fmt: skip
NONE = "(no answer)"
FEWEST = 5
"""Question words with fewer examples are put together."""
SHOWN = 2
"""So many different answers of one arm's seeds are told."""


def asked(row: Mapping[str, Any]) -> dict[str, Value]:
    """What an example asks: heading -> text. In a context the first right answer is marked."""
    if "context" in row:
        answers = row.get("answers") or {"text": [], "answer_start": []}
        text, start = (answers["text"] or [""])[0], (answers["answer_start"] or [0])[0]
        end = start + len(text)
        inside = 0 <= start <= end <= len(row["context"])
        marked = HighlightedText(row["context"], start, end) if inside else HighlightedText(row["context"], 0, 0)
        return {"Question": row["question"], "Context": marked}
    if "choices" in row:
        return {"Text": row["text"], "Choices": " / ".join(row["choices"])}
    if "words" in row:
        return {"Text": " ".join(row["words"])}
    return {"Text": row["text"]} | ({"Second text": row["text_pair"]} if "text_pair" in row else {})


def said(line: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """A head's answer in words."""
    if "answer" in line:
        return line["answer"] or NONE
    if "choice" in line:
        return row["choices"][line["choice"]]
    if "value" in line:
        return f"{line['value']:.3g}"
    return " ".join(line["tags"]) if "tags" in line else str(line["label"])


def right(line: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The gold answer in words; every wording of it, if there are several."""
    gold = line["gold"]
    if isinstance(gold, Mapping):
        return " | ".join(dict.fromkeys(gold["text"])) or NONE
    if "choices" in row:
        return row["choices"][int(gold)]
    return " ".join(map(str, gold)) if isinstance(gold, list) else str(gold)


def together(answers: Sequence[str]) -> str:
    """The answers of several seeds: the most frequent first, with how often."""
    counts = Counter(answers).most_common()
    if len(counts) == 1:
        return counts[0][0]
    told = [f"{answer}\N{NO-BREAK SPACE}×{count}" for answer, count in counts[:SHOWN]]
    return " / ".join(told) + (" / …" if len(counts) > SHOWN else "")


# ---- groups ----------------------------------------------------------------------------------------------------------


def grouped(rows: Any) -> dict[str, list[str]]:
    """What examples are grouped by -> the name of each example's group; at least two different ones.

    :param rows: The reported split: a `datasets.Dataset`.
    """
    names = set(rows.column_names)
    groups = {"Length": _lengths(_words(rows, names))}
    if "question" in names:
        groups["Question word"] = _merged([question_word(question) for question in rows["question"][:]])
    if "answers" in names:
        answered = ["has an answer" if answer["text"] else "has no answer" for answer in rows["answers"][:]]
        groups["Answerable"] = answered
    if "label" in names and "choices" not in names:
        labels = rows["label"][:]
        groups["Gold label"] = [str(label) for label in labels] if isinstance(labels[0], str) else [""]
    return {by: found for by, found in groups.items() if len(set(found)) > 1}


def ordered(by: str, names: Sequence[str]) -> list[str]:
    """The different groups: lengths by size, all others the most frequent first."""
    if by == "Length":
        return sorted(set(names), key=lambda name: int(name.split()[0]))
    return [name for name, _ in Counter(names).most_common()]


def question_word(question: str) -> str:
    """What a question asks for: its first question word."""
    words = f" {' '.join(''.join(c if c.isalnum() else ' ' for c in question.lower()).split())} "
    places = [(words.find(f" {word} "), -len(word), word) for word in QUESTION_WORDS if f" {word} " in words]
    return min(places)[2] if places else "other"


def _merged(found: Sequence[str]) -> list[str]:
    counts = Counter(found)
    return [word if counts[word] >= FEWEST else "other" for word in found]


def _words(rows: Any, names: set[str]) -> np.ndarray:
    """[n] how many words each example has in all its texts."""
    total = np.zeros(len(rows), np.int64)
    for name in ("text", "text_pair", "question", "context", "choices", "words"):
        if name in names:
            texts = rows[name][:]
            total += [sum(len(part.split()) for part in ([one] if isinstance(one, str) else one)) for one in texts]
    return total


def _lengths(words: np.ndarray) -> list[str]:
    """Four groups of about as many examples, named by how many words they have."""
    edges = sorted({int(edge) for edge in np.quantile(words, (0.25, 0.5, 0.75))} - {int(words.max())})
    places = np.searchsorted(edges, words)
    ends = [*edges, int(words.max())]
    starts = [int(words.min()), *(edge + 1 for edge in edges)]
    return [f"{starts[at]} to {ends[at]} words" for at in places]
