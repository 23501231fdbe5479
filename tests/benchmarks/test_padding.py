"""The benchmark of padding measures both ways on the same steps; how fast this machine is, is no matter."""

import sys

import padding


def test_both_ways_are_measured(tiny, monkeypatch, capsys):
    monkeypatch.setenv("MANYHEADS_PLAIN", "")
    monkeypatch.setattr(sys, "argv", ["padding.py", "--model", str(tiny), "--batch-size", "2", "--rounds", "1"])
    padding.main()
    packed, padded, ratio = capsys.readouterr().out.splitlines()
    assert packed.startswith("packed: ") and padded.startswith("padded: ") and ratio.startswith("padded takes ")
