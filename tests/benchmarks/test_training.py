"""The benchmark of training counts what it says it counts, and compares like with like."""

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import training_contestants as contestants

import training

ROOT = Path(__file__).parents[2]
SIZES = {"sst2": 20, "mnli": 10, "squad": 3}


@pytest.fixture(scope="module")
def trained(hub, small):
    return contestants.manyheads("fp32", SIZES, hub, small)


@pytest.fixture(scope="module")
def counted(hub, small):
    return contestants.padding(SIZES, hub, small)


def test_every_example_is_trained_once_and_tokens_add_up(trained, counted):
    found = trained
    assert found["examples"] == 33 and found["tokens"] == counted["tokens"]
    assert found["computed"] == counted["tokens"] + counted["filler"]
    assert counted["tokens"] < counted["attention"] < counted["longest"] < counted["most"]
    assert counted["filler"] < 16 * 4  # two batches of SST-2, one of each other task, each up to a multiple of 16


def test_figures_count_the_operations_that_the_model_counts(trained):
    results = {"rounds": {"manyheads, fp32": [trained]}, "ceiling_gflops": {"fp32": [10.0, 30.0, 20.0]}}
    one = training.figures(results)["manyheads, fp32"]
    assert one["gflops"] == pytest.approx(trained["flops"] / trained["seconds"] / 1e9)
    assert one["of_ceiling"] == pytest.approx(one["gflops"] / 20)
    assert one["ratio"] is None


def test_tokens_of_padded_batches_by_hand():
    rows = [[1, 1, 1], [1], *[[1, 1]] * 14, [1, 1, 1, 1], [1, 0, 0]]
    found = contestants.counted({"task": rows})
    # Sixteen rows as long as 3, then two as long as 4; the last row's padding is not real.
    assert found == {"examples": 18, "tokens": 32 + 5, "squares": 9 + 1 + 14 * 4 + 16 + 1, "computed": 48 + 8}


def test_figures_by_hand():
    ours = {"seconds": 2.0, "examples": 10, "tokens": 100, "squares": 1000, "computed": 125}
    ours["encoder"] = {"width": 4, "inner": 8, "layers": 3}
    theirs = {"seconds": 8.0, "examples": 10, "tokens": 100, "squares": 1000, "computed": 200}
    rounds = {
        "manyheads, fp32": [ours, ours | {"seconds": 4.0}, ours | {"seconds": 1.0}],
        "by hand, fp32": [theirs],
        training.MAX: [theirs | {"seconds": 16.0, "computed": 400}],
        "manyheads, bf16": [ours],
        "by hand, grouped by length, fp32": [theirs | {"seconds": 4.0, "computed": 125}],
    }
    results = {"rounds": rounds, "ceiling_gflops": {"fp32": [1e-3], "bf16": []}, "absent": {}, "padding": {}}
    found = training.figures(results)
    assert {name: (one["tokens"], one["ratio_grouped"], one["ratio"]) for name, one in found.items()} == {
        "manyheads, fp32": (50, 2, 4), "by hand, fp32": (12.5, 0.5, 1), training.MAX: (6.25, 0.25, 0.5),
        "manyheads, bf16": (50, None, None), "by hand, grouped by length, fp32": (25, 1, 2),
    }  # fmt: skip
    assert [round(one["padding"], 9) for one in found.values()] == [0.2, 0.5, 0.75, 0.2, 0.2]
    # 3 layers of 4 squares of the width and two matrices to and from 8; attention: 12 x width x layers x squares.
    flops = 6 * 3 * (4 * 16 + 2 * 32) * 100 + 12 * 4 * 3 * 1000
    assert found["manyheads, fp32"]["gflops"] == pytest.approx(flops / 2 / 1e9)
    assert found["manyheads, fp32"]["of_ceiling"] == pytest.approx(flops / 2 / 1e6)
    assert found["manyheads, bf16"]["of_ceiling"] is None
    assert "| manyheads, fp32 | 5.0 | 50 | 2.00 | 4.00 | 20.0 % |" in training.report(results)


def test_another_version_is_compared_round_by_round():
    """Though the machine was busy in the second round, and slowed both alike."""
    rounds = {
        "manyheads before, fp32": [{"seconds": 2.0}, {"seconds": 8.0}, {"seconds": 3.0}],
        "manyheads, fp32": [{"seconds": 1.0}, {"seconds": 4.0}, {"seconds": 4.0}],
    }
    expected = "manyheads, fp32: 2.000 times as fast as before (0.750 to 2.000 in a round)."
    assert training.against(rounds) == [expected] and training.against({}) == []


