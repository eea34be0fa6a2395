"""Generation on the hf backbone: left-padded sequences over transformers' own cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import DynamicCache

if TYPE_CHECKING:
    from tutelage.engine.hf import HfBackbone


class HfDecoder:
    """Sequences growing side by side. Shapes: mask `[B, L]`, 1 where a token stands."""

    def __init__(self, backbone: HfBackbone) -> None:
        self._backbone = backbone
        self._device = backbone.embeddings[0].device
        self._cache: Any = None
        self._mask = torch.zeros(0, 0, dtype=torch.long)

    @torch.no_grad()
    def start(self, prompts: list[tuple[int, ...]], room: int) -> Tensor:
        """Hidden state of each prompt's last token `[B, H]`; `room` tokens may follow."""
        longest = max(map(len, prompts))
        rows = [[0] * (longest - len(ids)) + list(ids) for ids in prompts]
        mask = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts]
        # layers that keep a state say so; others keep every key, whatever they see
        self._cache = (
            DynamicCache(config=self._backbone.config) if self._stateful else DynamicCache()
        )
        self._mask = torch.tensor(mask, device=self._device)
        return self._step(torch.tensor(rows, device=self._device))

    @torch.no_grad()
    def extend(self, tokens: Tensor) -> Tensor:
        """Hidden states `[B, H]` after one more token each, `[B]`."""
        tokens = tokens.to(self._device)
        self._mask = torch.cat([self._mask, torch.ones_like(tokens)[:, None]], 1)
        return self._step(tokens[:, None])

    def keep(self, rows: Tensor) -> None:
        """Go on with these sequences only, `[B']` indices."""
        rows = rows.to(self._device)
        self._mask = self._mask[rows]
        self._cache.reorder_cache(rows)

    @property
    def _stateful(self) -> bool:
        return self._backbone.alone is not None

    def _step(self, tokens: Tensor) -> Tensor:
        position = (self._mask.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        out = self._backbone.run_as_is(
            input_ids=tokens,
            attention_mask=self._mask,
            position_ids=position,
            past_key_values=self._cache,
            use_cache=True,
        )
        return out[:, -1]
