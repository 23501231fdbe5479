"""What is said on standard error where there is no terminal."""

import io

from manyheads.runner import progress as progress_module
from manyheads.runner.progress import Progress


def test_tokenising_is_told_in_plain_lines_now_and_then(monkeypatch):
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.prepare("food (train)", 2_000, 40_000)
        assert stream.getvalue() == ""
        monkeypatch.setattr(progress_module, "EVERY", 0.0)
        progress.prepare("food (train)", 4_000, 40_000)
    assert stream.getvalue() == "tokens of food (train): 4,000 of 40,000 examples\n"


def test_steps_begin_anew_after_tokenising():
    with Progress(io.StringIO()) as progress:
        progress.prepare("food (train)", 40_000, 40_000)
        progress.expect(7)
        (task,) = progress.bars.tasks
    assert (task.completed, task.total, task.fields["unit"]) == (0, 7, "steps")


def test_a_notebook_gets_plain_lines_too(monkeypatch):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress.say("9 runs in runs/little")
    assert stream.getvalue() == "9 runs in runs/little\n"
