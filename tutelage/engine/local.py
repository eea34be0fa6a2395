"""The engine inside this process: a backbone, an adapter if there is one, greedy or sampled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.core.digest import file_digest, strong_digest
from tutelage.core.errors import ContractError
from tutelage.core.recipe import Precision
from tutelage.engine.adapter import apply_adapter, holds_all
from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone, open_backbone, settle
from tutelage.engine.device import best_device, choose_precision
from tutelage.engine.grammar import Grammar, Held, Vocabulary
from tutelage.engine.growing import Decode, Growing, choose, draw_of
from tutelage.engine.logprob import LossShape, head_logits, logprobs
from tutelage.engine.protocol import Chunk, Decoding, Generation, Identity, Prompt, check_grammar
from tutelage.render.pack import PackedRow
from tutelage.render.tokenizer import read_tokenizer
from tutelage.store.base import BaseFolder, check_new_tokens

RANKED = 512  # tokens whose logits are held at once


class LocalEngine:
    """Generates and scores with torch in this process."""

    def __init__(
        self,
        backbone: Backbone,
        identity: Identity,
        decode: Decode,
        *,
        batch_tokens: int = 16384,
        tokenizer: Callable[[], Any] | None = None,
    ) -> None:
        grammar = {"grammar"} if tokenizer is not None else set()
        self.identity = identity
        self.capabilities = frozenset({"ids", "logprobs", *grammar})
        self._backbone = backbone
        self._decode = decode
        self._batch_tokens = batch_tokens
        self._tokenizer = tokenizer
        self._vocabularies: dict[tuple[int, ...], Vocabulary] = {}
        self._grammars: dict[tuple[str, tuple[int, ...]], Grammar] = {}

    @classmethod
    def open(
        cls,
        base: BaseFolder,
        adapter: Path | None,
        *,
        decode: Decode,
        precision: Precision = "auto",
        batch_tokens: int = 16384,
    ) -> LocalEngine:
        """The base with a saved adapter (a folder as `engine.adapter` writes it) on it, on a
        CUDA device where there is one.

        Raises: BaseModelError where weights are missing or do not fit.
        """
        # a base trained from random weights may have none: the adapter then holds them all
        bare = adapter is not None and holds_all(adapter) and not base.weight_files()
        device = best_device()
        backbone = open_backbone(
            base,
            precision=choose_precision(precision, device),
            random_seed=0 if bare else None,
            frozen=True,
        )
        digest = ""
        if adapter is not None:
            check_new_tokens(base, adapter)
            apply_adapter(backbone, adapter)
            digest = strong_digest({p.name: file_digest(p) for p in sorted(adapter.iterdir())})
        settle(backbone, device)
        backbone.module.eval()
        identity = Identity(
            base=base.digests()["base:weights"], adapter=digest, tokenizer=base.tokenizer_digest()
        )
        return cls(
            backbone,
            identity,
            decode,
            batch_tokens=batch_tokens,
            tokenizer=lambda: read_tokenizer(base).tokenizer,
        )

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[Generation]:
        """One answer a prompt, in input order; similar lengths are computed side by side.

        Raises: ContractError where a prompt and its answer exceed the context, or no grammar
            can be made of the schema; MissingCapability where it holds to none.
        """
        check_grammar(self, decoding)
        for index, prompt in enumerate(prompts):
            self._check(prompt, f"prompt {index}")
        order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i].ids), i))
        done: dict[int, Generation] = {}
        following = 0
        for batch in self._batches([len(prompts[i].ids) for i in order], decoding):
            chosen = [order[i] for i in batch]
            answers = self._answer([prompts[i] for i in chosen], chosen, decoding)
            done.update(zip(chosen, answers, strict=True))
            while following in done:
                yield done.pop(following)
                following += 1

    def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Chunk]:
        """One answer, piece by piece; a piece never ends inside a character."""
        check_grammar(self, decoding)
        self._check(prompt, "the prompt")
        decoder = self._backbone.decoder()
        room = self._room(len(prompt.ids), decoding)
        draw = draw_of(prompt, 0, decoding)
        growing = Growing([draw], [room], decoding, self._held(1, decoding))
        hidden = decoder.start([prompt.ids], room)
        shown, told = "", 0
        while True:
            logits = growing.allowed(self._logits(hidden))
            tokens, chance = choose(logits, decoding, growing.draws())
            left = growing.take(tokens.tolist(), chance.tolist())
            ids, stop = growing.answer(0)
            if not left:
                yield Chunk(text=self._decode(ids)[len(shown) :], stop=stop, ids=ids[told:])
                return
            text = self._decode(ids)
            if not text.endswith("\N{REPLACEMENT CHARACTER}"):
                yield Chunk(text=text[len(shown) :], ids=ids[told:])
                shown, told = text, len(ids)
            hidden = decoder.extend(tokens)

    @torch.no_grad()
    def score(self, row: PackedRow) -> NDArray[np.float32]:
        """Log-probability of each supervised edge's target, `[S]`."""
        hidden, target = self._supervised(row)
        shape = LossShape(cap=self._backbone.logit_cap)
        beside = self._backbone.beside_head(hidden)
        found = logprobs(hidden, self._backbone.head, target, shape, beside)
        scored: NDArray[np.float32] = found.cpu().numpy()
        return scored

    @torch.no_grad()
    def ranked(self, row: PackedRow) -> NDArray[np.float32]:
        """As `score`, and 1 where no token is likelier than the target, else 0: `[S, 2]`."""
        hidden, target = self._supervised(row)
        parts = []
        for low in range(0, len(hidden), RANKED):
            span = slice(low, low + RANKED)
            logits = self._logits(hidden[span]).float()
            own = logits.gather(1, target[span, None])
            logprob = own - logits.logsumexp(-1, keepdim=True)
            greedy = own >= logits.amax(-1, keepdim=True)
            parts.append(torch.cat([logprob, greedy.to(logprob.dtype)], dim=1))
        found = torch.cat(parts) if parts else hidden.new_zeros(0, 2, dtype=torch.float32)
        ranked: NDArray[np.float32] = found.cpu().numpy()
        return ranked

    def close(self) -> None:
        """Let go of the weights."""
        del self._backbone

    def _check(self, prompt: Prompt, where: str) -> None:
        if not prompt.ids or len(prompt.ids) >= self._backbone.context:
            raise ContractError(
                f"a prompt of {len(prompt.ids)} tokens",
                where=where,
                expected=f"1 to {self._backbone.context - 1} tokens",
            )

    def _supervised(self, row: PackedRow) -> tuple[Tensor, Tensor]:
        """Hidden states at the sources of a row `[S, H]` and the ids they predict `[S]`."""
        device = self._backbone.embeddings[0].device
        tokens, position, source, target = (
            torch.from_numpy(x).long().to(device)
            for x in (row.tokens, row.position, row.source, row.tokens[row.target])
        )
        seen = layout(row.end, forward_only=True)
        return self._backbone.hidden(tokens, position, seen, source), target

    def _logits(self, hidden: Tensor) -> Tensor:
        backbone = self._backbone
        beside = backbone.beside_head(hidden)
        return head_logits(hidden, backbone.head, backbone.logit_cap, beside)

    def _held(self, count: int, decoding: Decoding) -> Held | None:
        """So many answers at the beginning of the grammar; None where they are free."""
        if not decoding.schema or self._tokenizer is None:
            return None
        key, stop = (decoding.schema, decoding.stop), decoding.stop
        if stop not in self._vocabularies:
            self._vocabularies[stop] = Vocabulary.of(
                self._tokenizer(), self._backbone.vocabulary, stop
            )
        if key not in self._grammars:
            self._grammars[key] = Grammar(decoding.schema, self._vocabularies[stop])
        return self._grammars[key].held(count)

    def _room(self, longest: int, decoding: Decoding) -> int:
        return min(decoding.max_new_tokens, self._backbone.context - longest)

    def _batches(self, lengths: Sequence[int], decoding: Decoding) -> Iterator[list[int]]:
        batch: list[int] = []
        for index, length in enumerate(lengths):
            tokens = (len(batch) + 1) * (length + decoding.max_new_tokens // 2)
            if batch and (tokens > self._batch_tokens or len(batch) >= 256):
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    @torch.no_grad()
    def _answer(
        self, prompts: Sequence[Prompt], numbers: Sequence[int], decoding: Decoding
    ) -> list[Generation]:
        began = time.monotonic()
        rooms = [self._room(len(prompt.ids), decoding) for prompt in prompts]
        pairs = zip(prompts, numbers, strict=True)
        draws = [draw_of(prompt, number, decoding) for prompt, number in pairs]
        growing = Growing(draws, rooms, decoding, self._held(len(prompts), decoding))
        decoder = self._backbone.decoder()
        hidden = decoder.start([prompt.ids for prompt in prompts], max(rooms))
        while True:
            logits = growing.allowed(self._logits(hidden))
            tokens, chance = choose(logits, decoding, growing.draws())
            left = growing.take(tokens.tolist(), chance.tolist())
            if not left:
                break
            if len(left) < len(tokens):
                index = torch.tensor(left)
                decoder.keep(index)
                tokens = tokens[index]
            hidden = decoder.extend(tokens)
        seconds = (time.monotonic() - began) / len(prompts)
        return growing.generations(self._decode, seconds)
