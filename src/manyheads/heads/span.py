"""Reading comprehension: the answer is the span of the context with the best start and end.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019,
https://arxiv.org/abs/1810.04805, sections 4.2 and 4.3; `run_squad.py` of google-research/bert.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le
from torch import Tensor
from torch.nn import functional

from manyheads.core.problems import Problem, StudyError
from manyheads.core.settings import PositiveInt
from manyheads.core.tensors import States
from manyheads.core.text_checks import LIMIT
from manyheads.core.values import Answer, Encoded, Example, HighlightedText, Measure, Pieces, Table, Tokenizer
from manyheads.heads import IGNORED, Head, output_layer
from manyheads.heads._question_words import question_words
from manyheads.heads._span_checks import problems, stride_problem, unfit
from manyheads.heads._spans import SpanMetadata, best_spans, gold_spans
from manyheads.heads._texts import pieces_of
from manyheads.heads._windows import Windows, check_coverage, windows
from manyheads.metrics.squad import best_thresholds, evaluate_v1, evaluate_v2, scores_v1, scores_v2

NONE = "(no answer)"
_NULL = (0, 0)
_PADDING = -1e4  # its exponential is 0; minus infinity would make nan of a window that is all padding


class Span(Head):
    """Score of a span = s_i + e_j, with (s, e) = W h; i <= j, at most `max_answer` pieces, all in the context.

    A long context is read in windows. In a window without the answer, the target is [CLS] if questions may have no
    answer (`nullable`), and the window is left out of the loss if not. The first gold answer is the one learned from.

    Decoding follows BERT: a span counts only in the window that owns its start, where it has the most context;
    s_null = min over the windows of s_CLS + e_CLS; the answer is empty if and only if `nullable` and
    s_null - s_best > `threshold`. Where BERT pairs the 20 best starts with the 20 best ends, which may miss the best
    valid span, all spans are compared here. The answer is cut out of the context by its offsets, to the end of the
    last character's accents.

    Loss: the mean over the labelled windows of (CE_start + CE_end) / 2. Some papers add the two instead, which doubles
    the task's weight in a mixture: `loss = "sum"`.

    Metrics: exact and f1 by the official rules, of v2.0 if `nullable`, of v1.1 if not; if `nullable` also over the
    questions that have an answer (HasAns_exact, HasAns_f1) and over those that have none (NoAns_exact).

    :param max_length: The longest window, question and special tokens included.
    :param stride: How many pieces a window lies after the one before (BERT's doc_stride; not the overlap).
    :param max_question: How many pieces of a question are kept; what is cut off is counted.
    :param max_answer: The longest answer, in pieces.
    :param nbest: How many spans share the probability.
    :param shown: How many of them are written down.
    :param nullable: Questions may have no answer, as in SQuAD 2.0.
    :param threshold: How much better no answer must score than the best span.
    :param loss: Whether the start's and the end's losses are averaged or added.
    :param metric: The metric for selection and the headline.
    """

    columns = ("question", "context", "answers")
    gold = ("answers",)
    cut_by = "max_question"
    per_token = True

    def __init__(
        self,
        width: int,
        labels: Sequence[str] | None,
        *,
        max_length: PositiveInt = 384,
        stride: PositiveInt = 128,
        max_question: PositiveInt = 64,
        max_answer: Annotated[int, Ge(1), Le(1000)] = 30,
        nbest: Annotated[int, Ge(1), Le(1000)] = 20,
        shown: Annotated[int, Ge(1), Le(1000)] = 3,
        nullable: bool = False,
        threshold: float = 0.0,
        loss: Literal["mean", "sum"] = "mean",
        metric: Literal["exact", "f1"] = "f1",
    ) -> None:
        super().__init__(width, labels)
        self.settings = {
            "max_length": max_length,
            "stride": stride,
            "max_question": max_question,
            "max_answer": max_answer,
            "nbest": nbest,
            "shown": shown,
            "nullable": nullable,
        }
        if problem := unfit(labels, self.settings):
            raise ValueError(problem)
        self.max_length, self.max_question, self.stride = max_length, max_question, stride
        self.max_answer, self.nbest, self.shown = max_answer, nbest, shown
        self.nullable, self.threshold = nullable, threshold
        self.share = 0.5 if loss == "mean" else 1.0
        self.metric = metric
        self.output = output_layer(width, 2)

    def problems(self, table: Table, where: str) -> list[Problem]:
        return problems(table, self.settings, where)

    # ---- Encoding: a question becomes one sequence for each window ----

    def encode(self, examples: Sequence[Example], tokenizer: Tokenizer) -> list[Encoded]:
        if problem := stride_problem(self.settings, tokenizer.room(True, self.max_length) - self.max_question):
            raise StudyError([Problem("head", problem)])
        if not self.nullable:
            _check_answered(examples)
        questions = pieces_of([example["question"] for example in examples], tokenizer)
        contexts = pieces_of([example["context"] for example in examples], tokenizer)
        for text, pieces in contexts.items():
            check_coverage(text, pieces)
        return [
            self._encode_one(example, questions[example["question"]].ids, contexts[example["context"]], tokenizer)
            for example in examples
        ]

    def _encode_one(self, example: Example, question: np.ndarray, context: Pieces, tokenizer: Tokenizer) -> Encoded:
        kept = question[: self.max_question]
        room = tokenizer.room(True, self.max_length) - len(kept)
        cut = windows(len(context.ids), room, self.stride)
        first = tokenizer.starts(len(kept))[1]
        slices = [context.ids[begin:end] for begin, end in zip(cut.begins, cut.ends, strict=True)]
        inputs = tuple(tokenizer.join(kept, ids) for ids in slices)
        truncated = len(question) - len(kept)
        metadata: SpanMetadata = {
            "context": example["context"],
            "offsets": context.offsets,
            "first": first,
            "room": room,
            "stride": self.stride,
            "lost": False,
            "reachable": None,
        }
        if example.get("answers") is None:
            return Encoded(inputs, (), metadata, truncated)
        golds = gold_spans(example, context)
        targets, metadata["lost"] = self._targets(golds, cut, first)
        metadata["reachable"] = self._reachable(golds, cut)
        return Encoded(inputs, targets, metadata, truncated)

    def _targets(
        self, golds: list[tuple[int, int] | None], cut: Windows, first: int
    ) -> tuple[tuple[tuple[int, int], ...], bool]:
        """A (start, end) for each window, and whether the answer is in none of them."""
        elsewhere = _NULL if self.nullable else (IGNORED, IGNORED)
        targets: list[tuple[int, int]] = [elsewhere] * len(cut.begins)
        if not golds:
            return tuple(targets), False
        holding = [] if golds[0] is None else cut.holding(*golds[0])
        for index in holding:
            start, end = golds[0] or _NULL
            targets[index] = (first + start - cut.begins[index], first + end - cut.begins[index])
        return tuple(targets), not holding

    def _reachable(self, golds: list[tuple[int, int] | None], cut: Windows) -> bool:
        if not golds:
            return self.nullable
        spans = [span for span in golds if span is not None and span[1] - span[0] < self.max_answer]
        return any(end < cut.ends[cut.owners[start]] for start, end in spans)

    def counts(self, examples: Sequence[Encoded]) -> dict[str, float]:
        """How many answers lie in no window, and the share of questions whose gold answer can be decoded at all."""
        asked = lost = reachable = 0
        for example in examples:
            if example.metadata["reachable"] is not None:
                asked, lost = asked + 1, lost + example.metadata["lost"]
                reachable += example.metadata["reachable"]
        return {"unreachable": lost, "answerable": reachable / max(1, asked)}

    # ---- Output, loss, answer ----

    def forward(self, states: States, counts: Sequence[int]) -> Tensor:
        """[S, T, 2] start and end logits of every token of every window, padded."""
        return states.padded(self.output(states.last), fill=_PADDING)

    def loss(self, outputs: Tensor, targets: Tensor, counts: Sequence[int]) -> Tensor:
        outputs = outputs.float()
        total = outputs.sum() * 0.0
        for side in range(2):
            total = total + functional.cross_entropy(
                outputs[..., side], targets[:, side], reduction="sum", ignore_index=IGNORED
            )
        return total * self.share / (targets[:, 0] != IGNORED).sum().clamp(min=1)

    def decode(self, outputs: Tensor, examples: Sequence[Encoded]) -> list[Answer]:
        logits = outputs.detach().cpu().double().numpy()
        answers, at = [], 0
        for example in examples:
            answers.append(self._decode_one(logits[at : at + len(example.inputs)], example.metadata))
            at += len(example.inputs)
        return answers

    def _decode_one(self, logits: np.ndarray, metadata: SpanMetadata) -> Answer:
        """The answer from [windows, T, 2] logits."""
        null = float(logits[:, 0].sum(axis=-1).min())
        spans = best_spans(logits, metadata, self.max_answer, self.nbest)
        scores = np.array([span["score"] for span in spans] + ([null] if self.nullable else []))
        weights = np.exp(scores - scores.max())
        nbest = [
            {**span, "probability": float(weight)}
            for span, weight in zip(spans[: self.shown], weights / weights.sum(), strict=False)
        ]
        best = nbest[0]
        odds = null - best["score"] if self.nullable else None
        empty = odds is not None and odds > self.threshold
        return {
            "answer": "" if empty else best["text"],
            "start": None if empty else best["start"],
            "end": None if empty else best["end"],
            "score": best["score"],
            "null_odds": odds,
            "nbest": nbest,
        }

    # ---- Scores ----

    def measures(self, predictions: Sequence[Answer], gold: Sequence[Example]) -> dict[str, Measure]:
        rule = scores_v2 if self.nullable else scores_v1
        pairs = [rule(p["answer"], g["answers"]["text"]) for p, g in zip(predictions, gold, strict=True)]
        items = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        measures = {"exact": Measure("mean", items[:, :1]), "f1": Measure("mean", items[:, 1:])}
        if self.nullable:
            answered = np.array([bool(g["answers"]["text"]) for g in gold], dtype=np.float64)
            for name, part in (("HasAns", answered), ("NoAns", 1 - answered)):
                for index, kind in enumerate(("exact", "f1")):
                    measures[f"{name}_{kind}"] = Measure("mean_of_part", np.stack([items[:, index], part], axis=1))
            # Without an answer, exact and F1 are the same by the official rules.
            del measures["NoAns_f1"]
        return measures

    def official(self, predictions: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
        """What SQuAD's official script prints, in percent. Best thresholds are searched with the best spans."""
        golds = {str(index): example["answers"]["text"] for index, example in enumerate(gold)}
        answers = {str(index): prediction["answer"] for index, prediction in enumerate(predictions)}
        if not self.nullable:
            return evaluate_v1(golds, answers)
        spans = {str(index): prediction["nbest"][0]["text"] for index, prediction in enumerate(predictions)}
        odds = {str(index): prediction["null_odds"] for index, prediction in enumerate(predictions)}
        return evaluate_v2(golds, answers) | best_thresholds(golds, spans, odds)

    # ---- What a person reads ----

    def show_example(self, example: Example) -> dict[str, str | HighlightedText]:
        """The question and its context, in which the first right answer is marked."""
        answers, context = example.get("answers") or {"text": [], "answer_start": []}, example["context"]
        start = (answers["answer_start"] or [0])[0]
        end = start + len((answers["text"] or [""])[0])
        part = (start, end) if 0 <= start <= end <= len(context) else (0, 0)
        return {"Question": example["question"], "Context": HighlightedText(context, *part)}

    def show_answer(self, answer: Answer, example: Example) -> str:
        return answer["answer"] or NONE

    def show_gold(self, gold: Mapping[str, Sequence[str]], example: Example) -> str:
        return " | ".join(dict.fromkeys(gold["text"])) or NONE

    def groups(self, examples: Sequence[Example]) -> dict[str, list[str]]:
        """By question word, and by whether there is an answer."""
        answered = ["has an answer" if example["answers"]["text"] else "has no answer" for example in examples]
        return {"Question word": question_words([one["question"] for one in examples]), "Answerable": answered}


def _check_answered(examples: Sequence[Example]) -> None:
    answers = [(example.get("id"), example.get("answers")) for example in examples]
    remedy = "Set nullable = true in the head's settings if questions may have no answer."
    problems = [
        Problem(f"record {name}", "the question has no answer", "", remedy)
        for name, answer in answers
        if answer is not None and not answer["text"]
    ]
    if problems:
        raise StudyError(problems[:LIMIT])
