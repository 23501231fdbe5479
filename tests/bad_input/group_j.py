"""Group J: numbers that are absurd, and settings that mean nothing."""

from bad_input_case import Case, own, rows, study, task

GOOD = {"data.tsv": rows("a\tx", "b\ty")}
HANGS, TRACE, SILENT = "no end", "a traceback", "taken in silence"
BAG = '[encoder]\nname = "bag_of_words"\n'
WORDS = {"data.tsv": rows("uno\tx", "dos\ty"), "more.tsv": rows("one\tx", "two\ty")}


def refused(given: str, peers: str, study: str, *says: str, files: dict[str, bytes | str] = GOOD) -> Case:
    """A study that is not run."""
    return Case(90, given, peers, files, study, says)


def budget(amount: str) -> str:
    """A study with another budget."""
    return study(own(), more=BAG).replace("{ epochs = 1 }", f"{{ {amount} }}")


def training(line: str) -> str:
    """A study with a setting of [training]."""
    return study(own(), more=f"{BAG}[training]\n{line}\n")


CASES = [
    refused("A budget of 10^9 steps", HANGS, budget("steps = 1_000_000_000"), "budget.steps", "5000000"),
    refused("A budget of 10^300 epochs", HANGS, budget("epochs = 1e300"), "at most 5,000,000 steps", "1e+300"),
    refused("A budget of 10^12 examples", HANGS, budget("examples = 1_000_000_000_000"), "at most 5,000,000 steps"),
    refused("100,000 seeds", HANGS, f"seeds = {list(range(100_000))}\n" + study(own(), more=BAG),
            "at most 10,000 runs", "100,000 of 1 arm"),
    refused("Turns of 2^62 batches", "4.8 GB of memory",
            study(own(), more=BAG, arm='sampling = { name = "round_robin", batches = { own = 4611686018427387904 } }'),
            "an epoch has at most 5,000,000 steps", "4.61e+18"),
    refused("Clip to minus zero", SILENT, training("clip = -0.0"), "training.clip: should be 0 or more", "-0.0"),
    refused("Clip to infinity", SILENT, training("clip = inf"), "training.clip: should be 0 or more", "inf"),
    refused("2^62 parts of a batch", SILENT, training("accumulation = 4611686018427387904"), "from 1 to 1000000"),
    refused("Half a step between checkpoints", SILENT, training("checkpoint = { steps = 0.5 }"),
            "training.checkpoint.steps", "0.5"),
    refused("A layer of 10^12 units", "184 TiB of memory", study(own(), more=BAG + "width = 1000000000000\n"),
            "encoder.width: should be from 1 to 65536"),
    refused("2^40 best spans", HANGS, study(own(), {"name": "span", "nbest": 2**40}, more=BAG),
            "head.nbest: should be from 1 to 1000"),
    refused("A dropout of minus zero", SILENT, study(own(), {"name": "classification", "dropout": -0.0}, more=BAG),
            "head.dropout", "-0.0"),
    refused("No word in every task, with a bag of words", "found when it trains",
            study(own(), more=task("other", own("more.tsv")) + BAG),
            "no word occurs in the training split of every task", files=WORDS),
]  # fmt: skip
