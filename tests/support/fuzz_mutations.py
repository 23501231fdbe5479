"""Inputs that are almost right: seeded mutations of bytes, and of the values that JSON or TOML hold."""

import copy
import json
import random
from collections.abc import Sequence
from typing import Any

DEEP = 5_000
TOKENS = (
    b'"', b'""', b"'", b"\t", b"\0", b"\n", b"\r", b"\r\n", b"\n\n", b",", b";", b"{", b"}", b"[", b"]", b":", b"=",
    b"\\",
    b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-1", b"-0", b"1.0", b"0x10", b"9" * 400, b"9" * DEEP,
    b"0x" + b"f" * DEEP, b"[" * DEEP, b'{"a":' * DEEP, b"a." * DEEP, b"a" * 3_000, b"\xef\xbb\xbf", b"\xff\xfe",
    b"\xff",
    b"\xe9", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\\ud83d", b"\\udc00", b"\\u0000", "e\u0301".encode(),
    b"\xe2\x80\xa8",
    b"\xe2\x80\xae", b"\x1b[2J", b"\x1f\x8b\x08", b"PK\x03\x04", b"PAR1", b"../", b"/etc/passwd", b"-", b"id", b"text",
    b"label", b"answers", b"name", b"__proto__", b"1979-05-27T07:32:00Z", b"{{", b"${x}", b"%s%n", b"=1+1",
)  # fmt: skip
"""What readers trip over, spliced in anywhere."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**64), 10**400, 0.5, 1e308, -1e308, 1e-320, float("nan"),
    float("inf"),
    "", " ", "\t", "\n", "\0", "\ud83d", "\u202e", "😀", "e\u0301", "-1", "NaN", "1e5", "true", "../..", "/etc/passwd",
    "\x1b[2J", "a" * 3_000, "9" * DEEP, [], [[]], {}, {"": ""}, {"name": 1}, {"text": []}, [None], ["a", 1], "id",
    "one per task",
)  # fmt: skip
"""What a value may be exchanged for."""


def mutated_bytes(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds after one to four small accidents."""
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = rng.choice(_ACCIDENTS)(rng, data, seeds)
    return data


def _places(rng: random.Random, data: bytes) -> tuple[int, int]:
    first = rng.randint(0, len(data))
    return first, min(len(data), first + rng.choice((1, 2, 8, 40, len(data))))


def _flipped(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3)) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: rng.randint(0, len(data))]


def _removed(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    first, last = _places(rng, data)
    return data[:first] + data[last:]


def _doubled(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    first, last = _places(rng, data)
    return data[:last] + data[first:]


def _spliced(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = rng.choice(seeds)
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _with_token(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    first, last = _places(rng, data)
    last = rng.choice((first, last))
    return data[:first] + rng.choice(TOKENS) + data[last:]


_ACCIDENTS = (_flipped, _cut, _removed, _doubled, _spliced, _with_token, _with_token, _with_token)


def mutated_value(rng: random.Random, value: Any) -> Any:
    """A copy of nested plain values in which one to three of them were exchanged, lost, doubled or moved."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        holders = list(_holders(value))
        if not holders:
            return _copied(rng.choice(VALUES))
        holder, key = rng.choice(holders)
        _change(rng, holder, key, holders)
    return value


def _holders(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a value."""
    found, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, dict | list):
            continue
        inside = list(one.items()) if isinstance(one, dict) else list(enumerate(one))
        found += [(one, key) for key, _ in inside]
        waiting += [part for _, part in inside]
    return found


def _change(rng: random.Random, holder: Any, key: Any, holders: Sequence[tuple[Any, Any]]) -> None:
    match rng.randrange(8):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(("", "id", "name", "text", f"{key} ", str(key).upper(), "\0", "../x"))] = holder.pop(key)
        case 2 if isinstance(holder, list):
            holder.insert(key, _copied(holder[key]))
        case 3:
            other, place = rng.choice(holders)
            if place in other if isinstance(other, dict) else place < len(other):
                holder[key] = _copied(other[place])
        case 4:
            holder[key] = nested(rng.choice((3, 200, 900)), rng.random() < 0.5)
        case _:
            holder[key] = _copied(rng.choice(VALUES))


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except RecursionError:  # an earlier change has nested it deeply
        return []


def nested(depth: int, in_lists: bool) -> Any:
    """A value of so many containers in one another."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if in_lists else {"a": value}
    return value


def json_bytes(rng: random.Random, value: Any) -> bytes:
    """A value as JSON, now and then with a key that stands twice, or with bytes that are wrong."""
    try:
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    except (RecursionError, ValueError):
        return b"[" * DEEP
    if rng.random() < 0.05:
        text = text.replace('": ', '": 0, "id": ', 1)
    data = text.encode("utf-8", "surrogatepass")
    return mutated_bytes(rng, [data]) if rng.random() < 0.1 else data


def toml_bytes(value: dict[str, Any]) -> bytes:
    """Tables as TOML. What TOML cannot hold (null) is written all the same, for the parser to refuse."""
    try:
        text = "\n".join(f"{_quoted(key)} = {_toml(part)}" for key, part in value.items())
    except RecursionError:
        return b"a." * DEEP + b"a = 1"
    return text.encode("utf-8", "surrogatepass")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_quoted(str(key))} = {_toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return _quoted(value)
    return str(value).lower()
