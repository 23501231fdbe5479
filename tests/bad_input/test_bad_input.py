"""The catalogue of bad inputs, every case of it run through the command, and the page that is made of them."""

import importlib
import json
import re
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from bad_input_case import GROUPS, Answer, Case, inside, page, problems, run

from manyheads.core.problems import Problem
from manyheads.study import estimate

PYTHON = (3, 11)
"""Whose standard library's messages are on the page."""
PAGE = Path(__file__).parents[2] / "docs" / "bad_input.md"


def _cases() -> list[Case]:
    found = sorted(Path(__file__).parent.glob("group_?.py"))
    return [case for path in found for case in importlib.import_module(f"bad_input.{path.stem}").CASES]


CASES = _cases()


@cache
def answered(index: int) -> Answer:
    """What the command said to a case. Each case is run once."""
    return asked(CASES[index])


def asked(case: Case) -> Answer:
    """What the command says to a case now, in a folder of its own."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimate, "_matrix_product_speed", lambda: 1e11)  # nobody reads the minutes here
        patch.delenv("MANYHEADS_DATA", raising=False)
        patch.setenv("MANYHEADS_CACHE", f"{name}/cache")
        folder = Path(name).resolve() / "case"
        folder.mkdir()
        answer = run(case, folder)
        if case.holds is not None and answer.code == 0:
            with inside(folder):
                case.holds(folder)
    return answer


@pytest.mark.parametrize("index", range(len(CASES)), ids=[f"{case.number} {case.input}" for case in CASES])
def test_case(index):
    case, answer = CASES[index], answered(index)
    assert answer.code == case.code, answer.text
    for phrase in case.says:
        assert phrase in answer.text, answer.text
    assert "Traceback" not in answer.text
    if case.code == 2:
        found = problems(answer)
        assert f"{len(found)} problem{'s' if len(found) > 1 else ''}:" in answer.text.splitlines()
        for line in found:
            assert re.fullmatch(r"\S.*: .*[.!?)]", line) and len(line) < 700, line


def test_as_json_the_problems_are_the_same_and_say_what_would_work():
    for case in CASES:
        if case.code == 2 and case.command[0] == "check" and case.number != 45:  # those write gigabytes
            answer = asked(replace(case, command=(*case.command, "--json")))
            given = json.loads(answer.text)["problems"]
            assert [str(Problem(**one)) for one in given] == problems(answered(CASES.index(case)))
            assert all(
                one["where"] and (one["remedy"] or "should be" in one["what"] or ". Found " in one["what"])
                for one in given
            ), given


def test_every_number_is_there():
    counts = Counter(case.number for case in CASES)
    numbers = [number for numbers, _ in GROUPS.values() for number in numbers]
    assert numbers == list(range(1, 96))
    assert sorted(counts) == numbers and len(CASES) >= 90
    assert len({(case.number, case.input) for case in CASES}) == len(CASES)
    assert all(case.says or case.holds for case in CASES)
    assert all(case.holds is None or case.holds.__doc__ for case in CASES)
    refused = sum(case.code == 2 for case in CASES)
    print(f"\n{len(CASES)} cases of {len(counts)} numbers: {refused} refused, {len(CASES) - refused} handled")


@pytest.mark.skipif(sys.version_info[:2] != PYTHON, reason="other versions of Python word their messages differently")
def test_the_page_is_what_the_commands_say():
    assert PAGE.read_text("utf-8") == _page(), "make it again: PYTHONPATH=tests python -m bad_input.test_bad_input"


def _page() -> str:
    return page([(case, answered(index)) for index, case in enumerate(CASES)])


if __name__ == "__main__":
    PAGE.write_text(_page(), "utf-8")
