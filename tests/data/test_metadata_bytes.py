"""Any metadata comes back from bytes as it was."""

from hypothesis import given
from steady import PLAIN, STEADY

from manyheads.data.metadata_bytes import packed, unpacked


@STEADY
@given(value=PLAIN)
def test_a_note_comes_back_as_it_was(value):
    assert unpacked(packed(value)) == value
