"""How one example of each subset of `small_world` is made.

A maker takes a source of chance, the label, and whether the example is to be hard; it gives the rows of one text,
without ids. There are several for a passage, which carries several questions.
"""

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

from manyheads.datasets import _small_world_patterns as patterns
from manyheads.datasets import _small_world_stories as stories
from manyheads.datasets import _small_world_words as words

Row = dict[str, Any]
Maker = Callable[[Random, str, bool], list[Row]]

LABELS: Mapping[str, tuple[str, ...]] = {
    "film_sentiment": ("negative", "positive"),
    "food_sentiment": ("negative", "positive"),
    "inference": ("entailment", "neutral", "contradiction"),
    "choices": ("0", "1", "2", "3"),
    "acceptability": ("unacceptable", "acceptable"),
    "paraphrase": ("not_equivalent", "equivalent"),
}
PEOPLE = tuple(f"{first} {family}" for first in words.WOMEN + words.MEN for family in words.FAMILIES)
PHRASES: Mapping[str, Sequence[str]] = {
    "person": PEOPLE, "woman": words.WOMEN, "man": words.MEN, "town": words.TOWNS, "day": words.DAYS,
    "dish": words.DISHES, "restaurant": words.RESTAURANTS, "film": words.FILMS, "role": words.ROLES,
    "moment": words.MOMENTS, "verb": words.VERBS, "arrived": words.ARRIVED, "devoured": words.DEVOURED,
    "gave": words.GAVE, "described": words.DESCRIBED, "good": words.GOOD, "bad": words.BAD,
    "friend": words.FRIENDS, "very": words.INTENSIFIERS, "part": words.PARTS,
    "price": [f"£{pounds}" for pounds in range(6, 40)], "year": [str(year) for year in range(1950, 2025)],
    "million": [f"£{millions} million" for millions in range(2, 60)],
    "count": [str(count) for count in range(20, 70)], "length": [str(length) for length in range(80, 140)],
}  # fmt: skip
OTHER_THINGS = re.compile(r"\{((?:dish|film|restaurant|town|day)\d*)\}")
OTHERS = re.compile(r"\{((?:dish|film|restaurant|town|day|person)\d*)\}")
SLOT = re.compile(r"\{(([a-z]+)\d*)\}")
QUESTIONS_ON_A_PASSAGE = 4


def _write(rng: Random, template: str, given: Mapping[str, str] | None = None) -> str:
    """The template with every slot replaced by a phrase, as sentences that begin with a capital.

    :param given: Phrases for some slots. Others are drawn, a different one for each number of the same slot.
    """
    values = dict(given or {})

    def phrase(match: re.Match[str]) -> str:
        slot, kind = match[1], match[2]
        while slot not in values:
            drawn = rng.choice(PHRASES[kind])
            if drawn not in values.values():
                values[slot] = drawn
        return SLOT.sub(phrase, values[slot])

    return _capitalised(SLOT.sub(phrase, template))


def _capitalised(text: str) -> str:
    return re.sub(r"(?:^|[.?!|] )[a-z]", lambda match: match[0].upper(), text)


def _sentiment(domain: str, rng: Random, label: str, hard: bool) -> list[Row]:
    """An opinion, often with a sentence before it that says nothing and one after it that sums up."""
    side = 1 if label == "positive" else -1
    pools = (words.GOOD, words.BAD)[::side]
    shared, unshared = rng.choice(pools[0]), rng.choice(pools[1])
    whole, aside = rng.choice(words.WHOLES[domain]), rng.choice(words.ASIDES[domain])
    given = {"shared": shared, "unshared": unshared, "whole": whole, "aside": aside}
    for number, (things, good, bad) in zip(("", "2"), rng.sample(words.ASPECTS[domain], 2), strict=True):
        own = (good, bad)[::side]
        given["thing" + number] = rng.choice(things)
        given["word" + number] = rng.choice(rng.choice((own[0], own[0], own[0], pools[0])))
        given["turned" + number] = rng.choice(rng.choice((own[1], own[1], own[1], pools[1])))
    sentences = [rng.choice(words.TURNED_OPINIONS if hard else words.PLAIN_OPINIONS)]
    if rng.random() < 0.8:
        sentences.insert(0, rng.choice(words.FRAMES[domain]))
    if rng.random() < 0.35:
        sentences.append(rng.choice(words.CLOSINGS[label]))
    return [{"text": _write(rng, " ".join(sentences), given), "label": label}]


def _in_order(rng: Random) -> dict[str, str]:
    """Prices and years that rise, and a deed in two forms that go together."""
    low, middle, high = sorted(rng.sample(range(6, 40), 3))
    early, late = sorted(rng.sample(range(1950, 2025), 2))
    do, did = rng.choice(patterns.DEEDS)
    prices = {"low": f"£{low}", "middle": f"£{middle}", "high": f"£{high}"}
    return {**prices, "early": str(early), "late": str(late), "do": do, "did": did}


def _pair(rng: Random, first: str, second: str, label: str) -> Row:
    text, text_pair = _write(rng, f"{first} | {second}", _in_order(rng)).split(" | ")
    return {"text": text, "text_pair": text_pair, "label": label}


def _inference(rng: Random, label: str, hard: bool) -> list[Row]:
    """Something stated, and something that follows from it, may be true or cannot be.

    Half of what may be true is said of other things, in words that elsewhere follow or cannot be true: so the second
    text alone tells little.
    """
    families = patterns.TRAP_INFERENCES if hard else patterns.PLAIN_INFERENCES
    (premises, *hypotheses), (_, entailed, _, contradicted) = rng.sample(families, 2)
    hypothesis = rng.choice(hypotheses[LABELS["inference"].index(label)])
    elsewhere = rng.choice(rng.choice((entailed, contradicted)))
    if label == "neutral" and rng.random() < 0.6 and "{d" not in elsewhere.replace("{dish", "").replace("{day", ""):
        hypothesis = OTHER_THINGS.sub(r"{\g<1>9}", elsewhere)
    return [_pair(rng, rng.choice(premises), hypothesis, label)]


