"""Texts on their way to a person: nothing in them steers a terminal or a page, or tells whose machine it was."""

import json
import re
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

# Controls, marks of direction, separators of lines and paragraphs, halves of surrogate pairs, and what takes no room.
# The two joiners belong to the writing of many scripts and to emoji, and stay behind a sign of one of those. So do
# the signs of Arabic and Syriac that are format characters to Unicode, but are seen.
_JOINING = (
    "\u0590-\u0605\u0606-\u10ff\u1200-\u180d\u180f-\u1cff\u2190-\u2bff\ua800-\uabff\ufb1d-\ufdff\ufe0f\ufe70-\ufefc"
    "\U00010a00-\U00011fff\U0001e900-\U0001e95f\U0001f000-\U0001faff"
)
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    f"\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]|(?<![{_JOINING}])[\u200c\u200d]"
)
# Of this user, and as they are named on other machines, in the folder of a user or as part of a longer path.
_HOMES = r"(?:/home|/Users|[A-Za-z]:\\Users)[/\\][^/\\\s\"':,;]+|/root"
_PLACE = re.compile(r'(?<=File ")[^"\n]+(?=")')


def printable(text: object, keep: str = "") -> str:
    r"""A text in which what could act on a terminal, a page or the order of its own letters is written as an escape,
    such as \x1b or \u202e. Letters of every script stay as they are, and so do emoji.

    :param keep: Characters that stay nevertheless: "\n\t" where lines may be lines.
    """
    return _UNSEEN.sub(
        lambda sign: sign[0] if sign[0] in keep else sign[0].encode("unicode_escape").decode(), str(text)
    )


def printable_json(value: Any) -> str:
    """A value as one line of JSON that a terminal may show; to a program it is what it was."""
    return _UNSEEN.sub(lambda sign: json.dumps(sign[0])[1:-1], json.dumps(value, ensure_ascii=False))


def private(value: T) -> T:
    """Plain values with ~ in place of the folders of users, whose names are those of people."""
    if isinstance(value, str):
        return _homes().sub("~", value)  # pyright: ignore[reportReturnType]
    if isinstance(value, dict):
        return {private(key): private(part) for key, part in value.items()}  # pyright: ignore[reportReturnType]
    if isinstance(value, list):
        return [private(part) for part in value]  # pyright: ignore[reportReturnType]
    return value


def _homes() -> re.Pattern[str]:
    try:
        home = Path.home()
        mine = [re.escape(str(one)) for one in dict.fromkeys((home, home.resolve())) if len(one.parts) > 1]
    except (RuntimeError, OSError):
        mine = []
    return re.compile(rf"(?<![\w.~-])(?:{'|'.join([*mine, _HOMES])})(?![\w.-])")


def private_traceback(text: str) -> str:
    """A traceback whose files are named as their packages name them, others by their own name."""
    return private(_PLACE.sub(lambda place: _in_package(place[0]), text))


def _in_package(path: str) -> str:
    parts = path.replace("\\", "/").split("/")
    for folder in ("site-packages", "src"):
        if folder in parts:
            return "/".join(parts[len(parts) - parts[::-1].index(folder) :])
    return parts[-1]
