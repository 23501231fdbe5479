"""The rows of an embedding table that training can reach, as a parameter of their own."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


class TrainedRows(nn.Module):
    """Stands in for a table of embeddings while a model is trained on examples that hold only some of its tokens.

    The row of a token that no example holds never has a gradient. All that an optimizer does to such a row is to scale
    it, as it scales all of them (decoupled weight decay; coupled too, since the update of plain or momentum SGD is then
    linear in the row). So only the rows in use are trained, and one more, of ones, that has no gradient either: it
    shows by how much the others would have been scaled. The result is that of training the whole table, but the
    optimizer's states, the gradient and its norm are as large as the words in use are many.

    Shapes: V rows of the table, U of them in use, D width.

    :param table: [V, D] its weights are not trained meanwhile.
    :param ids: [U] which rows are in use, sorted.
    """

    places: Tensor

    def __init__(self, table: nn.Embedding, ids: np.ndarray) -> None:
        super().__init__()
        used = torch.from_numpy(np.asarray(ids, np.int64)).to(table.weight.device)
        self.used = used
        self.rows = nn.Parameter(torch.cat([table.weight.detach()[used], torch.ones_like(table.weight[:1])]))
        places = torch.full((len(table.weight),), -1, device=table.weight.device)
        places[used] = torch.arange(len(used), device=table.weight.device)
        self.register_buffer("places", places, persistent=False)

    def forward(self, ids: Tensor, table: Tensor) -> Tensor:
        """[N] ids -> [N, D]. While training, a token that is not in use is an error; afterwards it is looked up."""
        places = self.places[ids]
        if self.training:
            return functional.embedding(places, self.rows)
        known = functional.embedding(places.clamp(min=0), self.rows)
        return torch.where((places >= 0)[:, None], known, table[ids] * self.rows[-1])

    @torch.no_grad()
    def write_back(self, table: Tensor) -> None:
        """Leave in `table` [V, D] what training all of it would have left there."""
        table *= self.rows[-1]
        table[self.used] = self.rows[:-1]
