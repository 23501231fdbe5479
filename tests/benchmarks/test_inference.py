"""The benchmark of answering compares ways that agree, and writes every figure."""

import json
import sys

import inference


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
