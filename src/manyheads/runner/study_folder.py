"""The folder that a study is run into: whose it is, and that nothing of it is written elsewhere.

A folder is taken if it is not there, or is empty, or is marked as one of this study. The mark is a small file, which
names the study; a folder of before has none, and is known by its study.toml and a run that the study file explains.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from manyheads.core.atomic_files import links_below, write_whole
from manyheads.core.lock import is_lock, locked
from manyheads.core.problems import Problem, StudyError, shown
from manyheads.core.sealed import seal_broken
from manyheads.results.formats import FormatError
from manyheads.results.records import read_records
from manyheads.results.run_record import METRICS, RECORD
from manyheads.results.schema import SealedFile, StudyOutline
from manyheads.study.parser import read_study
from manyheads.study.steps import runs
from manyheads.training.identity import run_settings, same_settings
from manyheads.training.inputs import StudyInputs
from manyheads.training.resume import identity_of
from manyheads.training.run import LOCK

MARK, STUDY = ".manyheads", "study.toml"
FILES = (MARK, STUDY, "results.json", "report.html", LOCK)
FOLDERS = ("tables", "figures", "analyses")
SHOWN = 5
"""So many names of a foreign folder's content are in a message."""
_OTHER = "Choose another --out; or move away what is there."


class Mark(SealedFile):
    """What marks a folder as one of a study.

    :param study: The study's name.
    :param toml: SHA-256 of study.toml.
    """

    format: int = 1
    study: str
    toml: str | None = None


def refuse_obstacles(out: Path, paths: Sequence[str] = ()) -> None:
    """See that what is written into a study's folder stays there: no links, no folders in the place of files.

    :param paths: The folders of runs.
    :raises StudyError: With everything that is in the way.
    """
    problems = links_below(out, [*FILES, *FOLDERS, *paths])
    if not problems:
        for name in FILES:
            if (out / name).exists() and not (out / name).is_file():
                problems.append(Problem(str(out / name), "is no file, and one is written there", "", "Remove it."))
        above = {str(part) for path in paths for part in (Path(path), *Path(path).parents) if part != Path()}
        for name in (*FOLDERS, *sorted(above)):
            if (out / name).exists() and not (out / name).is_dir():
                problems.append(Problem(str(out / name), "is no folder, and one is needed there", "", "Remove it."))
    if problems:
        raise StudyError(problems)


def check_owner(out: Path, study: str, explained: Callable[[], bool]) -> None:
    """See that a folder may be taken for a study. Nothing is written.

    :param study: The study's name.
    :param explained: Whether a run in the folder is one of the study's.
    :raises StudyError: If the folder is somebody's, or of another study.
    """
    if not out.is_dir() or _empty(out):
        return
    mark = read_mark(out)
    if mark is not None:
        if mark.study != study and not explained():
            what = f"holds another study, {shown(mark.study)}, and no run of {shown(study)}"
            raise StudyError([Problem(str(out), what, "", "Choose another --out, or use --fresh.")])
    elif not (_is_study(out / STUDY) and explained()):
        what = "holds files that manyheads did not write, or of another study, and nothing is overwritten"
        raise StudyError([Problem(str(out), what, _content(out), _OTHER)])


def take(out: Path, study: str, text: str, explained: Callable[[], bool]) -> None:
    """Make a study's folder and mark it, unless it is marked already.

    Of two commands that do so at once with different studies, one is refused.

    :param text: Of the study file; a copy is written if there is none yet.
    :raises OSError: If it cannot be written to.
    :raises StudyError: As `check_owner` does.
    """
    out.mkdir(parents=True, exist_ok=True)
    check_owner(out, study, explained)
    mark = read_mark(out)
    if mark is not None and mark.study == study and (out / STUDY).is_file():
        return
    with locked(out / LOCK, wait=True):
        check_owner(out, study, explained)
        keep_text(out, study, text if not (out / STUDY).is_file() else None)


def keep_text(out: Path, study: str, text: str | None) -> None:
    """Write study.toml and the mark. Whoever calls holds the folder's lock.

    :param text: The study as it is run; None leaves the file that is there.
    """
    content = (out / STUDY).read_bytes() if text is None else text.encode()
    mark = Mark(study=study, toml=hashlib.sha256(content).hexdigest())
    if read_mark(out) != mark:
        write_whole(out / MARK, mark.model_dump_json() + "\n")
    if text is not None:
        write_whole(out / STUDY, content)


def read_mark(out: Path) -> Mark | None:
    """The mark of a folder; None if it has none, or a damaged one."""
    with suppress(OSError, ValueError, RecursionError, ValidationError):
        content = json.loads((out / MARK).read_bytes())
        return None if not isinstance(content, dict) or seal_broken(content) else Mark.model_validate(content)
    return None


def text_changed(out: Path) -> bool:
    """Whether study.toml is not as it was when the mark was written."""
    mark = read_mark(out)
    with suppress(OSError):
        found = hashlib.sha256((out / STUDY).read_bytes()).hexdigest()
        return mark is not None and mark.toml not in (None, found)
    return False


def holds_a_run_of(inputs: StudyInputs, out: Path, outline: StudyOutline) -> bool:
    """Whether a record or a checkpoint in the folder is of a run as the study has it."""
    records = {record.path: record.content for record in read_records(out, outline)}
    for run in runs(inputs.study):
        with suppress(FormatError):
            for before in (records[run.path], identity_of(out / run.path)):
                if before is not None and same_settings(before, run_settings(run, inputs)):
                    return True
    return False


def left_over(out: Path, paths: Sequence[str]) -> list[str]:
    """The runs in a folder that are none of these: of arms, tasks or seeds that are no longer in the study."""
    found = {
        str(path.parent.relative_to(out))
        for pattern in ("*/*", "*/*/*")
        for name in (RECORD, METRICS)
        for path in out.glob(f"{pattern}/{name}")
    }
    return sorted(found - set(paths))


def _empty(out: Path) -> bool:
    """Whether a folder holds nothing, or what another command that takes it at this moment has written."""
    parts = re.compile(rf"({re.escape(MARK)}|{re.escape(STUDY)})\.[0-9a-f]{{8}}\.part")
    return all(parts.fullmatch(path.name) or (path.name == LOCK and is_lock(path)) for path in out.iterdir())


def _is_study(path: Path) -> bool:
    """Whether a file is a copy of a study file, of this version or another."""
    try:
        read_study(path)
    except StudyError as error:
        # Methods of one's own and settings of other versions are not known here.
        text = path.read_text("utf-8", "replace") if path.is_file() else ""
        return "[tasks" in text and "[arms" in text and "not valid TOML" not in str(error)
    return True


def _content(out: Path) -> str:
    names = sorted(path.name for path in out.iterdir())
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(shown, names[:SHOWN])) + more
