"""Results as tables: Markdown, LaTeX (booktabs) and CSV, and plain rows for a terminal."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.core.atomic_files import write_whole

Results = Mapping[str, Any]
MARKS = {"helps": "helps", "hurts": "hurts", "no difference": "same", "cannot tell": "?"}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that a spreadsheet would run; the wide signs count where the system's language is Japanese."""
_LEGEND = (
    "Mean over seeds times 100 ± half the 95 % interval; then the difference to the baseline and its verdict: "
    "helps, hurts, same (no difference that matters), ? (cannot tell)."
)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as plain text, before any format.

    :param rows: As wide as the header.
    :param note: What a reader has to know to read it.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def tables(results: Results) -> dict[str, str]:
    """Every table of the results: file name -> text."""
    grids = {"main": main_table(results)} | {f"task_{task}": task_table(results, task) for task in results["tasks"]}
    files = {}
    for name, grid in grids.items():
        for ending, format_as in FORMATS.items():
            files[f"{name}.{ending}"] = format_as(grid)
    return files | {"scores.csv": scores_csv(results), "comparisons.csv": comparisons_csv(results)}


def write(results: Results, out: Path) -> list[Path]:
    """Write every table to `out/tables`, and return their paths."""
    folder = out / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in tables(results).items():
        write_whole(folder / name, text.encode("utf-8", errors="replace"))  # bytes: a CSV file's \r\n stays as it is
        paths.append(folder / name)
    return paths


def terminal(results: Results) -> list[list[str]]:
    """The main table, the header first, narrow enough for a terminal: a difference stands below its score."""
    grid = main_table(results)
    tasks = list(results["tasks"])
    header = [grid.header[0], *(grid.header[1 + 2 * index].replace(" (", "\n(") for index in range(len(tasks)))]
    rows = [
        [row[0], *(_stacked(row[1 + 2 * i], row[2 + 2 * i]) for i in range(len(tasks))), *row[-2:]] for row in grid.rows
    ]
    return [[*header, *grid.header[-2:]], *rows]


def _stacked(score: str, difference: str) -> str:
    return "\n".join(filter(None, [score.replace(" (", "\n("), difference]))


# ---- what the tables hold --------------------------------------------------------------------------------------------


def ordered(results: Results) -> list[str]:
    """The arms, the baseline first; the arms of one sweep stand together, by value."""
    arms = results["arms"]
    first: dict[str, int] = {}
    for index, arm in enumerate(arms):
        first.setdefault(_family(arms, arm), index)
    baseline = results["study"]["baseline"]
    return sorted(arms, key=lambda arm: (arm != baseline, first[_family(arms, arm)], _value(arms[arm])))


def _family(arms: Mapping[str, Any], arm: str) -> str:
    """What the arms of one sweep have in common: the swept key and the description; else the arm itself."""
    sweep = arms[arm].get("sweep")
    return f"{sweep['key']}\n{arms[arm].get('description')}" if sweep else arm


def _value(about: Mapping[str, Any]) -> tuple[int, float, str]:
    """Numbers by size, before everything else by name."""
    value = (about.get("sweep") or {}).get("value")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (0, float(value), "")
    return (1, 0.0, "" if value is None else str(value))


def _points(value: float, decimals: int, sign: str = "") -> str:
    """Times 100; what rounds to zero has no sign."""
    text = f"{100 * value:{sign}.{decimals}f}"
    return text.lstrip("+-") if float(text) == 0 else text


def _entry(results: Results, part: str, arm: str, task: str, metric: str | None) -> Mapping[str, Any] | None:
    keys = (arm, task, metric)
    return next((entry for entry in results[part] if (entry["arm"], entry["task"], entry["metric"]) == keys), None)


def score_text(results: Results, arm: str, task: str, metric: str | None, decimals: int = 1) -> str:
    """A score with half its interval; or `failed`, `undefined`, or a dash if the arm does not train the task."""
    if task not in results["arms"][arm]["tasks"]:
        return "–"
    entry = _entry(results, "scores", arm, task, metric)
    if entry is None or not entry["seeds"]:
        return "failed"
    if entry["mean"] is None:
        return "undefined"
    text = _points(entry["mean"], decimals)
    if entry["interval"]:
        text += f" ± {_points((entry['interval'][1] - entry['interval'][0]) / 2, decimals)}"
    notes = _lacking(results, entry)
    return f"{text} ({notes})" if notes else text


def _lacking(results: Results, entry: Mapping[str, Any]) -> str:
    """Which of the study's seeds are not in a mean."""
    planned = len(results["study"]["seeds"])
    undefined = sum(score is None for score in entry["seeds"].values())
    failed = planned - len(entry["seeds"])
    parts = [
        f"{count} of {planned} {what}" for count, what in ((failed, "failed"), (undefined, "undefined")) if count > 0
    ]
    return ", ".join(parts)


def difference_text(results: Results, arm: str, task: str, metric: str | None, decimals: int = 1) -> str:
    """The difference to the baseline with its sign, and the verdict."""
    entry = _entry(results, "comparisons", arm, task, metric)
    if entry is None:
        return ""
    if entry["difference"] is None:
        return MARKS[entry["verdict"]]
    return f"{_points(entry['difference'], decimals, '+')} {MARKS[entry['verdict']]}"


def _cost_texts(results: Results, arm: str) -> list[str]:
    cost = results["arms"][arm]["cost"]
    if not cost:
        return ["failed", "failed"]
    return [f"{cost['steps']:.0f}", f"{sum(cost['seconds'].values()) / 60:.1f}"]


