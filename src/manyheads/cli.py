"""The commands; the only file that prints.

Answers go to standard output, progress and problems to standard error. Exit codes: 0 fine, 1 a run failed, 2 bad input,
75 interrupted and resumable.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from manyheads.core.atomic_files import HaltedError, halted, halting
from manyheads.core.printable import printable, printable_json
from manyheads.core.problems import Problem, StudyError, among
from manyheads.core.version import __version__
from manyheads.training.signals import StopSignals

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 75

app = typer.Typer(
    help="Are many heads better than one? Trains several text tasks together and apart, and compares them soundly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file (TOML).")]
Data = Annotated[
    Path | None,
    typer.Option("--data", envvar="MANYHEADS_DATA", help="A folder with datasets in the layout of the Hub."),
]
Code = Annotated[
    Path | None, typer.Option("--code", help="A folder with methods of your own, laid out like manyheads.")
]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Do not compare files with the SHA-256 that were written down of them.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(f"manyheads {__version__}")
        raise typer.Exit


@app.command()
def run(
    study: StudyFile,
    out: Annotated[Path | None, typer.Option("--out", help="Where results go; runs/<study> by default.")] = None,
    data: Data = None,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", min=0, envvar="MANYHEADS_WORKERS", help="Runs at the same time; 0: in this process, to debug."
        ),
    ] = 1,
    code: Code = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew in a new folder beside the old one.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do the runs again that failed before, and what is left.")
    ] = False,
    hung_after: Annotated[
        float, typer.Option("--hung-after", min=0.1, help="Minutes without a sign of life until a run has failed.")
    ] = 60.0,
    stop_within: Annotated[
        float, typer.Option("--stop-within", min=0, help="Seconds that workers have to save their runs after a signal.")
    ] = 60.0,
    no_verify: NoVerify = False,
    as_json: Json = False,
) -> None:
    """Train every arm of a study, compare them, and write tables, a report and models.

    The same command again goes on where it stopped. Several at once, on one machine or on several with one folder,
    share the work.
    """
    # An interrupt inside an import may be lost, or break it; and what is finished is shown. So signals wait for both.
    with _problems_shown(as_json), StopSignals() as stop, stop.in_time():
        from manyheads.report.tables import terminal
        from manyheads.runner.progress import Progress
        from manyheads.runner.run_study import conduct

        with Progress(sys.stderr) as progress:
            results, where = conduct(
                study,
                out,
                data,
                code,
                workers=workers,
                fresh=fresh,
                progress=progress,
                retry_failed=retry_failed,
                hung_after=60 * hung_after,
                stop_within=stop_within,
                verify=not no_verify,
            )
        if as_json:
            print(printable_json(results.model_dump(mode="json")))
        else:
            _print_table(terminal(results))
            print(f"\n{printable(results.answer)}\n\nReport: {printable(where / 'report.html')}")
        for run in results.failed:
            name = "/".join(str(part) for part in (run.arm, run.seed, run.task) if part is not None)
            print(printable(f"failed: {name}: {run.reason}"), file=sys.stderr)
        lost = [one for one in results.analyses if one.failed]
        for one in lost:
            print(printable(f"failed: analysis {one.name}: {one.failed}"), file=sys.stderr)
        if results.failed:
            print("Find out why, then do them again: the same command with --retry-failed.", file=sys.stderr)
        if results.failed or lost:
            raise typer.Exit(FAILED)


@app.command()
def check(study: StudyFile, data: Data = None, code: Code = None, as_json: Json = False) -> None:
    """Show every mistake in a study and its data at once, or else the plan. Nothing is trained."""
    with _problems_shown(as_json):
        from manyheads.study.estimate import planned, planned_lines

        plan = planned(study, data, code)
    print(printable_json(plan) if as_json else "\n".join(planned_lines(plan)))


@app.command()
def init(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="NAME.toml is written.")] = "",
    pairs: Annotated[
        Path | None, typer.Option("--pairs", metavar="FILE", help="A TOML with tasks: study them in every pair.")
    ] = None,
) -> None:
    """Write a study file to start from: for your own CSV files, or with --pairs who helps whom among some tasks."""
    with _problems_shown(False):
        from manyheads.study.template import new_study

        path, about = new_study(name, pairs)
    print(printable(f"{about}\nNext: manyheads check {path}", "\n"))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `manyheads run` wrote.")],
    no_verify: NoVerify = False,
) -> None:
    """Write the tables, figures and report of a study's folder again, and say what does not agree with its runs."""
    with _problems_shown(False):
        from manyheads.report.tables import terminal
        from manyheads.runner.report_study import report_study

        results = report_study(folder, lambda line: print(line, file=sys.stderr), verify=not no_verify)
    _print_table(terminal(results))
    print(f"\nReport: {printable(folder / 'report.html')}")


