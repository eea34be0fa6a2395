"""Generation on the flat backbone: ragged prompts in one packed pass, then one token at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.engine.attention import attend, layout

if TYPE_CHECKING:
    from tutelage.engine.flat import FlatBackbone


class FlatDecoder:
    """Sequences growing side by side.

    Shapes: keys and values `[layers, B, Hk, L, D]`; lengths `[B]` tokens held so far.
    """

    def __init__(self, model: FlatBackbone) -> None:
        self._model = model
        self._keys = self._values = torch.zeros(0)
        self._lengths = torch.zeros(0, dtype=torch.long)

    @torch.no_grad()
    def start(self, prompts: list[tuple[int, ...]], room: int) -> Tensor:
        """Hidden state of each prompt's last token `[B, H]`; `room` tokens may follow."""
        model, shape = self._model, self._model.shape
        lengths = np.asarray([len(ids) for ids in prompts])
        ends = np.cumsum(lengths)
        plan = layout(np.repeat(ends, lengths).astype(np.int32))
        tokens = torch.tensor([token for ids in prompts for token in ids])
        position = torch.cat([torch.arange(n) for n in lengths.tolist()])
        row = torch.repeat_interleave(torch.arange(len(prompts)), torch.from_numpy(lengths))
        size = (shape.layers, len(prompts), shape.key_heads, int(lengths.max()) + room)
        self._keys = torch.zeros(*size, shape.head_width, dtype=model.precision)
        self._values = torch.zeros_like(self._keys)
        self._lengths = torch.from_numpy(lengths).clone()
        x = nn.functional.embedding(tokens, model.embedding).to(model.precision)
        turn = model.rotary(position)
        for index, block in enumerate(model.blocks):
            q, k, v = block.before(x, *turn)
            self._keys[index, row, :, position] = k
            self._values[index, row, :, position] = v
            x = block.after(x, attend(q, k, v, plan))
        return model.last_norm(x[torch.from_numpy(ends - 1)])

    @torch.no_grad()
    def extend(self, tokens: Tensor) -> Tensor:
        """Hidden states `[B, H]` after one more token each, `[B]`."""
        model, shape = self._model, self._model.shape
        x = nn.functional.embedding(tokens, model.embedding).to(model.precision)
        turn = model.rotary(self._lengths)
        rows = torch.arange(len(tokens))
        room = int(self._lengths.max()) + 1
        unseen = torch.arange(room)[None, :] > self._lengths[:, None]
        bias = torch.zeros(unseen.shape, dtype=x.dtype).masked_fill_(unseen, float("-inf"))
        grouped = (len(tokens), shape.key_heads, shape.heads // shape.key_heads, shape.head_width)
        for index, block in enumerate(model.blocks):
            q, k, v = block.before(x, *turn)
            self._keys[index, rows, :, self._lengths] = k
            self._values[index, rows, :, self._lengths] = v
            keys, values = self._keys[index, :, :, :room], self._values[index, :, :, :room]
            score = q.view(grouped) @ keys.mT * shape.head_width**-0.5 + bias[:, None, None]
            gathered = torch.softmax(score, -1) @ values
            x = block.after(x, gathered.reshape(len(tokens), shape.heads, -1))
        self._lengths += 1
        return model.last_norm(x)

    def keep(self, rows: Tensor) -> None:
        """Go on with these sequences only, `[B']` indices."""
        self._keys, self._values = self._keys[:, rows], self._values[:, rows]
        self._lengths = self._lengths[rows]
