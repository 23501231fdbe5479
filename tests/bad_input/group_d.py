"""Group D: questions whose answers stand in passages."""

import json
from pathlib import Path

import numpy as np
import torch
from bad_input_case import Case, json_lines, own, read, study

from manyheads.core.values import Encoded, Places
from manyheads.datasets.table import OwnTable
from manyheads.encoders._tokenizer import PretrainedTokenizer
from manyheads.encoders.pretrained import resolve
from manyheads.heads._spans import best_spans, windows_of
from manyheads.heads.span import Span

DATA = own("data.jsonl")
STUDY = study(DATA, {"name": "span", "nullable": True})
MENDED = study(own("data.jsonl", repair=True), {"name": "span", "nullable": True})
FIRST = study(DATA, "span")
LONG = "Ann met Bob. " + "Then nothing at all happened for a very long time. " * 60
SMALL = {"max_length": 48, "stride": 16, "max_question": 8}


def question(
    context: str = "Ann met Bob.", text: object = "Bob", start: object = 8, **more: object
) -> dict[str, object]:
    """A row in the layout of SQuAD on the Hub."""
    answers = {"text": [text], "answer_start": [start]}
    return {"id": "q1", "question": "Who?", "context": context, "answers": answers} | more


def refused(number: int, given: str, peers: str, row: object, *says: str, study: str = STUDY) -> Case:
    """A row that is not read."""
    return Case(number, given, peers, {"data.jsonl": json_lines(row)}, study, ("data.jsonl:1 (q1): ", *says))


def handled(number: int, given: str, peers: str, row: object, holds: object, *says: str, study: str = STUDY) -> Case:
    """A row that is read."""
    files = {"data.jsonl": json_lines(*(row if isinstance(row, list) else [row]))}
    return Case(number, given, peers, files, study, says, 0, holds=holds)  # type: ignore[arg-type]


def cut(folder: Path, **settings: object) -> tuple[Span, Encoded]:
    """The head, and the first row as it encodes it with MiniLM's tokenizer."""
    head = Span(8, None, **{**SMALL, **settings})  # type: ignore[arg-type]
    tokenizer = PretrainedTokenizer(resolve("minilm", Places(folder)))
    return head, head.encode([dict(read(folder).train.rows[0])], tokenizer)[0]


# ---- What is handled ----


def moved_to_its_place(folder: Path) -> None:
    """The answer is moved to where it stands beyond doubt, or spelt as there, and counted."""
    row = read(folder).train.rows[0]
    start, text = row["answers"]["answer_start"][0], row["answers"]["text"][0]
    assert row["context"][start : start + len(text)] == text == "Bob"


def context_is_untouched(folder: Path) -> None:
    """The passage is kept, blanks and line ends too, and the answer stands where its offset says."""
    row = read(folder).train.rows[0]
    assert (
        row["context"] == "  Ann \t met\r\n Bob. " and row["context"].find("Bob") == row["answers"]["answer_start"][0]
    )


def accents_are_not_cut(folder: Path) -> None:
    """A predicted answer goes on to the end of its last character's accents."""
    _, encoded = cut(folder)
    metadata, logits = encoded.metadata, np.full((1, len(encoded.inputs[0].ids), 2), -9.0)
    logits[0, metadata["first"]] = 9.0
    metadata["offsets"] = metadata["offsets"].copy()
    metadata["offsets"][0] = (0, 4)  # as tokenizers have it that drop accents
    assert best_spans(logits, metadata, 5, 1)[0]["text"] == "cafe\u0301"


def test_split_needs_no_answers(folder: Path) -> None:
    """A test split is read without answers; it cannot be scored."""
    table = OwnTable(Places(folder), train="data.jsonl", test="test.jsonl").read("test")
    assert table is not None and not table.labelled and table.rows["id"][:] == ["q9"]


def windows_cover_everything(folder: Path) -> None:
    """It is read in windows, and every piece of it stands in one."""
    _, encoded = cut(folder)
    cut_up, pieces = windows_of(encoded.metadata), len(encoded.metadata["offsets"])
    held = {piece for begin, end in zip(cut_up.begins, cut_up.ends, strict=True) for piece in range(begin, end)}
    assert len(encoded.inputs) == len(cut_up.begins) > 10 and held == set(range(pieces))


def question_is_clipped(folder: Path) -> None:
    """The question is cut to `max_question` pieces, which is counted in the record of each run."""
    _, encoded = cut(folder)
    assert encoded.truncated == 500 - 8 + 1 and all(len(one.ids) <= 48 for one in encoded.inputs)


def loss_is_zero(folder: Path) -> None:
    """A batch without an answer to learn from has a loss of 0, and no gradient that is not a number."""
    head, encoded = cut(folder)
    outputs = torch.randn(len(encoded.inputs), 48, 2, requires_grad=True)
    loss = head.loss(outputs, torch.tensor(encoded.targets), [len(encoded.inputs)])
    loss.backward()
    assert (
        encoded.metadata["lost"]
        and loss.item() == 0
        and outputs.grad is not None
        and outputs.grad.abs().sum().item() == 0
    )


