"""CODAH: which of four endings completes a sentence, written to mislead models.

Chen et al., "CODAH: An Adversarially-Authored Question Answering Dataset for Common Sense", RepEval 2019,
https://arxiv.org/abs/1904.04365.
"""

from manyheads.core.values import Table
from manyheads.datasets import Dataset
from manyheads.datasets._hub import choice_table, load

HUB = "local/codah"
ENDINGS = ("ending0", "ending1", "ending2", "ending3")


class Codah(Dataset):
    """2,221 questions to train on and 555 to validate, no prompt in both; the release has 2,776 in all and no splits.

    Read from `local/codah` in the `--data` folder: the Hub has no copy with these splits. Source:
    https://github.com/Websail-NU/CODAH. Licence: ODC-BY 1.0. Ids are `<split>-<row>`.

    :raises StudyError: If it is not found, or rows have no label.
    """

    def read(self, split: str) -> Table | None:
        data = load(self.places, HUB, "", split)
        return None if data is None else choice_table(data, f"{HUB} {split}", split, "startphrase", ENDINGS)
