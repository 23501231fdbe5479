"""Results as one HTML page that opens without a network: answer, verdicts, figures, and what stands behind them."""

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from manyheads.core.atomic_files import write_whole
from manyheads.report import analyses, plots
from manyheads.report.cost import costs
from manyheads.report.drawing import Figure, points
from manyheads.report.markup import (
    SIGNS,
    Cell,
    chance,
    chip,
    code,
    facts,
    few,
    figure,
    fold,
    gain,
    items,
    large,
    link,
    minutes,
    note,
    number,
    span,
    table,
    text,
    toml,
    word,
)

Results = Mapping[str, Any]


def write(results: Results, out: Path, figures: Sequence[Figure] | None = None) -> Path:
    """Write `out/report.html`, whole or not at all. Figures that are drawn already need not be drawn again."""
    write_whole(out / "report.html", render(results, out, figures))
    return out / "report.html"


def render(results: Results, out: Path, figures: Sequence[Figure] | None = None) -> str:
    """The page. The same results, with the same steps recorded in the folder `out`, give it byte by byte again."""
    study, script = results["study"], f"\n{_page('page.js')}"
    figures = plots.figures(results, out) if figures is None else figures
    return Template(_page("page.html")).substitute(
        policy=_policy(script),
        style=_page("style.css"),
        script=script,
        version=text(results["version"]),
        title=text(study["name"]),
        kicker=_kicker(results),
        question=text(study["question"]),
        answer=text(results["answer"]),
        notice=_notice(results) + analyses.notice(results),
        verdicts=_verdicts(results),
        analyses=analyses.sections(results),
        links=analyses.links(results),
        figures="\n".join(map(figure, figures)) or note("There is nothing to draw."),
        arms="\n".join(_arm(results, arm) for arm in results["arms"]),
        data=_data(results),
        failed=_failed(results),
        seeds=text(", ".join(map(str, study["seeds"]))),
        claims=few(sum(entry["headline"] for entry in results["comparisons"]), "comparison"),
        settings=code(toml(study["settings"]), "Settings of the study"),
        command=code(study["command"], "Command"),
        fingerprint=_fingerprint(results["fingerprint"]),
    )


