"""lm-eval's tasks on our engine: its language model interface, over the same weights.

    from lm_eval import simple_evaluate
    from tutelage.evaluate.bridge import Bridge

    model = Bridge.open("tutelage/tiny").language_model()
    simple_evaluate(model, tasks=["arc_easy"])

The package `lm_eval` is needed by `language_model` only. Prompts are bare text as lm-eval writes
them, behind the beginning-of-text token where the tokenizer writes one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import MissingCapability
from tutelage.core.recipe import Precision, loads
from tutelage.engine.continuations import Ranking, logprobs_of
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Decoding, Engine, Prompt
from tutelage.render.continuation import Continuations, cut_to
from tutelage.render.contract import Contract
from tutelage.render.lesson import Lesson
from tutelage.store.base import find_base

ROW_TOKENS = 2048
ANSWER_TOKENS = 256  # of an answer whose length a task does not bound


class Answering(Ranking, Engine, Protocol):
    """An engine that ranks tokens, and generates."""


class Request(Protocol):
    """What lm-eval asks, one at a time."""

    @property
    def args(self) -> tuple[Any, ...]:
        """Context and continuation; a text; or context and how to generate."""


class Bridge:
    """Answers what lm-eval asks of a language model; prompts that begin alike are read once."""

    def __init__(
        self, engine: Answering, contract: Contract, *, row_tokens: int = ROW_TOKENS
    ) -> None:
        self._engine = engine
        self._contract = contract
        self._weighing = Continuations(contract=contract)
        self._row_tokens = row_tokens

    @classmethod
    def open(
        cls,
        base: str,
        adapter: Path | None = None,
        *,
        precision: Precision = "auto",
        row_tokens: int = ROW_TOKENS,
    ) -> Bridge:
        """A base by name or folder, with a saved adapter on it or without.

        Raises: BaseModelError, ContractError.
        """
        here = Path()
        recipe = loads("name: bridge\n").at(here)
        folder = find_base(base, here)
        contract = Contract.open(recipe.contract, folder, recipe)
        engine = LocalEngine.open(folder, adapter, decode=contract.decode, precision=precision)
        return cls(engine, contract, row_tokens=row_tokens)

    def language_model(self) -> Any:
        """This, as a `lm_eval.api.model.LM` that `simple_evaluate` takes.

        Raises: MissingCapability where lm-eval is not installed.
        """
        try:
            from lm_eval.api.model import LM
        except ImportError as error:
            raise MissingCapability(
                "lm-eval is not installed", hint="pip install 'lm-eval>=0.4.9'"
            ) from error

        bridge = self

        class Bridged(LM):  # type: ignore[misc]
            """lm-eval's own class, every question passed on."""

            tokenizer_name = bridge._contract.base

            def loglikelihood(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
                return bridge.loglikelihood(requests)

            def loglikelihood_rolling(self, requests: Sequence[Request]) -> list[float]:
                return bridge.loglikelihood_rolling(requests)

            def generate_until(self, requests: Sequence[Request]) -> list[str]:
                return bridge.generate_until(requests)

        return Bridged()

    def loglikelihood(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
        """Of each continuation its log-probability, and whether greedy decoding would give it."""
        pairs = [(str(one.args[0]), str(one.args[1])) for one in requests]
        found = self._ranked(self._weighing.continued(pairs))
        return [(float(one[:, 0].sum(dtype=np.float64)), bool(one[:, 1].all())) for one in found]

    def loglikelihood_rolling(self, requests: Sequence[Request]) -> list[float]:
        """The log-probability of each text, in windows where it exceeds the context."""
        texts = [self._weighing.windows(str(one.args[0])) for one in requests]
        found = iter(self._ranked([lesson for lessons in texts for lesson in lessons]))
        return [
            float(sum(next(found)[:, 0].sum(dtype=np.float64) for _ in lessons))
            for lessons in texts
        ]

    def generate_until(self, requests: Sequence[Request]) -> list[str]:
        """An answer to each context, cut before the first of its `until`."""
        answers = [""] * len(requests)
        alike: dict[tuple[int, float], list[int]] = {}
        for place, one in enumerate(requests):
            alike.setdefault(_drawn(one.args[1]), []).append(place)
        for (longest, temperature), places in alike.items():
            room = self._weighing.context - longest
            heads = self._weighing.texts([str(requests[place].args[0]) for place in places])
            prompts = [Prompt(ids=ids[-room:]) for ids in heads]
            decoding = Decoding(
                max_new_tokens=longest, temperature=temperature, stop=self._contract.stop_ids
            )
            found = self._engine.generate(prompts, decoding)
            for place, answer in zip(places, found, strict=True):
                answers[place] = _cut(answer.text, requests[place].args[1])
        return answers

    def _ranked(self, lessons: Sequence[Lesson]) -> list[NDArray[np.float32]]:
        fitting = [cut_to(one, self._weighing.context) for one in lessons]
        return logprobs_of(self._engine.ranked, fitting, row_tokens=self._row_tokens)


def _drawn(asked: Mapping[str, Any]) -> tuple[int, float]:
    """How long an answer may be, and its temperature; 0 where nothing is to be drawn."""
    longest = int(asked.get("max_gen_toks", ANSWER_TOKENS))
    drawn = bool(asked.get("do_sample", False))
    return longest, float(asked.get("temperature", 1.0)) if drawn else 0.0


def _cut(text: str, asked: Mapping[str, Any]) -> str:
    until = asked.get("until") or []
    for stop in [until] if isinstance(until, str) else until:
        text = text.split(stop)[0] if stop else text
    return text
