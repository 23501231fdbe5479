"""Windows cover every piece, and spans of characters are the pieces that they touch."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from steady import STEADY

from manyheads.core.values import Pieces
from manyheads.heads._windows import piece_span, windows


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
