"""An encoder small enough for benchmarks to be run in tests."""

import pytest
import torch
from transformers import BertConfig, BertModel

from manyheads.encoders._tokenizer import PretrainedTokenizer


@pytest.fixture(scope="session")
def small(tmp_path_factory, minilm) -> str:
    """As `tiny`, for texts as long as those of the benchmarks."""
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(**shape, max_position_embeddings=384)).save_pretrained(folder)
    PretrainedTokenizer(minilm).save(folder)
    return str(folder)
