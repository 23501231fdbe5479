"""The metadata of an encoded example (see `values.Encoded`) as bytes and back, without pickle."""

import json
from typing import Any

import numpy as np

ARRAY = "\0array"
"""Stands in the JSON where an array was; what it holds follows behind the JSON."""


def packed(metadata: Any) -> bytes | None:
    """Metadata as bytes: its length as JSON in four bytes, JSON, and the arrays that the JSON mentions.

    :raises TypeError: If it holds something else than plain JSON values and arrays of numbers.
    """
    if metadata is None:
        return None
    arrays: list[np.ndarray] = []

    def mentioned(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
            kind = type(value).__name__
            raise TypeError(f"metadata may hold plain JSON values and arrays of numbers. Found one of type {kind}")
        arrays.append(value)
        return {ARRAY: [value.dtype.str, list(value.shape)]}

    text = json.dumps(metadata, ensure_ascii=False, default=mentioned).encode("utf-8", "surrogatepass")
    return b"".join([len(text).to_bytes(4, "little"), text, *(array.tobytes() for array in arrays)])


def unpacked(content: Any) -> Any:
    """Metadata from its bytes (anything with a buffer); None from None."""
    if content is None:
        return None
    view = memoryview(content)
    at = 4 + int.from_bytes(view[:4], "little")
    end = at

    def found(value: dict[str, Any]) -> Any:
        nonlocal end
        if ARRAY not in value:
            return value
        name, shape = value[ARRAY]
        array = np.frombuffer(view, np.dtype(name), int(np.prod(shape, dtype=np.int64)), end).reshape(shape)
        end += array.nbytes
        return array

    return json.loads(bytes(view[4:at]).decode("utf-8", "surrogatepass"), object_hook=found)
