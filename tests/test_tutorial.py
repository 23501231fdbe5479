"""The tutorial is run as its reader would run it, and prints what it says it prints.

With MANYHEADS_WRITE_TUTORIAL=1 what came out is written into the page instead.
"""

import io
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from waiting import LIMIT

import manyheads

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(python|bash|toml|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, content) of every block that is run, saved or compared, in order."""
    return [(match[1], match[2]) for match in BLOCK.finditer(page)]


def shell(script: str, folder: Path) -> str:
    """What bash prints, with `manyheads` the one that is tested."""
    called = folder / ".bin" / "manyheads"
    if not called.exists():
        called.parent.mkdir()
        called.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m manyheads "$@"\n', "utf-8")
        called.chmod(0o755)
    paths = os.pathsep.join([str(called.parent), os.environ["PATH"]])
    modules = os.pathsep.join([str(Path(manyheads.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    given = {**os.environ, "PATH": paths, "PYTHONPATH": modules, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=given, capture_output=True, text=True, timeout=LIMIT)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def python(source: str, names: dict) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(source, PAGE.name, "exec"), names)
    return printed.getvalue()


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What is in the page, what came out, and the folder in which it did."""
    folder, names, out, shown = tmp_path_factory.mktemp("tutorial"), {}, "", []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for language, content in blocks(PAGE.read_text("utf-8")):
            if language == "toml":
                (folder / content.split()[1]).write_text(content, "utf-8")
            elif language == "text":
                shown.append((content, out))
            else:
                out = python(content, names) if language == "python" else shell(content, folder)
                out = "".join(f"{line.rstrip()}\n" for line in out.splitlines())
    if os.environ.get("MANYHEADS_WRITE_TUTORIAL"):
        written = iter(out for _, out in shown)
        text = BLOCK.sub(lambda m: f"```text\n{next(written)}```" if m[1] == "text" else m[0], PAGE.read_text("utf-8"))
        PAGE.write_text(text, "utf-8")
        shown = [(out, out) for _, out in shown]
    return shown, names, folder


def normal(text: str) -> list[str]:
    """The words, without what differs from one processor to another: figures, spaces, and verdicts that are close."""
    text = re.sub(r"cannot tell whether .*?: (more seeds will|\d+ seeds are).*?(do\b|small)\.", "cannot tell.", text)
    text = re.sub(r"[-+−]?\d+(\.\d+)?", "0", text)
    return re.sub(r"\b0 (helps|hurts|same|\?)(?=\s|$)", "0 verdict", text, flags=re.MULTILINE).split()


def test_what_is_printed_is_what_the_page_shows(ran):
    shown, _, _ = ran
    assert len(shown) == 10
    for said, out in shown:
        assert normal(said) == normal(out)
        assert out.strip()


def test_the_story_that_the_page_tells_is_that_of_the_run(ran):
    shown, names, folder = ran
    results = names["results"]
    found = {entry.task: entry for entry in results.content.comparisons if entry.headline}
    assert found["restaurants"].verdict == "helps" and found["films"].verdict == "cannot tell"
    assert found["restaurants"].interval[0] > 0.05  # many points
    low, high = found["films"].interval
    assert -0.06 < low < 0 < high < 0.06  # a few points
    three, five = (out for _, out in shown if "Report: " in out)
    assert "restaurants: cannot tell" in three and "seeds are too few" in three
    assert "restaurants: joint beats alone" in five and "films: cannot tell" in five
    assert results.failed == [] and len(list((folder / "runs").rglob("record.json"))) == 15
    assert (folder / "scores.png").read_bytes().startswith(b"\x89PNG")


def test_no_run_was_done_twice(ran):
    _, _, folder = ran
    first, second = ((folder / name).read_text("utf-8") for name in ("first.txt", "second.txt"))
    done = re.findall(r"^(\S+): scoring", first + second, re.MULTILINE)
    assert len(done) == len(set(done)) == 6 and {path.split("/")[1] for path in done} == {"4", "5"}


def test_every_figure_with_decimals_in_the_text_was_printed():
    page = PAGE.read_text("utf-8")
    printed = " ".join(content for _, content in blocks(page))
    prose = BLOCK.sub("", page)
    assert [number for number in re.findall(r"\d+\.\d+", prose) if number not in printed] == []


def test_every_file_that_is_named_is_there():
    prose = BLOCK.sub("", PAGE.read_text("utf-8"))
    named = re.findall(r"`((?:docs|tests)/[\w/.]+|[A-Z]+\.md)`", prose)
    assert len(named) > 3 and [name for name in named if not (PAGE.parents[1] / name).exists()] == []
    assert shutil.which("bash")
