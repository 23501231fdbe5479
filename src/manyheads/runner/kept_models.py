"""The files that finished runs left: which models are kept, and what is missing or damaged."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from manyheads.core.atomic_files import write_whole
from manyheads.core.problems import counted
from manyheads.results.records import FINISHED, Record, damage
from manyheads.results.run_record import METRICS
from manyheads.study.spec import KeepModels
from manyheads.training.model_files import CARD, FOLDER, LEFT_OUT

LISTED = 20
"""So many damaged files are named, and so many models that were left out."""


def kept(records: Sequence[Record], keep: KeepModels) -> set[str]:
    """The paths of the finished runs whose models are kept.

    With `best`, for each arm and task the one with the highest headline score, of equal ones the first. The score is
    that of the reported split; so it says a little too much of the model that was chosen by it.
    """
    finished = [record for record in records if record.status == FINISHED]
    if keep == "best":
        best: dict[tuple[str, str], tuple[float, str]] = {}
        for record in finished:
            for task, scores in record.result.scores.items():
                score = scores.get(record.result.metrics[task].headline)
                found = (float("-inf") if score is None else score, record.path)
                if (record.arm, task) not in best or found[0] > best[record.arm, task][0]:
                    best[record.arm, task] = found
        return {path for _, path in best.values()}
    return {record.path for record in finished} if keep == "all" else set()


def leave_out(out: Path, records: Sequence[Record], keep: KeepModels) -> list[str]:
    """Remove the models of finished runs that are not kept; a line in their place says so.

    :returns: The paths of the runs without a model.
    """
    wanted, without = kept(records, keep), list[str]()
    for record in records:
        if record.status == FINISHED and record.path not in wanted:
            without.append(record.path)
            folder = out / record.path / FOLDER
            if not (folder / LEFT_OUT).is_file() or len(list(folder.iterdir())) > 1:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(exist_ok=True)
                write_whole(folder / LEFT_OUT, f'The study keeps models so: keep_models = "{keep}".\n')
    return without


def left_out_line(without: Sequence[str], keep: KeepModels) -> str:
    """What was left out on purpose, in a line."""
    return f'{counted(len(without), "model")} left out on purpose (keep_models = "{keep}"): {_listed(without)}'


def damaged_lines(out: Path, records: Sequence[Record], keep: KeepModels, *, contents: bool = True) -> list[str]:
    """A line for each file of a finished run that is missing or has changed since, and how to have the run again.

    :param contents: Read the files; without, sizes alone are compared.
    """
    wanted, lines = kept(records, keep), list[str]()
    for record in records:
        if record.status != FINISHED:
            continue
        folder, files = out / record.path, dict(record.result.files)
        if record.path not in wanted:
            files = {name: one for name, one in files.items() if not name.startswith(f"{FOLDER}/")}
        found = damage(folder, files, contents=contents)
        if METRICS not in files and not (folder / METRICS).is_file():
            found[METRICS] = "is missing"
        known = any(name.startswith(f"{FOLDER}/") for name in files)
        if record.path in wanted and not known and not (folder / FOLDER).is_dir():
            found[FOLDER] = "is missing"
        again = f"its scores stand; to have it trained again, remove {folder} and give the same command"
        lines += [
            f"{record.path}: {name} {what}" + ("" if name == f"{FOLDER}/{CARD}" else f"; {again}")
            for name, what in found.items()
        ]
    rest = [f"and {counted(len(lines) - LISTED, 'file')} more"] if len(lines) > LISTED else []
    return [*lines[:LISTED], *rest]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
