"""What a run leaves behind, written so that a record never speaks of files that are not there."""

import errno
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manyheads.core.atomic_files import flush_folder, halted, write_whole
from manyheads.core.values import Answer, Example, Measure
from manyheads.core.version import __version__
from manyheads.study.steps import Run

RECORD, METRICS, WEIGHTS = "record.json", "metrics.jsonl", "model.safetensors"


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write what became of a run; last of all its files.

    :raises HaltedError: If the disk takes no more.
    """
    try:
        write_whole(folder / RECORD, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise halted(error, error.errno or errno.EIO, folder) from error


def mark(folder: Path) -> str:
    """What tells a run's record from any other that is or was in this folder; "" if there is none."""
    try:
        return hashlib.sha256((folder / RECORD).read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def read_record(folder: Path) -> dict[str, Any]:
    """A run's record, as it was written.

    :raises ValueError: If it is damaged.
    """
    return json.loads((folder / RECORD).read_text("utf-8"))


def write_predictions(
    path: Path,
    answers: Sequence[Answer],
    examples: Sequence[Example],
    gold: Sequence[str],
    measures: Mapping[str, Measure],
) -> dict[str, Any]:
    """Write each example's answer, a line, and what each metric is computed from.

    :param gold: The columns that say what is right; of several, a line has a table of them.
    :returns: The file's size and SHA-256, for the record.
    """
    items = {name: measure.items.tolist() for name, measure in measures.items()}
    hashed, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for index, (answer, row) in enumerate(zip(answers, examples, strict=True)):
            right = {name: row.get(name) for name in gold} if len(gold) > 1 else row.get(gold[0])
            line = {"id": row["id"], **answer, "gold": right}
            line |= {"cluster": row["cluster"]} if "cluster" in row else {}
            line["items"] = {name: values[index] for name, values in items.items()}
            content = (json.dumps(line, ensure_ascii=False) + "\n").encode()
            file.write(content)
            hashed.update(content)
            size += len(content)
        file.flush()
        os.fsync(file.fileno())
    flush_folder(path.parent)
    return {"size": size, "sha256": hashed.hexdigest()}


def write_card(folder: Path, run: Run, scores: Mapping[str, Mapping[str, float | None]]) -> None:
    """The model's README: what it is, how to use it, what it scores."""
    lines = [f"| {task} | {name} | {value} |" for task, found in scores.items() for name, value in found.items()]
    table = "\n".join(["| task | metric | score |", "|---|---|---|", *lines])
    # A model with several encoders, or with one that is not of Hugging Face's kind, has no such file.
    opens = "; `AutoModel.from_pretrained` opens its encoder" if (folder / WEIGHTS).is_file() else ""
    text = (
        f"# {run.arm.name}, seed {run.seed}\n\n"
        f"A model of manyheads {__version__} for the tasks {', '.join(run.tasks)}. "
        f"Answer with `manyheads predict THIS_FOLDER --task {run.tasks[0]}`{opens}.\n\n{table}\n"
    )
    (folder / "README.md").write_text(text, "utf-8")
