"""JSON files that hold a hash of what they hold, so that a change of a single bit is noticed when they are read."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "sha256"
"""The key; a file of before, or of another program, does not have it."""


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """A file's content with the hash of all the rest of it."""
    rest = json.loads(json.dumps({key: value for key, value in content.items() if key != SEAL}))
    return {**content, SEAL: _hash(rest)}


def seal_broken(content: Mapping[str, Any]) -> bool:
    """Whether what was read from a file is not what was written; one without a hash cannot say, and is not."""
    rest = {key: value for key, value in content.items() if key != SEAL}
    return SEAL in content and content[SEAL] != _hash(rest)


def _hash(rest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
