"""The one tree of errors: each says what, where, what was expected and what to do.

TutelageError
├── UsageError          2    the command line was not understood
├── RecipeError         1    the recipe is not valid
│   └── RuleError       1    one line of `gate` is not a rule
├── RowError            1    rows that cannot be used, all of them together
├── BaseModelError      1    the base model or its tokenizer cannot be used
├── ContractError       1    the prompt contract is broken or cannot be made
├── StoreError          1    the store refuses: damaged, newer, locked or full
├── TrainingError       1    training went wrong; names the rows
│   └── PeerLost        1    another process of the training is gone
├── MissingCapability   1    an engine was asked for what it cannot do
├── GateShut            3    the verdict is fail or inconclusive
└── Interrupted       130    stopped by the user; nothing is half-written
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypedDict

from tutelage.core.printable import printable

ROWS_DRAWN = 50  # the text form draws so many bad rows and counts the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """One row at fault: where it stands and what is wrong with it."""

    where: str  # `line 12`, `recipe.yaml:3:5`, a row id
    problem: str


class ErrorForm(TypedDict):
    """The `error` object of `--json`."""

    code: str
    message: str
    where: str
    hint: str
    rows: list[dict[str, str]]


class TutelageError(Exception):
    """What went wrong, said so that a stranger can put it right."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        expected: str = "",
        hint: str = "",
        rows: Sequence[BadRow] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.expected = expected
        self.hint = hint
        self.rows = tuple(rows)

    def __str__(self) -> str:
        return self.text().removeprefix("error: ")

    def text(self) -> str:
        """The error as a user reads it on a terminal."""
        at = f"{self.where}: " if self.where else ""
        lines = [f"error: {at}{self.message}"]
        if self.expected:
            lines.append(f"  expected {self.expected}")
        drawn = self.rows[:ROWS_DRAWN]
        width = max((len(row.where) for row in drawn), default=0)
        lines += [f"  {row.where:<{width}}  {row.problem}" for row in drawn]
        if len(self.rows) > len(drawn):
            lines.append(f"  and {len(self.rows) - len(drawn)} more; `--json` lists them all")
        if self.hint:
            lines += ["", f"hint: {self.hint}"]
        return printable("\n".join(lines))

    def form(self) -> ErrorForm:
        """The error as `--json` prints it, with every bad row."""
        message = f"{self.message}; expected {self.expected}" if self.expected else self.message
        return ErrorForm(
            code=self.code,
            message=message,
            where=self.where,
            hint=self.hint,
            rows=[{"where": row.where, "problem": row.problem} for row in self.rows],
        )


class UsageError(TutelageError):
    """The command line was not understood."""

    code = "usage"
    exit_code = 2


class RecipeError(TutelageError):
    """The recipe is not valid; its rows are the places, all of them."""

    code = "recipe"


class RuleError(RecipeError):
    """One line of `gate` is not a rule."""

    code = "rule"


class RowError(TutelageError):
    """Rows that cannot be used, all of them together."""

    code = "rows"


class BaseModelError(TutelageError):
    """The base model or its tokenizer cannot be used."""

    code = "base_model"


class ContractError(TutelageError):
    """The prompt contract is broken or cannot be made."""

    code = "contract"


class StoreError(TutelageError):
    """The store refuses: damaged, newer, locked or full."""

    code = "store"


class TrainingError(TutelageError):
    """Training went wrong, such as a loss that is not finite; its rows are the examples."""

    code = "training"


class PeerLost(TrainingError):
    """Another process of the training is gone; it, or its signal, tells why."""

    code = "peer_lost"


class MissingCapability(TutelageError):
    """An engine was asked for what it cannot do."""

    code = "missing_capability"


class GateShut(TutelageError):
    """The verdict is fail or inconclusive."""

    code = "gate_shut"
    exit_code = 3


class Interrupted(TutelageError):
    """Stopped by the user; nothing is half-written and the same command goes on."""

    code = "interrupted"
    exit_code = 130