def answerable_is_counted(folder: Path) -> None:
    """How many answers lie in no window, and the best score that can be reached, are in the record of each run."""
    assert [head.counts([encoded]) for head, encoded in [cut(folder), cut(folder, max_answer=5)]] == [
        {"unreachable": 0, "answerable": 1.0}, {"unreachable": 0, "answerable": 0.0}
    ]  # fmt: skip


def all_answers_count(folder: Path) -> None:
    """All gold answers count in scores; the first is learned from."""
    head, _ = cut(folder)
    assert read(folder).train.rows[0]["answers"]["text"] == ["Bob", "Ann"]
    gold = [{"answers": {"text": ["Bob", "Ann"]}}] * 2
    guesses = [{"answer": answer, "nbest": [], "null_odds": 0.0} for answer in ("Ann", "Eve")]
    assert head.measures(guesses, gold)["exact"].items[:, 0].tolist() == [1.0, 0.0]


def squad(*questions: dict[str, object], version: str = "1.1") -> str:
    """A gold file of SQuAD's own layout."""
    return json.dumps({"version": version, "data": [{"paragraphs": [{"context": "Ann met Bob.", "qas": questions}]}]})


ASKED = {"id": "a", "question": "Who?", "answers": [{"text": "Bob", "answer_start": 8}]}
NOBODY = {"id": "n", "question": "Who?", "answers": []}
SCORE = ("score", "span", "--gold", "gold.json", "--predictions", "guess.json")
SKIPPED, OFF = "“Could not find answer”, and the row is skipped", "off by one for every emoji"

HANDLED = [
    handled(46, "`answer_start` one off, with `repair = true`", SKIPPED, question(start=9), moved_to_its_place,
            "1 answer moved", study=MENDED),
    handled(47, "`answer_start` in UTF-16 units, with `repair = true`", OFF, question("😀😀 met Bob.", start=9),
            moved_to_its_place, "1 answer moved", study=MENDED),
    handled(48, "`answer_start` in bytes, with `repair = true`", "off by one for every accent",
            question("Zoë met Bob.", start=9), moved_to_its_place, "1 answer moved", study=MENDED),
    handled(49, "Passages with several blanks, tabs and line ends", "stripped, and the offsets are wrong",
            question("  Ann \t met\r\n Bob. ", start=14), context_is_untouched),
    handled(51, "An accent of its own (e and U+0301) at the end of an answer", "the offsets cut it off",
            question("cafe\u0301 here", "cafe\u0301", 0), accents_are_not_cut),
    handled(52, "An answer in another case than its passage, with `repair = true`", "skipped", question(text="bob"),
            moved_to_its_place, "1 answer moved", study=MENDED),
    Case(54, "Unanswerable questions in the reported rows, and none in train", "silent",
         {"data.jsonl": json_lines(question()), "dev.jsonl": json_lines(question("Bob met Ann.", id="q2", answers=[]))},
         study({**DATA, "validation": "dev.jsonl"}, {"name": "span", "nullable": True}, report="validation"),
         ("every question of train has an answer, and so none is learned not to have one",), 0),
    Case(55, "A test split without answers, and no `plausible_answers` anywhere", "KeyError",
         {"data.jsonl": json_lines(question()), "test.jsonl": json_lines({"id": "q9", "question": "Who?",
         "context": "x"})},
         study({**DATA, "test": "test.jsonl"}, {"name": "span", "nullable": True}), (), 0,
         holds=test_split_needs_no_answers),
    handled(56, "A passage longer than the model takes", "text is lost in tokenizers 0.23.1 and 0.23.2", question(LONG),
            windows_cover_everything),
    handled(57, "A question of 500 words", "“Sequence to truncate too short”", question(question="who " * 500 + "?"),
            question_is_clipped),
    handled(59, "An answer that no batch can learn from", "NaN loss", question(LONG, LONG[:600], 0), loss_is_zero),
    handled(60, "An answer longer than `max_answer`", "a gold answer that nobody can reach, unseen",
            question(LONG, LONG[:60], 0), answerable_is_counted),
    Case(62, "Questions without a prediction, and predictions without a question", "KeyError",
         {"gold.json": squad(ASKED, {**ASKED, "id": "b"}), "guess.json": '{"a": "Bob", "z": "Bob"}'}, "",
         ("exact_match          50.0", "missing              1", "unknown              1"), 0, SCORE),
    Case(63, "Unanswerable questions in SQuAD 2.0's metric", "ValueError: max() of an empty list",
         {"gold.json": squad(ASKED, {**NOBODY, "is_impossible": True}, version="v2.0"),
          "guess.json": '{"a": "Bob", "n": ""}'}, "", ("exact                100.0", "NoAns_exact          100.0"), 0,
          SCORE),
    handled(64, "Several gold answers at different places", "the first one only",
            question(answers={"text": ["Bob", "Ann"], "answer_start": [8, 0]}), all_answers_count),
]  # fmt: skip

# ---- What is refused ----

