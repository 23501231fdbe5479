"""Tags of words: are they chunks, in which scheme, which are misspelt, and which does train not have."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from manyheads.core.problems import Problem, close, shown
from manyheads.datasets._checks import Problems
from manyheads.metrics import conlleval

PLAIN = "plain"
NAMES = {"bilou": "BILOU (also called BILUO)", "bmes": "BMES (BMEWO)"}
Place = Callable[[int, int], str]
"""Where a word stands: the row of its sentence, and its place in it, both from 0."""


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a split.

    :param labels: All tags in a fixed order.
    :param scheme: iob1, iob2, bioes or plain.
    :param warnings: What is odd, and for chunks how they are read.
    """

    labels: tuple[str, ...]
    scheme: str
    warnings: tuple[Problem, ...]


def train_tags(
    given: Sequence[Sequence[str]],
    where: str,
    place: Place,
    problems: Problems,
    *,
    scheme: str,
    declared: Sequence[str],
) -> Tags:
    """What the tags of train are.

    :param scheme: iob1, iob2, bioes, plain, or "" to find out.
    :param declared: The tags in the order that the study declares, if it does.
    """
    firsts = _firsts(given)
    settled = scheme or _detected(given, firsts, place, problems)
    if scheme and scheme != PLAIN:
        _check_chunk_tags(firsts, scheme, place, problems)
    problems.stop()
    labels = tuple(declared) or (
        conlleval.whole_set(firsts, settled) if settled != PLAIN else tuple(sorted(firsts, key=str))
    )
    warnings = [*_twins(given, where), *_scheme_warnings(given, where, place, settled, bool(scheme))]
    if declared:
        warnings += check_known(given, where, place, labels, problems)
        problems.stop()
    return Tags(labels, settled, tuple(warnings))


def other_tags(
    given: Sequence[Sequence[str]], where: str, place: Place, problems: Problems, *, train: Tags, wrong: bool
) -> Tags:
    """What the tags of another split are; those that train cannot have are problems.

    :param wrong: Let them count as wrong, and only tell of them.
    """
    way = 'Name all tags with labels = [...], or let it count as wrong: unseen = "wrong".'
    warnings = check_known(given, where, place, train.labels, problems, wrong=wrong, way=way)
    problems.stop()
    return Tags(train.labels, train.scheme, (*warnings, *_broken(given, where, place, train.scheme)))


def check_known(
    given: Sequence[Sequence[str]],
    where: str,
    place: Place,
    labels: Sequence[str],
    problems: Problems,
    *,
    wrong: bool = False,
    way: str = "Name all tags with labels = [...].",
) -> list[Problem]:
    """Tags that are none of the labels, as problems.

    :param wrong: Let them count as wrong, and only tell of them.
    :param way: What mends it.
    """
    known, amounts = set(labels), Counter(tag for tags in given for tag in tags)
    strange = {tag: at for tag, at in _firsts(given).items() if tag not in known}
    if wrong:
        if not strange:
            return []
        what = f"{sum(amounts[tag] for tag in strange):,} words have one of {len(strange):,} tags that train does not"
        remedy = "They cannot be learned, and count as wrong."
        return [Problem(where, what, shown(sorted(strange)[:5]), remedy)]
    for tag, at in strange.items():
        remedy = f"{_hint(tag, labels)} Known: {', '.join(labels[:20])}. {way}".lstrip()
        what = "the tag does not occur in train, nor another of its type"
        problems.add(place(*at), what, f"{shown(tag)} at {amounts[tag]:,} words", remedy)
    return []


def reads(scheme: str) -> str:
    """What to write for tags in one of `conlleval.OTHER_SCHEMES`."""
    letters = " and ".join(f"{one} as {other}" for one, other in conlleval.OTHER_SCHEMES[scheme].items())
    return f'Set scheme = "{scheme}", which reads them as BIOES: {letters}.'


def converted(given: Sequence[Sequence[str]], scheme: str) -> list[list[str]]:
    """Tags in one of `conlleval.OTHER_SCHEMES` as BIOES has them."""
    known: dict[str, str] = {}
    return [[known.setdefault(tag, conlleval.in_bioes(tag, scheme)) for tag in tags] for tags in given]


