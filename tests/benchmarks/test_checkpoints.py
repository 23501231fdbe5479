"""The benchmark of checkpoints counts what is saved."""

import checkpoints
import pytest


def test_a_checkpoint_of_the_quickstart_is_timed(tmp_path):
    found = checkpoints.measured(tmp_path, layers=1, steps=4, every=2)
    assert found["saves"] == 2 and 0 < found["median"] <= found["most"]
    # Weights, and two moments for each of them that is trained; words that no review holds are not.
    assert found["bytes"] > 3 * 4 * 1_700_000
    assert found["share"] == pytest.approx(found["median"] / 600)
