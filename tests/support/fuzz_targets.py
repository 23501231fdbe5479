"""What is attacked with odd inputs: for each reader of ours sound inputs to begin from, and how it is called.

A target takes an input and returns what it made of it; the only exception that it may raise is StudyError.
"""

import hashlib
import io
import json
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import torch
from fuzz_mutations import json_bytes, mutated_bytes, mutated_value, toml_bytes
from pyarrow import parquet
from results_example import results
from run_example import header
from safetensors.torch import save

from manyheads import inference
from manyheads.core.problems import Problem, StudyError
from manyheads.core.strict_json import too_deep
from manyheads.core.values import Encoded, Input, Places
from manyheads.data.columns import block_of
from manyheads.data.token_cache import ABOUT, DATA, PLACE, TokenCache, contents, contents_lines, entry_text
from manyheads.datasets.conll import Conll
from manyheads.datasets.conllu import Conllu
from manyheads.datasets.table import OwnTable
from manyheads.heads.classification import Classification
from manyheads.heads.multiple_choice import MultipleChoice
from manyheads.report import html_page, plots, tables
from manyheads.results.reader import read_results
from manyheads.results.records import cost, read_answers, read_records
from manyheads.results.schema import ArmResult, RunResult, StudyInfo, StudyOutline
from manyheads.scoring import score_files
from manyheads.study.parser import read_study
from manyheads.training import checkpoint

Run = Callable[[Path, bytes], Any]


@dataclass(frozen=True)
class Target:
    """One reader.

    :param run: Called with a folder of its own and the input.
    :param seeds: Sound inputs as bytes.
    :param values: Sound inputs as values, for mutations that know the structure.
    :param written: How a value is written.
    """

    run: Run
    seeds: Sequence[bytes]
    values: Sequence[Any] = ()
    written: Callable[[random.Random, Any], bytes] = field(default=json_bytes)

    def input(self, rng: random.Random) -> bytes:
        """The next odd input."""
        if self.values and rng.random() < 0.6:
            return self.written(rng, mutated_value(rng, rng.choice(self.values)))
        return mutated_bytes(rng, self.seeds)


def _json(*values: Any) -> list[bytes]:
    return [json.dumps(value, ensure_ascii=False).encode() for value in values]


def _lines(rows: Sequence[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _json_lines(rng: random.Random, rows: Any) -> bytes:
    return b"\n".join(json_bytes(rng, row) for row in rows) if isinstance(rows, list) else json_bytes(rng, rows)


# ---- tables ----------------------------------------------------------------------------------------------------------

PAIRS = [
    {"id": f"r{i}", "text": f"Some text, {i}", "text_pair": 'more "of" it', "label": "ab"[i % 2]} for i in range(6)
]
NUMBERS = [{"text": f"text {i}", "label": i / 2} for i in range(6)]
CHOICES = [{"text": f"t {i}", "choices": ["one", "two", "three"], "label": i % 3} for i in range(4)]
SPANS = [
    {
        "id": f"q{i}",
        "question": "Who?",
        "context": "Ada 😀 wrote it.",
        "answers": {"text": ["Ada"], "answer_start": [0]},
    }
    for i in range(4)
]
SQUAD = {
    "version": "v2.0",
    "data": [{"title": "T", "paragraphs": [{"context": "Ada 😀 wrote it.", "qas": [
        {"id": "a", "question": "Who?", "is_impossible": False, "answers": [{"text": "Ada", "answer_start": 0}]},
        {"id": "b", "question": "What?", "is_impossible": True, "answers": [], "plausible_answers": []},
    ]}]}],
}  # fmt: skip
SQUAD_1 = {
    "version": "1.1",
    "data": [{"title": "T", "paragraphs": [{"context": "Ada wrote it.", "qas": [
        {"id": "a", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}, {"text": "it",
        "answer_start": 10}]},
        {"id": "b", "question": "What?", "answers": [{"text": "it", "answer_start": 10}]},
    ]}]}],
}  # fmt: skip
SETTINGS: tuple[dict[str, Any], ...] = (
    {}, {"target": "number"}, {"repair": True}, {"drop_unlabelled": True}, {"columns": {"id": ""}}, {"labels": ["a",
    "b"]},
    {"columns": {"answers": ["text", "label"], "context": "text_pair", "question": "id"}},
    {"columns": {"choices": ["text", "text_pair"]}}, {"encoding": "latin-1"}, {"encoding": "utf-16"},
    {"label_names": {"a": "x"}},
)  # fmt: skip


