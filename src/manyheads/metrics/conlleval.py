"""Chunks in a row of tags, by the rules of conlleval, the script of the CoNLL shared tasks since 2000.

Tjong Kim Sang and Buchholz, "Introduction to the CoNLL-2000 Shared Task: Chunking", 2000,
https://aclanthology.org/W00-0726. The rules, written anew from what the script does. They read IOB1, IOB2 and BIOES
alike, so a score needs no scheme: a chunk begins where its tag says so (B, S), or where none of its type goes before.
After E and S a chunk is over, as in the script's later versions.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

OUTSIDE = "O"
SCHEMES = ("iob1", "iob2", "bioes")
_TAG = re.compile(r"O|[BIES](-\S+)?")
_LIKE = re.compile(
    r"\s*(?:(o)|([bieslumw])(?:\s*(?:__|--|[-_ :/])\s*(.+?))?|(.+?)\s*(?:__|--|[-_ :/])\s*([bieslumw]))\s*",
    re.IGNORECASE | re.DOTALL,
)
OTHER_SCHEMES = {"bilou": {"L": "E", "U": "S"}, "bmes": {"M": "I", "W": "S"}}
"""Schemes that are BIOES with other letters: those letters, and what they are in BIOES. `bmes` is BMEWO too."""

Chunk = tuple[str, int, int]
"""Type, first word, one past the last word."""


def parted(tag: str) -> tuple[str, str]:
    """A tag's prefix and type: `B-NP` is ("B", "NP"); without a hyphen the type is empty."""
    prefix, _, kind = tag.partition("-")
    return prefix, kind


def are_chunk_tags(tags: Iterable[str]) -> bool:
    """Whether all tags are O, B, I, E, S or begin with B-, I-, E-, S-, and one of them is not O."""
    tags = list(tags)
    return all(_TAG.fullmatch(tag) for tag in tags) and any(tag != OUTSIDE for tag in tags)


def meant(tag: str) -> str | None:
    """The chunk tag that a tag may stand for: `B-PER` for `b-per`, `B__PER`, `PER-B` or ` B-PER`, `S-PER` for `U-PER`;
    None if there is none."""
    if _TAG.fullmatch(tag):
        return tag
    match = _LIKE.fullmatch(tag)
    if match is None:
        return None
    outside, prefix, kind, before, suffix = match.groups()
    if outside:
        return OUTSIDE
    prefix, kind = (prefix or suffix), kind or before or ""
    kind = kind.upper() if prefix.islower() else kind
    letter = prefix.upper()
    letter = next((letters[letter] for letters in OTHER_SCHEMES.values() if letter in letters), letter)
    return f"{letter}-{kind}" if kind else letter


def other_scheme(tags: Iterable[str]) -> str:
    """The scheme of `OTHER_SCHEMES` that tags are in; "" if they are in none, or are chunk tags as they stand."""
    found = set(tags) - {OUTSIDE}
    for scheme, letters in OTHER_SCHEMES.items():
        own = {"bilou": "BILU", "bmes": "BMESW"}[scheme]
        fits = all(re.fullmatch(rf"[{own}](-\S+)?", tag) for tag in found)
        typed = any("-" in tag for tag in found)
        if fits and any(tag[0] in letters for tag in found) and (typed or len(found) > 2):
            return scheme
    return ""


def in_bioes(tag: str, scheme: str) -> str:
    """A tag of one of `OTHER_SCHEMES` as BIOES has it; any other tag as it is."""
    prefix, hyphen, kind = tag.partition("-")
    return f"{OTHER_SCHEMES[scheme].get(prefix, prefix)}{hyphen}{kind}"


def misspelt(tags: Iterable[str]) -> dict[str, str]:
    """Tags that look like chunk tags written otherwise, with what they probably mean; empty unless all tags do.

    `b-per` and `o` are such tags, and so is `B_PER` beside `O`; `NN` beside `B-NP` is not, and then nothing is.
    """
    guesses = {tag: meant(tag) for tag in dict.fromkeys(tags)}
    firsts = "BIES" if OUTSIDE in guesses else "BI"
    if None in guesses.values() or not any(guess and guess[0] in firsts and "-" in guess for guess in guesses.values()):
        return {}
    return {tag: guess for tag, guess in guesses.items() if guess is not None and guess != tag}


