"""The benchmarks of training and answering run, count what they say they count, and compare like with like."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import checkpoints
import inference
import machine_and_table
import pytest
import speed_page
import torch
import training_contestants as contestants
from transformers import BertConfig, BertModel

import training
from manyheads.encoders._tokenizer import PretrainedTokenizer

ROOT = Path(__file__).parents[1]
SIZES = {"sst2": 20, "mnli": 10, "squad": 3}


@pytest.fixture(scope="module")
def small(tmp_path_factory, minilm) -> str:
    """As `tiny`, for texts as long as those of the benchmarks."""
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(**shape, max_position_embeddings=384)).save_pretrained(folder)
    PretrainedTokenizer(minilm).save(folder)
    return str(folder)


# ---- training ----


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
    }
    results = {"rounds": rounds, "ceiling_gflops": {"fp32": [1e-3], "bf16": []}, "absent": {}, "padding": {}}
    found = training.figures(results)
    assert {name: (one["tokens"], one["ratio"]) for name, one in found.items()} == {
        "manyheads, fp32": (50, 4), "by hand, fp32": (12.5, 1), training.MAX: (6.25, 0.5),
        "manyheads, bf16": (50, None),
    }  # fmt: skip
    assert [round(one["padding"], 9) for one in found.values()] == [0.2, 0.5, 0.75, 0.2]
    # 3 layers of 4 squares of the width and two matrices to and from 8; attention: 12 x width x layers x squares.
    flops = 6 * 3 * (4 * 16 + 2 * 32) * 100 + 12 * 4 * 3 * 1000
    assert found["manyheads, fp32"]["gflops"] == pytest.approx(flops / 2 / 1e9)
    assert found["manyheads, fp32"]["of_ceiling"] == pytest.approx(flops / 2 / 1e6)
    assert found["manyheads, bf16"]["of_ceiling"] is None
    assert "| manyheads, fp32 | 5.0 | 50 | 4.00 | 20.0 % |" in training.report(results)


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
        "manyheads", "manyheads --precision bf16", "handwritten", "handwritten --precision bf16",
        "handwritten --pad max", "ceiling --precision fp32", "ceiling --precision bf16",
    ]  # fmt: skip
    assert asked == [*full, *full, *(one for one in full if "max" not in one), "padding"]
    found = json.loads((tmp_path / "it.json").read_text("utf-8"))
    assert set(found) == {"date", "command", "machine", "results"} and found["machine"]["memory_bytes"] > 2**28
    assert [len(rounds) for rounds in found["results"]["rounds"].values()] == [3, 3, 3, 3, 2]


def test_a_contestant_runs_by_itself(hub, small, tmp_path):
    """As the benchmark starts it: a fresh process, one line of JSON."""
    given = ["manyheads", "--precision", "bf16", "--share", "0.01", "--hub", str(hub), "--peers", str(tmp_path)]
    command = [sys.executable, str(ROOT / "benchmarks/training_contestants.py"), *given, "--encoder", small]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["examples"] == 10 + 5 + 2 and found["seconds"] > 0


def test_the_handwritten_loop_gets_the_same_examples(hub, small, counted, monkeypatch):
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
    found = contestants.handwritten("fp32", "dynamic", SIZES, peers, hub, small)
    assert found["computed"] == sum(seen) and found["examples"] == 33
    # None of these contexts is longer than the limit, so that windows make no difference.
    assert found["tokens"] == counted["tokens"]


# ---- answering ----


def test_all_ways_of_answering_agree(hub, small):
    given = inference.texts(23, hub)
    assert len(given) == 23
    timed = inference.contestants(given, "fp32", small)
    for found in timed.values():
        answered = {name: do() for name, do in found.items()}
        assert all(len(labels) == 23 for each in answered.values() for labels in each)
        together = answered[inference.ONE_PASS]
        assert len({tuple(labels) for labels in together}) > 1  # four heads, not one four times
        assert answered[inference.ONE_HEAD] == together[:1]
        assert answered[inference.FOUR] == together == answered[inference.THEIRS]


def test_texts_without_the_datasets(tmp_path):
    assert len(set(inference.texts(30, tmp_path / "none"))) > 20


def test_a_quick_run_writes_every_figure(small, hub, tmp_path, monkeypatch, capsys):
    path = tmp_path / "inference.json"
    monkeypatch.setattr(
        sys, "argv", ["inference.py", "--quick", "--hub", str(hub), "--encoder", small, "--json", str(path)]
    )
    inference.main()
    found = json.loads(path.read_text("utf-8"))["results"]["fp32"]
    assert {kind: len(names) for kind, names in found["seconds"].items()} == {"tokens": 4, "texts": 5}
    assert all(len(rounds) == 1 and rounds[0] > 0 for names in found["seconds"].values() for rounds in names.values())
    assert set(found["agreement"].values()) == {1.0}
    assert "| manyheads, 4 heads in one pass | fp32 |" in capsys.readouterr().out


def test_the_table_of_answering_by_hand():
    seconds = {inference.ONE_HEAD: [1.0, 9.0, 2.0], inference.ONE_PASS: [2.2], inference.FOUR: [8.8]}
    results = {"bf16": {"texts": 4, "seconds": {"tokens": seconds, "texts": seconds}, "agreement": {"all": 0.75}}}
    shown = inference.report(results)
    assert f"| {inference.ONE_PASS} | bf16 | 2,200 | 1.10 | 4.00 | 2,200 | 1.10 | 4.00 |" in shown
    assert "4 texts. At least 75.00 %" in shown


# ---- the page ----


def figures_of(results):
    machine = {"processor": "A Chip", "cores": 2, "memory_bytes": 3 * 2**30, "threads": 1, "versions": {"torch": "9"}}
    return json.dumps({"date": "2026-01-02", "command": "python x", "machine": machine, "results": results})


def test_figures_go_between_their_marks_and_nothing_else_changes(tmp_path):
    page = (ROOT / "docs/results/speed.md").read_text("utf-8")
    empty = speed_page.filled(page, tmp_path)
    seconds = {inference.ONE_HEAD: [1.0], inference.ONE_PASS: [1.0], inference.FOUR: [4.0]}
    results = {"fp32": {"texts": 4, "seconds": {"tokens": seconds, "texts": seconds}, "agreement": {"all": 1.0}}}
    (tmp_path / "inference.json").write_text(figures_of(results), encoding="utf-8")
    filled = speed_page.filled(empty, tmp_path)
    source = "2026-01-02, `python x`, A Chip, 2 cores, 3 GiB of memory, 1 thread; torch 9."
    expected = f"<!-- inference: figures -->\n\n{source}\n\n{inference.report(results)}\n\n<!-- inference: end -->"
    assert filled == empty.replace("<!-- inference: figures -->\n<!-- inference: end -->", expected) != empty
    assert speed_page.filled(filled, tmp_path) == filled
    (tmp_path / "inference.json").unlink()
    assert speed_page.filled(filled, tmp_path) == empty


def test_a_page_without_marks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="training: figures"):
        speed_page.filled("# Speed", tmp_path)


def test_the_page_shows_the_figures_that_are_kept():
    page = ROOT / "docs/results/speed.md"
    if (page.with_suffix("") / "gradient_methods.json").is_file():
        pytest.importorskip("torchjd", reason="its table is made by its benchmark, which needs the extra `methods`")
    assert speed_page.filled(page.read_text("utf-8"), page.with_suffix("")) == page.read_text("utf-8")


def test_a_table_by_hand():
    assert (
        machine_and_table.table(["a", ""], [[1, None], ["x", 2.5]]) == "| a |  |\n| --- | --- |\n| 1 |  |\n| x | 2.5 |"
    )


def test_the_command_can_be_typed_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/training.py", "--only", "by hand, bf16"])
    assert machine_and_table.command() == "python benchmarks/training.py --only 'by hand, bf16'"


def test_a_checkpoint_of_the_quickstart_is_timed(tmp_path):
    found = checkpoints.measured(tmp_path, layers=1, steps=4, every=2)
    assert found["saves"] == 2 and 0 < found["median"] <= found["most"]
    # Weights, and two moments for each of them that is trained; words that no review holds are not.
    assert found["bytes"] > 3 * 4 * 1_700_000
    assert found["share"] == pytest.approx(found["median"] / 600)
