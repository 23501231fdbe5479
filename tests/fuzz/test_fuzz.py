"""No input, however odd, gives anything but a result or a StudyError: no crash, no hang, no memory without bounds.

`MANYHEADS_FUZZ=10000 pytest tests/fuzz -rP` tries so many inputs on each target, and says how many were refused;
`make test` tries 60, `make test-all` 300.
"""

import copy
import json
import os
import random
import resource
import signal
import sys
from contextlib import contextmanager

import pytest
from fuzz_mutations import nested
from fuzz_targets import ANSWERS, CHOICES, ENTRY_ABOUT, MANIFEST, RECORD, RESULTS, STEPS, TARGETS, VALUES

from manyheads import inference
from manyheads.core.problems import StudyError, shown
from manyheads.core.values import Places
from manyheads.datasets.table import OwnTable

INPUTS = int(os.environ.get("MANYHEADS_FUZZ", "60"))
SEED = int(os.environ.get("MANYHEADS_FUZZ_SEED", "1"))
SECONDS = 60
"""Of the processor, that no input may take; a hang takes them all."""
GROWTH = 400
"""MiB by which the process may grow over all inputs of a target."""


class Hang(BaseException):
    """Raised in the middle of what takes too long. Not an Exception, which a reader may take for a damaged file."""


@contextmanager
def alarm():
    def ring(*_):
        raise Hang

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def attempt(name, folder, data):
    """Whether an input was accepted; what a person is told can always be printed."""
    try:
        with alarm():
            TARGETS[name].run(folder, data)
    except StudyError as error:
        assert error.problems and all(problem.where and problem.what for problem in error.problems)
        str(error).encode("utf-8", "surrogateescape")
        return False
    return True


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)


@pytest.mark.parametrize("name", TARGETS)
def test_odd_inputs_give_a_result_or_a_study_error(name, tmp_path, capsys):
    rng, accepted, before = random.Random(f"{SEED} {name}"), 0, peak()
    for number in range(INPUTS):
        data = TARGETS[name].input(rng)
        try:
            accepted += attempt(name, tmp_path, data)
        except (Exception, Hang) as error:
            kept = tmp_path / "found"
            kept.write_bytes(data)
            pytest.fail(f"input {number}, kept in {kept}: {type(error).__name__}: {str(error)[:500]}")
    printed = capsys.readouterr()
    assert printed.out == printed.err == "", "nothing is printed by what reads"
    assert peak() - before < GROWTH, "MiB more than before"
    print(f"{name}: {INPUTS} inputs, {accepted} accepted, {INPUTS - accepted} refused, {peak() - before:.0f} MiB more")
    assert 0 < accepted < INPUTS, "inputs that are all refused, or none, test nothing"


@pytest.mark.parametrize("name", TARGETS)
def test_what_the_mutations_begin_from_is_sound(name, tmp_path):
    taken = [attempt(name, tmp_path, data) for data in TARGETS[name].seeds]
    assert any(taken)


def test_a_reader_that_hangs_or_crashes_is_noticed(tmp_path, monkeypatch):
    crash = [StudyError([]), RecursionError("deep"), MemoryError(), ValueError("\ud800")]
    for error in crash:
        monkeypatch.setitem(TARGETS, "broken", TARGETS["csv"].__class__(lambda *_, error=error: raised(error), [b""]))
        with pytest.raises((AssertionError, RecursionError, MemoryError, ValueError)):
            attempt("broken", tmp_path, b"")
    monkeypatch.setattr(f"{__name__}.SECONDS", 0.05)
    monkeypatch.setitem(TARGETS, "broken", TARGETS["csv"].__class__(lambda *_: forever(), [b""]))
    with pytest.raises(Hang):
        attempt("broken", tmp_path, b"")


def raised(error):
    raise error


def forever():
    while True:
        pass


# ---- what was found, each a case of its own --------------------------------------------------------------------------


def changed(value, *way, to):
    """A copy of nested values with one exchanged, as JSON."""
    value = copy.deepcopy(value)
    holder = value
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = to
    return json.dumps(value).encode()


def squad(paragraphs):
    return json.dumps({"data": [{"title": "T", "paragraphs": paragraphs}]}).encode()


