"""What the two official SQuAD scripts compute, restated step by step as an oracle: slow, plain, apart from `squad.py`.

Checked against public copies of `evaluate-v1.1.py` and `evaluate-v2.0.py`. Only the control flow is theirs.
"""

import re
import string
from functools import cache


@cache
def normalize(text):
    kept = [character for character in text.lower() if character not in set(string.punctuation)]
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", "".join(kept), flags=re.UNICODE).split())


def overlap_f1(predicted, gold):
    left, same = list(gold), 0
    for token in predicted:
        if token in left:
            left.remove(token)
            same += 1
    if same == 0:
        return 0
    precision = 1.0 * same / len(predicted)
    recall = 1.0 * same / len(gold)
    return (2 * precision * recall) / (precision + recall)


def questions(document):
    for article in document["data"]:
        for paragraph in article["paragraphs"]:
            yield from paragraph["qas"]


def evaluate_v1(document, predictions):
    exact = f1 = total = 0
    for question in questions(document):
        total += 1
        if question["id"] not in predictions:
            continue  # "Unanswered question ... will receive score 0."
        prediction = normalize(predictions[question["id"]])
        golds = [normalize(answer["text"]) for answer in question["answers"]]
        exact += max(prediction == gold for gold in golds)
        f1 += max(overlap_f1(prediction.split(), gold.split()) for gold in golds)
    return {"exact_match": 100.0 * exact / total, "f1": 100.0 * f1 / total}


def f1_v2(prediction, gold):
    predicted = normalize(prediction).split() if prediction else []
    wanted = normalize(gold).split() if gold else []
    if not predicted or not wanted:
        return int(predicted == wanted)
    return overlap_f1(predicted, wanted)


def raw_scores_v2(document, predictions):
    exact, f1 = {}, {}
    for question in questions(document):
        golds = [answer["text"] for answer in question["answers"] if normalize(answer["text"])]
        if not golds:
            golds = [""]
        if question["id"] not in predictions:
            continue  # "Missing prediction for ..."
        prediction = predictions[question["id"]]
        exact[question["id"]] = max(int(normalize(gold) == normalize(prediction)) for gold in golds)
        f1[question["id"]] = max(f1_v2(prediction, gold) for gold in golds)
    return exact, f1


def best_threshold(predictions, scores, odds, has_answer):
    current = sum(1 for question in has_answer if not has_answer[question])
    best, threshold = current, 0.0
    for question in sorted(odds, key=lambda question: odds[question]):
        if question not in scores:
            continue
        if has_answer[question]:
            current += scores[question]
        elif predictions[question]:
            current += -1
        if current > best:
            best = current
            threshold = odds[question]
    return 100.0 * best / len(scores), threshold


def evaluate_v2(document, predictions, given_odds=None, threshold=1.0):
    """Raises KeyError for a missing prediction, and for one without odds, as the script does."""
    odds = dict.fromkeys(predictions, 0.0) if given_odds is None else given_odds
    has_answer = {question["id"]: bool(question["answers"]) for question in questions(document)}
    raw = raw_scores_v2(document, predictions)
    shown = []
    for scores in raw:
        shown.append({})
        for question, score in scores.items():
            shown[-1][question] = float(not has_answer[question]) if odds[question] > threshold else score
    exact, f1 = shown
    result = {
        "exact": 100.0 * sum(exact.values()) / len(exact),
        "f1": 100.0 * sum(f1.values()) / len(exact),
        "total": len(exact),
    }
    for part, wanted in (("HasAns", True), ("NoAns", False)):
        names = [question for question, has in has_answer.items() if has is wanted]
        if names:
            result[f"{part}_exact"] = 100.0 * sum(exact[name] for name in names) / len(names)
            result[f"{part}_f1"] = 100.0 * sum(f1[name] for name in names) / len(names)
            result[f"{part}_total"] = len(names)
    if given_odds is not None:
        result["best_exact"], result["best_exact_thresh"] = best_threshold(predictions, raw[0], odds, has_answer)
        result["best_f1"], result["best_f1_thresh"] = best_threshold(predictions, raw[1], odds, has_answer)
    return result
