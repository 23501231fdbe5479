import json
import math

import numpy as np
import pytest
from run_example import FINGERPRINT, header

from manyheads.core.problems import StudyError
from manyheads.core.values import Measure
from manyheads.metrics.resampled import score
from manyheads.results.compare import compare
from manyheads.results.reader import read_results
from manyheads.results.schema import ArmResult, Comparison, RunResult, StudyInfo, StudyOutline, TaskResult
from manyheads.results.verdicts import answer, judge

ITEMS = 400


class Folder:
    """A study's folder with made-up answers: two tasks, `alone` (one model per task) and joint arms."""

    def __init__(self, out, seeds=(1, 2, 3), arms=("joint",), question="Does sharing help?"):
        self.out = out
        tasks = ["sst2", "squad"]
        alone = [RunResult(seed=seed, task=task, path=f"alone/{seed}/{task}") for seed in seeds for task in tasks]
        joint = {arm: [RunResult(seed=seed, path=f"{arm}/{seed}") for seed in seeds] for arm in arms}
        self.study = StudyOutline(
            version="0.1",
            study=StudyInfo(
                name="made_up", question=question, command="manyheads run made_up.toml", baseline="alone",
                seeds=list(seeds), settings={"seeds": list(seeds)},
            ),
            tasks={"sst2": TaskResult(head="classification"), "squad": TaskResult(head="extractive_qa")},
            arms={
                "alone": ArmResult(label="alone", models="one per task", tasks=tasks, runs=alone),
                **{arm: ArmResult(label=arm, tasks=tasks, runs=runs) for arm, runs in joint.items()},
            },
        )  # fmt: skip
        for name, arm in self.study.arms.items():
            for run in arm.runs:
                self.write(name, run.seed, run.task)

    def write(self, arm, seed, task=None, accuracy=0.8, f1=0.7, ids=None, clusters=True, drop=()):
        tasks = [task] if task else ["sst2", "squad"]
        path = self.out / arm / str(seed) / (task or "")
        (path / "predictions").mkdir(parents=True, exist_ok=True)
        measures = {}
        for name in tasks:
            rng = np.random.default_rng([seed, len(arm), len(name)])
            shared = np.random.default_rng(0).random(ITEMS)
            luck = 0.9 * shared + 0.1 * rng.random(ITEMS)
            gold = np.arange(ITEMS) % 2
            if name == "sst2":
                right = luck < accuracy
                both = np.stack([gold, np.where(right, gold, 1 - gold)], axis=1).astype(float)
                measures[name] = {
                    "accuracy": Measure("mean", right[:, None] * 1.0),
                    "matthews": Measure("matthews", both),
                }
            else:
                measures[name] = {"f1": Measure("mean", np.clip(f1 + 0.3 - luck, 0, 1)[:, None])}
            lines = []
            for i in range(ITEMS):
                line = {"id": (ids or str)(i), "items": {m: v.items[i].tolist() for m, v in measures[name].items()}}
                if name == "squad" and clusters:
                    line["cluster"] = f"passage {i // 10}"
                lines.append(json.dumps(line))
            if name not in drop:
                (path / "predictions" / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        self.record(arm, seed, task, {
            **header(arm, seed, *tasks), "status": "finished",
            "scores": {t: {m: score(v) for m, v in of.items()} for t, of in measures.items()},
            "metrics": {
                t: {"headline": next(iter(of)), "kinds": {m: v.kind for m, v in of.items()}, "split": "validation"}
                for t, of in measures.items()
            },
            "data": {key: {"train": 1000, "dropped": {"empty": 2}, "truncated": 3, "warnings": []} for key in tasks},
            "cost": {
                "steps": 10 * len(tasks), "examples": dict.fromkeys(tasks, 320), "epochs": dict.fromkeys(tasks, 1.0),
                "tokens": dict.fromkeys(tasks, 5000), "shares": dict.fromkeys(tasks, 1 / len(tasks)),
                "seconds": {"training": 60.0, "scoring": 6.0}, "parameters": 1000, "peak_memory": 5_000_000 + seed,
                "tokens_per_second": 100.0, "padding": 250, "flops": 5e9, "flops_per_second": 1e8,
                "peak_flops_per_second": 4e8,
            },
        })  # fmt: skip
        return self

    def record(self, arm, seed, task, content):
        (self.out / arm / str(seed) / (task or "") / "record.json").write_text(json.dumps(content))

    def fail(self, arm, seed, task=None, reason="out of memory"):
        self.record(arm, seed, task, {**header(arm, seed), "status": "failed", "reason": reason})
        return self

    def compare(self, **settings):
        return compare(self.out, self.study, resamples=500, **settings)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def one(results, part, **wanted):
    (entry,) = [e for e in getattr(results, part) if all(getattr(e, key) == value for key, value in wanted.items())]
    return entry


# ---- the whole -------------------------------------------------------------------------------------------------------


def test_results_are_written_as_outputs_md_has_them(folder):
    results = folder.compare()
    written = json.loads((folder.out / "results.json").read_text())
    assert written == results.model_dump(mode="json") and written["format"] == 2
    assert read_results(folder.out) == results
    assert list(written) == [
        "format", "version", "study", "tasks", "arms", "answer", "scores", "comparisons", "failed", "analyses",
        "fingerprints", "seal",
    ]  # fmt: skip
    assert results.study.question == "Does sharing help?"
    task = results.tasks["squad"]
    assert (task.metric, task.split, task.items, task.clusters) == ("f1", "validation", ITEMS, 40)
    assert (task.head, task.train, task.dropped, task.truncated) == ("extractive_qa", 1000, {"empty": 2}, 3)
    assert results.tasks["sst2"].metrics == ["accuracy", "matthews"]
    assert results.fingerprints == [FINGERPRINT.model_dump()]
    assert results.failed == []


def test_twice_the_same_is_the_same(folder):
    assert folder.compare() == folder.compare()


def test_scores_are_means_over_seeds_and_differences_are_paired(folder):
    for seed, accuracy in ((1, 0.80), (2, 0.82), (3, 0.84)):
        folder.write("joint", seed, accuracy=accuracy)
    results = folder.compare()
    joint = one(results, "scores", arm="joint", task="sst2", metric="accuracy")
    alone = one(results, "scores", arm="alone", task="sst2", metric="accuracy")
    assert joint.mean == pytest.approx(np.mean(list(joint.seeds.values())))
    assert joint.sd == pytest.approx(np.std(list(joint.seeds.values()), ddof=1))
    found = one(results, "comparisons", task="sst2", metric="accuracy")
    assert found.difference == pytest.approx(joint.mean - alone.mean)
    assert found.interval[0] < found.difference < found.interval[1]
    assert found.noise == alone.sd
    assert found.seeds == 3


def test_holm_counts_headline_metrics_only(folder):
    results = folder.compare()
    headlines = [entry for entry in results.comparisons if entry.headline]
    assert len(headlines) == 2
    assert min(e.p_holm for e in headlines) == pytest.approx(min(1, 2 * min(e.p for e in headlines)))
    assert one(results, "comparisons", metric="matthews").p_holm is None


def test_a_large_gain_helps_and_a_large_loss_hurts(folder):
    for seed in (1, 2, 3):
        folder.write("joint", seed, accuracy=0.95, f1=0.4)
    results = folder.compare()
    assert one(results, "comparisons", task="sst2", headline=True).verdict == "helps"
    assert one(results, "comparisons", task="squad", headline=True).verdict == "hurts"
    assert results.answer.startswith("Yes, in part. sst2: joint beats alone by ")
    assert "squad: joint falls behind alone by " in results.answer


def test_the_same_answers_are_no_difference(folder):
    for seed in (1, 2, 3):
        for task in ("sst2", "squad"):
            folder.write("alone", seed, task)
        joint = folder.out / "joint" / str(seed) / "predictions"
        for task in ("sst2", "squad"):
            (joint / f"{task}.jsonl").write_bytes(
                (folder.out / f"alone/{seed}/{task}/predictions/{task}.jsonl").read_bytes()
            )
    found = one(folder.compare(), "comparisons", task="squad")
    assert (found.verdict, found.difference) == ("no difference", 0.0)
    assert found.missable == pytest.approx(0.0, abs=1e-12)


def test_cost_is_summed_over_the_models_of_a_seed_and_averaged_over_seeds(folder):
    cost = folder.compare().arms["alone"].cost
    assert (cost.steps, cost.parameters) == (20, 2000)
    assert cost.seconds == {"training": 120.0, "scoring": 12.0}
    assert cost.shares == {"sst2": 0.5, "squad": 0.5}
    assert cost.examples == {"sst2": 320, "squad": 320}
    assert cost.tokens_per_second == pytest.approx(100)
    # Both models of a seed together took as long as their tokens at 100 a second.
    assert cost.flops_per_second == pytest.approx(100 * cost.flops / sum(cost.tokens.values()))
    assert cost.peak_flops_per_second == 4e8
    assert cost.peak_memory == pytest.approx(5_000_002)


# ---- what goes wrong is seen -----------------------------------------------------------------------------------------


def test_a_failed_run_is_shown_and_the_rest_compared(folder):
    folder.fail("joint", 2)
    results = folder.compare()
    assert [run.model_dump() for run in results.failed] == [
        {"arm": "joint", "seed": 2, "task": None, "reason": "out of memory"}
    ]
    assert [run.status for run in results.arms["joint"].runs] == ["finished", "failed", "finished"]
    assert list(one(results, "scores", arm="joint", task="squad").seeds) == [1, 3]
    assert one(results, "comparisons", task="squad").seeds == 2


def test_a_missing_record_is_shown(folder):
    (folder.out / "alone/3/squad/record.json").unlink()
    results = folder.compare()
    assert [(run.arm, run.seed, run.task) for run in results.failed] == [("alone", 3, "squad")]
    assert one(results, "comparisons", task="squad").seeds == 2
    assert one(results, "comparisons", task="sst2", headline=True).seeds == 3


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"status": "failed"}'])
def test_a_damaged_record_counts_as_failed(folder, damage):
    (folder.out / "joint/1/record.json").write_text(damage)
    assert folder.compare().failed[0].seed == 1


