"""Rows of the embedding and the head for tokens that the base did not have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from tutelage.engine.lowrank import Beside

Tables = Callable[[], Mapping[str, nn.Parameter]]


class NewRows(nn.Module):
    """What the rows of new tokens have learnt, beside tables that take no gradient.

    Tables are the embedding and, where it is not tied, the head. Shapes: each change `[N, H]`,
    of the ids from `first` on.
    """

    def __init__(self, tables: Tables, first: int, count: int) -> None:
        super().__init__()
        self.first = first
        self.count = count
        self._tables = tables
        widths = [table.shape[1] for table in tables().values()]
        self.changes = nn.ParameterList(torch.zeros(count, width) for width in widths)

    @property
    def ids(self) -> list[int]:
        """Whose rows they are."""
        return list(range(self.first, self.first + self.count))

    def added(self, tokens: Tensor, x: Tensor, scale: Tensor | float = 1.0) -> Tensor:
        """Embeddings `[…, H]` of the tokens, and what the new ones among them have learnt."""
        place = tokens - self.first
        new = (place >= 0) & (place < self.count)
        rows = nn.functional.embedding(place.clamp(0, self.count - 1), self.changes[0])
        return x + (rows * new[..., None] * scale).to(x.dtype)

    def beside(self, hidden: Tensor) -> Beside:
        """What they add to the logits of `hidden`."""
        low = hidden @ self.changes[-1].to(hidden.dtype).T
        one = torch.eye(self.count, device=hidden.device)
        return Beside(low=low, up=one, first=self.first)

    @torch.no_grad()
    def rows(self) -> dict[str, Tensor]:
        """The whole rows `[N, H]` in float32, by the path of their table."""
        pairs = zip(self._tables().items(), self.changes, strict=True)
        return {path: table[self.ids].float() + change for (path, table), change in pairs}

    @torch.no_grad()
    def start(self, rows: Mapping[str, Tensor]) -> None:
        """Take over whole rows, by the path of their table."""
        for (path, table), change in zip(self._tables().items(), self.changes, strict=True):
            change.copy_(rows[path] - table[self.ids].float())

    @torch.no_grad()
    def merge(self) -> None:
        """Put what was learnt into the tables."""
        write_rows(self._tables(), dict.fromkeys(self._tables(), self.ids), self.rows())


@torch.no_grad()
def write_rows(
    tables: Mapping[str, nn.Parameter],
    ids: Mapping[str, list[int]],
    rows: Mapping[str, Tensor],
) -> None:
    """Writes whole rows into tables, by their paths."""
    for path, values in rows.items():
        tables[path][ids[path]] = values.to(tables[path].dtype)


@torch.no_grad()
def start_rows(tables: Mapping[str, nn.Parameter], pieces: Mapping[int, tuple[int, ...]]) -> None:
    """Begins each new token's row as the mean of those its text was read as before."""
    for table in tables.values():
        for one, before in pieces.items():
            table[one] = table[list(before)].float().mean(0).to(table.dtype)


def larger(table: nn.Parameter, rows: int) -> nn.Parameter:
    """The table with empty rows up to so many."""
    more = table.new_zeros(rows - table.shape[0], table.shape[1])
    whole = torch.cat([table.detach(), more])
    return nn.Parameter(whole, requires_grad=table.requires_grad)
