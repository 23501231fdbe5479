"""JSON files that hold a hash of what they hold, so that a change of a single bit is noticed when they are read."""

import hashlib
import json
from collections.abc import Mapping

SEAL = "seal"
"""The key; a file of before, or of another program, does not have it."""


def seal_of(rest: Mapping[str, object]) -> str:
    """The hash of plain values, in whatever order and type JSON gives them back."""
    return hashlib.sha256(json.dumps(json.loads(json.dumps(rest)), sort_keys=True).encode()).hexdigest()


def sealed_text(rest: Mapping[str, object]) -> str:
    """The text of a file that holds these values and their hash."""
    return json.dumps({**rest, SEAL: seal_of(rest)}, indent=1, ensure_ascii=False) + "\n"


def seal_broken(content: Mapping[str, object]) -> bool:
    """Whether what was read from a file is not what was written; one without a hash cannot say, and is not."""
    rest = {key: value for key, value in content.items() if key != SEAL}
    return SEAL in content and content[SEAL] != seal_of(rest)
