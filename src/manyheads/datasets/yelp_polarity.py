"""Yelp polarity: reviews of businesses, negative (1 or 2 stars) or positive (3 or 4).

Zhang, Zhao and LeCun, "Character-level Convolutional Networks for Text Classification", NeurIPS 2015,
https://arxiv.org/abs/1509.01626.
"""

from typing import ClassVar

from pyarrow.compute import MatchSubstringOptions, call_function

from manyheads.core.values import TEST, Table
from manyheads.datasets import Dataset
from manyheads.datasets._hub import load, needs, text_table

HUB, SUBSET = "fancyzhx/yelp_polarity", "plain_text"
NAMES = {"1": "negative", "2": "positive"}


class YelpPolarity(Dataset):
    r"""560,000 reviews to train on and 38,000 to test on; there is no validation split.

    Read from https://huggingface.co/datasets/fancyzhx/yelp_polarity or a mirror of it. Licence: the Yelp terms,
    academic use only and no passing on. Two things are changed: the Hub calls the classes "1" and "2", here they are
    negative and positive; and its texts hold escapes as two characters (`\n`, `\"`), here they are line ends and
    quotes. Ids are `<split>-<row>`.

    :raises StudyError: If it is not found, or rows have no label.
    """

    reported: ClassVar[str] = TEST

    positive_is_last: ClassVar[bool] = True

    def read(self, split: str) -> Table | None:
        data = load(self.places, HUB, SUBSET, split)
        if data is None:
            return None
        needs(data, ["text"], f"{HUB} {split}")
        escaped = call_function("match_substring_regex", [data.data.column("text")], MatchSubstringOptions(r'\\[n"]'))
        if call_function("any", [escaped]).as_py():
            data = data.map(_unescape, input_columns="text", batched=True)
        return text_table(data, f"{HUB} {split}", split, ["text"], names=NAMES)


def _unescape(texts: list[str]) -> dict[str, list[str]]:
    # The Hub's quotes were escaped twice, once as CSV has it: \"" is one quote.
    return {"text": [text.replace("\\n", "\n").replace('\\""', '"').replace('\\"', '"') for text in texts]}
