"""What a run leaves, without what it took."""

import hashlib
import json
from pathlib import Path


def contents(folder: Path, steps: int) -> dict[str, str]:
    """What a run leaves, without what it took: hashes of weights and predictions, and each step without seconds."""
    names = [*sorted((folder / "model").glob("*.safetensors")), *sorted((folder / "predictions").iterdir())]
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in names}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(steps))
    return found | {"steps": json.dumps([{key: line[key] for key in line if key != "seconds"} for line in lines])}
