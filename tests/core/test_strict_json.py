"""How deep values are nested is counted without going deep."""

from hypothesis import given
from hypothesis import strategies as st
from steady import STEADY

from manyheads.core.strict_json import too_deep


@STEADY
@given(depth=st.integers(0, 300), lists=st.booleans())
def test_depth_is_counted_without_going_deep(depth, lists):
    value = 1
    for _ in range(depth):
        value = [value, 2] if lists else {"a": value}
    assert too_deep(value) == (depth > 100)