def label(results: Results, arm: str) -> str:
    """The arm's label for people, and which one is the baseline."""
    text = str(results["arms"][arm].get("label") or arm)
    return f"{text} (baseline)" if arm == results["study"]["baseline"] else text


def main_table(results: Results) -> Grid:
    """Arms by tasks: the headline metric of each task and the difference to the baseline; then the cost."""
    header = ["arm"]
    metrics = {task: about["metric"] for task, about in results["tasks"].items()}
    for task, metric in metrics.items():
        header += [f"{task} ({metric or 'no score'})", f"{task} difference"]
    rows = []
    for arm in ordered(results):
        row = [label(results, arm)]
        for task, metric in metrics.items():
            row += [score_text(results, arm, task, metric), difference_text(results, arm, task, metric)]
        rows.append(row + _cost_texts(results, arm))
    failed = len(results["failed"])
    note = _LEGEND + (f" {failed} run{'s' if failed > 1 else ''} failed or missing." if failed else "")
    return Grid(results["study"]["question"], [*header, "steps", "minutes"], rows, note)


def task_table(results: Results, task: str) -> Grid:
    """All metrics of one task, and its headline comparison in full."""
    about = results["tasks"][task]
    header = ["arm", *about["metrics"], "difference", "95 % interval", "p (Holm)", "verdict", "noise of the baseline"]
    rows = []
    for arm in ordered(results):
        if task in results["arms"][arm]["tasks"]:
            scores = [score_text(results, arm, task, metric, 2) for metric in about["metrics"]]
            entry = _entry(results, "comparisons", arm, task, about["metric"])
            rows.append([label(results, arm), *scores, *_in_full(entry)])
    return Grid(task, header, rows, f"Scores and differences are times 100. The comparison is about {about['metric']}.")


def _in_full(entry: Mapping[str, Any] | None) -> list[str]:
    if entry is None:
        return [""] * 5
    interval = entry["interval"]
    return [
        "" if entry["difference"] is None else _points(entry["difference"], 2, "+"),
        f"{_points(interval[0], 2)} to {_points(interval[1], 2)}" if interval else "",
        "" if entry["p_holm"] is None else _p(entry["p_holm"]),
        entry["verdict"],
        "" if entry["noise"] is None else _points(entry["noise"], 2),
    ]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


# ---- formats ---------------------------------------------------------------------------------------------------------


def markdown(grid: Grid) -> str:
    """A pipe table with the note below."""
    lines = [[_markdown_text(cell) for cell in line] for line in (grid.header, *grid.rows)]
    lines.insert(1, ["---"] + ["---:"] * (len(grid.header) - 1))
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{_markdown_text(grid.title)}**\n\n{table}\n\n{_markdown_text(grid.note)}\n"


def _markdown_text(text: str) -> str:
    text = re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)
    return re.sub(r"\s*[\r\n]+\s*", " ", text)


def latex(grid: Grid) -> str:
    """A table for the package booktabs."""
    lines = [" & ".join(_latex_text(cell) for cell in line) + r" \\" for line in (grid.header, *grid.rows)]
    columns = "l" + "r" * (len(grid.header) - 1)
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    caption = _latex_text(f"{grid.title} {grid.note}")
    parts = [r"\begin{table}", r"\centering", *body, r"\end{tabular}", rf"\caption{{{caption}}}", r"\end{table}"]
    return "% needs \\usepackage{booktabs}\n" + "\n".join(parts) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "–": "--",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\n": " ", "\r": " ",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}  # fmt: skip


def _latex_text(text: str) -> str:
    signed = re.sub(r"(?<![\w-])([+-])(?=\d)", r"$\1$", "".join(_LATEX.get(sign, sign) for sign in text))
    return signed if not signed.startswith("[") else "{}" + signed  # after \\ a bracket would be an argument


def csv_text(grid: Grid) -> str:
    """Comma-separated; text that a spreadsheet would run as a formula begins with an apostrophe."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerows([_csv_cell(cell) for cell in line] for line in (grid.header, *grid.rows))
    return file.getvalue()


def _csv_cell(text: str) -> str:
    if text[:1] in FORMULA and not _is_number(text):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", text) is not None


FORMATS: dict[str, Callable[[Grid], str]] = {"md": markdown, "tex": latex, "csv": csv_text}


def scores_csv(results: Results) -> str:
    """Every score of every seed, one per line, as fractions."""
    keys = ("arm", "task", "metric", "headline")
    rows = [
        [*(_raw(entry[key]) for key in keys), seed, _raw(score), _raw(entry["undefined"])]
        for entry in results["scores"]
        for seed, score in (entry["seeds"] or {"": None}).items()
    ]
    return csv_text(Grid("", [*keys, "seed", "score", "undefined"], rows))


def comparisons_csv(results: Results) -> str:
    """Every comparison, one per line, as fractions."""
    keys = (
        "arm", "task", "metric", "headline", "difference", "low", "high", "p", "p_holm", "verdict", "noise", "missable",
        "seeds_needed", "seeds", "sentence",
    )  # fmt: skip
    rows = []
    for entry in results["comparisons"]:
        low, high = entry["interval"] or (None, None)
        rows.append([_raw((entry | {"low": low, "high": high})[key]) for key in keys])
    return csv_text(Grid("", keys, rows))


def _raw(value: Any) -> str:
    return "" if value is None else str(value)
