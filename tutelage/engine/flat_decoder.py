"""Generation on the flat backbone: a prefix that all prompts share is computed once, then the
prompts side by side, then one token at a time.

Every size that reaches a matrix product is rounded to one of few: a CPU's library makes, and
keeps, machine code for each shape it meets.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tutelage.engine.architecture import Architecture
from tutelage.engine.attention import capped

if TYPE_CHECKING:
    from tutelage.engine.flat import FlatBackbone

PLACES = 32  # cache places and prompt lengths are multiples of this
SHARED = 16  # a shorter common prefix is not worth a pass of its own
DENSE = 1 << 18  # scores of one head and row up to which they are written out


def rounded(count: int, step: int = PLACES) -> int:
    """The next multiple of `step`."""
    return -(-count // step) * step


def rows_for(count: int) -> int:
    """How many rows are computed for so many sequences: one of few numbers."""
    if count <= 8:
        return 1 << (count - 1).bit_length()
    return rounded(count, 8 if count <= 32 else 16 if count <= 64 else 32)


def shared_prefix(prompts: list[tuple[int, ...]]) -> int:
    """Tokens all prompts begin with, one of each left over; 0 where it is not worth it."""
    if len(prompts) == 1:
        return 0
    least = min(map(len, prompts)) - 1
    columns = zip(*(ids[:least] for ids in prompts), strict=True)
    same = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
    return same if same >= SHARED else 0


class FlatDecoder:
    """Sequences growing side by side.

    Rows of sequences that have ended are computed along until enough have for a smaller batch.

    Shapes: keys and values `[layers, R, Hk, L, D]`; lengths `[R]` tokens held so far; active
        `[B]` the rows whose sequences go on.
    """

    def __init__(self, model: FlatBackbone) -> None:
        self._model = model
        self._keys = self._values = torch.zeros(0)
        self._lengths = self._active = torch.zeros(0, dtype=torch.long)
        self._device = model.embedding.device

    @torch.no_grad()
    def start(self, prompts: list[tuple[int, ...]], room: int) -> Tensor:
        """Hidden state of each prompt's last token `[B, H]`; `room` tokens may follow."""
        shape, count = self._model.shape, len(prompts)
        shared, rows = shared_prefix(prompts), rows_for(len(prompts))
        lengths = [len(ids) for ids in prompts]
        width = rounded(max(lengths) - shared)
        places = rounded(max(shared + width, max(lengths) + room))
        size = (shape.layers, rows, shape.key_heads, places, shape.head_width)
        self._keys = torch.zeros(*size, dtype=self._model.precision, device=self._device)
        self._values = torch.zeros_like(self._keys)
        held = lengths + [0] * (rows - count)
        self._lengths = torch.tensor(held, device=self._device)
        self._active = torch.arange(count, device=self._device)
        if shared:
            self._prompt(torch.tensor([prompts[0][:shared]], device=self._device), 0)
            self._keys[:, 1:, :, :shared] = self._keys[:, :1, :, :shared]
            self._values[:, 1:, :, :shared] = self._values[:, :1, :, :shared]
        tokens = torch.zeros(rows, width, dtype=torch.long)
        for row, ids in enumerate(prompts):
            tokens[row, : len(ids) - shared] = torch.tensor(ids[shared:])
        x = self._prompt(tokens.to(self._device), shared)
        last = x[self._active, self._lengths[:count] - shared - 1]
        return self._model.last_norm(last)

    def _prompt(self, tokens: Tensor, start: int) -> Tensor:
        """Hidden states `[R', S, H]` of tokens `[R', S]` that stand from `start` on.

        Fills their places in the cache; what stands past a row's end is written over later.
        """
        model, (rows, width) = self._model, tokens.shape
        x = model.embed(tokens.flatten())
        stands = torch.arange(start, start + width, device=self._device)
        turns = model.turns(stands.repeat(rows))
        behind = stands[:, None] - torch.arange(start + width, device=self._device)[None, :]
        unseen = _unseen(model.shape, behind, model.precision)
        for index, block in enumerate(model.blocks):
            parts = block.before(x, turns[block.layer.rope])
            q, k, v = (part.view(rows, width, *part.shape[1:]) for part in parts)
            self._keys[index, :rows, :, start : start + width] = k.transpose(1, 2)
            self._values[index, :rows, :, start : start + width] = v.transpose(1, 2)
            keys = self._keys[index, :rows, :, : start + width]
            values = self._values[index, :rows, :, : start + width]
            x = block.after(x, _look(q, (keys, values), unseen[block.layer.window], model.shape))
        return x.view(rows, width, -1)

    @torch.no_grad()
    def extend(self, tokens: Tensor) -> Tensor:
        """Hidden states `[B, H]` after one more token each, `[B]`."""
        model, shape = self._model, self._model.shape
        every = torch.zeros_like(self._lengths)
        every[self._active] = tokens.to(self._device)
        x, turns = model.embed(every), model.turns(self._lengths)
        rows = torch.arange(len(every), device=self._device)
        room = rounded(int(self._lengths.max()) + 1)
        behind = self._lengths[:, None] - torch.arange(room, device=self._device)[None, :]
        unseen = _unseen(shape, behind, model.precision)
        grouped = (len(every), shape.key_heads, shape.heads // shape.key_heads, shape.head_width)
        for index, block in enumerate(model.blocks):
            q, k, v = block.before(x, turns[block.layer.rope])
            self._keys[index, rows, :, self._lengths] = k
            self._values[index, rows, :, self._lengths] = v
            keys, values = self._keys[index, :, :, :room], self._values[index, :, :, :room]
            score = capped(q.view(grouped) @ keys.mT * _scale(shape), shape.score_cap)
            score = score + unseen[block.layer.window][:, None, None]
            gathered = torch.softmax(score, -1) @ values
            x = block.after(x, gathered.reshape(len(every), shape.heads, -1))
        self._lengths[self._active] += 1
        return model.last_norm(x[self._active])

    def keep(self, rows: Tensor) -> None:
        """Go on with these sequences only, `[B']` indices."""
        self._active = self._active[rows.to(self._device)]
        wanted = rows_for(len(self._active))
        if wanted < len(self._lengths):
            kept = torch.cat([self._active, self._active[:1].expand(wanted - len(self._active))])
            self._keys, self._values = self._keys[:, kept], self._values[:, kept]
            self._lengths = self._lengths[kept]
            self._active = torch.arange(len(self._active), device=self._device)


def _unseen(shape: Architecture, behind: Tensor, dtype: torch.dtype) -> dict[int | None, Tensor]:
    """Added to scores, by the window of a layer: minus infinity where a key is out of sight.

    Shapes: behind `[..., P]`, how far each place stands before a query; the biases likewise.
    """
    out = {}
    for window in {layer.window for layer in shape.attention}:
        hidden = behind < 0 if window is None else (behind < 0) | (behind >= window)
        bias = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device)
        out[window] = bias.masked_fill_(hidden, float("-inf"))
    return out


