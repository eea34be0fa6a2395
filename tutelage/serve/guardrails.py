"""Guardrails: checks of requests and answers, and what becomes of what they find.

A check that breaks blocks (`fail: closed`) or lets through (`fail: open`); either way
it is counted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tutelage.core.digest import Json
from tutelage.core.errors import BadRow, ContractError
from tutelage.core.finding import Finding, redacted
from tutelage.core.recipe.serve import Check, Guardrail, Side
from tutelage.score.schema import Schema
from tutelage.screen import pii, secrets

Find = Callable[[str], Sequence[Finding]]
BROKEN = "check_failed"  # kind of the flag of a check that raised
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """How often a guardrail found one kind of thing; never the words."""

    check: str
    side: Side
    kind: str
    action: str
    count: int

    def to_dict(self) -> dict[str, Json]:
        """The flag as an event keeps it."""
        return {
            "check": self.check,
            "side": self.side,
            "kind": self.kind,
            "action": self.action,
            "count": self.count,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Texts after the guardrails: redacted where asked, or blocked together."""

    texts: tuple[str, ...]
    flags: tuple[Flag, ...] = ()
    blocked: bool = False


class Guardrails:
    """The guardrails of a release."""

    def __init__(self, rails: Sequence[Guardrail], checks: Mapping[Check, Find]) -> None:
        self._rails = tuple(rails)
        self._checks = dict(checks)

    @property
    def hold_answers(self) -> bool:
        """Whether no piece of an answer may be sent before the whole is checked."""
        return any(rail.side == "output" and rail.action != "flag" for rail in self._rails)

    def look(self, texts: Sequence[str], side: Side) -> Looked:
        """Puts texts through the guardrails of one side, in the recipe's order."""
        current, flags, blocked = list(texts), [], False
        for rail in self._rails:
            if rail.side != side:
                continue
            try:
                found = [self._found(rail, text) for text in current]
            except Exception as error:  # noqa: BLE001  whatever broke, the rail says what follows
                LOG.warning("the %s check of %s broke: %s", rail.check, side, type(error).__name__)
                action = "block" if rail.fail == "closed" else "flag"
                flags.append(Flag(check=rail.check, side=side, kind=BROKEN, action=action, count=1))
                blocked = blocked or rail.fail == "closed"
                continue
            kinds = Counter(one.kind for each in found for one in each)
            flags += [
                Flag(check=rail.check, side=side, kind=kind, action=rail.action, count=count)
                for kind, count in sorted(kinds.items())
            ]
            blocked = blocked or (rail.action == "block" and bool(kinds))
            if rail.action == "redact":
                current = [redacted(*each) for each in zip(current, found, strict=True)]
        return Looked(texts=tuple(current), flags=tuple(flags), blocked=blocked)

    def _found(self, rail: Guardrail, text: str) -> list[Finding]:
        found = self._checks[rail.check](text)
        return [one for one in found if not rail.kinds or one.kind in rail.kinds]


def checks_of(schema: Schema | None) -> dict[Check, Find]:
    """Every check there is; `schema` where the contract has one."""
    checks: dict[Check, Find] = {"pii": pii.find_pii, "secrets": secrets.find_secrets}
    if schema is not None:
        checks["schema"] = lambda text: _misfit(schema, text)
    return checks


def check_rails(rails: Sequence[Guardrail], schema: Schema | None) -> None:
    """Raises ContractError naming each guardrail that could never do what it says."""
    kinds: Mapping[Check, Sequence[str]] = {
        "pii": pii.KINDS,
        "secrets": secrets.KINDS,
        "schema": ("schema",),
    }
    rows = []
    for number, rail in enumerate(rails):
        at = f"serve.guardrails[{number}]"
        if rail.check == "schema" and schema is None:
            rows.append(BadRow(where=at, problem="the contract has no `output_schema`"))
        unknown = [kind for kind in rail.kinds if kind not in kinds[rail.check]]
        if unknown:
            known = ", ".join(kinds[rail.check])
            problem = f"`{rail.check}` finds no {', '.join(unknown)}; it finds {known}"
            rows.append(BadRow(where=at, problem=problem))
    if rows:
        raise ContractError(
            "a guardrail cannot do what it says",
            where="serve.guardrails",
            hint="mend them in the recipe and release again",
            rows=rows,
        )


def _misfit(schema: Schema, text: str) -> list[Finding]:
    if schema.valid(text):
        return []
    return [Finding(detector="schema", kind="schema", start=0, end=len(text))]
