"""Properties that must hold of any input: of what readers read, schedules plan, batches hold and windows cover."""

import csv
import io
import json
import math
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from manyheads.data.note_bytes import packed, unpacked
from pyarrow import parquet

from manyheads import registry
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.strict_json import too_deep
from manyheads.core.tensors import padding_for
from manyheads.core.values import Pieces, Places
from manyheads.data.batches import TrainingData
from manyheads.datasets.table import OwnTable
from manyheads.heads._windows import piece_span, windows
from manyheads.sampling import Change
from manyheads.study.steps import _Budget, _laid_out

# The same examples each time, and no clock: a test that fails, fails everywhere.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
STEADY = settings(settings.get_profile("steady"), max_examples=60)

# ---- readers ---------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
WRITTEN = TEXT.map(lambda text: f"{text}x") | TEXT.map(lambda text: f"x{text}")
"""Any text that shows something; what shows nothing is refused."""
CELLS = WRITTEN.filter(lambda text: not set(text) & set("\t\n\r"))
LABELS = st.sampled_from(["yes", "no", "NA", "null", "None", "nan", "-", "x y", '"'])


def rows_of(kind):
    return st.lists(st.tuples(kind, kind, LABELS), min_size=1, max_size=8)


def read_back(folder, name, rows, **settings_):
    """(first text, second text, label) of each row that is read, in order."""
    table = OwnTable(Places(folder), train=name, **settings_).read("train")
    return list(zip(*(table.rows[column] for column in ("text", "text_pair", "label")), strict=True))


def with_gold(rows):
    """ "-" is the mark of rows without a gold label."""
    kept = [row for row in rows if row[2] != "-"]
    assume(kept)
    return kept


@STEADY
@given(rows=rows_of(WRITTEN), end=st.sampled_from(["\n", "\r\n"]), quoting=st.booleans())
def test_csv_that_the_standard_module_wrote_is_read_as_it_was(tmp_path_factory, rows, end, quoting):
    folder, kept, file = tmp_path_factory.mktemp("csv"), with_gold(rows), io.StringIO(newline="")
    # A lone carriage return outside quotes is refused, and some versions of the module do not quote it.
    every = quoting or "\r" in "".join(map("".join, rows))
    writer = csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL)
    writer.writerows([("text", "text_pair", "label"), *rows])
    (folder / "a.csv").write_bytes(file.getvalue().encode())
    assert read_back(folder, "a.csv", rows) == kept


@STEADY
@given(rows=rows_of(CELLS), end=st.sampled_from(["\n", "\r\n"]), last=st.booleans())
def test_tsv_is_read_as_it_was_written(tmp_path_factory, rows, end, last):
    folder, kept = tmp_path_factory.mktemp("tsv"), with_gold(rows)
    text = end.join("\t".join(row) for row in [("text", "text_pair", "label"), *rows]) + end * last
    (folder / "a.tsv").write_bytes(text.encode())
    assert read_back(folder, "a.tsv", rows) == kept


@STEADY
@given(rows=rows_of(WRITTEN), escaped=st.booleans(), document=st.booleans())
def test_json_is_read_as_it_was_written(tmp_path_factory, rows, escaped, document):
    folder, kept = tmp_path_factory.mktemp("json"), with_gold(rows)
    objects = [dict(zip(("text", "text_pair", "label"), row, strict=True)) for row in rows]
    lines = [objects] if document else objects
    (folder / "a.json").write_text("\n".join(json.dumps(one, ensure_ascii=escaped) for one in lines), "utf-8")
    assert read_back(folder, "a.json", rows) == kept
    assert read_back(folder, "a.json", rows, format="jsonl") == kept


@STEADY
@given(rows=rows_of(WRITTEN))
def test_parquet_is_read_as_it_was_written(tmp_path_factory, rows):
    folder, kept = tmp_path_factory.mktemp("parquet"), with_gold(rows)
    columns = dict(zip(("text", "text_pair", "label"), map(list, zip(*rows, strict=True)), strict=True))
    parquet.write_table(pa.table(columns), folder / "a.parquet")
    assert read_back(folder, "a.parquet", rows) == kept


@STEADY
@given(data=st.binary(max_size=300), ending=st.sampled_from(["csv", "tsv", "jsonl", "json", "parquet"]))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data, ending):
    folder = tmp_path_factory.mktemp("bytes")
    (folder / f"a.{ending}").write_bytes(data)
    with pytest.raises(StudyError) as error:
        OwnTable(Places(folder), train=f"a.{ending}").read("train")
    assert all(isinstance(problem, Problem) for problem in error.value.problems)


