"""A contract as it is kept on disk: which keys it has, and of which kind each one is."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from tutelage.core.errors import BadRow, ContractError
from tutelage.core.recipe import Decoding, Fit, Forged, TruncateSide
from tutelage.core.recipe.positions import dotted

SCHEMA = 1


def _day(text: str) -> str:
    datetime.date.fromisoformat(text)
    return text


class Part(BaseModel):
    """Values are of the kind that is written, never of one that could be made into it."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class Text(Part):
    """A text with a name."""

    name: str
    digest: str
    text: str


class Variant(Text):
    """A system prompt with its share of the rows."""

    share: float = Field(ge=0, le=1)


class Template(Part):
    """The chat template."""

    name: str
    digest: str
    of_base: bool
    texts: dict[str, str]


class Drawn(Decoding):
    """How answers are drawn."""

    model_config = ConfigDict(strict=True)


class Rendered(Part):
    """One of the goldens."""

    text: str
    ids: list[int]
    tokens: list[str]

    @model_validator(mode="after")
    def _in_pairs(self) -> Rendered:
        if len(self.ids) != len(self.tokens):
            raise ValueError(f"{len(self.ids)} ids and {len(self.tokens)} tokens")
        return self


class Form(Part):
    """All of a contract but its `schema`."""

    base: str
    template: Template
    system: Text | None
    variants: list[Variant]
    without_system: float = Field(ge=0, le=1)
    policy_seed: int
    arguments: dict[str, Any]
    date: Annotated[str, AfterValidator(_day)]
    decoding: Drawn
    output_schema: Any
    context: int = Field(ge=1)
    fit: Fit
    truncate: TruncateSide
    forged: Forged
    forgeable: list[str]
    tokenizer: str
    specials: dict[str, str]
    stop_tokens: list[str]
    stop_ids: list[int]
    closing: int | None
    new_tokens: dict[str, int] = {}
    goldens: dict[str, Rendered | None]

    @model_validator(mode="after")
    def _in_pairs(self) -> Form:
        if len(self.stop_tokens) != len(self.stop_ids):
            raise ValueError(f"{len(self.stop_tokens)} stop tokens and {len(self.stop_ids)} ids")
        return self


def check_form(form: Mapping[str, Any], *, lacking: Sequence[str] = (), name: str = "") -> None:
    """Whether this is a contract as `Contract.to_dict` writes it, some keys of which may lack.

    `name` is what is told of where it was found.
    Raises: ContractError naming each key that is missing or of another kind.
    """
    if form.get("schema") != SCHEMA:
        raise ContractError(
            f"contract of schema {form.get('schema')}", where=name, expected=f"schema {SCHEMA}"
        )
    try:
        Form.model_validate(dict(form))
    except ValidationError as error:
        rows = [
            BadRow(where=dotted(one["loc"]) or "contract", problem=_problem(one))
            for one in error.errors()
            if one["type"] != "missing" or one["loc"] not in {(key,) for key in lacking}
        ]
        if rows:
            hint = "train again"
            raise ContractError(
                "this is no whole contract", where=name, rows=rows, hint=hint
            ) from None


def _problem(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "is missing"
    message = detail["msg"].removeprefix("Value error, ")
    if not message.startswith("Input should "):
        return f"{message[:1].lower()}{message[1:]}"
    expected = message.removeprefix("Input should ").removeprefix("be ").removeprefix("a valid ")
    expected = expected.partition(" or instance of ")[0].replace("dictionary", "mapping")
    given = detail["input"]
    found = f"`{given}`" if isinstance(given, str | int | float) else type(given).__name__
    return f"expected {expected}, found {'null' if given is None else found}"