def _hint(tag: str, labels: Sequence[str]) -> str:
    meant = conlleval.meant(tag)
    return close(meant or tag, labels) if meant in labels else close(tag, labels)


def _firsts(given: Sequence[Sequence[str]]) -> dict[str, tuple[int, int]]:
    """Each distinct tag and its first place."""
    found: dict[str, tuple[int, int]] = {}
    for row, tags in enumerate(given):
        for index, tag in enumerate(tags):
            if tag not in found:
                found[tag] = (row, index)
    return found


def _detected(
    given: Sequence[Sequence[str]], firsts: dict[str, tuple[int, int]], place: Place, problems: Problems
) -> str:
    """The scheme of tags of which none was declared; tags that are nearly chunk tags are problems."""
    if conlleval.are_chunk_tags(firsts):
        return conlleval.scheme_of(given)
    if other := conlleval.other_scheme(firsts):
        remedy = f'{reads(other)} If the tags are no chunks, set scheme = "plain", and metric = "accuracy" of the head.'
        problems.add(place(0, 0), f"the tags are chunks in {NAMES[other]}", shown(list(firsts)[:8]), remedy)
        return PLAIN
    misspelt = conlleval.misspelt(firsts)
    for tag, guess in misspelt.items():
        remedy = f'Did you mean {shown(guess)}? If these are no chunks, set scheme = "plain".'
        problems.add(place(*firsts[tag]), "the tag is nearly a chunk tag", shown(tag), remedy)
    typed = sum("-" in tag and conlleval.are_chunk_tags([tag]) for tag in firsts)
    if not misspelt and typed and 2 * typed >= len(firsts.keys() - {conlleval.OUTSIDE}):
        _check_chunk_tags(firsts, "bioes", place, problems)
    return PLAIN


def _check_chunk_tags(firsts: dict[str, tuple[int, int]], scheme: str, place: Place, problems: Problems) -> None:
    prefixes = ("B", "I", "E", "S") if scheme == "bioes" else ("B", "I")
    wanted = ", ".join(f"{prefix}-…" for prefix in prefixes)
    remedy = 'If the tags are no chunks, set scheme = "plain" and use accuracy.'
    others = []
    for tag, at in firsts.items():
        fits = conlleval.are_chunk_tags([tag])
        if tag == conlleval.OUTSIDE or (fits and tag[0] in prefixes):
            continue
        guess = conlleval.meant(tag)
        if guess is None:
            others.append(tag)
            continue
        hint = 'Did you mean scheme = "bioes"?' if fits else f"Did you mean {shown(guess)}?"
        problems.add(place(*at), f"the tag is none of O, {wanted}", shown(tag), f"{hint} {remedy}")
    if others:
        what = f"{len(others):,} tags are none of O, {wanted}"
        problems.add(place(*firsts[others[0]]), what, shown(others[:5]), remedy)


# ---- Warnings ----


def _scheme_warnings(
    given: Sequence[Sequence[str]], where: str, place: Place, scheme: str, declared: bool
) -> Iterator[Problem]:
    if scheme == PLAIN:
        return
    how = "declared" if declared else "detected"
    yield Problem(where, f"the tags are chunks in {scheme.upper()} ({how}), scored by the rules of conlleval")
    yield from _broken(given, where, place, scheme)


def _broken(given: Sequence[Sequence[str]], where: str, place: Place, scheme: str) -> Iterator[Problem]:
    if scheme == PLAIN:
        return
    places = [(row, index) for row, tags in enumerate(given) for index in conlleval.odd(tags, scheme)]
    if places:
        row, index = places[0]
        found = f"{shown(given[row][index])} at {place(row, index)}"
        what = f"{len(places):,} tags are not as {scheme.upper()} has them"
        yield Problem(where, what, found, "A chunk begins where its type changes or nothing goes before.")


def _twins(given: Sequence[Sequence[str]], where: str) -> Iterator[Problem]:
    """Tags that differ in case only."""
    folded: dict[str, Counter[str]] = {}
    for tags in given:
        for tag in tags:
            folded.setdefault(tag.strip().casefold(), Counter())[tag] += 1
    for spellings in folded.values():
        if len(spellings) > 1:
            found = ", ".join(f"{shown(tag)} ({count:,} words)" for tag, count in spellings.most_common())
            yield Problem(where, "tags differ in case or spacing only", found, "Write them in one way?")
