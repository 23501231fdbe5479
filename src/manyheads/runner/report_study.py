"""A study's report again, from its results, and whether these agree with the records of its runs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from manyheads.core.problems import StudyError
from manyheads.results.compare import compared, write_results
from manyheads.results.reader import RESULTS, read_results, results_changed
from manyheads.results.records import FINISHED, Record, read_records
from manyheads.results.schema import StudyOutline, StudyResults
from manyheads.runner.analyses import FOLDER, changed_files, kept_analysis
from manyheads.runner.kept_models import damaged_lines
from manyheads.runner.run_study import present
from manyheads.runner.study_folder import MARK, STUDY, check_owner, keep_text, read_mark, refuse_obstacles, text_changed

_RUN = "`manyheads run` with the study makes it anew"


def report_study(folder: Path, say: Callable[[str], None], *, verify: bool = True) -> StudyResults:
    """Write tables, figures and report of a study's folder again; of the records, where these say something else.

    :param say: Called with each line on what does not agree, or is damaged. The report has them too.
    :param verify: Read the files of the runs, and compare them with what was written.
    :raises StudyError: If the folder holds no results, or is not a study's.
    """
    refuse_obstacles(folder)
    results = read_results(folder)
    outline = StudyOutline.model_validate(results.model_dump(include=set(StudyOutline.model_fields)))
    records = read_records(folder, outline)
    there = [record for record in records if record.content is not None]
    if any((folder / name).exists() for name in ("report.html", "tables", "figures")):
        check_owner(folder, results.study.name, lambda: bool(there))
    results, notes = _of_the_records(folder, results, outline, records)
    results = _with_analyses(folder, results, notes)
    if text_changed(folder):
        notes.append(f"{STUDY} has changed since it was written; {_RUN}")
    keep: Any = results.study.settings.get("keep_models", "all")
    notes += damaged_lines(folder, records, keep, contents=verify)
    for note in notes:
        say(note)
    if read_mark(folder) is None and not (folder / MARK).exists() and (folder / STUDY).is_file():
        keep_text(folder, results.study.name, None)
    present(results, folder, notes)
    return results


def _of_the_records(
    folder: Path, results: StudyResults, outline: StudyOutline, records: list[Record]
) -> tuple[StudyResults, list[str]]:
    """The results as the records have them, if they are there, and what did not agree."""
    notes, damaged = list[str](), results_changed(folder)
    if damaged:
        notes.append(f"{RESULTS} has changed since it was written; {_RUN}")
    status = {run.path: run.status for arm in results.arms.values() for run in arm.runs}
    lost = [one for one in records if one.status != FINISHED and status[one.path] == FINISHED]
    if len(lost) == len(records):
        if damaged:
            notes.append("there are no records here to compare it with")
        return results, notes
    if lost:
        notes += [f"{RESULTS} says that {one.path} is finished, and it is not: {one.reason}" for one in lost]
        return results, notes
    try:
        again = compared(folder, outline)
    except StudyError as error:
        notes += [f"{RESULTS} cannot be compared with the records: {problem}" for problem in error.problems]
        return results, notes
    same = ("tasks", "arms", "scores", "comparisons", "failed", "answer")
    if results.version != again.version:  # whose rules for intervals and verdicts may be others
        wrong = [
            (one.arm, one.task)
            for one, other in zip(results.scores, again.scores, strict=False)
            if _differ(_means(one), _means(other))
        ]
        if wrong or len(results.scores) != len(again.scores):
            notes.append(f"{RESULTS} of version {results.version} does not agree with the records: {wrong[:5]}")
        return results, notes
    before, after = results.model_dump(include=set(same)), again.model_dump(include=set(same))
    wrong = [key for key in same if _differ(before[key], after[key])]
    if wrong:
        where = ", ".join(wrong)
        notes.append(f"{RESULTS} did not agree with the records ({where}); it is made from them again")
        results = again.model_copy(update={"analyses": results.analyses, "study": results.study})
        write_results(folder, results)
    return results, notes


def _means(score: Any) -> tuple[Any, ...]:
    return score.arm, score.task, score.metric, score.mean, score.seeds


def _with_analyses(folder: Path, results: StudyResults, notes: list[str]) -> StudyResults:
    """The analyses as they were found, where that is known; what is not as it was written is noted."""
    known = []
    for entry in results.analyses:
        if entry.failed is None and (folder / FOLDER / entry.name).is_dir():
            try:
                kept = kept_analysis(folder, entry.name)
            except (OSError, ValueError, RecursionError) as error:
                notes.append(f"analysis {entry.name}: what was found cannot be compared ({error}); {_RUN}")
            else:
                if kept.finding != entry:
                    notes.append(f"analysis {entry.name}: {RESULTS} does not say what was found; the latter is shown")
                    entry = kept.finding
                if changed := changed_files(folder, kept):
                    notes.append(f"analysis {entry.name}: {', '.join(changed)} not as written; {_RUN}")
        known.append(entry)
    return results.model_copy(update={"analyses": known})


def _differ(one: Any, other: Any) -> bool:
    """Whether plain values differ by more than another machine's rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() != other.keys() or any(_differ(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) != len(other) or any(map(_differ, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return not math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return one != other
