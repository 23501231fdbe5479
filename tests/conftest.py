"""What every test may use: the folder of real data if it is there, and an encoder small enough to train in a test."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads.core.values import Places

# What is heavy (torch, transformers) is imported where it is needed: many tests, and the process that distributes them,
# do without.
os.environ["OMP_NUM_THREADS"] = "1"
# Tokens of tests are kept in a folder of the tests, never in the user's own; set here, before any fixture, so that the
# processes that tests start see it too. Who is started by tests (or imports this file twice) finds it set.
PREFIX = "manyheads-tests-"
_CACHE = "" if PREFIX in os.environ.get("MANYHEADS_CACHE", "") else tempfile.mkdtemp(prefix=PREFIX)
if _CACHE:
    os.environ["MANYHEADS_CACHE"] = _CACHE
# Runs are done in the tests' own process, unless a test asks for others: to start one takes seconds.
os.environ["MANYHEADS_WORKERS"] = "0"
SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_unconfigure() -> None:
    if _CACHE:
        shutil.rmtree(_CACHE, ignore_errors=True)


def _folder(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs the folder of real datasets {folder}, which is not there")
    return folder


@pytest.fixture
def hears_interrupts() -> Iterator[None]:
    """SIGINT as in a terminal, here and in processes begun here: what runs in a script's background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def hub() -> Path:
    """Real datasets in the layout of the Hub."""
    return _folder("hub")


@pytest.fixture(scope="session")
def original() -> Path:
    """Real files in their original formats."""
    return _folder("original")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the MiniLM encoder that the quickstart brings."""
    from manyheads.encoders.pretrained import resolve

    return Path(resolve("minilm", Places(Path())))


def make_tiny(folder: Path) -> Path:
    """Write a random encoder of two narrow layers with MiniLM's tokenizer, in Hugging Face's format."""
    import torch
    from transformers import BertConfig, BertModel

    from manyheads.encoders._tokenizer import PretrainedTokenizer
    from manyheads.encoders.pretrained import resolve

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=128
    )
    BertModel(config).save_pretrained(folder)
    PretrainedTokenizer(resolve("minilm", Places(Path()))).save(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder, small enough to train in a test."""
    return make_tiny(tmp_path_factory.mktemp("tiny"))


STUDY = """
question = "Does it work?"
seeds    = [1, 2]
baseline = "alone"
budget   = {{ steps = 6 }}

[encoder]
model = "{tiny}"

[training]
batch_size    = 8
learning_rate = 1e-3

[tasks.food]
dataset = {{ name = "small_world", subset = "food_sentiment", size = 40 }}
head    = {{ name = "classification", max_length = 48 }}

[tasks.questions]
dataset = {{ name = "small_world", subset = "questions_or_none", size = 40 }}
head    = {{ name = "span", max_length = 96, stride = 24, max_question = 24, nullable = true }}

[arms.alone]
models = "one per task"

[arms.joint]
sampling = {{ name = "proportional" }}
"""


@pytest.fixture
def study_file(tmp_path: Path, tiny: Path) -> Path:
    """A study that trains in seconds: two tasks of the small world on the tiny encoder."""
    path = tmp_path / "little.toml"
    path.write_text(STUDY.format(tiny=tiny), "utf-8")
    return path