# ---- values ----------------------------------------------------------------------------------------------------------

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@STEADY
@given(value=PLAIN)
def test_a_note_comes_back_as_it_was(value):
    assert unpacked(packed(value)) == value


@STEADY
@given(value=PLAIN, limit=st.integers(10, 200))
def test_what_is_shown_is_short_and_can_be_printed(value, limit):
    text = shown(value, limit)
    assert len(text) <= limit and text.isprintable() == repr(value)[: limit - 1].isprintable()


@STEADY
@given(depth=st.integers(0, 300), lists=st.booleans())
def test_depth_is_counted_without_going_deep(depth, lists):
    value = 1
    for _ in range(depth):
        value = [value, 2] if lists else {"a": value}
    assert too_deep(value) == (depth > 100)


# ---- schedules -------------------------------------------------------------------------------------------------------

SIZES = st.lists(st.integers(1, 25), min_size=1, max_size=4).map(
    lambda sizes: {f"task{index}": size for index, size in enumerate(sizes)}
)
SCHEDULES = {
    "proportional": st.just({}),
    "alternating": st.fixed_dictionaries({"portion": st.floats(0.01, 1.0)}),
    "sequential": st.just({}),
    "round_robin": st.fixed_dictionaries({"until": st.sampled_from(["longest", "shortest"]), "joint": st.booleans()}),
    "weighted": st.fixed_dictionaries(
        {"weights": st.just({"task0": 0.6}), "on_empty": st.sampled_from(["cycle", "drop", "stop"])}
    ),
}
ONCE = ("proportional", "alternating")
"""Schedules whose epoch is one pass over every task."""


def schedule(name, sizes, given_settings):
    method = registry.load("sampling", name)
    made = method(sizes, dict.fromkeys(sizes, "classification"), **given_settings)
    made.epochs = 2.0
    return made


def test_every_schedule_is_looked_at():
    assert set(SCHEDULES) == set(registry.names("sampling"))


@pytest.mark.parametrize("name", SCHEDULES)
@settings(STEADY, max_examples=25)
@given(data=st.data(), sizes=SIZES, seed=st.integers(0, 2**32), epoch=st.integers(0, 3))
def test_a_plan_is_a_function_of_settings_epoch_and_seed(name, data, sizes, seed, epoch):
    chosen = data.draw(SCHEDULES[name])
    before = random.getstate()
    plans = [schedule(name, sizes, chosen).plan(epoch, random.Random(seed)) for _ in range(2)]
    made = schedule(name, sizes, chosen)
    for other in (0, 1):  # what was planned before does not matter
        made.plan(other, random.Random(9))
    assert plans[0] == plans[1] == made.plan(epoch, random.Random(seed))
    assert random.getstate() == before
    for step in plans[0]:
        assert step and set(step) <= set(sizes) and len(set(step)) == len(step)


@pytest.mark.parametrize("name", SCHEDULES)
@settings(STEADY, max_examples=25)
@given(data=st.data(), sizes=SIZES)
def test_expected_shares_add_up_to_one(name, data, sizes):
    made = schedule(name, sizes, data.draw(SCHEDULES[name]))
    shares = made.expected_shares()
    assert set(shares) == set(sizes) and math.isclose(sum(shares.values()), 1) and min(shares.values()) >= 0
    assert made.expected_steps() > 0
    assert all(isinstance(change, Change) and at >= 0 for at, change in made.changes(0).items())


@pytest.mark.parametrize("name", ONCE)
@settings(STEADY, max_examples=25)
@given(data=st.data(), sizes=SIZES, seed=st.integers(0, 2**32))
def test_an_epoch_holds_every_batch_once(name, data, sizes, seed):
    made = schedule(name, sizes, data.draw(SCHEDULES[name]))
    assert Counter(made.plan(0, random.Random(seed))) == {(task,): size for task, size in sizes.items()}