def test_missing_predictions_count_as_failed(folder):
    (folder.out / "joint/1/predictions/squad.jsonl").unlink()
    assert folder.compare().failed[0].reason == "predictions/squad.jsonl is missing"


def test_an_arm_that_failed_altogether_stays_in_the_results(folder):
    for seed in (1, 2, 3):
        folder.fail("joint", seed)
    results = folder.compare()
    assert one(results, "scores", arm="joint", task="squad").undefined == "no run finished"
    found = one(results, "comparisons", task="squad")
    assert (found.verdict, found.difference, found.p) == ("cannot tell", None, None)
    assert "no run of joint finished" in found.sentence
    assert results.arms["joint"].cost is None


def test_a_study_of_which_nothing_finished_has_results(tmp_path):
    folder = Folder(tmp_path, seeds=(1,))
    for file in tmp_path.rglob("record.json"):
        file.unlink()
    results = folder.compare()
    assert len(results.failed) == 3
    assert results.answer.startswith("There is nothing to compare")


def test_an_undefined_score_is_left_out_and_named(folder):
    file = folder.out / "joint/2/predictions/sst2.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        line["items"]["matthews"][1] = 1.0  # always the same class
    file.write_text("\n".join(map(json.dumps, lines)))
    results = folder.compare()
    entry = one(results, "scores", arm="joint", metric="matthews")
    assert entry.seeds[2] is None
    assert entry.undefined == "seed 2: all predicted values are the same"
    assert entry.mean == pytest.approx((entry.seeds[1] + entry.seeds[3]) / 2)
    assert one(results, "comparisons", metric="matthews").seeds == 2
    assert any("by its record" in warning for warning in results.tasks["sst2"].warnings)


