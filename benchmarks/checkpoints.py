"""What checkpoints cost: the time and the bytes of one, and what that is of the time between two.

    python benchmarks/checkpoints.py [--layers 3 6] [--steps 60] [--every 5] [--json FILE]

Trains the joint arm of the quickstart with MiniLM, and writes a checkpoint every few steps instead of every ten
minutes. Everything a save does is in its time: copying, hashing, flushing to the disk, reading back the ones that are
kept, removing the oldest.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from machine_and_table import command, table, write_figures

from manyheads.study.parser import read_study
from manyheads.study.spec import TrainingSettings
from manyheads.study.steps import runs
from manyheads.study.tasks import read_tasks
from manyheads.training.inputs import StudyInputs
from manyheads.training.resume import FOLDER, Resume
from manyheads.training.run import run_once

QUICKSTART = Path(__file__).resolve().parents[1] / "studies" / "quickstart.toml"
MINUTES = TrainingSettings().checkpoint.minutes


def measured(folder: Path, layers: int, steps: int, every: int) -> dict[str, Any]:
    """Seconds of each save, and the bytes of the last."""
    text = QUICKSTART.read_text("utf-8").replace("layers = 3", f"layers = {layers}")
    text = text.replace("budget   = { epochs = 3 }", f"budget   = {{ steps = {steps} }}")
    text = text.replace("[training]", f"[training]\ncheckpoint = {{ steps = {every} }}")
    path = folder / "quickstart.toml"
    path.write_text(text, "utf-8")
    study = read_study(path)
    run = next(run for run in runs(study) if not run.arm.alone)
    seconds, sizes, save = [], [], Resume.save

    def timed(self: Resume, *given: Any) -> None:
        began = time.perf_counter()
        save(self, *given)
        seconds.append(time.perf_counter() - began)
        newest = max((self.folder.parent / FOLDER).glob("step-*"))
        sizes.append(sum(file.stat().st_size for file in newest.iterdir()))

    Resume.save = timed  # type: ignore[method-assign]
    try:
        inputs = StudyInputs(study, read_tasks(study, None), None, None)
        record = run_once(run, inputs, folder / "out", lambda *_: None)
    finally:
        Resume.save = save  # type: ignore[method-assign]
    if record.status != "finished":
        raise SystemExit(f"the run failed: {record.reason}")
    return {
        "layers": layers, "saves": len(seconds), "bytes": sizes[-1], "median": statistics.median(seconds),
        "most": max(seconds), "share": statistics.median(seconds) / (60 * MINUTES),
    }  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="+", default=[3, 6])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = []
    for layers in given.layers:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measured(Path(folder), layers, given.steps, given.every))
    rows = [
        (one["layers"], one["saves"], f"{one['bytes'] / 1e6:.0f} MB", f"{one['median']:.2f} s", f"{one['most']:.2f} s",
         f"{100 * one['share']:.2f} %")
        for one in found
    ]  # fmt: skip
    columns = ("layers", "saves", "size", "time (median)", "time (most)", f"of the {MINUTES:g} minutes between two")
    print(f"{command()}\n\n{table(columns, rows)}")
    if given.json:
        write_figures(given.json, found)


if __name__ == "__main__":
    main()