def test_another_version_runs_with_its_own_sources_and_script(tmp_path, monkeypatch):
    (tmp_path / "benchmarks").mkdir()
    code = "import json, os, sys; print(json.dumps([sys.argv[1:4], os.environ['PYTHONPATH']]))"
    (tmp_path / "benchmarks" / "training_contestants.py").write_text(code)
    options = argparse.Namespace(
        share=0.1, hub=tmp_path, peers=tmp_path, encoder="e", tasknet=None, against=tmp_path / "src"
    )
    found = training.run(("before", "--precision", "bf16"), options)
    assert found == [["manyheads", "--precision", "bf16"], str(tmp_path / "src")]


def test_who_cannot_take_part_is_named(tmp_path, capsys, monkeypatch):
    # As if the package that the peers need were there; without it, that is the reason.
    monkeypatch.setattr(training.importlib.util, "find_spec", lambda name: name == "accelerate" or None)
    monkeypatch.setattr(training, "run", lambda given, _: {"gflops": 5.0} if given[0] == "ceiling" else [])
    monkeypatch.setattr(
        sys, "argv", ["training.py", "--hub", str(tmp_path / "none"), "--peers", str(tmp_path), "--rounds", "1"]
    )
    training.main()
    said = capsys.readouterr().out
    assert "Left out: manyheads, fp32: there are no datasets in" in said
    assert "Left out: by hand, bf16: there is no handwritten_trainer.py in" in said
    assert "Left out: tasknet, fp32: no --tasknet FOLDER with tasknet 1.60 was given." in said
    assert "| the ceiling, bf16 |" in said


def test_rounds_take_turns_and_the_slowest_stops_early(monkeypatch, tmp_path):
    for name in ("handwritten_trainer.py", "ceiling.py"):
        (tmp_path / name).touch()
    (tmp_path / "accelerate").mkdir()
    asked = []

    def run(given, options):
        asked.append(" ".join(given))
        return {"gflops": 1.0, "seconds": 1.0, "examples": 1, "tokens": 1, "squares": 1, "computed": 1}

    monkeypatch.setattr(training, "run", run)
    options = ["--hub", str(tmp_path), "--peers", str(tmp_path), "--tasknet", str(tmp_path), "--rounds", "3"]
    monkeypatch.setattr(
        sys, "argv", ["training.py", *options, "--max-rounds", "2", "--json", str(tmp_path / "it.json")]
    )
    monkeypatch.setattr(training, "padding_table", lambda found: "")
    training.main()
    full = [
        "manyheads", "manyheads --precision bf16", "handwritten --pad grouped",
        "handwritten --pad grouped --precision bf16", "handwritten", "handwritten --precision bf16",
        "handwritten --pad max", "ceiling --precision fp32", "ceiling --precision bf16",
    ]  # fmt: skip
    assert asked == [*full, *full, *(one for one in full if "max" not in one), "padding"]
    found = json.loads((tmp_path / "it.json").read_text("utf-8"))
    assert set(found) == {"date", "command", "machine", "results"} and found["machine"]["memory_bytes"] > 2**28
    assert [len(rounds) for rounds in found["results"]["rounds"].values()] == [3, 3, 3, 3, 3, 3, 2]


@pytest.mark.slow
def test_a_contestant_runs_by_itself(hub, small, tmp_path):
    """As the benchmark starts it: a fresh process, one line of JSON."""
    given = ["manyheads", "--precision", "bf16", "--share", "0.01", "--hub", str(hub), "--peers", str(tmp_path)]
    command = [sys.executable, str(ROOT / "benchmarks/training_contestants.py"), *given, "--encoder", small]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["examples"] == 10 + 5 + 2 and found["seconds"] > 0


@pytest.mark.parametrize("pad", ["dynamic", "grouped"])
def test_the_handwritten_loop_gets_the_same_examples(hub, small, counted, monkeypatch, pad):
    """Its batches, its padding; its training is replaced, for it takes long."""
    peers = hub.parent / "bench"
    if not (peers / "handwritten_trainer.py").is_file():
        pytest.skip("needs the handwritten loop in the folder bench beside the datasets, which is not there")
    monkeypatch.setattr(sys, "path", [str(peers), *sys.path])
    monkeypatch.setattr(sys, "argv", sys.argv)  # what is called sets both
    loop, seen = importlib.import_module("handwritten_trainer"), []

    class Trainer:
        def __init__(self, train_dataset, data_collator, **_):
            self.batches, self.collate = train_dataset, data_collator

        def train(self):
            seen.extend(self.collate([batch])["input_ids"].numel() for batch in self.batches)

    monkeypatch.setattr(loop, "Trainer", Trainer)
    monkeypatch.setattr(loop, "TrainingArguments", lambda **_: None)
    found = contestants.handwritten("fp32", pad, SIZES, peers, hub, small)
    assert found["computed"] == sum(seen) and found["examples"] == 33
    # None of these contexts is longer than the limit, so that windows make no difference.
    assert found["tokens"] == counted["tokens"]
