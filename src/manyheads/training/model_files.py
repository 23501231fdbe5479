"""A model's folder knows what was written into it: a SHA-256 of each file, compared when the model is opened."""

import hashlib
import json
import os
from pathlib import Path

from pydantic import Field, JsonValue

from manyheads.core.atomic_files import write_whole
from manyheads.core.problems import Problem, StudyError
from manyheads.core.sealed import seal_broken
from manyheads.results.records import AGAIN, damage
from manyheads.results.run_record import RECORD, FileDigest
from manyheads.results.schema import SealedFile, validated

FOLDER = "model"
"""In a run's folder."""
MANIFEST, CARD, LEFT_OUT = "manifest.json", "README.md", "not_kept.txt"
_SKIP = "To open it as it is: --no-verify (in Python verify=False)."


class ModelManifest(SealedFile):
    """manifest.json of a model's folder: what its other files were when they were written.

    :param files: Name -> size and SHA-256, of all but the README, which people may change.
    """

    format: int = 1
    files: dict[str, FileDigest] = Field(min_length=1)


def digest(path: Path) -> FileDigest:
    """A file's size and SHA-256, once it is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return FileDigest(size=os.fstat(file.fileno()).st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def seal_model(folder: Path) -> dict[str, FileDigest]:
    """Write a saved model's manifest; what the record says of the folder's files, by their names in the run's."""
    files = {path.name: digest(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != CARD}
    write_whole(folder / MANIFEST, ModelManifest(files=files).model_dump_json(indent=1) + "\n")
    here = {**files, **{name: digest(folder / name) for name in (MANIFEST, CARD) if (folder / name).is_file()}}
    return {f"{FOLDER}/{name}": about for name, about in here.items()}


def refuse_left_out(folder: Path) -> None:
    """Say of a model that is not there why it is not.

    :raises StudyError: If the study did not keep it.
    """
    if (folder / LEFT_OUT).is_file():
        what = "the model of this run was left out on purpose"
        raise StudyError([Problem(str(folder), what, "", f'{AGAIN[:-1]}, with keep_models = "all".')])


def check_model(folder: Path) -> None:
    """See that a model's files are those that were written; of one without any hash, nothing is known.

    :raises StudyError: With every file that is missing or has changed.
    """
    problems = [
        Problem(str(folder / name), what, "", f"{AGAIN} {_SKIP}")
        for name, what in damage(folder, _written(folder)).items()
    ]
    if problems:
        raise StudyError(problems)


def not_recorded(folder: Path) -> list[str]:
    """The files of a model of which no SHA-256 was written down, as before there were manifests."""
    there = folder.iterdir() if folder.is_dir() else ()
    known = {*_written(folder), MANIFEST, CARD}
    return sorted(path.name for path in there if path.is_file() and path.name not in known)


def _written(folder: Path) -> dict[str, FileDigest]:
    """What was written, by the manifest, or before there was one by the run's record; nothing if there is neither."""
    manifest, record = folder / MANIFEST, folder.absolute().parent / RECORD
    if manifest.is_file():
        content = _object(manifest)
        if content is None or seal_broken(content):
            what = "is not as the run wrote it"
            raise StudyError([Problem(str(manifest), what, "", f"{AGAIN} {_SKIP}")])
        return validated(ModelManifest, content, str(manifest)).files
    files = (_object(record) or {}).get("files")
    if not record.is_file() or not isinstance(files, dict):
        return {}
    own = {name: about for name, about in files.items() if name.startswith(f"{FOLDER}/") and name != f"{FOLDER}/{CARD}"}
    if folder.name != FOLDER or not own:
        return {}
    content = {"files": {name.removeprefix(f"{FOLDER}/"): about for name, about in own.items()}}
    return validated(ModelManifest, content, str(record)).files


def _object(path: Path) -> dict[str, JsonValue] | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
