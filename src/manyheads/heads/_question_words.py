"""What questions ask for, by their first question word."""

from collections import Counter
from collections.abc import Sequence

QUESTION_WORDS = (
    "how many",
    "how much",
    "how long",
    "how often",
    "how old",
    "how",
    "what",
    "which",
    "whose",
    "whom",
    "who",
    "when",
    "where",
    "why",
)
FEWEST = 5
"""Question words with fewer questions are put together."""


def question_words(questions: Sequence[str]) -> list[str]:
    """The question word of each; "other" if there is none, or if few others have it."""
    found = [question_word(question) for question in questions]
    counts = Counter(found)
    return [word if counts[word] >= FEWEST else "other" for word in found]


def question_word(question: str) -> str:
    """What a question asks for: its first question word."""
    words = f" {' '.join(''.join(c if c.isalnum() else ' ' for c in question.lower()).split())} "
    places = [(words.find(f" {word} "), -len(word), word) for word in QUESTION_WORDS if f" {word} " in words]
    return min(places)[2] if places else "other"