def _of(data: bytes, choices: Sequence[Any]) -> Any:
    """One of the choices, as a function of the input: the first for half of the inputs."""
    number = int.from_bytes(hashlib.sha256(data).digest()[:2], "little")
    return choices[number // 2 % len(choices)] if number % 2 else choices[0]


def _table(ending: str) -> Run:
    def run(folder: Path, data: bytes) -> Any:
        (folder / f"data.{ending}").write_bytes(data)
        settings = _of(data, SETTINGS)
        read = OwnTable(Places(folder), train=f"data.{ending}", test=f"data.{ending}", **settings)
        return len(read.read("train").rows), len(read.read("test").rows)

    return run


def _delimited(rows: Sequence[Mapping[str, Any]], sign: str) -> bytes:
    quoted = (lambda cell: '"' + str(cell).replace('"', '""') + '"') if sign == "," else str
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(sign.join(map(quoted, line)) + "\n" for line in lines).encode()


def _parquet(rows: Sequence[Mapping[str, Any]], **how: Any) -> bytes:
    target = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(rows)), target, **how)
    return target.getvalue()


def _parquet_of(rng: random.Random, rows: Any) -> bytes:
    try:
        if too_deep(rows):  # Arrow would take gigabytes to write it
            raise ValueError
        return _parquet(rows)
    except Exception:  # Arrow cannot hold every value
        return mutated_bytes(rng, TARGETS["parquet"].seeds)


WORDS = b"""-DOCSTART- -X- O

U.N. NNP B-ORG
official NN O
Ekeus NNP I-PER

Peter NNP B-PER
Blackburn NNP I-PER
"""
TREES = b"""# sent_id = a
# text = Dogs chase cats.
1\tDogs\tdog\tNOUN\tNNS\tNumber=Plur\t2\tnsubj\t_\t_
2-3\tchasecats\t_\t_\t_\t_\t_\t_\t_\t_
2\tchase\tchase\tVERB\tVBP\t_\t0\troot\t_\t_
3\tcats\tcat\tNOUN\tNNS\t_\t2\tobj\t_\t_
3.1\tnow\tnow\tADV\t_\t_\t_\t_\t_\t_

# sent_id = b
1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_

"""


def _conll(folder: Path, data: bytes) -> Any:
    (folder / "data.txt").write_bytes(data)
    settings = _of(data, ({}, {"tag_column": 2}, {"scheme": "iob2"}, {"separator": "tab"}, {"encoding": "latin-1"}))
    read = Conll(Places(folder), train="data.txt", validation="data.txt", **settings)
    return len(read.read("train").rows), len(read.read("validation").rows)


def _conllu(folder: Path, data: bytes) -> Any:
    (folder / "data.conllu").write_bytes(data)
    settings = _of(data, ({}, {"target": "deprel"}, {"target": "feats"}, {"trees": False}))
    return len(Conllu(Places(folder), train="data.conllu", **settings).read("train").rows)


# ---- studies ---------------------------------------------------------------------------------------------------------

STUDY: dict[str, Any] = {
    "question": "Does it work?", "seeds": [1, 2], "baseline": "alone", "budget": {"steps": 6},
    "encoder": {"name": "pretrained", "model": "minilm", "layers": 3, "dropout": 0.1},
    "training": {
        "batch_size": 8, "learning_rate": 1e-3, "optimizer": {"name": "adamw", "weight_decay": 0.01, "betas": [0.9,
        0.99]},
        "warmup": 0.1, "clip": 1.0, "checkpoint": {"minutes": 10.0}, "schedule": "linear",
    },
    "tasks": {
        "food": {"dataset": {"name": "small_world", "subset": "food_sentiment", "size": 40},
        "head": {"name": "classification"}},
        "own": {
            "dataset": {"name": "table", "train": "a.csv", "columns": {"text": "b"}, "labels": ["x"]},
            "head": {"name": "span", "max_length": 96, "stride": 24, "max_question": 24, "nullable": True},
            "examples": 10, "batch_size": 4, "report": "validation",
        },
    },
    "arms": {
        "alone": {"models": "one per task", "match": "steps"},
        "joint": {"sampling": {"name": "weighted", "weights": {"food": 0.3}, "ends": "food"}, "tasks": ["food", "own"]},
        "turns": {"sampling": {"name": "alternating", "portion": 0.5, "order": ["own", "food"]}, "label": "in turns"},
        "gradients": {"weighting": {"name": "pcgrad"}, "sampling": {"name": "round_robin", "joint": True}},
        "shared": {"sharing": {"name": "sluice"}, "weighting": {"name": "fixed", "weights": {"food": 2.0}}},
        "swept": {"sweep": {"training": {"learning_rate": [1e-5, 3e-5]}, "sampling": {"name": ["proportional"]}}},
    },
}  # fmt: skip