BOTH, EMPTY = "inconsistent data, silently", "the loss falls on [CLS], or a crash"
REFUSED = [
    refused(46, "`answer_start` one off", SKIPPED, question(start=9), "1 character away", "stands at 8",
            "repair = true"),
    refused(46, "`answer_start` far off", SKIPPED, question("Bob" + " is" * 20, start=40),
            "does not stand at its answer_start, but at 0"),
    refused(46, "An answer that stands nowhere in its passage", SKIPPED, question(text="Eve", start=0),
            "nor anywhere in the context"),
    refused(46, "An answer that stands 30 times elsewhere; `repair = true` does not guess", SKIPPED,
            question("Bob " * 30, start=1), "30 times elsewhere", study=MENDED),
    refused(47, "`answer_start` in UTF-16 units, as JavaScript and Java count", OFF, question("😀😀 met Bob.", start=9),
            "UTF-16 units", "stands at 7"),
    refused(48, "`answer_start` in bytes", "off by one for every accent", question("Zoë met Bob.", start=9),
            "counted in bytes", "stands at 8"),
    refused(50, "\\n in the answer and \\r\\n in its passage", "skipped", question("A\r\nB" + " x" * 30, "A\nB", 30),
            "line ends differ"),
    refused(51, "Accents composed in the answer (NFC) and separate in its passage (NFD)", "skipped",
            question("cafe\u0301", "caf\u00e9", 0), "NFC and NFD"),
    refused(52, "An answer in another case than its passage", "skipped", question(text="bob"), "in case", "'Bob'",
            "repair"),
    refused(52, "An answer in another case and at another place", "skipped", question("x" * 60 + " Bob", "bob", 2),
            "only in another case"),
    refused(53, "An empty answer", EMPTY, question(text=""), "an answer is empty"),
    refused(53, "An answer of blanks", EMPTY, question("Ann  met", " ", 3), "an answer is empty"),
    refused(53, "A negative `answer_start`", EMPTY, question(start=-4), "before the context"),
    refused(53, "`answer_start` beyond the end", EMPTY, question(start=200), "beyond the end of its context of 12"),
    refused(53, "`answer_start` in words", EMPTY, question(start="eight"), "whole number"),
    refused(54, "`is_impossible`, but there are answers", BOTH, question(is_impossible=True),
            "is_impossible, but it has answers"),
    refused(54, "No answers, but not `is_impossible`", BOTH, question(answers=[], is_impossible=False),
            "not is_impossible"),
    Case(54, "An unanswerable question, and a head without `nullable`", BOTH,
         {"data.jsonl": json_lines(question(answers=[]))}, FIRST, ("the question has no answer", "nullable = true")),
    refused(55, "No answers in train", "KeyError", question(answers=None), "answers are missing or in no known form"),
    Case(55, "A text in place of the answers", "KeyError", {"data.jsonl": json_lines(question(answers="Bob"))}, FIRST,
         ("data.jsonl: ", "not where they start", 'columns = { answers = ["answers", "answer_start"] }')),
    refused(55, "More answers than offsets", "KeyError", question(answers={"text": ["Bob"], "answer_start": []}),
            "as many offsets as answers", "0 and 1"),
    Case(58, "A `stride` that leaves gaps between windows", "a panic in Rust", {"data.jsonl": json_lines(question())},
         study(DATA, {"name": "span", "max_length": 96, "max_question": 24, "stride": 90, "nullable": True}),
         ("stride is longer than the room", "Choose at most 72")),
    Case(58, "A `stride` that would fit but for the special tokens", "a panic in Rust",
         {"data.jsonl": json_lines(question())},
         study(DATA, {"name": "span", "max_length": 96, "max_question": 24, "stride": 71, "nullable": True}),
         ("stride is longer than the room", "Choose at most 69")),
    refused(61, "An empty passage", "IndexError", question("  "), '"context" is empty'),
    refused(61, "An empty question", "IndexError", question(question=""), '"question" is empty'),
    refused(61, "null as a passage", "IndexError", question(None), '"context" is missing'),  # type: ignore[arg-type]
    Case(62, "Two questions with one id", "counted twice", {"data.jsonl": json_lines(question(), question())}, STUDY,
         ("data.jsonl:2: this id already stands at data.jsonl:1", "'q1'")),
    Case(62, "Two questions with one id in a gold file", "counted twice",
         {"gold.json": squad(ASKED, ASKED), "guess.json": '{"a": "Bob"}'}, "",
         ("qas[1] (record a): the id stands twice",),
         2, SCORE),
    Case(62, "Two predictions for one question", "the last one wins",
         {"gold.json": squad(ASKED), "guess.json": '{"a": "Bob",\n "a": "Ann"}'}, "",
         ("guess.json:2: a key stands twice",),
         2, SCORE),
    Case(63, "Unanswerable questions in SQuAD 1.1's metric", "ValueError: max() of an empty list",
         {"gold.json": squad(ASKED, NOBODY), "guess.json": '{"a": "Bob", "n": ""}'}, "",
         ("the question has no answer, but the file is SQuAD v1.1", '"version": "v2.0"'), 2, SCORE),
]  # fmt: skip

CASES = [*HANDLED, *REFUSED]
