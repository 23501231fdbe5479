"""What is shown of a value is short and can be printed."""

from hypothesis import given
from hypothesis import strategies as st
from steady import PLAIN, STEADY

from manyheads.core.problems import shown


@STEADY
@given(value=PLAIN, limit=st.integers(10, 200))
def test_what_is_shown_is_short_and_can_be_printed(value, limit):
    text = shown(value, limit)
    assert len(text) <= limit and text.isprintable() == repr(value)[: limit - 1].isprintable()