def _study(folder: Path, data: bytes) -> Any:
    (folder / "study.toml").write_bytes(data)
    return read_study(folder / "study.toml")


def _study_bytes(rng: random.Random, value: Any) -> bytes:
    return toml_bytes(value) if isinstance(value, dict) else json_bytes(rng, value)


# ---- scores and answers ----------------------------------------------------------------------------------------------


def _score(head: str, *names: str) -> Run:
    """The input is a list of the files of one call, or else its bytes are every file of it."""

    def run(folder: Path, data: bytes) -> Any:
        parts = data.split(b"\x1e")
        paths = [folder / name for name in names]
        for place, path in enumerate(paths):
            path.write_bytes(parts[min(place, len(parts) - 1)])
        return score_files(head, *paths[:2], **dict(zip(["null_odds"], paths[2:], strict=False)))

    return run


def _several(*files: bytes) -> bytes:
    return b"\x1e".join(files)


def _score_bytes(rng: random.Random, files: Any) -> bytes:
    parts = files if isinstance(files, list) else [files]
    return _several(*(_json_lines(rng, part) if isinstance(part, list) else json_bytes(rng, part) for part in parts))


LABELS = [{"id": "1", "label": "a"}, {"id": "2", "label": "b"}, {"id": 3, "label": "b"}]
SCORES = [{"id": "1", "label": 1.5}, {"id": "2", "label": 2}, {"id": 3, "label": 1e10}]


class _Answerer:
    """As much of a model as the lines of `predict` are checked against."""

    tasks = ("food", "pairs", "choose")

    specification: ClassVar[dict[str, Any]] = {
        "tasks": {"food": {}, "pairs": {"columns": ["text", "text_pair", "label"]}, "choose": {}}
    }

    def head(self, task: str) -> Any:
        return MultipleChoice(8, None) if task == "choose" else Classification(8, ["no", "yes"])


def _predict(folder: Path, data: bytes) -> Any:
    (folder / "lines.jsonl").write_bytes(data)
    file = str(folder / "lines.jsonl")
    with inference._opened(file) as stream:
        found = list(
            inference._examples(stream, file, _Answerer(), (data[:1] == b"{" and ["food"]) or ["pairs", "choose"])
        )
    # What is printed of a line is its id.
    return [json.dumps({"id": one["id"]}, ensure_ascii=False).encode("utf-8") for one in found]


TAGGED = [{"id": "1", "tags": ["B-X", "I-X", "O"]}, {"id": "2", "tags": ["B-Y"]}]


# ---- what runs leave behind ------------------------------------------------------------------------------------------

RESULTS = results()
ITEMS = {"accuracy": [1.0]}
ANSWERS = [{"id": str(i), "label": "a", "gold": "a", "cluster": "c", "items": ITEMS} for i in range(3)]
RECORD = {
    **header("a", 1, "t"), "status": "finished", "scores": {"t": {"accuracy": 0.5}},
    "metrics": {"t": {"headline": "accuracy", "kinds": {"accuracy": "mean"}, "split": "test"}},
    "official": {"t": {}}, "data": {"t": {"dataset": "d", "train": 5, "warnings": [], "hash": "x"}},
    "cost": {
        "steps": 3, "examples": {"t": 5}, "epochs": {"t": 1.0}, "tokens": {"t": 9}, "shares": {"t": 1.0},
        "seconds": {"training": 1.5}, "parameters": 7, "peak_memory": 8, "tokens_per_second": 6.0, "padding": 0,
        "flops": 1e6, "flops_per_second": 1e6, "peak_flops_per_second": 1e9,
    },
}  # fmt: skip
OUTLINE = StudyOutline(
    study=StudyInfo(name="s", question="?", command="", baseline="a", seeds=[1], settings={}),
    tasks={},
    arms={"a": ArmResult(tasks=["t"], runs=[RunResult(seed=1, path="a/1")])},
)


def _results(folder: Path, data: bytes) -> Any:
    (folder / "results.json").write_bytes(data)
    found = read_results(folder)
    # What was read must be good for all that is made of it. Figures take too long to be drawn each time.
    return tables.tables(found), tables.terminal(found), html_page.render(found, folder, figures=[])


