"""What a comparison means, in words: helps, hurts, no difference that matters, or cannot tell and what would help."""

import re
from collections.abc import Sequence

from manyheads.results.intervals import Spread
from manyheads.results.numbers import gain, interval, points
from manyheads.results.schema import Comparison, Verdict

HELPS: Verdict = "helps"
HURTS: Verdict = "hurts"
NO_DIFFERENCE: Verdict = "no difference"
CANNOT_TELL: Verdict = "cannot tell"
LEVEL = 0.05
SMALL = 0.005  # half a point: smaller differences are not worth planning more seeds for


def judge(spread: Spread | None, p: float | None, margin: float) -> Verdict:
    """The verdict on a difference.

    :param p: Corrected for the number of comparisons where they are claims of the study.
    :param margin: A difference is called none if nothing larger than this could have been missed.
    """
    if spread is None or spread.seeds < 2 or p is None:
        return CANNOT_TELL
    if p < LEVEL:
        return HELPS if spread.value > 0 else HURTS
    return NO_DIFFERENCE if spread.missable() <= margin else CANNOT_TELL


def seeds_needed(spread: Spread | None, claims: int) -> int | None:
    """How many seeds would probably settle it; None if no number of seeds would, or if it cannot be known.

    The fewest for which half the interval, corrected for the number of claims (Bonferroni), is at most the difference
    seen, or half a point if that is larger.
    """
    if spread is None:
        return None
    needed = spread.seeds_needed(max(abs(spread.value), SMALL), LEVEL / max(1, claims))
    return None if needed is None else max(needed, spread.seeds + 1)


def sentence(comparison: Comparison, baseline: str, spread: Spread | None, reason: str = "") -> str:
    """One comparison, as one reads it out.

    :param comparison: Without its sentence yet.
    :param reason: Why there is no interval, if there is none.
    """
    arm, where, metric, verdict = comparison.arm, comparison.task, comparison.metric, comparison.verdict
    if spread is None:
        return f"{where}: cannot tell whether {arm} differs from {baseline}: {reason}."
    bounds = f"95 % interval {interval(comparison.interval)}" if comparison.interval else "no interval"
    if verdict in (HELPS, HURTS):
        word = "beats" if verdict == HELPS else "falls behind"
        note = "" if comparison.headline else ", not corrected for the number of comparisons"
        return f"{where}: {arm} {word} {baseline} by {points(abs(spread.value))} points of {metric} ({bounds}{note})."
    seen = f"{gain(spread.value)} points of {metric}"
    if verdict == NO_DIFFERENCE:
        return (
            f"{where}: {arm} and {baseline} differ by {seen}; "
            f"no difference larger than {points(comparison.missable)} points could have been missed."
        )
    remedy = _remedy(comparison, spread)
    return f"{where}: cannot tell whether {arm} differs from {baseline} ({seen}, {bounds}): {remedy}."


def _remedy(comparison: Comparison, spread: Spread) -> str:
    if spread.seeds < 2:
        return "one seed says nothing about the noise of training; this interval is about the test items only"
    if spread.units < 2:
        return "the test set has fewer than two independent units"
    if comparison.seeds_needed is None:
        return "more seeds will not do, the test set is too small"
    return f"{spread.seeds} seeds are too few, about {comparison.seeds_needed} would do"


def answer(question: str, comparisons: Sequence[Comparison], on_train: Sequence[str] = ()) -> str:
    """The answer to a study's question, from the verdicts on its headline metrics.

    It opens with yes or no only where the question asks whether something helps, so that no word is put into its mouth.

    :param on_train: The tasks whose scores are on what was trained on. Then this is said first, and no yes or no.
    """
    claims = [comparison for comparison in comparisons if comparison.headline]
    if on_train:
        told = f"SCORES ON THE TRAINING DATA ({', '.join(on_train)}), which show nothing of new examples. "
        return told + answer("", comparisons)
    if not claims:
        return "There is nothing to compare: no arm beside the baseline has a score."
    text = " ".join(claim.sentence for claim in claims) if len(claims) <= 3 else _summary(claims)
    return f"{_opening(question, [claim.verdict for claim in claims])}{text}"


def _opening(question: str, verdicts: Sequence[Verdict]) -> str:
    if not re.match(r"(?i)(do|does|is|are|can|will|did)\b.*\b(help|gain|improve|benefit)", question.strip()):
        return ""
    if HELPS in verdicts:
        return "Yes, in part. " if set(verdicts) != {HELPS} else "Yes. "
    return "Cannot tell yet. " if CANNOT_TELL in verdicts else "No. "


def _summary(claims: Sequence[Comparison]) -> str:
    """Counts of each verdict, naming up to three of the largest differences that are sure."""
    parts = []
    for verdict, words in ((HELPS, "better"), (HURTS, "worse")):
        found = sorted((c for c in claims if c.verdict == verdict), key=lambda c: -abs(c.difference or 0))
        named = ", ".join(f"{c.arm} on {c.task} {gain(c.difference)}" for c in found[:3])
        more = ", and others" if len(found) > 3 else ""
        parts.append(f"{len(found)} {words} than the baseline" + (f" ({named}{more})" if found else ""))
    none = [c.missable or 0 for c in claims if c.verdict == NO_DIFFERENCE]
    parts.append(f"{len(none)} without a difference" + (f" larger than {points(max(none))} points" if none else ""))
    unclear = sum(c.verdict == CANNOT_TELL for c in claims)
    return (
        f"Of {len(claims)} comparisons, {', '.join(parts)}, and {unclear} cannot tell with these seeds and test items."
    )
