"""A study's analyses, after its comparison: each is done once, and again only if what it depends on has changed."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from manyheads import registry
from manyheads.analyses import Analysis
from manyheads.core.atomic_files import halted, halting, write_whole
from manyheads.core.printable import printable, private
from manyheads.core.sealed import SEAL, seal_broken
from manyheads.core.version import __version__
from manyheads.data.tokenized import source_hash
from manyheads.results import schema
from manyheads.results.run_record import record_hash
from manyheads.runner import analysis_inputs, analysis_sections
from manyheads.runner.analysis_inputs import RunsOnDisk
from manyheads.runner.analysis_sections import failed_entry, section_entry
from manyheads.study.methods import resolved_method
from manyheads.study.spec import Choice

FOLDER, FIGURES, KEPT = "analyses", "figures", "finding.json"
_OURS = tuple(Path(module.__file__ or "") for module in (analysis_inputs, analysis_sections))


class KeptAnalysis(schema.SealedFile):
    """finding.json: what an analysis found, for the next command.

    :param key: A hash of everything that it depends on.
    :param files: Path in the study's folder -> SHA-256 of the file.
    """

    key: str
    files: dict[str, str]
    finding: schema.Analysis


def analyse(
    choices: Sequence[Choice], runs: RunsOnDisk, code: Path | None, say: Callable[[str], None]
) -> list[schema.Analysis]:
    """What each analysis found; its tables and figures are written to files. One that fails says why.

    :param say: Called with a line for the user.
    :raises HaltedError: If the disk takes no more.
    """
    entries = []
    for choice in choices:
        entry = _known(choice, runs, code)
        if entry is None:
            say(f"analysis {choice.name}")
            entry = _made(choice, runs, code)
        if entry.failed:
            say(f"analysis {choice.name}: failed: {entry.failed}")
        entries.append(entry)
    return entries


def _known(choice: Choice, runs: RunsOnDisk, code: Path | None) -> schema.Analysis | None:
    """What was found before, if nothing has changed since and its files are as they were written."""
    try:
        kept = kept_analysis(runs.out, choice.name)
        same = not changed_files(runs.out, kept)
    except (OSError, ValueError, RecursionError):
        return None
    return kept.finding if same and kept.key == _key(choice, runs, code) else None


def kept_analysis(out: Path, name: str) -> KeptAnalysis:
    """What an analysis found, as it was written.

    :raises OSError: If it cannot be read.
    :raises ValueError: If it is not as it was written, or does not say how it was.
    """
    content = json.loads((out / FOLDER / name / KEPT).read_bytes())
    if not isinstance(content, dict) or SEAL not in content or seal_broken(content):
        raise ValueError(f"{KEPT} is not as it was written")
    return KeptAnalysis.model_validate(content)


def changed_files(out: Path, kept: KeptAnalysis) -> list[str]:
    """The files of an analysis that are not there, or not as they were written."""

    def changed(path: str) -> bool:
        try:
            return _sha256((out / path).read_bytes()) != kept.files[path]
        except OSError:
            return True

    return [path for path in kept.files if changed(path)]


def _made(choice: Choice, runs: RunsOnDisk, code: Path | None) -> schema.Analysis:
    folder = runs.out / FOLDER / choice.name
    try:
        analysis: Analysis = registry.load("analyses", choice.name, code)(**choice.settings)
        entry, files = section_entry(choice.name, analysis.analyse(runs))
        for path, content in files.items():
            (runs.out / path).parent.mkdir(parents=True, exist_ok=True)
            write_whole(runs.out / path, content)
        digests = {path: _sha256(content) for path, content in files.items()}
        kept = KeptAnalysis(key=_key(choice, runs, code), files=digests, finding=entry)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / KEPT, kept.model_dump_json() + "\n")
    except (KeyboardInterrupt, SystemExit, BrokenPipeError):
        raise
    except BaseException as error:  # what fails in a library written in Rust is no Exception
        if number := halting(error):
            raise halted(error, number, folder) from error
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        return failed_entry(choice.name, private(printable(reason.replace(f"{runs.out}/", ""))))
    return entry


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _key(choice: Choice, runs: RunsOnDisk, code: Path | None) -> str:
    """A hash of everything that an analysis depends on: settings, sources, results, and the record of every finished
    run, which names its data."""
    path = registry.describe("analyses", choice.name, code).path
    ignored = {SEAL: True, "analyses": True, "study": {"command", "settings"}}
    parts = {
        "version": __version__,
        "method": resolved_method("analyses", choice, code),
        "source": source_hash(path, *_OURS),
        "results": runs.results.model_dump(mode="json", exclude=ignored),
        "runs": {run.path: record_hash(runs.out / run.path) for run in runs.finished()},
    }
    return _sha256(json.dumps(parts, sort_keys=True, default=str).encode())