def _record(folder: Path, data: bytes) -> Any:
    (folder / "a/1/predictions").mkdir(parents=True, exist_ok=True)
    (folder / "a/1/record.json").write_bytes(data)
    (folder / "a/1/predictions/t.jsonl").write_bytes(_lines(ANSWERS))
    runs = read_records(folder, OUTLINE)
    if runs[0].status != "finished":
        # A record that is damaged is a run without a result: said, and not raised.
        raise StudyError([Problem("record", runs[0].reason)])
    result = runs[0].result
    return cost(runs), [result.metrics[task].kinds for task in result.scores], result.data


STEPS = [
    {"step": n, "losses": {"sst2": 0.5}, "weights": {}, "examples": {"sst2": 8, "mnli": 1}, "tokens": {}, "padding": 0,
    "flops": 1e9, "seconds": 0.1, "learning_rate": 1e-3}
    for n in range(4)
]  # fmt: skip


RUN = RunResult(seed=1, task=None, status="finished", reason=None, path="joint/1")


def _steps(folder: Path, data: bytes) -> Any:
    (folder / "joint/1").mkdir(parents=True, exist_ok=True)
    (folder / "joint/1/metrics.jsonl").write_bytes(data)
    runs = {"joint": plots._runs(folder, [RUN])}
    if not any(runs["joint"]):  # a damaged file is left out of the figures
        raise StudyError([Problem("metrics.jsonl", "no steps")])
    return [plots._curve(runs["joint"], task) for task in ("sst2", "mnli")], plots._seen(
        runs["joint"], ["sst2", "mnli"]
    )


KEY = "0" * 32


def _cache(folder: Path, data: bytes) -> Any:
    """An entry of the token cache whose description was changed."""
    place = folder / PLACE / KEY
    place.mkdir(parents=True, exist_ok=True)
    (place / DATA).write_bytes(ENTRY)
    try:  # what a hash holds together would be refused before it is looked at
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict):
        data = entry_text({name: value for name, value in content.items() if name != "hash"}).encode("utf-8", "replace")
    (place / ABOUT).write_bytes(data)
    said: list[str] = []
    cache = TokenCache(folder, said.append)
    assert contents_lines(contents(cache))
    if cache.find(KEY) is None:
        raise StudyError([Problem("cache", said[0])])
    return said


