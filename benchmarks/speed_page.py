"""Puts the figures of the benchmarks of speed into docs/results/speed.md, each between its two marks.

    python benchmarks/speed_page.py [--figures docs/results/speed] [--page docs/results/speed.md]

The page is written by hand but for what stands between `<!-- NAME: figures -->` and `<!-- NAME: end -->`: there goes
what FIGURES/NAME.json holds, with its date, command and machine. Where there is no such file, nothing stands there.
"""

import argparse
import importlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
TABLES: dict[str, Callable[[Any, Any], str]] = {
    "training": lambda module, results: module.report(results),
    "inference": lambda module, results: module.report(results),
    "gradient_methods": lambda module, results: module.table(results),
    "scaling": lambda module, results: f"```\n{module.page(results)}\n```",  # columns aligned by spaces
}
"""How each benchmark shows its own results."""


def source(found: Mapping[str, Any]) -> str:
    """Where figures come from: date, command, machine."""
    machine = found["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    threads = f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}"
    return (
        f"{found['date']}, `{found['command']}`, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_bytes'] / 2**30:.0f} GiB of memory, {threads}; {versions}."
    )


def filled(page: str, figures: Path) -> str:
    """The page with the figures of every benchmark in their place.

    :raises ValueError: If the page lacks the marks of a benchmark, or has them twice.
    """
    for name, show in TABLES.items():
        opening, end = f"<!-- {name}: figures -->", f"<!-- {name}: end -->"
        pattern = re.compile(f"{re.escape(opening)}.*?{re.escape(end)}", re.DOTALL)
        if len(pattern.findall(page)) != 1:
            raise ValueError(f"the page should hold {opening} and {end} once")
        path = figures / f"{name}.json"
        between = "\n"
        if path.is_file():
            found = json.loads(path.read_text("utf-8"))
            between = f"\n\n{source(found)}\n\n{show(importlib.import_module(name), found.get('results', found))}\n\n"
        whole = f"{opening}{between}{end}"
        page = pattern.sub(lambda _, whole=whole: whole, page)
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=Path, default=RESULTS / "speed")
    parser.add_argument("--page", type=Path, default=RESULTS / "speed.md")
    options = parser.parse_args()
    options.page.write_text(filled(options.page.read_text("utf-8"), options.figures), encoding="utf-8")
    print(f"written: {options.page}")


if __name__ == "__main__":
    main()
