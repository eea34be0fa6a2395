"""Answers as they are drawn, token by token, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from tutelage.core.seeds import stream
from tutelage.engine.grammar import Held
from tutelage.engine.protocol import Decoding, Generation, Prompt, Stop

Decode = Callable[[Sequence[int]], str]
COLDEST = 1e-4  # below it logits divided by the temperature overflow
BITS = 8  # of a byte


class Growing:
    """Answers under way, and which rows of the decoder are still theirs."""

    def __init__(
        self,
        draws: Sequence[np.random.Generator],
        rooms: Sequence[int],
        decoding: Decoding,
        held: Held | None = None,
    ) -> None:
        self._held = held  # to a grammar
        self._rooms = rooms  # of each answer by itself, so that a batch changes nothing
        self._decoding = decoding
        self._ids: list[list[int]] = [[] for _ in draws]
        self._chances: list[list[float]] = [[] for _ in draws]
        self._stops: list[Stop] = ["length" for _ in draws]
        self._open = list(range(len(draws)))
        self._draws = draws

    def allowed(self, logits: Tensor) -> Tensor:
        """The logits `[B, V]`, at -inf where no answer of the grammar goes on with the token."""
        if self._held is None:
            return logits
        packed = torch.from_numpy(self._held.masks(self._open)).to(logits.device)
        places = torch.arange(BITS, dtype=torch.uint8, device=logits.device)
        bits = (packed.unsqueeze(-1) >> places) & 1
        mask = bits.flatten(1)[:, : logits.shape[1]] == 0
        return logits.masked_fill(mask, -torch.inf)

    def draws(self) -> list[np.random.Generator]:
        """The random stream of each answer that goes on."""
        return [self._draws[answer] for answer in self._open]

    def take(self, tokens: Sequence[int], chances: Sequence[float]) -> list[int]:
        """Append one token each; the rows whose answers go on."""
        left = []
        for row, answer in enumerate(self._open):
            if tokens[row] in self._decoding.stop:
                self._stops[answer] = "stop" if self._whole(answer) else "length"
                continue
            if self._held is not None:
                self._held.take(answer, tokens[row])
            self._ids[answer].append(tokens[row])
            self._chances[answer].append(chances[row])
            if len(self._ids[answer]) < self._rooms[answer]:
                left.append(row)
        self._open = [self._open[row] for row in left]
        return left

    def _whole(self, answer: int) -> bool:
        return self._held is None or self._held.whole(answer)

    def answer(self, number: int) -> tuple[tuple[int, ...], Stop]:
        """The tokens of one answer so far, and why it ended if it has."""
        return tuple(self._ids[number]), self._stops[number]

    def generations(self, decode: Decode, seconds: float) -> list[Generation]:
        """All of them, as they ended."""
        answers = zip(self._ids, self._chances, self._stops, strict=True)
        return [
            Generation(
                ids=tuple(ids), text=decode(ids), logprobs=tuple(chance), stop=stop, seconds=seconds
            )
            for ids, chance, stop in answers
        ]


def draw_of(prompt: Prompt, place: int, decoding: Decoding) -> np.random.Generator:
    """The random stream of a prompt's answer: by its name, so that no order or batch moves it."""
    if prompt.name:
        return stream(prompt.name, decoding.seed)
    return np.random.default_rng((decoding.seed, place))


def choose(
    logits: Tensor, decoding: Decoding, draws: Sequence[np.random.Generator]
) -> tuple[Tensor, Tensor]:
    """The next token of each row `[B]` and its log-probability `[B]`."""
    chance = torch.log_softmax(logits.float(), -1)
    if decoding.temperature < COLDEST:
        best, token = chance.max(-1)
        return token, best
    share = torch.softmax(logits.float() / decoding.temperature, -1)
    ranked, place = share.sort(dim=-1, descending=True, stable=True)
    before = ranked.cumsum(-1) - ranked
    ranked = torch.where(before < decoding.top_p, ranked, 0.0)
    reach = ranked.cumsum(-1)
    drawn = torch.tensor([[draw.random()] for draw in draws], device=reach.device)
    point = drawn * reach[:, -1:]
    last = (ranked > 0).sum(-1, keepdim=True) - 1  # a draw may round to 1: nothing lies beyond
    pick = torch.minimum((reach <= point).sum(-1, keepdim=True), last)
    token = place.gather(1, pick)
    return token[:, 0], chance.gather(1, token)[:, 0]