@pytest.mark.parametrize("name", SCHEDULES)
@settings(STEADY, max_examples=20)
@given(
    data=st.data(), sizes=SIZES, batch=st.integers(1, 5), seed=st.integers(0, 99),
    budget=st.one_of(
        st.tuples(st.just("epochs"), st.floats(0.1, 3)), st.tuples(st.just("steps"), st.integers(1, 80)),
        st.tuples(st.just("examples"), st.integers(1, 200)),
    ),
)  # fmt: skip
def test_a_budget_is_kept_to(name, data, sizes, batch, seed, budget):
    kind, amount = budget
    examples = {task: max(1, size * batch - data.draw(st.integers(0, batch - 1))) for task, size in sizes.items()}
    sizes = {task: -(-count // batch) for task, count in examples.items()}
    made = schedule(name, sizes, data.draw(SCHEDULES[name]))
    spending = _Budget(kind, amount, dict.fromkeys(sizes, batch), examples)
    layout = _laid_out(made, seed, spending)
    assert layout.steps and all(0 <= at < len(layout.steps) for at in layout.changes)
    if kind == "steps":
        assert len(layout.steps) == amount
    if kind == "examples":  # the step with which it is spent is the last
        assert spending.seen >= amount and spending.seen - batch * len(layout.steps[-1]) < amount
    longer = _laid_out(
        schedule(name, sizes, {}) if name in ("proportional", "sequential") else made, seed,
        _Budget("steps", len(layout.steps) + 5, dict.fromkeys(sizes, batch), examples),
    )  # fmt: skip
    if name in ("proportional", "round_robin", "weighted"):  # the others spread over the whole run
        assert longer.steps[: len(layout.steps)] == layout.steps


@STEADY
@given(count=st.integers(1, 60), size=st.integers(1, 20), seed=st.integers(0, 2**40))
def test_a_pass_holds_every_example_once_and_the_next_in_another_order(count, size, seed):
    data = TrainingData("task", [None] * count, size, seed)
    passes = [[row for at in range(data.per_pass) for row in data.rows(n * data.per_pass + at)] for n in range(3)]
    for one in passes:
        assert sorted(one) == list(range(count))
    assert data.rows(0) == TrainingData("task", [None] * count, size, seed).rows(0)
    if count > 30:
        assert passes[0] != passes[1] != passes[2]
        assert passes[0] != [
            row for at in range(data.per_pass) for row in TrainingData("other", [None] * count, size, seed).rows(at)
        ]


# ---- windows and spans -----------------------------------------------------------------------------------------------


@settings(STEADY, max_examples=200)
@given(count=st.integers(0, 300), room=st.integers(1, 80), stride=st.integers(1, 80))
def test_windows_lose_nothing_and_each_piece_has_one_owner(count, room, stride):
    assume(stride <= room)
    cut = windows(count, room, stride)
    assert cut.begins[0] == 0 and cut.ends[-1] == count
    assert all(begin == index * stride for index, begin in enumerate(cut.begins))
    assert all(end - begin <= room for begin, end in zip(cut.begins, cut.ends, strict=True))
    assert {piece for a, b in zip(cut.begins, cut.ends, strict=True) for piece in range(a, b)} == set(range(count))
    assert len(cut.begins) == 1 or cut.ends[-2] < count  # no window is there for nothing
    assert len(cut.owners) == count and all(
        cut.begins[owner] <= piece < cut.ends[owner] for piece, owner in enumerate(cut.owners.tolist())
    )
    assert (np.diff(cut.owners) >= 0).all()  # owners follow one another as their windows do
    for piece in range(0, count, 7):
        holding = cut.holding(piece, piece)
        assert cut.owners[piece] in holding
        poorer = {n: min(piece - cut.begins[n], cut.ends[n] - 1 - piece) for n in holding}
        length = cut.ends[cut.owners[piece]] - cut.begins[cut.owners[piece]]
        assert poorer[cut.owners[piece]] + 0.01 * length >= max(poorer.values())


@STEADY
@given(lengths=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=1, max_size=30), data=st.data())
def test_a_span_of_characters_is_the_pieces_that_it_touches(lengths, data):
    offsets, at = [], 0
    for gap, length in lengths:
        offsets.append((at + gap, at + gap + length))
        at += gap + length
    pieces = Pieces(np.arange(len(offsets), dtype=np.int32), np.array(offsets, np.int32))
    start = data.draw(st.integers(0, at - 1))
    end = data.draw(st.integers(start + 1, at))
    touched = [index for index, (a, b) in enumerate(offsets) if a < end and b > start]
    assert piece_span(pieces, start, end) == ((touched[0], touched[-1]) if touched else None)


@STEADY
@given(tokens=st.integers(1, 100_000))
def test_padding_of_a_pass_is_small(tokens):
    assert 0 <= padding_for(tokens) <= max(64, tokens // 8)
