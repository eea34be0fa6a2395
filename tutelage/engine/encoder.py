"""Texts as vectors: the mean of what a base's last layer makes of their tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone, open_backbone, settle
from tutelage.engine.device import best_device, choose_precision
from tutelage.render.tokenizer import read_tokenizer
from tutelage.store.base import BaseFolder

TEXT_TOKENS = 512  # of a text that are read
ROW_TOKENS = 4096  # read together


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Texts and what they have become. Shapes: vectors `[N, H]`, of zeros where a text is empty."""

    vectors: NDArray[np.float32]
    cut: int  # texts of which the end was not read


class Encoder:
    """A base that is asked for hidden states alone."""

    def __init__(self, backbone: Backbone, tokenizer: Any) -> None:
        self._backbone = backbone
        self._tokenizer = tokenizer

    @classmethod
    def open(cls, base: BaseFolder) -> Encoder:
        """The base in fp32, on a CUDA device where there is one.

        Raises: BaseModelError where weights or tokenizer are missing or do not fit.
        """
        device = best_device()
        precision = choose_precision("fp32", device)
        backbone = open_backbone(base, precision=precision, frozen=True)
        settle(backbone, device)
        backbone.module.eval()
        return cls(backbone, read_tokenizer(base).tokenizer)

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Encoded:
        """The vector of each text; a text has the same whatever others there are, but for rounding.

        Later tokens, which have seen more of the text, weigh more: the first once, the second
        twice, and so on.

        Source: Muennighoff 2022, "SGPT: GPT Sentence Embeddings for Semantic Search", section 3.
        """
        batch = self._tokenizer.encode_batch
        read = [one.ids for one in batch(list(texts), add_special_tokens=False)]
        most = min(TEXT_TOKENS, self._backbone.context)
        ids = [own[:most] for own in read]
        width = self._backbone.embeddings[0].shape[1]
        vectors = np.zeros((len(texts), width), dtype=np.float32)
        for own in self._rows(ids):
            vectors[own] = self._means([ids[text] for text in own])
        return Encoded(vectors=vectors, cut=sum(len(own) > most for own in read))

    def _rows(self, ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Texts that are read together, short ones first; one each where the base mixes them."""
        row: list[int] = []
        tokens = 0
        for text in sorted(range(len(ids)), key=lambda one: (len(ids[one]), ids[one])):
            if not ids[text]:
                continue
            full = tokens + len(ids[text]) > ROW_TOKENS or self._backbone.alone is not None
            if row and full:
                yield row
                row, tokens = [], 0
            row.append(text)
            tokens += len(ids[text])
        if row:
            yield row

    def _means(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """The vectors of some texts, side by side in a row and blind to each other. `[B, H]`."""
        sizes = np.array([len(own) for own in ids])
        ends = np.cumsum(sizes)
        place = np.concatenate([np.arange(size) for size in sizes])
        end = np.repeat(ends, sizes).astype(np.int32)
        device = self._backbone.embeddings[0].device
        tokens, position, source = (
            torch.from_numpy(one).long().to(device)
            for one in (np.concatenate(ids), place, np.arange(len(place)))
        )
        seen = layout(end, forward_only=True)
        hidden = self._backbone.hidden(tokens, position, seen, source).float()
        weighed = hidden * (position + 1).to(hidden.dtype)[:, None]
        parts: list[Tensor] = [one.sum(0) for one in weighed.split(sizes.tolist())]
        summed: NDArray[np.float32] = torch.stack(parts).cpu().numpy()
        weights = (sizes * (sizes + 1) / 2).astype(np.float32)
        means: NDArray[np.float32] = summed / weights[:, None]
        return means
