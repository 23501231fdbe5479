"""What every test may use: the folder of real data if it is there, and an encoder small enough to train in a test."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
SHARED = Path(__file__).resolve().parents[2] / "shared"


def _folder(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs the folder of real datasets {folder}, which is not there")
    return folder


@pytest.fixture(scope="session")
def hub() -> Path:
    """Real datasets in the layout of the Hub."""
    return _folder("hub")


@pytest.fixture(scope="session")
def original() -> Path:
    """Real files in their original formats."""
    return _folder("original")
