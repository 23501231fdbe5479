"""What a run leaves behind beside its record: predictions, and the model's README."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from manyheads.core.atomic_files import flush_folder
from manyheads.core.values import Answer, Example, Measure
from manyheads.core.version import __version__
from manyheads.results.run_record import FileDigest
from manyheads.study.steps import Run
from manyheads.training.model import WEIGHTS


def write_predictions(
    path: Path,
    answers: Sequence[Answer],
    examples: Sequence[Example],
    gold: Sequence[str],
    measures: Mapping[str, Measure],
) -> FileDigest:
    """Write each example's answer, a line, and what each metric is computed from.

    :param gold: The columns that say what is right; of several, a line has a table of them.
    """
    items = {name: measure.items.tolist() for name, measure in measures.items()}
    hashed, size = hashlib.sha256(), 0
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
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
    return FileDigest(size=size, sha256=hashed.hexdigest())


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
