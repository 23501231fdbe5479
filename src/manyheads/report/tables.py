"""Results as tables: Markdown, LaTeX (booktabs), CSV, HTML, and plain text for a terminal."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.core.atomic_files import write_whole
from manyheads.core.printable import printable
from manyheads.core.problems import counted
from manyheads.report.templating import TEMPLATES
from manyheads.results import numbers
from manyheads.results.schema import ArmResult, Comparison, Score, StudyResults

MARKS = {"helps": "helps", "hurts": "hurts", "no difference": "same", "cannot tell": "?"}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that a spreadsheet would run; the wide signs count where the system's language is Japanese."""
_LEGEND = (
    "Mean over seeds times 100 ± half the 95 % interval; then the difference to the baseline and its verdict: "
    "helps, hurts, same (no difference that matters), ? (cannot tell)."
)


@dataclass(frozen=True, slots=True, repr=False)
class TextTable:
    """A table of plain texts. A notebook shows it as a table, `print` as lines of text.

    :param rows: As wide as the header.
    :param note: What a reader has to know to read it.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def __str__(self) -> str:
        lines = [[printable(cell) for cell in line] for line in (self.header, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = ["  ".join(map(_aligned, line, widths, range(len(line)))).rstrip() for line in lines]
        return "\n".join([*shown, "", printable(self.note)])

    __repr__ = __str__

    def markdown(self) -> str:
        """A pipe table with the note below."""
        lines = [[_markdown_text(cell) for cell in line] for line in (self.header, *self.rows)]
        lines.insert(1, ["---"] + ["---:"] * (len(self.header) - 1))
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"**{_markdown_text(self.title)}**\n\n{table}\n\n{_markdown_text(self.note)}\n"

    def latex(self) -> str:
        """A table for the package booktabs."""
        lines = [" & ".join(_latex_text(cell) for cell in line) + r" \\" for line in (self.header, *self.rows)]
        columns = "l" + "r" * (len(self.header) - 1)
        body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
        caption = _latex_text(f"{self.title} {self.note}")
        parts = [r"\begin{table}", r"\centering", *body, r"\end{tabular}", rf"\caption{{{caption}}}", r"\end{table}"]
        return "% needs \\usepackage{booktabs}\n" + "\n".join(parts) + "\n"

    def csv(self) -> str:
        """Comma-separated; text that a spreadsheet would run as a formula begins with an apostrophe."""
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerows([_csv_cell(cell) for cell in line] for line in (self.header, *self.rows))
        return file.getvalue()

    def _repr_html_(self) -> str:
        return TEMPLATES.get_template("notebook_table.html").render(table=self)


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def _markdown_text(text: str) -> str:
    text = re.sub(r"([\\`*_\[\]<>|])", r"\\\1", printable(text, "\r\n"))
    return re.sub(r"\s*[\r\n]+\s*", " ", text)


_LATEX = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\n": " ",
    "\r": " ",
}


def _latex_text(text: str) -> str:
    signed = re.sub(
        r"(?<![\w-])([+-])(?=\d)", r"$\1$", "".join(_LATEX.get(sign, sign) for sign in printable(text, "\r\n"))
    )
    return signed if not signed.startswith("[") else "{}" + signed  # after \\ a bracket would be an argument


def _csv_cell(text: str) -> str:
    plain = text.replace(numbers.MINUS, "-")
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+", plain):
        plain = plain.replace(",", "")
    if _is_number(plain):
        return plain
    text = printable(text, "\t\r\n")
    return f"'{text}" if text.strip(" ").startswith(FORMULA) else text


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?|[+-]?inf|nan", text) is not None


FORMATS: dict[str, Callable[[TextTable], str]] = {
    "md": TextTable.markdown,
    "tex": TextTable.latex,
    "csv": TextTable.csv,
}


def tables(results: StudyResults) -> dict[str, str]:
    """Every table of the results: file name -> text."""
    named = {"main": main_table(results)} | {f"task_{task}": task_table(results, task) for task in results.tasks}
    files = {f"{name}.{ending}": write(table) for name, table in named.items() for ending, write in FORMATS.items()}
    return files | {"scores.csv": scores_table(results).csv(), "comparisons.csv": comparisons_table(results).csv()}


def write(results: StudyResults, out: Path) -> list[Path]:
    """Write every table to `out/tables`, and return their paths."""
    folder = out / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in tables(results).items():
        write_whole(folder / name, text.encode())  # bytes: a CSV file's \r\n stays as it is
        paths.append(folder / name)
    return paths


def terminal(results: StudyResults) -> list[list[str]]:
    """The main table, the header first, narrow enough for a terminal: a difference stands below its score."""
    table = main_table(results)
    at = range(1, 1 + 2 * len(results.tasks), 2)
    header = [table.header[0], *(table.header[column].replace(" (", "\n(") for column in at), *table.header[-2:]]
    return [header, *([row[0], *(_stacked(row[i], row[i + 1]) for i in at), *row[-2:]] for row in table.rows)]


def _stacked(score: str, difference: str) -> str:
    return "\n".join(filter(None, [score.replace(" (", "\n("), difference]))


# ---- what the tables hold --------------------------------------------------------------------------------------------


def ordered(results: StudyResults) -> list[str]:
    """The arms, the baseline first; the arms of one sweep stand together, by value."""
    arms = results.arms
    first: dict[str, int] = {}
    for index, arm in enumerate(arms):
        first.setdefault(_family(arms, arm), index)
    baseline = results.study.baseline
    return sorted(arms, key=lambda arm: (arm != baseline, first[_family(arms, arm)], _value(arms[arm])))


def _family(arms: Mapping[str, ArmResult], arm: str) -> str:
    """What the arms of one sweep have in common: the swept key and the description; else the arm itself."""
    sweep = arms[arm].sweep
    return f"{sweep.key}\n{arms[arm].description}" if sweep else arm


def _value(arm: ArmResult) -> tuple[int, float, str]:
    """Numbers by size, before everything else by name."""
    value = arm.sweep.value if arm.sweep else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (0, float(value), "")
    return (1, 0.0, "" if value is None else str(value))


def _score(results: StudyResults, arm: str, task: str, metric: str | None) -> Score | None:
    keys = (arm, task, metric)
    return next((one for one in results.scores if (one.arm, one.task, one.metric) == keys), None)


def _comparison(results: StudyResults, arm: str, task: str, metric: str | None) -> Comparison | None:
    keys = (arm, task, metric)
    return next((one for one in results.comparisons if (one.arm, one.task, one.metric) == keys), None)


def score_text(results: StudyResults, arm: str, task: str, metric: str | None, decimals: int = 1) -> str:
    """A score with half its interval; or `failed`, `undefined`, or a dash if the arm does not train the task."""
    if task not in results.arms[arm].tasks:
        return numbers.DASH
    score = _score(results, arm, task, metric)
    if score is None or not score.seeds:
        return "failed"
    if score.mean is None:
        return "undefined"
    text = numbers.points(score.mean, decimals)
    if score.interval:
        text += f" ± {numbers.points((score.interval[1] - score.interval[0]) / 2, decimals)}"
    planned = len(results.study.seeds)
    undefined = sum(value is None for value in score.seeds.values())
    lacking = ((planned - len(score.seeds), "failed"), (undefined, "undefined"))
    notes = [f"{count} of {planned} {what}" for count, what in lacking if count > 0]
    return f"{text} ({', '.join(notes)})" if notes else text


def difference_text(results: StudyResults, arm: str, task: str, metric: str | None) -> str:
    """The difference to the baseline with its sign, and the verdict."""
    comparison = _comparison(results, arm, task, metric)
    if comparison is None:
        return ""
    mark = MARKS[comparison.verdict]
    return mark if comparison.difference is None else f"{numbers.gain(comparison.difference)} {mark}"


def label(results: StudyResults, arm: str) -> str:
    """The arm's label for people, and which one is the baseline."""
    return f"{results.label(arm)} (baseline)" if arm == results.study.baseline else results.label(arm)


