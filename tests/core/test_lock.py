"""One writer at a time: of many that race for a lock one gets it, and the death of its holder frees it."""

import os
import re
import signal

from racing import SERVER, race
from waiting import LIMIT

from manyheads.core.lock import holder, is_lock, locked


def test_one_of_sixteen_wins_and_its_death_frees_the_lock(tmp_path):
    start, results = SERVER.Barrier(16), SERVER.Queue()
    racers = [SERVER.Process(target=race, args=(tmp_path / "lock", start, results), daemon=True) for _ in range(16)]
    for racer in racers:
        racer.start()
    won = dict(results.get(timeout=LIMIT) for _ in racers)
    winner = [process for process, mine in won.items() if mine]
    assert len(won) == 16 and len(winner) == 1
    assert re.match(rf"process {winner[0]} on .+, since \d{{4}}-", holder(tmp_path / "lock"))
    with locked(tmp_path / "lock") as mine:
        assert not mine
    os.kill(winner[0], signal.SIGKILL)
    with locked(tmp_path / "lock", wait=True) as mine:
        assert mine
        assert holder(tmp_path / "lock").startswith(f"process {os.getpid()} on")
    for racer in racers:
        racer.kill()
        racer.join()


def test_it_is_free_after_its_holder_has_left_and_after_an_error(tmp_path):
    for _ in range(2):
        try:
            with locked(tmp_path / "lock") as mine:
                assert mine
                with locked(tmp_path / "lock") as again:
                    assert not again
                raise KeyError
        except KeyError:
            pass


def test_a_file_that_says_nothing_is_no_obstacle(tmp_path):
    assert holder(tmp_path / "lock") == "another process"
    (tmp_path / "lock").write_bytes(b"\xff{")
    assert holder(tmp_path / "lock") == "another process"
    with locked(tmp_path / "lock") as mine:
        assert mine


def test_a_lock_is_told_from_somebody_s_file(tmp_path):
    with locked(tmp_path / "lock"):
        assert is_lock(tmp_path / "lock")
    assert is_lock(tmp_path / "lock")
    for content in ("mine", "{}", "7", '["process", "since"]', "x" * 2_000):
        (tmp_path / "mine").write_text(content)
        assert not is_lock(tmp_path / "mine")
    (tmp_path / "link").symlink_to("lock")
    assert not is_lock(tmp_path / "link") and not is_lock(tmp_path / "nothing")