def chunks(tags: Sequence[str]) -> Iterator[Chunk]:
    """The chunks of one sentence, in order."""
    start, before = 0, (OUTSIDE, "")
    for index, tag in enumerate([*tags, OUTSIDE]):
        now = parted(tag)
        if before[0] != OUTSIDE and _ends(before, now):
            yield before[1], start, index
        if now[0] != OUTSIDE and _begins(before, now):
            start = index
        before = now


def _ends(before: tuple[str, str], now: tuple[str, str]) -> bool:
    return before[0] in ("E", "S") or now[0] in ("B", "S", OUTSIDE) or before[1] != now[1]


def _begins(before: tuple[str, str], now: tuple[str, str]) -> bool:
    return now[0] in ("B", "S") or before[0] in ("E", "S", OUTSIDE) or before[1] != now[1]


def counts(gold: Sequence[str], predicted: Sequence[str]) -> tuple[int, int, int]:
    """How many chunks of a sentence are correct (type and both ends), predicted, and gold."""
    true, found = set(chunks(gold)), set(chunks(predicted))
    return len(true & found), len(found), len(true)


def evaluate(golds: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> dict[str, float]:
    """What conlleval prints, in percent: accuracy, precision, recall, FB1, FB1 of each type; 0 for nothing of nothing.

    :param golds: The tags of each sentence; predictions have as many for each.
    """
    kinds: dict[str, Counter[str]] = {name: Counter() for name in ("correct", "found", "gold")}
    words = right = 0
    for gold, predicted in zip(golds, predictions, strict=True):
        true, found = set(chunks(gold)), set(chunks(predicted))
        for name, part in (("correct", true & found), ("found", found), ("gold", true)):
            kinds[name].update(kind for kind, _, _ in part)
        words += len(gold)
        right += sum(one == other for one, other in zip(gold, predicted, strict=True))
    correct, found, gold = (kinds[name].total() for name in ("correct", "found", "gold"))
    figures = {
        "accuracy": _percent(right, words),
        "precision": _percent(correct, found),
        "recall": _percent(correct, gold),
        "FB1": _percent(2 * correct, found + gold),
    }
    for kind in sorted(kinds["found"] | kinds["gold"]):
        one = {name: counted[kind] for name, counted in kinds.items()}
        figures[f"FB1 {kind}".rstrip()] = _percent(2 * one["correct"], one["found"] + one["gold"])
    return figures


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0


# ---- Schemes ----


def odd(tags: Sequence[str], scheme: str) -> Iterator[int]:
    """The places in a sentence where its tags break a scheme; each is read by conlleval's rules all the same.

    - iob2: a chunk begins with I;
    - iob1: B where nothing of its type goes before;
    - bioes: I or E where nothing of its type is open, and B or I that does not go on.
    """
    parts = [parted(tag) for tag in (OUTSIDE, *tags, OUTSIDE)]
    for index, (before, now, after) in enumerate(zip(parts, parts[1:], parts[2:], strict=False)):
        open_before = before[0] in "BI" and before[1] == now[1]
        goes_on = after[0] in "IE" and after[1] == now[1]
        if scheme == "iob2":
            broken = now[0] == "I" and not open_before
        elif scheme == "iob1":
            broken = now[0] == "B" and not open_before
        else:
            broken = (now[0] in "IE" and not open_before) or (now[0] in "BI" and not goes_on)
        if broken:
            yield index


def scheme_of(sentences: Sequence[Sequence[str]]) -> str:
    """The scheme that the tags break least: bioes if E or S occur, else iob2 or iob1."""
    if any(tag[:1] in ("E", "S") for tags in sentences for tag in tags):
        return "bioes"
    broken = {scheme: sum(1 for tags in sentences for _ in odd(tags, scheme)) for scheme in ("iob1", "iob2")}
    return "iob1" if broken["iob1"] < broken["iob2"] else "iob2"


def whole_set(tags: Iterable[str], scheme: str) -> tuple[str, ...]:
    """Chunk tags in a fixed order, with those that a scheme allows for the same types: O, then type by type."""
    prefixes = "BIES" if scheme == "bioes" else "BI"
    kinds = sorted({parted(tag)[1] for tag in tags if tag != OUTSIDE})
    return (OUTSIDE, *(f"{prefix}-{kind}" if kind else prefix for kind in kinds for prefix in prefixes))
