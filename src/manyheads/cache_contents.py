"""What the token cache holds, for people and as plain values."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from manyheads.token_cache import TokenCache


def contents(cache: TokenCache) -> dict[str, Any]:
    """What a cache holds, as plain values."""
    entries = cache.entries()
    return {
        "folder": None if cache.folder is None else str(cache.folder),
        "bytes": sum(entry.bytes for entry in entries),
        "entries": [
            {
                **{name: entry.about.get(name) for name in ("task", "split", "head", "examples", "tokens")},
                "bytes": entry.bytes,
                "used": datetime.fromtimestamp(entry.used, UTC).isoformat(timespec="seconds"),
                "folder": str(entry.path),
            }
            for entry in entries
        ],
    }


def contents_lines(content: Mapping[str, Any]) -> list[str]:
    """What a cache holds, as a person reads it."""
    if content["folder"] is None:
        return ["There is no folder for a cache: set MANYHEADS_CACHE."]
    number = len(content["entries"])
    lines = [f"{content['folder']}: {number} {'entry' if number == 1 else 'entries'}, {amount(content['bytes'])}"]
    for entry in content["entries"]:
        used = datetime.fromisoformat(entry["used"]).astimezone().strftime("%Y-%m-%d %H:%M")
        what = f"{entry['task']} ({entry['split']}), {entry['head']}: {entry['examples'] or 0:,} examples"
        if entry["examples"] is None:
            what = "unfinished or damaged"
        lines.append(f"  {what}, {amount(entry['bytes'])}, last used {used}")
    return lines


def amount(size: float) -> str:
    """Bytes for a person: 1.4 MB is 1.4 million of them."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "bytes" or size >= 100 else f"{size:.1f} {units[0]}"
