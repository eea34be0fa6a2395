"""Proof that an adapter is live: fixed conversations, scored by the base and by the tuned model.

The conversations are the contract's goldens, which hold no one's words. A server that loads no
adapter, or another, scores them otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage.core.digest import Json
from tutelage.core.errors import BadRow, BaseModelError, ContractError
from tutelage.engine.protocol import Engine
from tutelage.render.contract import Contract
from tutelage.render.lesson import Lesson
from tutelage.render.pack import pack

DECIMALS = 4
SCORED = ("question", "system", "turns")  # goldens every chat template is made for
LEAST = 1e-3  # nats a token, on average, by which an adapter must change the base
NOISE = 0.05  # nats a token by which processors and number formats differ
NEAR = 0.25  # of the way from tuned to base that is still the tuned model


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Log-probability of each golden token, by the base (where it has weights) and as tuned."""

    base: tuple[float, ...] | None
    tuned: tuple[float, ...]

    @property
    def distance(self) -> float:
        """Mean change of the base's log-probabilities, in nats a token."""
        return np.inf if self.base is None else apart(self.base, self.tuned)

    def to_dict(self) -> dict[str, Json]:
        """The fingerprint as plain JSON."""
        return {"base": None if self.base is None else [*self.base], "tuned": [*self.tuned]}

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Fingerprint:
        """The fingerprint of `to_dict`."""
        base = form["base"]
        return cls(base=None if base is None else tuple(base), tuned=tuple(form["tuned"]))


def apart(one: Sequence[float], other: Sequence[float]) -> float:
    """Mean absolute difference, in nats a token; infinite where it cannot be told."""
    if len(one) != len(other):
        return np.inf
    mean = float(np.abs(np.subtract(one, other)).mean())
    return mean if np.isfinite(mean) else np.inf


def scores(engine: Engine, contract: Contract) -> tuple[float, ...]:
    """Log-probability of every token of the goldens' prompts and of the stop token after them.

    Raises: ContractError where the template renders no golden at all.
    """
    lessons = []
    for name in SCORED:
        golden = contract.goldens[name]
        if golden is None:
            continue
        whole = (*golden.ids, contract.stop_ids[0])
        lessons.append(Lesson(prompt=whole[:1], completion=whole[1:], row=name))
    if not lessons:
        raise ContractError("the template renders none of the golden conversations")
    capacity = sum(map(len, lessons))
    (row,) = pack(lessons, capacity, np.random.default_rng(0))
    found = engine.score(row)
    order = np.lexsort((row.source, row.lesson))
    return tuple(round(float(value), DECIMALS) for value in found[order])


def check_alive(expected: Fingerprint, found: Sequence[float]) -> None:
    """Whether the model that scored `found` is the one that was released.

    Raises: BaseModelError where it answers as the base does, or as neither.
    """
    off = apart(expected.tuned, found)
    to_base = np.inf if expected.base is None else apart(expected.base, found)
    allowed = max(NOISE, NEAR * expected.distance) if expected.base else NOISE
    if to_base <= min(off, allowed):
        raise BaseModelError(
            "the adapter changes nothing: the model scores as its base does",
            where="adapter",
            expected=f"a mean change of {expected.distance:.4f} nats a token",
            rows=[BadRow(where="found", problem=f"{to_base:.4f} nats a token from the base")],
            hint="the weights were lost, zeroed or never loaded; release again",
        )
    if off > allowed:
        raise BaseModelError(
            "the model does not score as the released one did",
            where="adapter",
            expected=f"at most {allowed:.4f} nats a token from its fingerprint",
            rows=[BadRow(where="found", problem=f"{off:.4f} nats a token from it")],
            hint="another adapter or base was loaded; `tutelage verify` compares the files",
        )


def check_change(fingerprint: Fingerprint) -> None:
    """Whether an adapter does anything at all.

    Raises: BaseModelError where it does not, or where it scores no numbers.
    """
    broken = sum(not np.isfinite(one) for one in fingerprint.tuned)
    if broken:
        raise BaseModelError(
            "the tuned model's scores are no finite numbers",
            where="adapter",
            rows=[BadRow(where="found", problem=f"{broken} of {len(fingerprint.tuned)} tokens")],
            hint="the training went astray: lower `train.learning_rate` and train again",
        )
    if fingerprint.distance < LEAST:
        raise BaseModelError(
            "the adapter changes nothing: it scores as the base does",
            where="adapter",
            expected=f"a mean change of {LEAST} nats a token or more",
            rows=[BadRow(where="found", problem=f"{fingerprint.distance:.6f} nats a token")],
            hint="see whether the training's loss fell",
        )
