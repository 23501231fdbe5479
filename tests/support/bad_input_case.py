"""One case of the catalogue of bad inputs, how it is run through the command, and the page that is made of all."""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from manyheads.cli import app
from manyheads.study.parser import read_study
from manyheads.study.tasks import TaskData, read_tasks

GROUPS = {
    "A": (range(1, 21), "Tables: TSV and CSV"),
    "B": (range(21, 36), "Labels and scores"),
    "C": (range(36, 46), "JSON, JSON lines and Parquet"),
    "D": (range(46, 65), "Answers in passages (SQuAD's way)"),
    "E": (range(65, 78), "Tags and trees (CoNLL's way)"),
    "F": (range(78, 96), "Odd texts, settings, files and mixtures"),
}


@dataclass(frozen=True)
class Case:
    """What is given to a command, and what it must answer.

    :param number: Of the catalogue, 1 to 95; several cases may share one.
    :param input: What is given, as the page shows it.
    :param peers: How other programs fail.
    :param files: Name to content, written beside the study.
    :param study: The study file's text, written as study.toml; "" for none.
    :param says: Each must stand in what is printed.
    :param code: The exit code: 2 for what is refused, 0 for what is handled.
    :param command: Run in the case's folder.
    :param holds: For what is handled: asserts on what was read. Its docstring is shown on the page.
    :param prepare: Makes what a file's content cannot be: links, pipes, folders.
    """

    number: int
    input: str
    peers: str
    files: Mapping[str, bytes | str]
    study: str
    says: tuple[str, ...]
    code: int = 2
    command: tuple[str, ...] = ("check", "study.toml")
    holds: Callable[[Path], None] | None = None
    prepare: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Answer:
    """What a command printed, on both streams, and its exit code."""

    text: str
    code: int


def run(case: Case, folder: Path) -> Answer:
    """Lay out a case in an empty folder, and run its command there."""
    for name, content in case.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    if case.study:
        (folder / "study.toml").write_text(case.study, "utf-8")
    with inside(folder):
        if case.prepare is not None:
            case.prepare(folder)
        result = CliRunner().invoke(app, list(case.command))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.output.replace(f"{folder}/", ""), result.exit_code)


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """With a folder as the current one, as a person types commands there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def read(folder: Path, task: str = "own") -> TaskData:
    """What a case's study reads: the data of one of its tasks."""
    return read_tasks(read_study(folder / "study.toml"), None)[task]


# ---- Study files ----


def study(
    dataset: Mapping[str, object],
    head: str | Mapping[str, object] = "classification",
    *,
    report: str = "train",
    arm: str = "",
    more: str = "",
) -> str:
    """A study of one task, `own`, and one arm, `joint`.

    :param arm: Lines of the arm.
    :param more: Tables that stand before the arm: other tasks, [encoder], [training].
    """
    return f"budget = {{ epochs = 1 }}\n\n{task('own', dataset, head, report=report)}\n{more}\n[arms.joint]\n{arm}\n"


def task(
    name: str, dataset: Mapping[str, object], head: str | Mapping[str, object] = "classification", report: str = "train"
) -> str:
    """The table of a task; `report = "train"` needs no second file."""
    head = {"name": head} if isinstance(head, str) else head
    lines = [f"[tasks.{name}]", f"dataset = {toml(dataset)}", f"head = {toml(head)}", f"report = {toml(report)}"]
    lines += ["allow_train = true"] * (report == "train")
    return "\n".join(line for line in lines if line != 'report = ""') + "\n"


def own(train: str = "data.tsv", **settings: object) -> dict[str, object]:
    """The dataset `table`."""
    return {"name": "table", "train": train, **settings}


def toml(value: object) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


# ---- Files ----


def rows(*lines: str, header: str = "text\tlabel") -> str:
    """A TSV file."""
    return "".join(f"{line}\n" for line in (header, *lines))


def json_lines(*values: object) -> str:
    """A file of JSON lines."""
    return "".join(json.dumps(value) + "\n" for value in values)


def problems(answer: Answer) -> list[str]:
    """The problems that a command printed, a line each."""
    lines = answer.text.splitlines()
    begin = next((at for at, line in enumerate(lines, 1) if re.fullmatch(r"\d+ problems?:", line)), len(lines))
    return [line.strip() for line in lines[begin:]]


# ---- The page ----

HEAD = """# Bad inputs

What manyheads does with inputs that are broken, doubtful, or only look broken. Every row of these tables is a test:
the files are written, the command is run in their folder, and what it prints is what stands here. The command is
`manyheads check study.toml` unless the row names another; it trains nothing. The numbers group what belongs together.

**Exit 2**: the input was refused before anything was trained. All mistakes are shown at once, up to 20 of a file; each
says where it is (file and line, record, or key of the study), what is wrong, what was found, and what would work.
`--json` prints the same as JSON. **Exit 0**: the input was taken as the row says. Warnings stand in the plan, in
`results.json` and in the report.

Studies are TOML. What goes wrong in YAML before a program sees it (`yes` that is read as true, `1e-5` that is read as
a text, keys of which the last one wins) does not happen; the rows 28, 84 and 86 show what takes its place. A file that
may not be read is refused too; a program that runs as root may read everything, and so there is no row for it.

Made by `PYTHONPATH=tests python -m bad_input.test_bad_input`; do not edit.
"""


def page(answers: Sequence[tuple[Case, Answer]]) -> str:
    """The catalogue as a document, from what the commands printed."""
    parts = [HEAD]
    for letter, (numbers, title) in GROUPS.items():
        found = sorted((pair for pair in answers if pair[0].number in numbers), key=lambda pair: pair[0].number)
        if found:
            table = ["| no. | input | elsewhere | manyheads | exit |", "|---|---|---|---|---|"]
            parts.append("\n".join([f"## {letter}. {title}\n", *table, *(_row(*pair) for pair in found)]) + "\n")
    return "\n".join(parts)


def _row(case: Case, answer: Answer) -> str:
    given = case.input
    if case.command != ("check", "study.toml"):
        given += f" (`manyheads {' '.join(case.command)}`)"
    done = case.holds.__doc__ if case.holds is not None and case.holds.__doc__ else ""
    shown = [_cell(done)] if done else []
    shown += [f"`{_cell(line).replace('`', chr(39))}`" for line in _relevant(case, answer)]
    return f"| {case.number} | {_cell(given)} | {_cell(case.peers)} | {'<br>'.join(shown)} | {answer.code} |"


def _relevant(case: Case, answer: Answer) -> list[str]:
    """The lines of the output that the case is about."""
    lines = [re.sub(r"  +", " ", line.strip()) for line in answer.text.splitlines()]
    if case.code:
        found = problems(answer)
        return found if len(found) <= 4 else [*found[:3], f"… and {len(found) - 3} more"]
    return [line for line in lines if any(phrase in line for phrase in case.says)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