def test_other_items_are_an_error_that_names_both_files(folder):
    folder.write("joint", 2, ids=lambda i: str(i if i != 7 else 700))
    with pytest.raises(StudyError) as error:
        folder.compare()
    text = str(error.value)
    assert "joint/2/predictions/sst2.jsonl" in text
    assert "alone/1/sst2/predictions/sst2.jsonl" in text
    assert "'700' in line 8" in text


def test_other_clusters_are_an_error(folder):
    folder.write("joint", 2, clusters=False)
    with pytest.raises(StudyError, match="the clusters are not those of"):
        folder.compare()


def test_a_damaged_line_of_predictions_is_an_error_that_names_the_line(folder):
    file = folder.out / "joint/2/predictions/sst2.jsonl"
    file.write_text(file.read_text()[:-20])
    with pytest.raises(StudyError, match=f"sst2.jsonl: line {ITEMS} is damaged"):
        folder.compare()


# ---- what cannot be said is not said ---------------------------------------------------------------------------------


def test_one_seed_never_decides(tmp_path):
    folder = Folder(tmp_path, seeds=(1,)).write("joint", 1, accuracy=0.99)
    found = one(folder.compare(), "comparisons", task="sst2", headline=True)
    assert (found.verdict, found.p, found.p_holm) == ("cannot tell", None, None)
    assert found.interval[0] > 0
    assert "one seed says nothing about the noise of training" in found.sentence