def _scale(shape: Architecture) -> float:
    return shape.head_width**-0.5 if shape.score_scale is None else shape.score_scale


def _look(q: Tensor, held: tuple[Tensor, Tensor], bias: Tensor, shape: Architecture) -> Tensor:
    """What the queries of each row gather, `[R * S, Hq, D]`.

    Shapes: q `[R, S, Hq, D]`, held keys and values `[R, Hk, P, D]`, bias `[S, P]`.
    """
    rows, width, heads, size = q.shape
    keys, values = held
    repeat = heads // keys.shape[1]
    if repeat > 1:
        keys, values = (x.repeat_interleave(repeat, dim=1) for x in held)
    query, scale = q.transpose(1, 2), _scale(shape)
    if bias.numel() > DENSE and shape.score_cap is None:
        out = nn.functional.scaled_dot_product_attention(
            query, keys, values, attn_mask=bias, scale=scale
        )
        return out.transpose(1, 2).reshape(rows * width, heads, size)
    step = max(1, DENSE // bias.shape[-1])
    parts = []
    for some, hidden in zip(query.split(step, 2), bias.split(step), strict=True):
        score = capped((some @ keys.mT).mul_(scale), shape.score_cap).add_(hidden)
        parts.append(torch.softmax(score, -1) @ values)
    out = parts[0] if len(parts) == 1 else torch.cat(parts, 2)
    return out.transpose(1, 2).reshape(rows * width, heads, size)