ROW = b'{"text": "a", "label": 1}\n'
FOUND = [
    # Dotted keys make deep tables without brackets: RecursionError in what walks through them.
    ("study", b"a." * 3000 + b"a = 1", "tables or lists stand in one another too often"),
    ("study", b"seeds = " + b"[" * 5000, "not valid TOML"),
    # Numbers that Python will not write, in decimal and in a base without a limit: ValueError.
    ("study", b"seeds = [" + b"9" * 5000 + b"]", "not valid TOML: Exceeds the limit"),
    ("study", b"seeds = [0x" + b"f" * 5000 + b"]",
    "TOML's whole numbers have 64 bits. Found a value of type int that is too"),
    ("study", b'"" = 1', "'': there is no such key"),
    ("study", b'"\\u001b[2J" = 1', "'\\x1b[2J': there is no such key"),
    ("study", b"training.checkpoint = { hours = 1.0 }\n[arms.a]", "there is no such key. Choose from: minutes, steps"),
    # A sweep multiplies: two hundred characters asked for 10^10 arms.
    (
        "study", b"[arms.a.sweep.training]\n" + b"\n".join(
            key + b" = [" + b"1," * 100 + b"]" for key in (b"clip", b"warmup", b"batch_size", b"accumulation",
            b"scores_every")
        ),
        "a study has at most 10,000 runs. Found 10,000,000,000 arms",
    ),
    # Squares that are infinite: a warning of numpy, and a score that is no number.
    ("score regression", b'{"id": 1, "label": 1e300}\n{"id": 2, "label": -1e300}', "not a finite number. Found 1e+300"),
    ("score span", b'{"version": ' + b"[" * 900 + b"]" * 900 + b"}", "nested too deeply"),
    # Half a character in an id could not be printed.
    ("predict", b'{"text": "a", "id": "\\ud83d"}', '"id" should be a text or a whole number'),
    ("predict", b'{"text": "a", "id": [1]}', '"id" should be a text or a whole number'),
    # Results that somebody changed: KeyError, TypeError, OverflowError in the tables and the report.
    ("results", changed(RESULTS, "arms", to=[]), "arms: input should be a valid dictionary"),
    ("results", changed(RESULTS, "study", "baseline", to="gone"),
    "study.baseline is not one of the arms. Found 'gone'"),
    ("results", changed(RESULTS, "scores", 0, "arm", to="gone"),
    "scores.0 is about an arm or a task that is not there"),
    ("results", changed(RESULTS, "failed", 0, "seed", to=9), "failed.0 is a run that is not there"),
    ("results", changed(RESULTS, "comparisons", 0, "verdict", to="wins"),
    "comparisons.0.verdict: input should be 'helps'"),
    ("results", changed(RESULTS, "comparisons", 0, "interval", to=[0.1]),
    "comparisons.0.interval.1: field required"),
    ("results", changed(RESULTS, "arms", "weighted-0.2", "sweep", "value", to=10**400), "sweep.value"),
    ("results", changed(RESULTS, "study", "settings", to=nested(500, False)), "nested too deeply"),
    ("results", changed(RESULTS, "arms", "joint", "cost", to={"steps": 1}), "cost"),
    # Files are called after tasks: a table would have been written anywhere.
    ("results", changed(RESULTS, "tasks", "../../evil", to=RESULTS["tasks"]["sst2"]), "tasks.../../evil"),
    ("results", changed(RESULTS, "arms", "joint", "runs", 0, "path", to="../x"), "arms.joint.runs.0.path"),
    ("results", changed(RESULTS, "arms", "joint", "runs", 0, "path", to="a" * 5000), "arms.joint.runs.0.path"),
    ("record", changed(RECORD, "scores", "../x", to={}), "record.json: scores.../x"),
    ("results", changed(RESULTS, "scores", 0, "mean", to=float("nan")), "NaN is not a JSON value"),
    # Records: a run with one that is damaged has failed, and the others are compared.
    ("record", b"[" * 5000, "record.json cannot be read: maximum recursion depth"),
    ("record", changed(RECORD, "scores", to=7), "record.json: scores: input should be a valid dictionary. Found 7"),
    ("record", changed(RECORD, "cost", "shares", to={"t": "x"}), "record.json: cost.shares.t"),
    ("record", changed(RECORD, "metrics", "t", "kinds", to={"accuracy": "evil"}),
    "record.json: metrics.t.kinds.accuracy"),
    ("record", changed(RECORD, "metrics", "t", "headline", to="f1"), "the headline metric f1 has no kind"),
    ("record", changed(RECORD, "data", to={}), "the task t has scores, but no metrics or no data"),
    ("record", b'{"status": "failed", "reason": {"a": 1}}', "record.json: arm: field required"),
    ("answers", changed(ANSWERS[0], "id", to=["a"]), "line 1 is damaged"),
    ("answers", changed(ANSWERS[0], "items", "accuracy", to=[10**400]), "is damaged"),
    ("answers", b"[" * 5000, "line 1 is damaged"),
    # Steps are for figures only, which are drawn without them.
    ("steps", changed(STEPS[0], "examples", to={}), "no steps"),
    ("steps", changed(STEPS[0], "examples", to={"sst2": "x"}), "no steps"),
    ("steps", b"\xff\xfe", "no steps"),
    # Checkpoints: a right hash over something else.
    ("checkpoint", b"[1]", "manifest.json cannot be read (ValueError)"),
    ("checkpoint", b"[" * 5000, "manifest.json cannot be read (RecursionError)"),
    ("manifest", json.dumps(VALUES).encode() + b"\x1e" + changed(MANIFEST, "step", to=True), "is not a manifest"),
    ("manifest", json.dumps(VALUES).encode() + b"\x1e" + changed(MANIFEST, "format", to=[]), "written in format []"),
    ("cache", changed(ENTRY_ABOUT, "examples", to="many"), "its columns are not those"),
    ("cache", b"[" * 5000, "is damaged and is made anew"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "says"), FOUND)