def _paraphrase(rng: Random, label: str, hard: bool) -> list[Row]:
    """Two ways to say the same; or, where they differ, much the same words (hard) or something else about others."""
    family, unrelated = rng.sample(patterns.SAYINGS, 2)
    sayings, traps = rng.sample(family, 2)
    first, second = rng.sample(sayings, 2)
    if label == "not_equivalent":
        second = rng.choice(traps) if hard else OTHERS.sub(r"{\g<1>9}", rng.choice(rng.choice(unrelated)))
    return [_pair(rng, first, second, label)]


def _acceptability(rng: Random, label: str, hard: bool) -> list[Row]:
    acceptable, unacceptable = rng.choice(patterns.TRAP_JUDGEMENTS if hard else patterns.PLAIN_JUDGEMENTS)
    return [{"text": _write(rng, rng.choice(acceptable if label == "acceptable" else unacceptable)), "label": label}]


def _choices(rng: Random, label: str, hard: bool) -> list[Row]:
    family = rng.choice(stories.STORIES)
    right, *wrong = rng.sample(family, len(family))
    options = [option for option, *_ in wrong]
    options.insert(int(label), right[0])
    beginning = rng.choice(right[2 if hard else 1])
    text, *written = _write(rng, " | ".join([beginning, *options]), _in_order(rng)).split(" | ")
    return [{"text": text, "choices": written, "label": label}]


def _questions(with_none: bool, rng: Random, label: str, hard: bool) -> list[Row]:  # noqa: ARG001 - a Maker
    """Up to four questions on one passage; if `with_none`, as many without an answer as with one."""
    plan = stories.PASSAGES[rng.choice(list(stories.PASSAGES))]
    facts = plan["facts"]
    stated = rng.sample(range(len(facts)), rng.randint(4, 6) if hard else rng.randint(2, 4))
    values = _record(rng, plan)
    context, spans = _passage(rng.choice(plan["introductions"]), {fact: facts[fact][0] for fact in stated}, values)
    kinds = {slot: kind for kind, slots in plan["slots"].items() for slot in slots}
    wording = 2 if hard else 1

    asks = [(fact, ask) for fact in stated for ask in facts[fact][1]]
    rows = []
    for fact, ask in rng.sample(asks, min(len(asks), 2 if with_none else 4)):
        text, start = spans[fact, ask[0]]
        rows.append((_filled(ask[wording], values), {"text": [text], "answer_start": [start]}))
    answered = {_filled(ask[wording], values) for _, ask in asks}
    others = [ask for fact in range(len(facts)) if fact not in stated for ask in facts[fact][1]]
    mentioned = {slot: values[slot] for _, slot in spans}
    for ask in rng.sample(others, len(others)) if with_none else ():
        question = _filled(ask[wording], _misled(rng, ask[wording], values, mentioned, kinds))
        candidates = any(kinds[slot] == kinds[ask[0]] and values[slot] not in question for slot in mentioned)
        if candidates and question not in answered and len(rows) < QUESTIONS_ON_A_PASSAGE:
            rows.append((question, {"text": [], "answer_start": []}))
    rng.shuffle(rows)
    everything = {
        "context": context,
        "cluster": f"passage-{zlib.crc32(context.encode()):08x}",
        "spans": list(spans.values()),
    }
    return [{"question": question, "answers": answers, **everything} for question, answers in rows]


def _record(rng: Random, plan: Mapping[str, Any]) -> dict[str, str]:
    """A phrase for every slot of a passage. Years rise in the order of the slots, so that the story makes sense."""
    values = {}
    for kind, slots in plan["slots"].items():
        drawn = rng.sample(PHRASES[kind], len(slots))
        values |= dict(zip(slots, sorted(drawn) if kind == "year" else drawn, strict=True))
    return values


def _passage(
    introduction: str, sentences: Mapping[int, str], values: Mapping[str, str]
) -> tuple[str, dict[tuple[int, str], tuple[str, int]]]:
    """The text, and of each (fact, slot) in it the phrase and where it starts."""
    context = _capitalised(_filled(introduction, values))
    spans = {}
    for fact, sentence in sentences.items():
        for match in SLOT.finditer(sentence):
            if match[1] != "name":
                start = len(context) + 1 + len(_filled(sentence[: match.start()], values))
                spans[fact, match[1]] = (values[match[1]], start)
        context += " " + _capitalised(_filled(sentence, values))
    return context, spans


def _misled(
    rng: Random, question: str, values: Mapping[str, str], mentioned: Mapping[str, str], kinds: Mapping[str, str]
) -> dict[str, str]:
    """The values for a question without an answer. It asks about what the passage does mention, where it can: a name
    that stands nowhere in the passage would give it away."""
    swapped = dict(values)
    for match in SLOT.finditer(question):
        same = [value for slot, value in mentioned.items() if kinds[slot] == kinds[match[1]]]
        if same and match[1] != "name":
            swapped[match[1]] = rng.choice(same)
    return swapped


def _filled(template: str, values: Mapping[str, str]) -> str:
    return SLOT.sub(lambda match: values[match[1]], template)


MAKERS: Mapping[str, Maker] = {
    "film_sentiment": partial(_sentiment, "film"),
    "food_sentiment": partial(_sentiment, "food"),
    "inference": _inference,
    "questions": partial(_questions, False),
    "questions_or_none": partial(_questions, True),
    "choices": _choices,
    "acceptability": _acceptability,
    "paraphrase": _paraphrase,
}