def test_too_few_seeds_says_how_many_would_do(folder):
    for seed, accuracy in ((1, 0.75), (2, 0.84), (3, 0.90)):
        folder.write("joint", seed, accuracy=accuracy)
    found = one(folder.compare(), "comparisons", task="sst2", headline=True)
    assert found.verdict == "cannot tell"
    assert found.seeds_needed > 3
    assert f"3 seeds are too few, about {found.seeds_needed} would do" in found.sentence


def test_verdicts_need_an_interval_and_a_corrected_p():
    assert judge(None, None, 0.01) == "cannot tell"


def test_the_answer_says_yes_or_no_only_to_a_question_whether_something_helps():
    def claim(verdict, arm="joint"):
        return Comparison(
            arm=arm, task="sst2", metric="accuracy", headline=True, difference=0.012, interval=None, p=None,
            p_holm=None, verdict=verdict, sentence=f"sst2: {verdict}.", noise=None, missable=0.006, seeds_needed=None,
            seeds=3,
        )  # fmt: skip

    assert answer("Do they help each other?", [claim("helps")]) == "Yes. sst2: helps."
    assert answer("Do they help each other?", [claim("no difference"), claim("hurts")]).startswith("No. ")
    assert answer("Do they help each other?", [claim("cannot tell")]).startswith("Cannot tell yet. ")
    assert answer("Which mix is best?", [claim("helps")]) == "sst2: helps."
    many = [
        claim("helps", "a"),
        claim("hurts", "b"),
        claim("no difference"),
        claim("cannot tell"),
        claim("cannot tell"),
    ]
    assert answer("Which?", many) == (
        "Of 5 comparisons, 1 better than the baseline (a on sst2 +1.2), 1 worse than the baseline (b on sst2 +1.2), "
        "1 without a difference larger than 0.6 points, and 2 cannot tell with these seeds and test items."
    )


def test_every_arm_task_and_metric_has_its_comparison(tmp_path):
    folder = Folder(tmp_path, seeds=(1, 2), arms=("a", "bb", "ccc", "dddd"))
    assert len(folder.compare().comparisons) == 4 * 3


def test_no_number_is_nan(folder):
    def numbers(value):
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            for part in value:
                yield from numbers(part)
        elif isinstance(value, float):
            yield value

    folder.fail("joint", 1).fail("joint", 2)
    assert all(math.isfinite(value) for value in numbers(folder.compare().model_dump(mode="json")))


def test_what_no_model_could_answer_is_a_warning(tmp_path):
    folder = Folder(tmp_path)
    for path in tmp_path.rglob("record.json"):
        record = json.loads(path.read_text())
        for task, data in record["data"].items():
            data["encoding"] = {"reported": {"answerable": 0.9345 if task == "squad" else 1.0}}
        path.write_text(json.dumps(record))
    tasks = compare(tmp_path, folder.study, resamples=50).tasks
    assert any(line.startswith("93.5 % of the questions can be answered") for line in tasks["squad"].warnings)
    assert tasks["sst2"].warnings == []
