"""A hash of what rows hold, computed a block at a time: how Arrow keeps them makes no difference."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import types
from pyarrow.compute import call_function

from manyheads.core.values import Table

BLOCK = 10_000
"""Rows read at once."""
_MISSING = -1


def content_hash(*tables: Table) -> str:
    """What data a run was trained and scored on: equal hashes, equal rows in equal order.

    Columns count by name, in any order. The width of numbers, how lists and texts are cut into chunks, and selections
    that are not yet copied make no difference; nothing and an empty text do.
    """
    digest = hashlib.blake2b(digest_size=16)
    for table in tables:
        streams: dict[str, Any] = {}
        for name in sorted(table.rows.column_names):
            streams[_stream_of(name)] = hashlib.blake2b(digest_size=16)
        for block in table.rows.with_format("arrow").iter(batch_size=BLOCK):
            for name in block.column_names:
                for chunk in block.column(name).chunks:
                    for part, content in _streams(_stream_of(name), chunk):
                        streams.setdefault(part, hashlib.blake2b(digest_size=16)).update(content)
        for part in sorted(streams):
            digest.update(part.encode() + b"\0" + streams[part].digest())
        digest.update(b"\1")
    return digest.hexdigest()


def _stream_of(name: str) -> str:
    return json.dumps(name)


def _streams(name: str, values: pa.Array) -> Iterator[tuple[str, Any]]:
    """What a column adds to each stream of its own: how long each value is (-1 for none), and the values' bytes.

    Streams depend only on the values one after another, so any cut into chunks gives the same.
    """
    kind = values.type
    if types.is_string(kind) or types.is_large_string(kind):
        yield f"{name} lengths", _filled(call_function("binary_length", [values]), np.int64, _MISSING)
        yield f"{name} text", _bytes_of(values)
    elif types.is_list(kind) or types.is_large_list(kind):
        yield f"{name} lengths", _filled(call_function("list_value_length", [values]), np.int64, _MISSING)
        yield from _streams(f"{name}[]", values.flatten())
    elif types.is_struct(kind):
        yield f"{name} there", values.is_valid().to_numpy(zero_copy_only=False).astype(np.int8).data
        for field, column in sorted(zip(kind.names, values.flatten(), strict=True), key=lambda pair: pair[0]):
            yield from _streams(f"{name}.{json.dumps(field)}", column)
    elif types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        yield f"{name} there", values.is_valid().to_numpy(zero_copy_only=False).astype(np.int8).data
        yield f"{name} values", _filled(values, np.float64 if types.is_floating(kind) else np.int64, 0)
    else:
        lines = [json.dumps(value, default=str) + "\n" for value in values.to_pylist()]
        yield f"{name} json", "".join(lines).encode()


def _filled(values: pa.Array, kind: Any, missing: int) -> Any:
    filled = values.fill_null(missing) if values.null_count else values
    return np.ascontiguousarray(filled.to_numpy(zero_copy_only=False).astype(kind)).data


def _bytes_of(texts: pa.Array) -> Any:
    """The texts' bytes one after another, where Arrow has them; what stands under a missing text is not one of them."""
    if texts.null_count:
        texts = texts.drop_null()
    if not len(texts):
        return b""
    wide = types.is_large_string(texts.type)
    offsets = np.frombuffer(texts.buffers()[1], np.int64 if wide else np.int32)[texts.offset :][: len(texts) + 1]
    content = texts.buffers()[2]
    return b"" if content is None else memoryview(content)[int(offsets[0]) : int(offsets[-1])]
