"""By the command alone: entries of the token cache that were exchanged, or changed by a bit, change no bit of a run."""

import json
import os
import subprocess
import sys

import pytest

STUDY = """
seeds = [1]
budget = { steps = 4 }
[encoder]
name = "bag_of_words"
[tasks.food]
dataset = { name = "table", train = "food.csv" }
head = { name = "classification" }
report = "train"
allow_train = true
[tasks.film]
dataset = { name = "table", train = "film.csv" }
head = { name = "classification" }
report = "train"
allow_train = true
[arms.joint]
"""


def run(folder, out):
    env = {**os.environ, "MANYHEADS_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    given = [sys.executable, "-m", "manyheads", "run", "study.toml", "--out", out, "--workers", "0"]
    done = subprocess.run(given, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    files = sorted(
        path for path in (folder / out / "joint" / "1").rglob("*") if path.suffix in (".jsonl", ".safetensors")
    )
    kept = {path.name: path.read_bytes() for path in files if path.name != "metrics.jsonl"}
    return kept, [line for line in done.stderr.splitlines() if line.startswith("token cache:")]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["exchanged", "another sign", "another width"])
def test_a_cache_that_was_changed_changes_no_bit(tmp_path, how):
    for name, words in (("food", "tasty stale soup cake"), ("film", "funny boring plot cast")):
        rows = [f"{word} {other} {n},{'yx'[n % 2]}" for n, word in enumerate(words.split()) for other in words.split()]
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    (tmp_path / "study.toml").write_text(STUDY)
    clean, said = run(tmp_path, "clean")
    assert len(clean) >= 3 and not said
    tokens = tmp_path / "cache" / "tokens"
    entries = {json.loads((path / "entry.json").read_text())["task"]: path for path in tokens.iterdir()}
    if how == "exchanged":
        entries["food"].rename(tokens / "aside")
        entries["film"].rename(entries["food"])
        (tokens / "aside").rename(entries["film"])
    else:
        old, new = ("true", "null") if how == "another sign" else ("0\n", "8\n")
        for path in entries.values():
            about = path / "entry.json"
            assert old in about.read_text()
            about.write_text(about.read_text().replace(old, new))
    again, said = run(tmp_path, "again")
    assert again == clean and len(said) == len(entries) and all("made anew" in line for line in said)
    assert run(tmp_path, "third") == (clean, [])