@app.command("list")
def list_(
    family: Annotated[str, typer.Argument(metavar="[FAMILY]", help="For example weighting.")] = "",
    code: Code = None,
) -> None:
    """Show what there is: datasets, encoders, heads, sampling, sharing, weighting; of one family, settings too."""
    from manyheads import registry

    with _problems_shown(False):
        if family and family not in registry.FAMILIES:
            raise StudyError([Problem("list", f'there is no family "{family}"', "", among(family, registry.FAMILIES))])
        for each in [family] if family else registry.FAMILIES:
            members = [registry.describe(each, name, code) for name in registry.names(each, code)]
            print(f"{each}" if members else f"{each}: none yet")
            for entry in members:
                print(printable(f"  {entry.name:<28} {entry.summary}"))
                for setting in entry.settings if family else ():
                    needed = "required" if setting.default is registry.REQUIRED else f"= {setting.default!r}"
                    print(printable(f"      {setting.name}: {setting.kind} {needed}"))


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A folder <arm>/<seed>/model.")],
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="JSON lines; standard input by default.")] = "-",
    task: Annotated[list[str] | None, typer.Option("--task", help="Which task; repeat it for several.")] = None,
    code: Code = None,
    no_verify: NoVerify = False,
) -> None:
    """Answer JSON lines with a trained model: `text`; `text` and `text_pair`; `question` and `context`; `text` and
    `choices`; or `words`, a list. Several tasks over the same texts share one pass of the encoder."""
    with _problems_shown(False):
        from manyheads.inference import answer
        from manyheads.training.model_files import not_recorded

        if not no_verify and (unknown := not_recorded(model)):
            print(printable(f"{model}: no SHA-256 was recorded of {', '.join(unknown)}"), file=sys.stderr)
        for line in answer(model, task or [], file, code, verify=not no_verify):
            print(printable_json(line))


class _Score(TyperCommand):
    """Its help lists what can be scored; only then is it looked for."""

    def get_help(self, ctx: Any) -> str:
        from manyheads.scoring import scored_heads

        self.epilog = f"HEAD is one of: {', '.join(scored_heads())}."
        return super().get_help(ctx)


@app.command(cls=_Score)
def score(
    head: Annotated[str, typer.Argument(metavar="HEAD", help="The head whose metrics are computed, or dependency.")],
    gold: Annotated[
        Path,
        typer.Option("--gold", help="What is right: JSON lines, or what the head's official script reads."),
    ],
    predictions: Annotated[
        Path, typer.Option("--predictions", help="What was answered: JSON lines, or what the script reads.")
    ],
    null_odds: Annotated[Path | None, typer.Option("--null-odds", help="JSON {id: number}, SQuAD 2.0 only.")] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", help="A label; all of them in their order, where it matters.")
    ] = None,
    code: Code = None,
    as_json: Json = False,
) -> None:
    """Compute the metrics alone, of predictions that any program wrote; the official ones where there are some."""
    with _problems_shown(as_json):
        from manyheads.scoring import score_files

        found = score_files(head, gold, predictions, null_odds=null_odds, label=label or None, code=code)
    if as_json:
        print(printable_json(found))
        return
    reasons = found.pop("undefined", {})
    for name, value in found.items():
        print(printable(f"{name:<20} {f'undefined: {reasons[name]}' if name in reasons else value}"))


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove every entry.")] = False, as_json: Json = False
) -> None:
    """Show the tokenised datasets that are kept for other runs and studies: where, how many, how large.

    The folder is $MANYHEADS_CACHE, or manyheads in $XDG_CACHE_HOME or ~/.cache. What is removed is made again when it
    is needed.
    """
    from manyheads.data.token_cache import TokenCache, amount, contents, contents_lines, default_folder

    kept = TokenCache(default_folder(), lambda line: print(printable(line), file=sys.stderr))
    if not clear:
        found = contents(kept)
        print(printable_json(found) if as_json else "\n".join(contents_lines(found)))
        return
    removed, freed = kept.clear()
    left = len(kept.entries())
    if as_json:
        print(printable_json({"folder": contents(kept)["folder"], "removed": removed, "freed": freed, "left": left}))
    else:
        print(f"{removed} {'entry' if removed == 1 else 'entries'} removed, {amount(freed)} freed")
    if left:
        print(f"{left} could not be removed", file=sys.stderr)
        raise typer.Exit(FAILED)


@contextmanager
def _problems_shown(as_json: bool) -> Iterator[None]:
    try:
        with StopSignals() as stop, stop.at_once():
            yield
    except StudyError as error:
        _refuse(error, as_json)
    except OSError as error:
        number = halting(error)
        if number is None:
            where = str(error.filename or "a file")
            _refuse(StudyError([Problem(where, f"cannot be used: {error.strerror or error}")]), as_json)
        _later(str(halted(error, number, Path(error.filename or ".").absolute().parent)))
    except HaltedError as error:
        _later(str(error))
    except KeyboardInterrupt:
        with suppress(OSError):  # after SIGHUP nobody is left to tell
            print("interrupted; `manyheads run` with the same study and --out goes on from here", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def _later(why: str) -> NoReturn:
    print(f"{printable(why)}\nNothing is lost: make room, then the same command goes on from here.", file=sys.stderr)
    raise typer.Exit(INTERRUPTED) from None


def _refuse(error: StudyError, as_json: bool) -> NoReturn:
    if as_json:
        keys = ("where", "what", "found", "remedy")
        print(printable_json({"problems": [{key: getattr(p, key) for key in keys} for p in error.problems]}))
    else:
        number = len(error.problems)
        print(f"{number} problem{'s' if number > 1 else ''}:", file=sys.stderr)
        for problem in error.problems:
            print(f"  {problem}", file=sys.stderr)
    raise typer.Exit(BAD_INPUT)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    header, *rows = rows
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for index, name in enumerate(header):
        table.add_column(
            printable(name, "\n"), justify="left" if index == 0 else "right", max_width=32 if index == 0 else None
        )
    for row in rows:
        table.add_row(*(printable(cell, "\n") for cell in row))
    Console(markup=False, highlight=False).print(table)
    print("\nScores are means over seeds times 100, ± half the 95 % interval; below, the difference to the baseline:")
    print("helps, hurts, same (no difference that matters), ? (cannot tell).")


def main() -> None:
    """The console command. A job that is ended from outside ends like one that is interrupted at the keyboard."""
    StopSignals().__enter__()  # never left: a signal at the very end would only add a traceback
    app()