def _page(name: str) -> str:
    return resources.files("manyheads.report").joinpath("templates", name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    """Nothing is loaded, and no script runs but ours, so that even a text that was not escaped could do no harm."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


# ---- the top ---------------------------------------------------------------------------------------------------------


def _label(results: Results, arm: str) -> str:
    return text(results["arms"][arm].get("label") or arm)


def _named(results: Results, arm: str) -> Cell:
    """The cell that names an arm: its label, its key if that is another, and how many seeds finished if not all did."""
    about, seeds = results["arms"][arm], results["study"]["seeds"]
    finished = set(seeds) - {run["seed"] for run in about["runs"] if run["status"] != "finished"}
    small = [] if _label(results, arm) == text(arm) else [text(arm)]
    small += [f"{len(finished)} of {few(len(seeds), 'seed')}"] if len(finished) < len(seeds) else []
    below = f"<small>{', '.join(small)}</small>" if small else ""
    return Cell(_label(results, arm) + below, about.get("label") or arm)


def _kicker(results: Results) -> str:
    study = results["study"]
    sizes = few(len(results["arms"]), "arm"), few(len(results["tasks"]), "task"), few(len(study["seeds"]), "seed")
    return f"{text(study['name'])} · {', '.join(sizes)} · baseline: {_label(results, study['baseline'])}"


def _notice(results: Results) -> str:
    count = len(results["failed"])
    return (
        f'<p class="notice"><a href="#failed">{few(count, "run")} failed</a>; the rest is shown.</p>' if count else ""
    )


# ---- verdicts --------------------------------------------------------------------------------------------------------


def _verdicts(results: Results) -> str:
    found, baseline = plots.headline(results, "comparisons"), results["study"]["baseline"]
    tally = Counter(entry["verdict"] for entry in found.values())
    count = ", ".join(f"{chip(verdict)} {tally[verdict]}" for verdict in sorted(tally, key=[*SIGNS].index))
    noise = {task: points(entry["noise"]) for (_, task), entry in found.items() if entry["noise"] is not None}
    about = "Scores, 95 % intervals and differences to the baseline are times 100; a positive difference is better."
    if noise:
        sizes = ", ".join(f"{text(task)} {sd}" for task, sd in noise.items())
        about += f" The seed alone moves the baseline by (standard deviation): {sizes}."
    said = items(text(entry["sentence"]) for entry in found.values())
    parts = (
        f"<p>{few(len(found), 'comparison')} with {_label(results, baseline)}: {count}</p>" if found else "",
        _verdict_table(results),
        note(about),
        fold("Every verdict in a sentence", said) if found else "",
        _all_scores(results),
    )
    return "\n".join(parts)


def _verdict_table(results: Results) -> str:
    scores, found = plots.headline(results, "scores"), plots.headline(results, "comparisons")
    baseline, rows = results["study"]["baseline"], []
    for arm in [baseline, *(arm for arm in results["arms"] if arm != baseline)]:
        cost = results["arms"][arm].get("cost") or {}
        examples, seconds = (sum(cost.get(key, {}).values()) or None for key in ("examples", "seconds"))
        missing = {
            task: "no score" if task in results["arms"][arm]["tasks"] else "not trained" for task in results["tasks"]
        }
        cells = [_verdict(scores.get((arm, task)), found.get((arm, task)), missing[task]) for task in missing]
        rows.append([_named(results, arm), *cells, number(examples, large), number(seconds, minutes)])
    tasks = (f"{text(task)}<small>{text(about['metric'] or '')}</small>" for task, about in results["tasks"].items())
    return table("Verdicts", ["Arm", *tasks, "Examples", "Minutes"], rows, stressed=0)


def _verdict(score: Mapping[str, Any] | None, entry: Mapping[str, Any] | None, missing: str) -> Cell:
    if score is None or score["mean"] is None:
        reason = f"undefined: {score['undefined']}" if score else missing
        return Cell(f'<span class="reason">{text(reason)}</span>')
    shown = f'<span class="score">{points(score["mean"])}</span> <span class="range">{span(score["interval"])}</span>'
    if entry:
        shown += f'<div class="verdict">{gain(entry["difference"])} {chip(entry["verdict"])}</div>'
    return Cell(shown, score["mean"])


def _all_scores(results: Results) -> str:
    found = {(entry["arm"], entry["task"], entry["metric"]): entry for entry in results["comparisons"]}
    rows = []
    for score in results["scores"]:
        entry = found.get((score["arm"], score["task"], score["metric"]), {})
        rows.append([
            word(results["arms"][score["arm"]].get("label") or score["arm"]), word(score["task"]),
            word(score["metric"]), _score(score), number(score["sd"], points), number(len(score["seeds"])),
            _difference(entry), number(entry.get("p"), chance), number(entry.get("p_holm"), chance),
            Cell(chip(entry["verdict"]) if entry else "–", entry.get("verdict")),
        ])  # fmt: skip
    interval = "<small>95 % interval</small>"
    heads = [
        "Arm",
        "Task",
        "Metric",
        f"Score{interval}",
        "sd",
        "Seeds",
        f"Difference{interval}",
        "p",
        "p (Holm)",
        "Verdict",
    ]
    title = f"All scores, every metric <small>{few(len(rows), 'row')}</small>"
    return fold(title, table("All scores", heads, rows, name="scores"))


def _score(score: Mapping[str, Any]) -> Cell:
    if score["mean"] is None:
        return Cell(f'<span class="reason">undefined: {text(score["undefined"])}</span>')
    lost = f"<small>{text(score['undefined'])}</small>" if score["undefined"] else ""
    shown = f'{points(score["mean"])} <span class="range">{span(score["interval"])}</span>{lost}'
    return Cell(shown, score["mean"], "whole")


def _difference(entry: Mapping[str, Any]) -> Cell:
    if not entry or entry["difference"] is None:
        return Cell("–")
    shown = f'{gain(entry["difference"])} <span class="range">{span(entry["interval"], "+")}</span>'
    return Cell(shown, entry["difference"], "whole")


# ---- what stands behind them -----------------------------------------------------------------------------------------


def _arm(results: Results, arm: str) -> str:
    about = results["arms"][arm]
    cost = about.get("cost") or {}
    small = [] if _label(results, arm) == text(arm) else [text(arm)]
    small.append(few(len(about["tasks"]), "model") if about["models"] == "one per task" else "one model")
    small += [f"{cost['steps']:,.0f} steps"] if "steps" in cost else []
    alone = ", but each task has a model of its own" if about["models"] == "one per task" else ""
    parts = (
        f"<p>{text(about['description'])}</p>" if about.get("description") else "",
        "<h4>What differs from the study</h4>",
        code(toml(about["settings"]), f"Settings of {arm}") if about["settings"] else note(f"Nothing{alone}."),
        "<h4>What it cost, mean over the finished seeds</h4>",
        costs(about["tasks"], cost) if cost else note("No run finished."),
        "<h4>Every seed</h4>",
        _seeds(results, arm),
        note("Runs: " + ", ".join(f"{link(run['path'])} {text(run['status'])}" for run in about["runs"])),
    )
    return fold(f"{_label(results, arm)} <small>{' · '.join(small)}</small>", "\n".join(parts))


def _seeds(results: Results, arm: str) -> str:
    seeds = [str(seed) for seed in results["study"]["seeds"]]
    rows = [
        [Cell(f"{text(score['task'])}<small>{text(score['metric'])}</small>", score["task"])]
        + [number(score["seeds"].get(seed), points) for seed in seeds]
        for score in results["scores"]
        if score["arm"] == arm
    ]
    return table("Scores of each seed", ["Task", *(f"Seed {text(seed)}" for seed in seeds)], rows) or note("No scores.")


def _data(results: Results) -> str:
    rows = []
    for task, about in results["tasks"].items():
        dropped = "<br>".join(f"{n:,}: {text(reason)}" for reason, n in about["dropped"].items())
        left_out = Cell(dropped or "none", sum(about["dropped"].values()))
        rows.append([
            word(task), word(about["dataset"]), word(about["head"]), number(about["train"]), word(about["split"]),
            number(about["items"]), number(about["clusters"]), number(about["truncated"]), left_out,
        ])  # fmt: skip
    heads = ["Task", "Dataset", "Head", "Train", "Reported split", "Items", "Clusters", "Pieces cut", "Rows left out"]
    warnings = [f"{text(task)}: {text(line)}" for task, about in results["tasks"].items() for line in about["warnings"]]
    return table("Data", heads, rows) + (f"<h3>Warnings</h3>{items(warnings)}" if warnings else note("No warnings."))


def _failed(results: Results) -> str:
    paths = {
        (arm, run["seed"], run.get("task")): run["path"]
        for arm, about in results["arms"].items()
        for run in about["runs"]
    }
    rows = []
    for run in results["failed"]:
        texts = (word(run["seed"]), word(run["task"] or "all"), word(run["reason"]))
        rows.append([_named(results, run["arm"]), *texts, Cell(link(paths[run["arm"], run["seed"], run["task"]]))])
    return table("Failed runs", ["Arm", "Seed", "Task", "Reason", "Folder"], rows) or note("Every run finished.")


def _fingerprint(fingerprint: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    machines = [fingerprint] if isinstance(fingerprint, Mapping) else fingerprint
    several = note(f"The runs come from {few(len(machines), 'machine')}.") if len(machines) > 1 else ""
    return several + "\n".join(facts((text(key), _flat(value)) for key, value in one.items()) for one in machines)


def _flat(value: object) -> str:
    return ", ".join(f"{text(k)} {text(v)}" for k, v in value.items()) if isinstance(value, Mapping) else text(value)