def main_table(results: StudyResults) -> TextTable:
    """Arms by tasks: the headline metric of each task and the difference to the baseline; then the cost."""
    header = ["arm"]
    metrics = {task: about.metric for task, about in results.tasks.items()}
    for task, metric in metrics.items():
        header += [f"{task} ({metric or 'no score'})", f"{task} difference"]
    rows = []
    for arm in ordered(results):
        row = [label(results, arm)]
        for task, metric in metrics.items():
            row += [score_text(results, arm, task, metric), difference_text(results, arm, task, metric)]
        cost = results.arms[arm].cost
        costs = [numbers.count(cost.steps), numbers.minutes(sum(cost.seconds.values()))] if cost else ["failed"] * 2
        rows.append(row + costs)
    failed = len(results.failed)
    note = _LEGEND + (f" {counted(failed, 'run')} failed or missing." if failed else "")
    return TextTable(results.study.question, [*header, "steps", "minutes"], rows, note)


def task_table(results: StudyResults, task: str) -> TextTable:
    """All metrics of one task, and its headline comparison in full."""
    about = results.tasks[task]
    header = ["arm", *about.metrics, "difference", "95 % interval", "p (Holm)", "verdict", "noise of the baseline"]
    rows = []
    for arm in ordered(results):
        if task in results.arms[arm].tasks:
            scores = [score_text(results, arm, task, metric, 2) for metric in about.metrics]
            rows.append([label(results, arm), *scores, *_in_full(_comparison(results, arm, task, about.metric))])
    note = f"Scores and differences are times 100. The comparison is about {about.metric}."
    return TextTable(task, header, rows, note)


def _in_full(entry: Comparison | None) -> list[str]:
    if entry is None:
        return [""] * 5
    return [
        "" if entry.difference is None else numbers.gain(entry.difference, 2),
        numbers.interval(entry.interval, 2) if entry.interval else "",
        "" if entry.p_holm is None else numbers.p_value(entry.p_holm),
        entry.verdict,
        "" if entry.noise is None else numbers.points(entry.noise, 2),
    ]


def scores_table(results: StudyResults) -> TextTable:
    """Every score of every seed, one per line, as fractions."""
    header = ("arm", "task", "metric", "headline", "seed", "score", "undefined")
    rows = [
        [_raw(part) for part in (one.arm, one.task, one.metric, one.headline, seed, score, one.undefined)]
        for one in results.scores
        for seed, score in (one.seeds or {None: None}).items()
    ]
    return TextTable("", header, rows)


COMPARED = [
    column for name in Comparison.model_fields for column in (("low", "high") if name == "interval" else (name,))
]
"""The columns of comparisons.csv, and of the data frame of comparisons."""


def comparison_rows(results: StudyResults) -> list[dict[str, str | float | None]]:
    """Every comparison, its interval as `low` and `high`."""
    rows = []
    for entry in results.comparisons:
        low, high = entry.interval or (None, None)
        given = entry.model_dump() | {"low": low, "high": high}
        rows.append({column: given[column] for column in COMPARED})
    return rows


def comparisons_table(results: StudyResults) -> TextTable:
    """Every comparison, one per line, as fractions."""
    return TextTable("", COMPARED, [[_raw(value) for value in row.values()] for row in comparison_rows(results)])


def _raw(value: object) -> str:
    return "" if value is None else str(value)
