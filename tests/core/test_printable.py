"""What reaches a terminal or a page is seen as it is: nothing acts or hides, and every script stays readable."""

import json
import sys
import unicodedata

import pytest

from manyheads.core import printable as module
from manyheads.core.printable import printable, printable_json, private, private_traceback

SEEN_FORMATS = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
JOINERS = "\u200c\u200d"
READABLE = [
    "שלום עולם", "می\u200cخواهم", "क्\u200dष", "ශ්\u200dරී", "👩🏽\u200d💻", "❤️\u200d🔥",
    "👨\u200d👩\u200d👧\u200d👦", "🏳️\u200d🌈", "日本語　テスト", "naïve – “quotes” …",
    "a\u00a0b", "ﬁ", "e\u0301", "\u0600\u0661\u06dd",
]  # fmt: skip
HOSTILE = [
    "\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "a\u202eb", "\u2066x\u2069",
    "\u200fx", "\u061cx", "a\u200bb", "\ufeffx", "a\u2028b", "a\u2029b", "\x85", "\ud800", "\udc80",
    "a\u00adb", "\u2060", "\U000e0041\U000e007f", "\r", "\b",
    "x\u200dy", "task\u200c", "👩\u200d\u200d\u200d", "\ufff9", "\u3164",
    "\x7f", "\x00", "\ufffe",
]  # fmt: skip


@pytest.mark.parametrize("text", READABLE)
def test_what_people_write_stays(text):
    assert printable(text) == text and json.loads(printable_json(text)) == text and text in printable_json([text])


@pytest.mark.parametrize("text", HOSTILE)
def test_what_acts_or_hides_is_written_as_an_escape(text):
    shown = printable(text)
    assert shown != text and "\\" in shown and printable(shown) == shown
    shown.encode("utf-8")
    as_json = printable_json({"a": text})
    assert json.loads(as_json) == {"a": text} and printable(as_json) == as_json


def test_of_all_characters_those_that_are_not_seen_are_escaped():
    for code in range(sys.maxunicode + 1):
        sign = chr(code)
        kind = unicodedata.category(sign)
        hidden = kind in ("Cc", "Cs", "Zl", "Zp") or (kind == "Cf" and code not in SEEN_FORMATS)
        if hidden or sign in JOINERS:
            assert printable(f"a{sign}b") != f"a{sign}b", hex(code)
        elif kind[0] in "LNPSM" and sign not in "\u3164\uffa0":
            assert printable(sign) == sign, hex(code)


def test_lines_stay_where_they_may_be_lines():
    assert printable("a\n\tb\rc") == r"a\n\tb\rc" and printable("a\n\tb\rc", "\n\t") == "a\n\tb\\rc"


def test_folders_of_users_are_not_told(monkeypatch):
    monkeypatch.setenv("HOME", "/srv/people/ann-secret")
    for path in ("/srv/people/ann-secret/x", "/home/ann-secret/x", "/Users/ann-secret/x", "/root/x"):
        assert private({"a": [f"at {path}: b", {path: 1}]}) == {"a": ["at ~/x: b", {"~/x": 1}]}
    assert private("C:\\Users\\ann-secret\\x") == "~\\x"
    assert private([1, None, 2.5, "/srv/people/ann-secretary", "/rooted", "data/home/x"])[3:] == [
        "/srv/people/ann-secretary", "/rooted", "data/home/x",
    ]  # fmt: skip


def test_a_home_that_is_no_folder_of_a_user_changes_nothing(monkeypatch):
    monkeypatch.setenv("HOME", "/")
    assert private("/a/b") == "/a/b"


def test_a_traceback_names_files_as_packages_do(monkeypatch):
    monkeypatch.setenv("HOME", "/srv/people/ann-secret")
    text = (
        'File "/srv/people/ann-secret/p/.venv/lib/python3.11/site-packages/torch/nn/modules/module.py", line 3, in f\n'
        'File "/usr/lib/app/src/manyheads/training/run.py", line 1, in g\n'
        'File "/tmp/pytest-of-ann-secret/x/method.py", line 2\n'
        "OSError: /home/ann-secret/data"
    )
    told = private_traceback(text)
    assert "ann-secret" not in told and "torch/nn/modules/module.py" in told and "manyheads/training/run.py" in told
    assert 'File "method.py"' in told and "~/data" in told


def test_it_is_linear():
    long = "\u200d" * 1_000_000 + "क" * 1_000_000
    assert len(printable(long)) > 1_000_000 and module.private("/home" * 1_000_000)
