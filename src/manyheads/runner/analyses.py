"""A study's analyses, after its comparison: each is done once, and again if something that it rests on has changed."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from manyheads import registry
from manyheads.analyses import Analysis
from manyheads.core.atomic_files import halted, halting, write_whole
from manyheads.core.version import __version__
from manyheads.results import schema
from manyheads.runner import analysis_inputs, analysis_sections
from manyheads.runner.analysis_inputs import StudyMaterial
from manyheads.runner.analysis_sections import lost, told
from manyheads.study.spec import Choice
from manyheads.training.run_files import mark
from manyheads.training.workshop import resolved_method, source_hash

FOLDER, KEPT = "analyses", "finding.json"
_OURS = tuple(Path(module.__file__ or "") for module in (analysis_inputs, analysis_sections))


def analyse(
    choices: Sequence[Choice], given: StudyMaterial, code: Path | None, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """What each analysis found, as results.json has it; its tables are written as files. One that fails says why.

    :param say: Called with a line for the user.
    :raises HaltedError: If the disk takes no more.
    """
    entries = []
    for choice in choices:
        entry = _known(choice, given, code)
        if entry is None:
            say(f"analysis {choice.name}")
            entry = _made(choice, given, code)
        if entry["failed"]:
            say(f"analysis {choice.name}: failed: {entry['failed']}")
        entries.append(entry)
    return entries


def _known(choice: Choice, given: StudyMaterial, code: Path | None) -> dict[str, Any] | None:
    """What was found before, if nothing has changed since."""
    try:
        kept = json.loads((given.out / FOLDER / choice.name / KEPT).read_text("utf-8"))
        same = kept["key"] == _key(choice, given, code) and all(
            hashlib.sha256((given.out / path).read_bytes()).hexdigest() == digest
            for path, digest in kept["files"].items()
        )
        whole = same and not any(schema.unlike(schema.Analysis, kept["finding"], KEPT))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # made anew
    return kept["finding"] if whole else None


def _made(choice: Choice, given: StudyMaterial, code: Path | None) -> dict[str, Any]:
    folder = given.out / FOLDER / choice.name
    try:
        analysis_class: Any = registry.load("analyses", choice.name, code)
        analysis: Analysis = analysis_class(**choice.settings)
        entry, files = told(choice.name, analysis.find(given))
        folder.mkdir(parents=True, exist_ok=True)
        (given.out / "figures").mkdir(exist_ok=True)
        for path, content in files.items():
            write_whole(given.out / path, content)
        digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
        kept = {"key": _key(choice, given, code), "files": digests, "finding": entry}
        write_whole(folder / KEPT, json.dumps(kept, ensure_ascii=False, allow_nan=False) + "\n")
    except (KeyboardInterrupt, SystemExit, BrokenPipeError):
        raise
    except BaseException as error:  # what fails in a library written in Rust is no Exception
        if number := halting(error):
            raise halted(error, number, folder) from error
        return lost(choice.name, (str(error).splitlines() or [""])[0] or type(error).__name__)
    return entry


def _key(choice: Choice, given: StudyMaterial, code: Path | None) -> str:
    """A hash of everything that a finding depends on: settings, sources, data, and the record of every finished run."""
    path = registry.describe("analyses", choice.name, code).path
    plan: Mapping[str, Any] = {key: value for key, value in given.plan.items() if key not in ("command", "settings")}
    parts = {
        "version": __version__,
        "method": resolved_method("analyses", choice, code),
        "source": source_hash(path, *_OURS),
        "plan": plan,
        "runs": {run.path: mark(given.out / run.path) for run in given.runs()},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
