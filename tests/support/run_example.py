"""What a run writes about itself, made up: for tests of what reads it."""

from typing import Any

from manyheads.results.run_record import Fingerprint, Method, RunSettings, TaskSettings

FINGERPRINT = Fingerprint(versions={"torch": "2"}, threads=1, device="cpu", precision="fp32", processor="p", cores=2)


def run_settings(*tasks: str, seed: int = 1) -> RunSettings:
    """Settings of a run of these tasks."""
    head = Method(name="span", settings={"max_length": 96})
    task = TaskSettings(
        dataset=Method(name="squad", settings={}), head=head, examples=0, batch_size=8, report="validation"
    )
    return RunSettings(
        seed=seed,
        models="joint",
        encoder=Method(name="pretrained", settings={"model": "minilm"}),
        training={"learning_rate": 0.001, "optimizer": {"name": "adamw"}},
        budget={"steps": 6},
        tasks=dict.fromkeys(tasks, task),
    )


def header(arm: str, seed: int, *tasks: str) -> dict[str, Any]:
    """What records of finished and of failed runs begin with, as plain values of format 2."""
    return {
        "format": 2,
        "arm": arm,
        "seed": seed,
        "tasks": list(tasks),
        "version": "0.1.0",
        "settings": run_settings(*tasks, seed=seed).model_dump(),
        "fingerprint": FINGERPRINT.model_dump(),
        "notes": [],
    }