def test_what_was_found_is_refused_in_words(name, data, says, tmp_path):
    with pytest.raises(StudyError) as error, alarm():
        TARGETS[name].run(tmp_path, data)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("paragraphs", "found"),
    [
        ([1, 2], "1"),
        ([{"context": "a", "qas": 7}], "7"),
        ([{"context": "a", "qas": ["q"]}], "'q'"),
        ([{"context": "a", "qas": None}], "None"),
    ],
)
def test_questions_that_are_no_objects_are_no_rows(tmp_path, paragraphs, found):
    """AttributeError and TypeError, where SQuAD's layout was taken for granted."""
    (tmp_path / "a.json").write_bytes(squad(paragraphs))
    with pytest.raises(StudyError, match=f"a row is not an object. Found {found}"):
        OwnTable(Places(tmp_path), train="a.json").read("train")


def test_a_step_that_trained_nothing_is_drawn_as_nothing(tmp_path):
    steps = [json.dumps(one) for one in (STEPS[0], {**STEPS[1], "losses": {}, "examples": {}})]
    assert attempt("steps", tmp_path, "\n".join(steps).encode())


def test_numbers_are_no_names_of_choices(tmp_path):
    """`target = "number"` made numbers of the labels of multiple choice: ArrowInvalid."""
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in CHOICES))
    assert OwnTable(Places(tmp_path), train="a.jsonl", target="number").read("train").rows["label"][:2] == ["0", "1"]


@pytest.mark.parametrize("number", ["1" + "0" * 400, "[" * 900 + "]" * 900])
def test_a_score_that_no_float_holds_is_refused(tmp_path, number):
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a", "label": {number}}}\n{{"text": "b", "label": 1}}\n')
    with pytest.raises(StudyError, match="the score is not a finite number"):
        OwnTable(Places(tmp_path), train="a.jsonl", target="number").read("train")


def test_an_answer_may_not_start_at_a_number_of_5000_digits(tmp_path):
    (tmp_path / "a.csv").write_text(f"question,context,text,start\nq,c,c,{'9' * 5000}\n")
    with pytest.raises(StudyError, match="an answer is not a string with a whole number as its answer_start"):
        OwnTable(Places(tmp_path), train="a.csv", columns={"answers": ["text", "start"]}).read("train")


@pytest.mark.parametrize("name", ["a\0b.csv", "a" * 5000 + ".csv", "a/" * 3000 + "b.csv"])
def test_what_cannot_be_the_name_of_a_file_is_said(tmp_path, name):
    with pytest.raises(StudyError, match="this cannot be the name of a file"):
        OwnTable(Places(tmp_path), train=name)


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(inference, "LONGEST", 100)
    with pytest.raises(StudyError, match="the line has more than 100 characters"):
        TARGETS["predict"].run(tmp_path, b'{"text": "' + b"a" * 1000 + b'"}')


@pytest.mark.parametrize(
    "value", [int("f" * 5000, 16), nested(100_000, True), "\x1b[2J", "\ud800"], ids=["wide", "deep", "odd", "half"]
)
def test_any_value_can_be_shown(value):
    assert len(shown(value)) <= 80 and shown(value).isprintable()