def _entry() -> tuple[bytes, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        example = Encoded((Input(np.arange(3, dtype=np.int32), np.zeros(3, np.int8)),), (1,))
        TokenCache(Path(folder), print).make(
            KEY, {"task": "food", "split": "train", "head": "h"}, lambda: iter([block_of([example])])
        )
        place = Path(folder) / PLACE / KEY
        return (place / DATA).read_bytes(), json.loads((place / ABOUT).read_text()) | {"seconds": 1.0}


ENTRY, ENTRY_ABOUT = _entry()


def _answers(folder: Path, data: bytes) -> Any:
    (folder / "t.jsonl").write_bytes(data)
    return read_answers(folder / "t.jsonl")


VALUES = {
    "optimizer": {"groups": [{"lr": 1e-3, "betas": [0.9, 0.99], "params": [0, 1]}], "plain": {"0": {"step": 1}}},
    "random": {"python": [3, [1, 2], None], "numpy": {"bit_generator": "MT19937", "state": {"key": [1], "pos": 1}}},
    "identity": {"version": "0.1.0", "settings": {}, "fingerprint": {}, "data": {"t": "hash"}}, "seconds": 1.5,
}  # fmt: skip


TENSORS = save({"model.a": torch.ones(2)})


def _manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    hashes = {name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    return {"format": 1, "step": 3, "files": hashes}


MANIFEST = _manifest({
    checkpoint.TENSORS: TENSORS, checkpoint.VALUES: json.dumps(VALUES, ensure_ascii=False).encode(),
    checkpoint.LOG: b"{}\n"
})  # fmt: skip


def _checkpoint(folder: Path, data: bytes) -> Any:
    """The manifest is whole and right about the files, whatever they hold; or the manifest itself is the input."""
    place = folder / "step-000000003"
    place.mkdir(exist_ok=True)
    values, _, manifest = data.partition(b"\x1e")
    files = {checkpoint.TENSORS: TENSORS, checkpoint.VALUES: values, checkpoint.LOG: b"{}\n"}
    for name, content in files.items():
        (place / name).write_bytes(content)
    (place / checkpoint.MANIFEST).write_bytes(manifest or json.dumps(_manifest(files)).encode())
    assert isinstance(checkpoint.newest_values(folder), dict)
    found = checkpoint._read(place)
    if isinstance(found, str):
        raise StudyError([Problem("checkpoint", found)])
    assert type(found.step) is int and isinstance(found.values, dict)
    return found


def _manifest_bytes(rng: random.Random, value: Any) -> bytes:
    return json.dumps(VALUES, ensure_ascii=False).encode() + b"\x1e" + json_bytes(rng, value)


TARGETS = {
    "csv": Target(_table("csv"), [_delimited(PAIRS, ","), _delimited(NUMBERS, ","), b"text;label\na;b\n"]),
    "tsv": Target(_table("tsv"), [_delimited(PAIRS, "\t"), _delimited(NUMBERS, "\t"), b'text\tlabel\n"a\tb\n']),
    "jsonl": Target(
        _table("jsonl"), [_lines(rows) for rows in (PAIRS, NUMBERS, CHOICES, SPANS)], [PAIRS, NUMBERS, CHOICES, SPANS],
        _json_lines,
    ),
    "json": Target(_table("json"), _json(PAIRS, CHOICES, SPANS, {"data": NUMBERS}),
    [PAIRS, CHOICES, SPANS, {"data": NUMBERS}]),
    "squad": Target(_table("json"), _json(SQUAD, SQUAD_1), [SQUAD, SQUAD_1]),
    "parquet": Target(
        _table("parquet"), [_parquet(PAIRS), _parquet(SPANS, compression="zstd"),
        _parquet(NUMBERS, use_dictionary=False)],
        [PAIRS, NUMBERS, CHOICES, SPANS], _parquet_of,
    ),
    "conll": Target(_conll, [WORDS, WORDS.replace(b" ", b"\t")]),
    "conllu": Target(_conllu, [TREES]),
    "study": Target(_study, [toml_bytes(STUDY)], [STUDY], _study_bytes),
    "score span": Target(
        _score("span", "gold.json", "answers.json"),
        [_several(*_json(SQUAD_1, {"a": "Ada", "b": "it"}))], [[SQUAD_1, {"a": "Ada", "b": "it"}]], _score_bytes,
    ),
    "score span v2": Target(
        _score("span", "gold.json", "answers.json", "odds.json"),
        [_several(*_json(SQUAD, {"a": "Ada", "b": ""}, {"a": 0.1, "b": 2}))],
        [[SQUAD, {"a": "Ada", "b": ""}, {"a": 0.1, "b": 2}]], _score_bytes,
    ),
    "score classification": Target(
        _score("classification", "gold.jsonl", "answers.jsonl"), [_several(_lines(LABELS), _lines(LABELS))],
        [[LABELS, LABELS]], _score_bytes,
    ),
    "score regression": Target(
        _score("regression", "gold.jsonl", "answers.jsonl"), [_several(_lines(SCORES), _lines(SCORES))],
        [[SCORES, SCORES]], _score_bytes,
    ),
    "score multiple choice": Target(
        _score("multiple_choice", "gold.jsonl", "answers.jsonl"), [_several(_lines(LABELS), _lines(LABELS))],
        [[LABELS, LABELS]], _score_bytes,
    ),
    "score tagging": Target(
        _score("tagging", "gold.jsonl", "answers.jsonl"), [_several(_lines(TAGGED), _lines(TAGGED))],
        [[TAGGED, TAGGED]], _score_bytes,
    ),
    "score dependency": Target(_score("dependency", "gold.conllu", "answers.conllu"), [_several(TREES, TREES), TREES]),
    "predict": Target(_predict, [_lines(PAIRS), b"\n" + _lines(CHOICES)], [PAIRS, CHOICES], _json_lines),
    "results": Target(_results, _json(RESULTS), [RESULTS]),
    "record": Target(_record, _json(RECORD), [RECORD]),
    "steps": Target(_steps, [_lines(STEPS)], [STEPS], _json_lines),
    "cache": Target(_cache, _json(ENTRY_ABOUT), [ENTRY_ABOUT]),
    "answers": Target(_answers, [_lines(ANSWERS)], [ANSWERS], _json_lines),
    "checkpoint": Target(_checkpoint, _json(VALUES), [VALUES]),
    "manifest": Target(_checkpoint, [_json(VALUES)[0] + b"\x1e" + json.dumps(MANIFEST).encode()], [MANIFEST],
    _manifest_bytes),
}  # fmt: skip
