"""The official rules of SQuAD v1.1 and v2.0, equal to the two official scripts to the last digit.

Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250, `evaluate-v1.1.py`; Rajpurkar, Jia and Liang 2018,
https://arxiv.org/abs/1806.03822, `evaluate-v2.0.py`. The rules, written anew from what the scripts do; figures are in
percent, as the scripts print them, and sums run in their order, because the last digit depends on it.

Where we differ: the script for v2.0 stops with a KeyError when a prediction is missing. Here a missing prediction
scores 0, as in v1.1, also where there is no answer (no prediction is not the prediction that there is no answer).
"""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@lru_cache(maxsize=1 << 16)
def normalize(text: str) -> str:
    """Lower case, without ASCII punctuation, English articles and surplus white space, in this order."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def _token_f1(prediction: str, gold: str) -> float:
    predicted_tokens, gold_tokens = normalize(prediction).split(), normalize(gold).split()
    same = sum((Counter(predicted_tokens) & Counter(gold_tokens)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(predicted_tokens), same / len(gold_tokens)
    return (2 * precision * recall) / (precision + recall)


def scores_v1(prediction: str, golds: Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 (0 to 1) by the rules of v1.1: the best over the gold answers; two empty texts have F1 0."""
    exact = max(float(normalize(prediction) == normalize(gold)) for gold in golds)
    return exact, max(_token_f1(prediction, gold) for gold in golds)


def answers_v2(golds: Sequence[str]) -> list[str]:
    """The gold answers that v2.0 counts: those that normalise to something, or the empty answer if there are none."""
    return [gold for gold in golds if normalize(gold)] or [""]


def scores_v2(prediction: str, golds: Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 (0 to 1) by the rules of v2.0; where either side is empty, F1 says whether both are."""
    answers = answers_v2(golds)
    exact = max(float(normalize(prediction) == normalize(gold)) for gold in answers)
    if not normalize(prediction) or answers == [""]:
        return exact, exact
    return exact, max(_token_f1(prediction, gold) for gold in answers)


def evaluate_v1(golds: Mapping[str, Sequence[str]], predictions: Mapping[str, str]) -> dict[str, float]:
    """`exact_match` and `f1`, as `evaluate-v1.1.py` prints them; a missing prediction scores 0.

    :param golds: Question id to the texts of its gold answers, at least one, in the order of the file.
    """
    exact = f1 = 0.0
    for question, answers in golds.items():
        if question in predictions:
            one_exact, one_f1 = scores_v1(predictions[question], answers)
            # Not sum(): from Python 3.12 on it rounds less than the script's += does.
            exact += one_exact
            f1 += one_f1
    return {"exact_match": 100.0 * exact / len(golds), "f1": 100.0 * f1 / len(golds)}


def evaluate_v2(
    golds: Mapping[str, Sequence[str]],
    predictions: Mapping[str, str],
    null_odds: Mapping[str, float] | None = None,
    threshold: float = 1.0,
) -> dict[str, float]:
    """What `evaluate-v2.0.py` prints, in its order: totals, HasAns and NoAns parts, best thresholds if odds are given.

    :param golds: Question id to the texts of its gold answers, none if it has no answer, in the order of the file.
    :param null_odds: Question id to how sure the model is that there is no answer, for every prediction. Where that is
        above `threshold`, the answer counts as empty, whatever the prediction says. Without odds, all are 0.
    """
    exact, f1 = {}, {}
    for question, answers in golds.items():
        exact[question], f1[question] = 0, 0
        if question in predictions:
            exact[question], f1[question] = scores_v2(predictions[question], answers)
    odds = dict.fromkeys(predictions, 0.0) if null_odds is None else null_odds
    nulls = {question for question in predictions if question in golds and odds[question] > threshold}
    shown_exact, shown_f1 = ({**raw, **{q: float(not golds[q]) for q in nulls}} for raw in (exact, f1))
    result = _part(shown_exact, shown_f1, list(golds), "")
    result |= _part(shown_exact, shown_f1, [question for question in golds if golds[question]], "HasAns_")
    result |= _part(shown_exact, shown_f1, [question for question in golds if not golds[question]], "NoAns_")
    if null_odds is not None:
        result |= best_thresholds(golds, predictions, null_odds)
    return result


def _part(
    exact: Mapping[str, float], f1: Mapping[str, float], questions: Sequence[str], prefix: str
) -> dict[str, float]:
    total = len(questions)
    if total == 0:
        return {}
    return {
        f"{prefix}exact": 100.0 * sum(exact[question] for question in questions) / total,
        f"{prefix}f1": 100.0 * sum(f1[question] for question in questions) / total,
        f"{prefix}total": total,
    }


def best_thresholds(
    golds: Mapping[str, Sequence[str]], predictions: Mapping[str, str], null_odds: Mapping[str, float]
) -> dict[str, float]:
    """The best score that any threshold on the null odds reaches, and that threshold, for exact match and for F1.

    A threshold chosen on the questions it is scored on flatters: report it, but do not compare with it.
    """
    by_odds = sorted(null_odds, key=lambda question: null_odds[question])
    answered = [question for question in by_odds if question in golds and question in predictions]
    raw = {question: scores_v2(predictions[question], golds[question]) for question in answered}
    result = {}
    for index, name in enumerate(("exact", "f1")):
        # Below every odds all answers are empty: every question without an answer is right. As the threshold rises past
        # a question's odds, its own answer counts instead. Equal odds are passed one by one, as in the script.
        score = best = sum(1 for question in golds if not golds[question] and question in predictions)
        threshold = 0.0
        for question in answered:
            score += raw[question][index] if golds[question] else -bool(predictions[question])
            if score > best:
                best, threshold = score, null_odds[question]
        result |= {f"best_{name}": 100.0 * best / len(golds), f"best_{name}_thresh": threshold}
    return result
